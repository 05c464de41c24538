"""`psychmed vocabulary`: what rules may speak of."""

from __future__ import annotations

from typing import Annotated

import typer

from cds.cli.asked import FormatOption, fail
from cds.errors import CdsError


def vocabulary(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="a fact kind; default: all of them")] = None,
    output: FormatOption = "text",
) -> None:
    """List the fact kinds, or one with its fields: types, units, values, hooks, and where it comes from."""
    import orjson

    from cds.authoring.vocabulary_pages import index_text, page_text, pages

    try:
        found = pages(kind)
    except CdsError as error:
        raise fail(error) from None
    if output == "json":
        typer.echo(orjson.dumps([page.as_dict() for page in found], option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo(page_text(found[0]) if kind is not None else index_text(found))
