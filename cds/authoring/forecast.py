"""What a rule would show if it were switched on: cards per 100 orders or visits of the past, beside which others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cds.authoring.small_cells import Cell, masked, rate
from cds.evaluate import HookCall
from cds.fhir import records as r
from cds.fhir.references import normalize_reference
from cds.findings import Evaluation, Finding
from cds.replay.calls import Replayed
from cds.rules.model import Rule, RuleSet
from cds.text import plain

ForecastHook = Literal["order-sign", "order-select", "patient-view"]
INTERRUPTIVE = frozenset({"warning", "critical"})
NOT_RECORDED = "not recorded"
MOST_MONTHS = 24  # more of them are added up by year


@dataclass(frozen=True, slots=True)
class Asked:
    """One order or visit of the past, and what was answered.

    cards: findings of the rule that were shown; withheld: why others of it were not. beside: rules of the other cards.
    unknown: why the rule was not evaluated.
    """

    chart: str
    day: dt.date
    unit: str
    prescriber: str
    cards: tuple[Finding, ...]
    withheld: tuple[str, ...]
    beside: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(slots=True)
class Forecast:
    """Everything asked, with the counts that are told of it. least: fewest patients behind a number that is told."""

    rows: list[Asked] = field(default_factory=list)
    least: int = 11

    @property
    def with_cards(self) -> list[Asked]:
        return [row for row in self.rows if row.cards]

    def cell(self, rows: Iterable[Asked], count: Callable[[Asked], int] = lambda _: 1) -> Cell:
        """How many, and of how many patients."""
        found = [(count(row), row.chart) for row in rows]
        return Cell(sum(n for n, _ in found), len({chart for n, chart in found if n}))

    def table(self, group: Callable[[Asked], str]) -> dict[str, dict[str, Any]]:
        """asked, cards and cards per 100 by group, the groups by name; groups of few patients are added up."""
        groups: dict[str, list[Asked]] = {}
        for row in self.rows:
            groups.setdefault(group(row), []).append(row)
        groups = self._pooled(groups)
        asked = masked({name: self.cell(rows) for name, rows in groups.items()}, self.least)
        cards = masked({n: self.cell(rows, lambda row: len(row.cards)) for n, rows in groups.items()}, self.least)
        return {n: {"asked": asked[n], "cards": cards[n], "per_100": rate(cards[n], asked[n])} for n in groups}

    def _pooled(self, groups: dict[str, list[Asked]]) -> dict[str, list[Asked]]:
        """Groups by name; those of fewer patients than `least` as one, with the next smallest until it has enough."""
        patients = {name: len({row.chart for row in rows}) for name, rows in groups.items()}
        by_size = sorted(groups, key=lambda name: (patients[name], name))
        pool: list[str] = []
        behind: set[str] = set()
        for name in by_size:
            if patients[name] >= self.least and (not pool or len(behind) >= self.least):
                break
            pool.append(name)
            behind |= {row.chart for row in groups[name]}
        kept = {name: groups[name] for name in sorted(groups) if name not in pool}
        if pool:
            name = pool[0] if len(groups) == 1 else f"others ({len(pool)} of few patients)"
            kept[name] = [row for name in pool for row in groups[name]]
        return kept

    def counted(self, names: Callable[[Asked], Sequence[str]]) -> dict[str, int | str]:
        """How often each name comes, most often first, small cells hidden."""
        cells = {
            name: self.cell(self.rows, lambda row, name=name: names(row).count(name))  # type: ignore[misc]
            for name in {name for row in self.rows for name in names(row)}
        }
        told = masked(cells, self.least)
        return {name: told[name] for name in sorted(cells, key=lambda name: (-cells[name].count, name))}

    def total(self, count: Callable[[Asked], int] = lambda _: 1) -> int | str:
        return masked({"all": self.cell(self.rows, count)}, self.least)["all"]

    def periods(self) -> dict[str, dict[str, Any]]:
        """By month, or by year where there are many months."""
        months = {f"{row.day:%Y-%m}" for row in self.rows}
        return self.table(lambda row: f"{row.day:%Y-%m}" if len(months) <= MOST_MONTHS else f"{row.day:%Y}")


def switched_on(rules: RuleSet, rule: Rule) -> RuleSet:
    """The rules with this one, and every branch of it, active."""
    on = replace(rule, status="active", levels=tuple(replace(level, status="active") for level in rule.levels))
    chosen = tuple(on if one.id == rule.id else one for one in rules.rules)
    by_spec_id = {lv.spec.id: (one, lv) for one in chosen for lv in one.levels if lv.spec is not None}
    return replace(rules, rules=chosen, by_spec_id=by_spec_id)


def answer(chart: str, one: Replayed, evaluation: Evaluation, spec: str | None) -> Asked:
    """What was answered, by rule. spec: None counts the cards of every rule."""
    own = [f for f in evaluation.findings if spec is None or f.spec == spec]
    shown = [f for f in own if f.disposition == "shown"]
    others = {f.spec for f in evaluation.findings if f.disposition == "shown" and f not in own}
    return Asked(
        chart=chart,
        day=one.day,
        unit=unit_of(one.visit),
        prescriber=prescriber_of(one),
        cards=tuple(shown),
        withheld=tuple(f.disposition for f in own if f.disposition != "shown"),
        beside=tuple(sorted(others)),
        unknown=tuple(n.reason for n in evaluation.not_evaluated if n.spec == spec),
    )


def as_hook(call: HookCall, hook: ForecastHook) -> HookCall:
    """The replayed call as asked by that hook; order-select is about the draft."""
    return call if call.hook == hook else replace(call, hook=hook, selected=frozenset(call.draft_refs))


def unit_of(visit: r.Encounter | None) -> str:
    """Where the visit was: its first place, else who provided it."""
    if visit is None:
        return NOT_RECORDED
    places = [place.location for place in visit.location]
    return next((name for place in (*places, visit.service_provider) if (name := _name(place))), NOT_RECORDED)


def prescriber_of(one: Replayed) -> str:
    """The specialty of who ordered (or, of a visit, took part), else the reference as it stands."""
    reading = one.call.reading
    people = [one.order.requester] if one.order is not None else []
    if one.order is None and one.visit is not None:
        people = [p.individual for p in one.visit.participant]
    named = [normalize_reference(p.reference) for p in people if p is not None and p.reference]
    roles = [role for role in reading.of(r.PractitionerRole) if _is_of(role, named)]
    specialties = sorted({word for role in roles for concept in role.specialty if (word := _word(concept))})
    return " and ".join(specialties) or next((plain(ref) for ref in named), NOT_RECORDED)


def _is_of(role: r.PractitionerRole, named: Sequence[str]) -> bool:
    who = role.practitioner.reference if role.practitioner is not None else None
    return f"PractitionerRole/{role.id}" in named or (who is not None and normalize_reference(who) in named)


def _word(concept: r.CodeableConcept) -> str:
    words: Iterator[str | None] = iter((concept.text, *(w for c in concept.coding for w in (c.display, c.code))))
    return next((plain(w) for w in words if w), "")


def _name(place: r.Reference | None) -> str:
    return plain(place.display or place.reference or "") if place and (place.display or place.reference) else ""
