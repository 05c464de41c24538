"""`psychmed new-rule`: the files that a rule begins with."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cds.cli.asked import FormatOption, fail, read_day
from cds.errors import CdsError


def new_rule(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="id of the rule: long-first-supply")],
    *,
    into: Annotated[Path, typer.Option("--into", help="folder of the site's own rules; made when missing")] = Path(
        "rules-here"
    ),
    spec: Annotated[str | None, typer.Option(help="specification id; default: the next free X-NEW-01")] = None,
    today: Annotated[str | None, typer.Option(help="the day the files are dated with; default: now")] = None,
    output: FormatOption = "text",
) -> None:
    """Begin a rule: a rule file and a case file with TODOs, and what to do next. Nothing is ever overwritten."""
    import orjson

    from cds.authoring.new_rule import new_rule as write
    from cds.rules.load import load_rules

    try:
        known, _ = load_rules([into] if into.is_dir() else [])
        written = write(rule_id, into=into, spec=spec, known=known.rules, today=read_day(today, "--today") or _now())
    except CdsError as error:
        raise fail(error) from None
    if output == "json":
        found = {"rule": str(written.rule), "cases": str(written.cases), "spec": written.spec}
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"written: {written.rule}\n         {written.cases}\n")
    folder, rule, cases = (shlex.quote(str(path)) for path in (into, written.rule, written.cases))  # to be pasted
    typer.echo(
        "The linter reports two TODOs: R021, the source of the limit, and R101, which orders are meant.\n"
        "Those of the texts are for you to find.\n"
        "The cases fail until the rule can be read. Next:\n"
        f"  1. psychmed vocabulary order          what an order can be asked\n"
        f"  2. edit {rule}\n"
        f"  3. psychmed lint {folder}\n"
        f"  4. psychmed test {cases} --rules {folder}\n"
        f"  5. psychmed forecast {rule} CHARTS\n"
        f"docs/tutorial.md goes through it with an example."
    )


def _now() -> dt.date:
    from zoneinfo import ZoneInfo

    from hooks.clock import today_at

    return today_at(ZoneInfo("UTC"), None)
