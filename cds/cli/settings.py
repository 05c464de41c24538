"""`psychmed settings ...`: what is wrong with a settings file, before a service meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The site's settings file.")


@app.callback()
def settings() -> None:
    """The site's settings file."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="the settings file (site.yaml)", exists=True, dir_okay=False)],
) -> None:
    """Report every problem of a settings file as file:line:column. Exit code 1: there is one."""
    from cds.site import problems_of

    problems = problems_of(file)
    for problem in problems:
        typer.echo(str(problem).replace(":0:0: ", ": ", 1))
    if not problems:
        typer.echo("no problems")
    raise typer.Exit(1 if problems else 0)
