"""What `timeline` and `explain` share: one patient of a file or folder, the day, and the rule that is asked about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.evaluate import Evaluator, HookCall
    from cds.model import Hook
    from cds.rules.model import Rule, RuleSet
    from cds.settings import Settings


def fail(message: object) -> typer.Exit:
    """Say what is wrong with the usage or a file; exit code 2."""
    typer.echo(f"psychmed: {message}", err=True)
    return typer.Exit(2)


def one_call(path: Path, *, hook: Hook | None, patient: str | None) -> HookCall:
    """The call of one patient. Raises CdsError where none or several are there, or it cannot be read."""
    from cds.cli.charts import read_path

    problems: list[str] = []
    calls = []
    for name, call in read_path(path, hook=hook, problems=problems):
        if patient is None or patient in {name, call.patient_id, name.removesuffix(".json")}:
            calls.append(call)
            if path.is_dir() and patient is None and len(calls) > 1:
                raise CdsError(f"{path.name}: more than one chart in this folder (add --patient ID)")
    if len(calls) == 1:
        return calls[0]
    if calls:
        raise CdsError(f"{path.name}: more than one chart of this patient in this folder")
    if problems and patient is None:
        raise CdsError(problems[0])
    wanted = "chart of the patient that --patient names" if patient is not None else "chart"
    more = f" ({len(problems)} files or lines could not be read)" if problems else ""
    raise CdsError(f"{path.name}: no {wanted} here{more}")


def day_of(today: str | None, evaluator: Evaluator, settings: Settings, call: HookCall) -> dt.date:
    """The day of `--today`: a date, "last" for the last dated record of the chart, None for the present day."""
    from hooks.clock import today_at

    if today is not None and today != "last":
        try:
            return dt.date.fromisoformat(today)
        except ValueError:
            raise CdsError(f'--today: "{today}" is not a date (write 2026-03-31, or last)') from None
    present = today_at(settings.zone, settings.today)
    return evaluator.last_record(call, before=present) if today == "last" else present


def rule_of(name: str, rules: RuleSet) -> Rule:
    """The rule by its id ("benzodiazepine-new-order") or specification id ("B-01"). Raises CdsError."""
    from cds.rules.vocabulary import nearest

    wanted = name.strip().lower()
    for rule in rules.rules:
        if wanted in {rule.id, rule.spec.lower()}:
            return rule
    known = [rule.id for rule in rules.rules] if "-" in wanted[2:] else [rule.spec for rule in rules.rules]
    raise CdsError(f'there is no rule "{name}" ({nearest(name, known)})')
