"""`psychmed`: serve, check, test, lint, engines, and groups of commands.

Exit codes: 0 fine, 1 findings or failures, 2 bad usage or files.
"""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from cds.cli.audit import audit
from cds.cli.audit_outputs import report
from cds.cli.cases import run_cases
from cds.cli.diff import diff
from cds.cli.drugs import app as drugs_app
from cds.cli.explain import explain
from cds.cli.forecast import forecast
from cds.cli.jwt_check import jwt_check
from cds.cli.lint import lint
from cds.cli.new_rule import new_rule
from cds.cli.review_due import review_due
from cds.cli.schema import schema
from cds.cli.settings import app as settings_app
from cds.cli.timeline import timeline
from cds.cli.vocabulary import vocabulary
from cds.errors import CdsError, HookRequestError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Decision support for psychiatric medication management.",
    pretty_exceptions_enable=False,  # it would print local variables, and with them the patient
)
app.add_typer(drugs_app, name="drugs")
app.add_typer(settings_app, name="settings")
app.command(name="jwt-check")(jwt_check)
app.command(name="explain")(explain)
app.command(name="timeline")(timeline)
app.command(name="test")(run_cases)
app.command(name="audit")(audit)
app.command(name="lint")(lint)
app.command(name="schema")(schema)
app.command(name="review-due")(review_due)
app.command(name="diff")(diff)
app.command(name="forecast")(forecast)
app.command(name="new-rule")(new_rule)
app.command(name="vocabulary")(vocabulary)
app.command(name="report")(report)
Format = Literal["text", "json"]
FormatOption = Annotated[Format, typer.Option("--format", help="text or json")]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")]
_MOST_PROBLEMS = 100
HookName = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]


def _fail(message: object) -> typer.Exit:
    typer.echo(f"psychmed: {message}", err=True)
    return typer.Exit(2)


@app.command()
def serve(
    settings: SettingsOption = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 takes a free one")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="answer everyone, without JWT, beyond loopback")] = False,
) -> None:
    """Run the CDS Hooks service."""
    from cds.settings import load_settings
    from hooks.serve import serve as run

    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    load = functools.partial(load_settings, settings, **given)
    try:
        run(load(), load, insecure=insecure)
    except CdsError as error:
        raise _fail(error) from None


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="a hook request, a Bundle, or a folder of Bundles or NDJSON", exists=True)
    ],
    hook: Annotated[HookName | None, typer.Option(help="which hook to ask as (a request says it itself)")] = None,
    today: Annotated[
        str | None,
        typer.Option(
            help='the day to ask on, as 2026-03-31, or "last": of each chart its last dated record; default: now'
        ),
    ] = None,
    settings: SettingsOption = None,
    output: FormatOption = "text",
) -> None:
    """Evaluate charts: the same findings as the service."""
    from cds.cli.charts import read_path
    from cds.cli.show import evaluation_text
    from cds.evaluate import Evaluator
    from cds.settings import load_settings
    from hooks.clock import today_at

    try:
        given = dt.date.fromisoformat(today) if today and today != "last" else None
    except ValueError:
        raise _fail(f'--today: "{today}" is not a date (write 2026-03-31, or last)') from None
    try:
        chosen = load_settings(settings)
        day = given or today_at(chosen.zone, chosen.today)
        evaluator = Evaluator(chosen)
    except CdsError as error:
        raise _fail(error) from None
    for problem in evaluator.problems:
        typer.echo(str(problem), err=True)
    results = []
    found = False
    problems: list[str] = []
    try:
        for name, call in read_path(path, hook=hook, problems=problems):
            try:
                asked_on = evaluator.last_record(call, before=day) if today == "last" else day
                evaluation = evaluator.evaluate(call, today=asked_on)
            except HookRequestError as error:
                problems.append(f"{name}: {error}")
                continue
            found = found or bool(evaluation.findings)
            if output == "json":
                results.append({"chart": name, "evaluation": evaluation.canonical()})
            else:
                typer.echo(evaluation_text(name, evaluation))
    except CdsError as error:
        raise _fail(error) from None
    finally:
        evaluator.close()
    if output == "json":
        typer.echo(orjson.dumps(results, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode())
    for line in problems[:_MOST_PROBLEMS]:
        typer.echo(f"psychmed: {line}", err=True)
    if len(problems) > _MOST_PROBLEMS:
        typer.echo(f"psychmed: and {len(problems) - _MOST_PROBLEMS} more problems", err=True)
    raise typer.Exit(2 if problems else 1 if found else 0)


@app.command()
def engines(output: FormatOption = "text") -> None:
    """Say which rule engines work here, and which one is the default."""
    from cds.engine import available, default_engine

    states = {**available(), "default": default_engine()}
    if output == "json":
        typer.echo(orjson.dumps(states).decode())
        return
    for name, state in states.items():
        typer.echo(f"{name}: {state}")


if __name__ == "__main__":
    app()
