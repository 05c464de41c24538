"""`psychmed schema`: the JSON Schema of rule and case files, for an editor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    cases: Annotated[bool, typer.Option("--cases", help="of case files; default: of rule files")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file to write; default: standard output")] = None,
) -> None:
    """Write the JSON Schema of rule files, or of case files."""
    import orjson

    from cds.authoring.schemas import case_schema, rule_schema

    text = orjson.dumps(case_schema() if cases else rule_schema(), option=orjson.OPT_INDENT_2).decode()
    if out is None:
        typer.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        typer.echo(f"psychmed: {out}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{out}: written")
