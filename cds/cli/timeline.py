"""`psychmed timeline CHART`: one picture of a chart on a day, with the windows of a rule on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from cds.cli.one_chart import day_of, fail, one_call, rule_of
from cds.errors import CdsError

HookName = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]
_SVG_WIDTH = 860


def timeline(
    chart: Annotated[Path, typer.Argument(help="a Bundle, a hook request, or a folder with --patient", exists=True)],
    *,
    rule: Annotated[str | None, typer.Option(help="draw this rule's windows: its id, or B-01")] = None,
    hook: Annotated[HookName | None, typer.Option(help="which hook to ask as (a request says it itself)")] = None,
    today: Annotated[
        str | None, typer.Option(help='the day, as 2026-03-31, or "last": the last dated record; default: now')
    ] = None,
    patient: Annotated[str | None, typer.Option(help="id of the patient, in a folder")] = None,
    width: Annotated[
        int | None, typer.Option(help="characters of text, or pixels of SVG; default: the terminal's, 860 for SVG")
    ] = None,
    settings: Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write it to this file")] = None,
    output: Annotated[Literal["text", "json", "svg"], typer.Option("--format", help="text, json or svg")] = "text",
) -> None:
    """Draw a chart: medicines, visits, results, and where a rule's limits lie."""
    from cds.evaluate import Evaluator
    from cds.settings import load_settings
    from cds.timeline import as_svg, as_text
    from cds.timeline import timeline as picture_of

    try:
        chosen = load_settings(settings)
        evaluator = Evaluator(chosen)
    except CdsError as error:
        raise fail(error) from None
    try:
        asked = rule_of(rule, evaluator.rules) if rule is not None else None
        call = one_call(chart, hook=hook, patient=patient)
        day = day_of(today, evaluator, chosen, call)
        known = evaluator.chart(call, today=day)
        facts = evaluator.facts(known, call.hook).facts
        picture = picture_of(known, facts, hook=call.hook, rules=evaluator.rules, rule=asked)
    except CdsError as error:
        raise fail(error) from None
    finally:
        evaluator.close()
    if output == "svg":
        text = as_svg(picture, width=width or _SVG_WIDTH)
    elif output == "json":
        text = orjson.dumps(picture.as_dict(), option=orjson.OPT_INDENT_2).decode()
    else:
        text = as_text(picture, width=width or shutil.get_terminal_size((80, 24)).columns)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise fail(f"{out.name}: cannot be written: {error.strerror}") from None
