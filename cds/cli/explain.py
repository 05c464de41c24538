"""`psychmed explain RULE CHART`: why a rule fired on a chart, or what kept it from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from cds.cli.one_chart import day_of, fail, one_call, rule_of
from cds.errors import CdsError

HookName = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]


def explain(
    rule: Annotated[str, typer.Argument(help="the rule: its id, or B-01")],
    chart: Annotated[Path, typer.Argument(help="a Bundle, a hook request, or a folder with --patient", exists=True)],
    *,
    hook: Annotated[HookName | None, typer.Option(help="which hook to ask as (a request says it itself)")] = None,
    today: Annotated[
        str | None, typer.Option(help='the day, as 2026-03-31, or "last": the last dated record; default: now')
    ] = None,
    patient: Annotated[str | None, typer.Option(help="id of the patient, in a folder")] = None,
    settings: Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Say why a rule fires on a chart, nearly fires, or cannot be evaluated."""
    from cds.authoring.explain import explain as explained
    from cds.authoring.explain_text import as_dict, as_text
    from cds.evaluate import Evaluator
    from cds.settings import load_settings

    try:
        chosen = load_settings(settings)
        evaluator = Evaluator(chosen)
    except CdsError as error:
        raise fail(error) from None
    try:
        asked = rule_of(rule, evaluator.rules)
        call = one_call(chart, hook=hook, patient=patient)
        told = explained(evaluator, call, asked, today=day_of(today, evaluator, chosen, call))
    except CdsError as error:
        raise fail(error) from None
    finally:
        evaluator.close()
    if output == "json":
        typer.echo(orjson.dumps(as_dict(told), option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo(as_text(told, width=min(shutil.get_terminal_size((100, 24)).columns, 120)))
