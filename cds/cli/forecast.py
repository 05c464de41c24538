"""`psychmed forecast`: the cards that a rule would have shown, had it been switched on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from cds.cli.asked import ChartsArgument, FormatOption, SettingsOption, fail, read_day, read_settings, tell
from cds.errors import CdsError, HookRequestError

if TYPE_CHECKING:
    from cds.authoring.forecast import Forecast
    from cds.evaluate import Evaluator
    from cds.replay.calls import Replayed
    from cds.rules.model import Rule, RuleSet
    from cds.settings import Settings

_ALL = "all"
_LIST_MOST = 1000
_MOST_ROWS = 40


def forecast(
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="id, specification id or file of a rule; all: the rules as they stand")
    ],
    charts: ChartsArgument,
    *,
    since: Annotated[str | None, typer.Option("--from", help="first day, as 2026-01-01")] = None,
    until: Annotated[str | None, typer.Option("--to", help="last day, as 2026-03-31")] = None,
    hook: Annotated[
        Literal["order-sign", "order-select", "patient-view"] | None,
        typer.Option(help="order-sign and order-select: each psychotropic order; patient-view: each visit"),
    ] = None,
    min_cell: Annotated[
        int, typer.Option("--min-cell", min=1, help="numbers with fewer patients behind them are not told")
    ] = 11,
    list_: Annotated[bool, typer.Option("--list", help="name the charts and days of the cards (patient ids)")] = False,
    settings: SettingsOption = None,
    output: FormatOption = "text",
) -> None:
    """Count the cards a rule would have shown on the orders or visits of charts, as if it were switched on."""
    from cds.authoring.forecast import Forecast, answer, as_hook
    from cds.evaluate import Evaluator

    first, last = read_day(since, "--from"), read_day(until, "--to")
    if first is not None and last is not None and first > last:
        raise fail("--from is after --to")
    chosen = read_settings(settings)
    problems: list[str] = []
    told = Forecast(least=min_cell)
    try:
        rules, subject = _rules(rule, chosen, problems)
        asked_as = hook or _hook_of(subject)
        if subject is not None and asked_as not in subject.hooks:
            raise CdsError(f"{subject.id} is not asked at {asked_as} (it has {', '.join(sorted(subject.hooks))})")
        # Sign-off has been asked for already, of the rules that are not the subject.
        evaluator = Evaluator(chosen.model_copy(update={"require_sign_off": False}), rules=rules)
        spec = None if subject is None else subject.spec
        for name, one in _replay(charts, evaluator, asked_as, first, last, problems=problems):
            try:
                evaluation = evaluator.evaluate(as_hook(one.call, asked_as), today=one.day)
            except HookRequestError as error:
                problems.append(f"{name}: {error}")
                continue
            told.rows.append(answer(name, one, evaluation, spec))
        evaluator.close()
    except CdsError as error:
        raise fail(error) from None
    report = _report(told, subject, asked_as, list_=list_)
    typer.echo(_text(report) if output == "text" else orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    tell(problems)
    raise typer.Exit(2 if problems else 0)


def _rules(name: str, settings: Settings, problems: list[str]) -> tuple[RuleSet, Rule | None]:
    """The rules in force with the one that is meant switched on; that one as it stands, None for all."""
    from cds.authoring.forecast import switched_on
    from cds.evaluate import Evaluator, rules_of

    rules, found = rules_of(settings)
    problems.extend(str(p) for p in found)
    if settings.require_sign_off:
        rules = Evaluator(settings, rules=rules).rules
    if name == _ALL:
        return rules, None
    file = Path(name)
    if file.suffix == ".yaml" and file.is_file():
        subject = _rule_of_file(file, settings)
        # The file stands in place of the rule that it is a copy of.
        others = tuple(r for r in rules.rules if r.id != subject.id and r.spec != subject.spec)
        return switched_on(replace(rules, rules=(*others, subject)), subject), subject
    subjects = [r for r in rules.rules if name in {r.id, r.spec}]
    if not subjects:
        raise CdsError(f'there is no rule "{name}": give an id, a specification id, a rule file (.yaml), or all')
    return switched_on(rules, subjects[0]), subjects[0]


def _rule_of_file(file: Path, settings: Settings) -> Rule:
    from cds.evaluate import deployments
    from cds.rules.load import load_rules

    own, found = load_rules(base=file, site=deployments(settings))
    blamed = [p for p in found if p.code != "R031"]  # what the site sets of other rules
    if blamed or not own.rules:
        raise CdsError("\n".join([f"{file}: the rule does not compile", *map(str, blamed)]))
    return own.rules[0]


def _hook_of(rule: Rule | None) -> Literal["order-sign", "order-select", "patient-view"]:
    return "patient-view" if rule is not None and "order-sign" not in rule.hooks else "order-sign"


def _replay(
    charts: Path,
    evaluator: Evaluator,
    hook: str,
    first: dt.date | None,
    last: dt.date | None,
    *,
    problems: list[str],
) -> Iterator[tuple[str, Replayed]]:
    from cds.cli.charts import read_path
    from cds.replay.calls import replayed_orders, replayed_visits
    from cds.replay.known import Past

    for name, call in read_path(charts, hook=None, problems=problems):
        past = Past(call, tz=evaluator.tz)
        if hook == "patient-view":
            replayed = replayed_visits(past, since=first, until=last)
        else:
            replayed = replayed_orders(past, resolver=evaluator.resolver, since=first, until=last)
        for one in replayed:
            yield name, one


def _report(f: Forecast, rule: Rule | None, hook: str, *, list_: bool) -> dict[str, Any]:
    """All that is told, small cells hidden already."""
    from cds.authoring.forecast import INTERRUPTIVE
    from cds.authoring.small_cells import rate

    asked, cards = f.total(), f.total(lambda row: len(row.cards))
    interruptive = f.total(lambda row: sum(c.indicator in INTERRUPTIVE for c in row.cards))
    days = sorted(row.day for row in f.rows)
    report: dict[str, Any] = {
        "rule": rule.spec if rule is not None else _ALL,
        "id": rule.id if rule is not None else "",
        "status": rule.status if rule is not None else "",
        "hook": hook,
        "asked": asked,
        "charts": f.total(lambda _: 1) if isinstance(asked, str) else len({row.chart for row in f.rows}),
        "from": days[0].isoformat() if days else None,
        "to": days[-1].isoformat() if days else None,
        "cards": cards,
        "per_100": rate(cards, asked),
        "interruptive": interruptive,
        "interruptive_per_100": rate(interruptive, asked),
        "by_indicator": f.counted(lambda row: [c.indicator for c in row.cards]),
        "by_level": f.counted(lambda row: [c.level if rule is not None else c.spec for c in row.cards]),
        "withheld": f.counted(lambda row: row.withheld),
        "not_evaluated": f.counted(lambda row: sorted(set(row.unknown))),
        "alone": f.total(lambda row: int(bool(row.cards) and not row.beside)),
        "beside": f.counted(lambda row: row.beside if row.cards else ()),
        "by_period": f.periods(),
        "by_unit": f.table(lambda row: row.unit),
        "by_prescriber": f.table(lambda row: row.prescriber),
        "least": f.least,
    }
    if list_:
        rows = [(row, c) for row in sorted(f.with_cards, key=lambda row: (row.chart, row.day)) for c in row.cards]
        report["list"] = [
            {"chart": row.chart, "day": row.day.isoformat(), "rule": c.spec, "indicator": c.indicator, "level": c.level}
            for row, c in rows[:_LIST_MOST]
        ]
    return report


def _text(r: dict[str, Any]) -> str:
    what = "visits" if r["hook"] == "patient-view" else "orders"
    title = f"{r['rule']}  {r['id']} ({r['status']}), as if switched on" if r["id"] else "all rules, as they stand"
    lines = [f"{title}; {r['hook']}"]
    period = f", {r['from']} to {r['to']}" if r["from"] else ""
    asked = _many(r["asked"], "visit" if what == "visits" else "psychotropic order")
    lines.append(f"{asked} of {_many(r['charts'], 'chart')}{period}")
    lines.append(f"cards         {_number(r['cards'], r['per_100'], what)}{_listed(r['by_indicator'])}")
    lines.append(f"interruptive  {_number(r['interruptive'], r['interruptive_per_100'], what)}  warning or critical")
    if r["by_level"]:
        lines.append(f"{'by level' if r['id'] else 'by rule':12}  {_listed(r['by_level']).strip()}")
    if r["id"] and r["cards"]:
        lines.append(
            f"on the same {what[:-1]}: alone {r['alone']}" + "".join(f", {s} {n}" for s, n in r["beside"].items())
        )
    for name, text in (("withheld", "withheld"), ("not_evaluated", "not evaluated")):
        lines += [f"{text}: {n}  {why}" for why, n in r[name].items()]
    for key, name in (("by_period", "period"), ("by_unit", "unit"), ("by_prescriber", "prescriber")):
        lines += _table(name, what, r[key])
    if r["least"] > 1 and ("<" in "".join(map(str, _values(r)))):
        lines.append(f"<{r['least']}: fewer than {r['least']} patients; hidden: it would tell such a number")
    lines += [f"{c['chart']}  {c['day']}  {c['rule']}  {c['indicator']} ({c['level']})" for c in r.get("list", ())]
    return "\n".join(lines)


def _many(count: int | str, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _number(count: int | str, per_100: float | None, what: str) -> str:
    return str(count) if per_100 is None else f"{count}, {per_100:.1f} per 100 {what}"


def _listed(counts: dict[str, Any]) -> str:
    return "  " + ", ".join(f"{name} {n}" for name, n in counts.items()) if counts else ""


def _table(name: str, what: str, rows: dict[str, dict[str, Any]]) -> list[str]:
    if len(rows) > _MOST_ROWS:
        name += f" (the last {_MOST_ROWS} of {len(rows)})"
    width = max((len(n) for n in (*rows, name)), default=0)
    lines = [f"{'by ' + name:{width + 2}}  {what:>8}  {'cards':>8}  {'per 100':>8}"] if rows else []
    for group, row in list(rows.items())[-_MOST_ROWS:]:
        per_100 = "" if row["per_100"] is None else f"{row['per_100']:.1f}"
        lines.append(f"  {group:{width}}  {row['asked']:>8}  {row['cards']:>8}  {per_100:>8}".rstrip())
    return lines


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _values(one)
    else:
        yield value
