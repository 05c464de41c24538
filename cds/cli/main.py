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
from cds.cli.drugs import app as drugs_app
from cds.cli.explain import explain
from cds.cli.jwt_check import jwt_check
from cds.cli.settings import app as settings_app
from cds.cli.timeline import timeline
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
app.command(name="audit")(audit)
app.command(name="report")(report)
app.command(name="explain")(explain)
app.command(name="timeline")(timeline)
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


@app.command(name="test")
def run_cases(
    cases: Annotated[Path | None, typer.Argument(help="a case file or folder; default: the shipped cases")] = None,
    k: Annotated[str, typer.Option("-k", help="only cases whose rule or name contains this")] = "",
    engine: Annotated[Literal["direct", "verified", "durable"], typer.Option(help="which engine decides")] = "direct",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="only failures and the total")] = False,
    output: FormatOption = "text",
) -> None:
    """Run the case files of the rules."""
    from cds.authoring.cases import case_files, read_cases
    from cds.authoring.run import run
    from cds.cli.doors import EngineDoor
    from cds.cli.show import outcomes_json, outcomes_text
    from cds.shipped import shipped

    where = cases or shipped("fixtures/cases")
    files = case_files(where) if where.is_dir() else [where]
    try:
        chosen = [
            case
            for file in files
            for case in read_cases(file, shown_as=None if cases else f"fixtures/cases/{file.name}")
            if k.lower() in f"{case.rule} {case.spec} {case.name}".lower()
        ]
        door = EngineDoor(engine=engine)
        rules = door.evaluator("UTC").rules
        outcomes = run(chosen, door, rules=rules, facts=door.facts)
    except CdsError as error:
        raise _fail(error) from None
    typer.echo(outcomes_json(outcomes) if output == "json" else outcomes_text(outcomes, quiet=quiet))
    if not outcomes:
        raise _fail("no case was run")
    raise typer.Exit(1 if any(not o.passed and not o.case.known_gap for o in outcomes) else 0)


@app.command()
def lint(
    rules: Annotated[
        list[Path] | None, typer.Argument(help="rule folders or files; default: the shipped rules")
    ] = None,
    output: FormatOption = "text",
) -> None:
    """Report every problem of the rule files as file:line:column."""
    from cds.rules.load import lint_paths, rule_files

    for path in rules or []:
        if not path.exists():
            raise _fail(f"{path}: no such file or folder")
        if path.is_dir() and not rule_files([path]):
            raise _fail(f"{path}: no rule file (*.yaml) in this folder")
    problems = lint_paths(rules or [])
    if output == "json":
        rows = [
            {"path": p.path, "line": p.line, "column": p.column, "code": p.code, "message": p.message, "hint": p.hint}
            for p in problems
        ]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo("no problems")
    raise typer.Exit(1 if problems else 0)


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
