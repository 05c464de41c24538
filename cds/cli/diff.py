"""`psychmed diff`: what other rules would say of the same charts."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cds.cli.asked import (
    ChartsArgument,
    FormatOption,
    HookName,
    SettingsOption,
    fail,
    read_settings,
    read_today,
    tell,
)
from cds.errors import CdsError, HookRequestError

if TYPE_CHECKING:
    from cds.authoring.differences import Change, Difference
    from cds.evaluate import Evaluator, HookCall
    from cds.rules.model import RuleSet

_PLACE = "a folder of rules, shipped, or git:REV for the rules of a revision"


@dataclass(frozen=True, slots=True)
class _Differs:
    """A difference, and where it was seen. day: of a replayed order; None for the day that was asked."""

    chart: str
    day: dt.date | None
    is_: Difference


@dataclass(frozen=True, slots=True)
class _Report:
    """over: what was asked, in words. limit: most charts named for a difference."""

    places: tuple[str, str]
    sides: tuple[RuleSet, RuleSet]
    found: tuple[_Differs, ...]
    over: str
    limit: int


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_PLACE)],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_PLACE)],
    charts: ChartsArgument,
    *,
    today: Annotated[
        str | None, typer.Option(help='the day to ask on, or "last": of each chart its last dated record; default: now')
    ] = None,
    hook: Annotated[HookName | None, typer.Option(help="which hook to ask as; default: patient-view")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="each psychotropic order as an order-sign on its own day")
    ] = False,
    rule: Annotated[str | None, typer.Option(help="only this rule, by id or specification id")] = None,
    limit: Annotated[int, typer.Option(min=1, help="charts named for each difference")] = 10,
    settings: SettingsOption = None,
    output: FormatOption = "text",
) -> None:
    """Compare two sets of rules over the same charts. Exit code 0: no difference, 1: there are, 2: bad input."""
    from cds.cli.rule_folders import rules_at
    from cds.evaluate import Evaluator, deployments

    if replay and (hook is not None or today is not None):
        raise fail("--replay asks as order-sign on the day of each order: leave --hook and --today out")
    chosen = read_settings(settings)
    day, last = read_today(today, chosen)
    try:
        site = deployments(chosen)
        sides = rules_at(old, site=site), rules_at(new, site=site)
        asked = None if rule is None else _spec_of(rule, sides)
        before = Evaluator(chosen, rules=sides[0])
        after = Evaluator(chosen, rules=sides[1], resolver=before.resolver)
    except CdsError as error:
        raise fail(error) from None
    problems: list[str] = []
    found: list[_Differs] = []
    questions = 0
    names: set[str] = set()
    try:
        for name, call, own_day in _questions(charts, before, hook, problems, replay=replay):
            names.add(name)
            questions += 1
            on = own_day or (before.last_record(call, before=day) if last else day)
            try:
                rows = _compare(before, after, call, on)
            except HookRequestError as error:
                problems.append(f"{name}: {error}")
                continue
            found += (_Differs(name, own_day, d) for d in rows if asked is None or d.spec == asked)
    except CdsError as error:
        raise fail(error) from None
    finally:
        before.close()
        after.close()
    over = f"{_many(questions, 'order')} of {_many(len(names), 'chart')}" if replay else _many(len(names), "chart")
    report = _Report((old, new), sides, tuple(found), over, limit)
    typer.echo(_json(report) if output == "json" else _text(report))
    tell(problems)
    raise typer.Exit(2 if problems else 1 if found else 0)


def _spec_of(rule: str, sides: tuple[RuleSet, RuleSet]) -> str:
    for one in (*sides[0].rules, *sides[1].rules):
        if rule in {one.id, one.spec}:
            return one.spec
    raise CdsError(f'neither side has a rule "{rule}"')


def _questions(
    charts: Path, evaluator: Evaluator, hook: HookName | None, problems: list[str], *, replay: bool
) -> Iterator[tuple[str, HookCall, dt.date | None]]:
    """(chart, call, the day of a replayed order; None for the day that is asked)."""
    from cds.cli.charts import read_path
    from cds.replay.calls import replayed_orders
    from cds.replay.known import Past

    for name, call in read_path(charts, hook=hook, problems=problems):
        if not replay:
            yield name, call, None
            continue
        for one in replayed_orders(Past(call, tz=evaluator.tz), resolver=evaluator.resolver):
            yield name, one.call, one.day


def _compare(before: Evaluator, after: Evaluator, call: HookCall, day: dt.date) -> list[Difference]:
    from cds.authoring.differences import differences

    prepared = before.prepare(call, today=day)
    old = before.evaluate(call, today=day, basis=prepared)
    same_facts = before.rules.shared_values == after.rules.shared_values
    new = after.evaluate(call, today=day, basis=prepared if same_facts else None)
    return differences(old, new)


def _grouped(found: Sequence[_Differs]) -> dict[str, dict[Change, list[_Differs]]]:
    from cds.authoring.differences import CHANGES

    rows: dict[str, dict[Change, list[_Differs]]] = defaultdict(dict)
    for one in sorted(found, key=lambda d: (d.is_.spec, list(CHANGES).index(d.is_.change))):
        rows[one.is_.spec].setdefault(one.is_.change, []).append(one)
    return rows


def _text(r: _Report) -> str:
    from cds.authoring.differences import CHANGES

    old, new = r.sides
    ids = {rule.spec: rule.id for side in r.sides for rule in side.rules}
    lines = [f"{p}: {len(s.rules)} rules, version {s.version}" for p, s in zip(r.places, r.sides, strict=True)]
    for place, one, other in ((r.places[0], old, new), (r.places[1], new, old)):
        only = sorted({rule.spec for rule in one.rules} - {rule.spec for rule in other.rules})
        lines += [f"only in {place}: {', '.join(only)}"] if only else []
    for spec, changes in _grouped(r.found).items():
        lines.append(f"{spec}  {ids[spec]}")
        for change, rows in changes.items():
            lines.append(f"  {CHANGES[change]}: {len(rows)}")
            lines.extend(f"    {_where(row)}  {_how(row.is_)}" for row in rows[: r.limit])
            if len(rows) > r.limit:
                lines.append(f"    and {len(rows) - r.limit} more")
    differing = len({row.chart for row in r.found})
    differs = f"{_many(len(r.found), 'difference')}, in {_many(differing, 'chart')}" if r.found else "no difference"
    return "\n".join([*lines, f"{r.over}: {differs}"])


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _where(row: _Differs) -> str:
    return row.chart if row.day is None else f"{row.chart} {row.day.isoformat()}"


def _how(one: Difference) -> str:
    return " -> ".join(words for words in (one.old, one.new) if words)


def _json(r: _Report) -> str:
    grouped = _grouped(r.found)
    sides = zip(("old", "new"), r.places, r.sides, strict=True)
    document: dict[str, Any] = {
        **{name: {"rules": place, "version": side.version} for name, place, side in sides},
        "over": r.over,
        "counts": {spec: {c: len(rows) for c, rows in changes.items()} for spec, changes in grouped.items()},
        "differences": [
            {
                "chart": row.chart,
                "day": row.day.isoformat() if row.day is not None else None,
                "rule": row.is_.spec,
                "change": row.is_.change,
                "old": row.is_.old,
                "new": row.is_.new,
            }
            for changes in grouped.values()
            for rows in changes.values()
            for row in rows[: r.limit]
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
