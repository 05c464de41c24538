"""`psychmed review-due`: what a governance meeting has to look at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from cds.cli.lint import day_of


def review_due(
    rules: Annotated[
        list[Path] | None, typer.Argument(help="rule folders or files; default: the shipped rules")
    ] = None,
    today: Annotated[str | None, typer.Option(help="the day to judge on, as 2026-03-31; default: now")] = None,
    within: Annotated[str, typer.Option(help="also what falls due within this, as 90d or 12wk")] = "90d",
    checked_within: Annotated[str, typer.Option(help="how long a source counts as checked")] = "730d",
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """List rules and sources that are due for review. Exit code 1: something is overdue."""
    import orjson

    from cds.authoring.review import due

    for path in rules or []:
        if not path.exists():
            typer.echo(f"psychmed: {path}: no such file or folder", err=True)
            raise typer.Exit(2)
    found = due(
        rules or [],
        today=day_of(today),
        within=_days("--within", within),
        checked_within=_days("--checked-within", checked_within),
    )
    if output == "json":
        rows = [
            {"path": d.path, "line": d.line, "state": d.state, "day": d.day and d.day.isoformat(), "what": d.what}
            for d in found
        ]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        for d in found:
            day = d.day.isoformat() if d.day else ""
            typer.echo(f"{d.state:8} {day:10}  {d.what}   [{d.path}:{d.line}]")
        if not found:
            typer.echo("nothing is due")
    raise typer.Exit(1 if any(d.state == "overdue" for d in found) else 0)


def _days(option: str, text: str) -> int:
    found = re.fullmatch(r"(\d{1,6}) ?(d|wk)?", text.strip())
    if found is None:
        typer.echo(f'psychmed: {option}: "{text}" is not a number of days (write 90d or 12wk)', err=True)
        raise typer.Exit(2)
    return int(found[1]) * (7 if found[2] == "wk" else 1)
