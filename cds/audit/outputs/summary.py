"""The summary of an audit: what is shown of its counts. Report, MeasureReports and summary.json know nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds.audit.outputs.count import SEVERITIES, Counts, QualityCounts, RuleCounts
from cds.audit.outputs.dataset import Run
from cds.audit.outputs.rates import wilson
from cds.audit.outputs.small_cells import (
    FEW,
    HIDDEN,
    NONE,
    Atoms,
    Count,
    Row,
    Shown,
    ShownAtoms,
    ShownRow,
    is_small,
    protect,
    protect_parts,
    protect_rows,
)

_MOST_MONTHS = 36
_MOST_REASONS_OF_HIDDEN = 2  # each reason is at least one person: a longer list would count them


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one number that may be shown, and how many more there are, with their sum."""

    shown: tuple[tuple[str, int], ...]
    others: int = 0
    in_others: int = 0


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """One rule: what it is (from run.json) and what may be shown of it.

    about: what a chart must hold to be in scope, one of these.
    grain: "month" or "year" of `over_time`; of a replay its rows hold who was in scope too.
    reason_names: why it was not evaluated, most frequent first; of a hidden number only the first two.
    indicators: those that occurred, most severe first; their numbers stand in by_indicator where they may be shown.
    """

    spec: str
    id: str
    version: str
    title: str
    status: str
    signed_off: bool
    review_by: str | None
    about: tuple[str, ...]
    source_label: str
    source_url: str
    counts: ShownAtoms
    units: tuple[ShownRow, ...]
    over_time: tuple[ShownRow, ...]
    grain: str
    reasons: Parts
    reason_names: tuple[str, ...]
    by_indicator: Parts
    indicators: tuple[str, ...]

    @property
    def rate(self) -> float | None:
        """Share of those in scope, when both numbers are shown and somebody is in scope."""
        found, of = self.counts.found.value, self.counts.in_scope.value
        return found / of if found is not None and of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        found, of = self.counts.found.value, self.counts.in_scope.value
        return wilson(found, of) if found is not None and of else None


@dataclass(frozen=True, slots=True)
class Quality:
    """What the records were like. resources, bad, ignored and problems count records of the files, not people."""

    people: Shown
    resources: int
    bad: int
    ignored: int
    with_psychotropics: Shown
    drugs: Mapping[str, Shown]
    unidentified: tuple[tuple[str, Shown], ...]
    missing_dates: Shown
    problems: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that may be shown of an audit. with_finding is hidden where a rule's own number is."""

    told: Mapping[str, Any]
    min_cell: int
    is_replay: bool
    today: dt.date
    asked: Shown
    people: Shown
    with_finding: Shown
    rules: tuple[RuleSummary, ...]
    quality: Quality

    @property
    def overdue(self) -> tuple[RuleSummary, ...]:
        """Rules whose review was due before the day of the audit."""
        return tuple(r for r in self.rules if r.review_by and r.review_by < self.today.isoformat())


def summarise(run: Run, counts: Counts, min_cell: int) -> Summary:
    """Apply `min_cell` to the counts. Rules come in the order of their specification id."""
    told = run.told
    rules = tuple(
        _rule(rule, counts.rules[str(rule["spec"])], run.is_replay, min_cell)
        for rule in sorted(told["rules"], key=lambda r: str(r["spec"]))
    )
    everybody = counts.everybody
    hidden = is_small(everybody, min_cell)
    return Summary(
        told=told,
        min_cell=min_cell,
        is_replay=run.is_replay,
        today=_day(told),
        asked=FEW if hidden and not run.is_replay else HIDDEN if hidden else Shown(everybody.value),
        people=FEW if hidden else Shown(everybody.people),
        with_finding=_with_finding(counts, rules, min_cell),
        rules=rules,
        quality=_quality(counts.quality, everybody.people, min_cell),
    )


def _day(told: Mapping[str, Any]) -> dt.date:
    for name in ("today", "to", "data_date"):
        try:
            return dt.date.fromisoformat(str(told.get(name))[:10])
        except ValueError:
            continue
    return dt.date(1970, 1, 1)


def _rule(told: Mapping[str, Any], counts: RuleCounts, is_replay: bool, min_cell: int) -> RuleSummary:
    shown = protect(counts.atoms, min_cell)
    over_time, grain = _over_time(counts, shown, is_replay, min_cell)
    source = told.get("source") or {}
    indicators = tuple(name for name in SEVERITIES if counts.by_indicator.get(name, NONE).value)
    return RuleSummary(
        spec=str(told["spec"]),
        id=str(told.get("id", "")),
        version=str(told.get("version", "")),
        title=str(told.get("title", "")),
        status=str(told.get("status", "")),
        signed_off=bool(told.get("signed_off")),
        review_by=told.get("review_by") or None,
        about=tuple(str(what) for what in told.get("about", ())),
        source_label=str(source.get("label", "")),
        source_url=str(source.get("url", "")),
        counts=shown,
        units=tuple(protect_rows(counts.by_unit, shown, min_cell, whole=counts.in_scope)),
        over_time=over_time,
        grain=grain,
        reasons=Parts(*_tupled(protect_parts(counts.by_reason, shown.not_evaluated, min_cell))),
        reason_names=_reason_names(counts, shown),
        by_indicator=Parts(*_tupled(protect_parts(counts.by_indicator, shown.found, min_cell))),
        indicators=indicators,
    )


def _reason_names(counts: RuleCounts, shown: ShownAtoms) -> tuple[str, ...]:
    names = sorted(counts.by_reason, key=lambda name: (-counts.by_reason[name].value, name))
    return tuple(names if shown.not_evaluated.value is not None else names[:_MOST_REASONS_OF_HIDDEN])


def _tupled(parts: tuple[list[tuple[str, int]], int, int]) -> tuple[tuple[tuple[str, int], ...], int, int]:
    shown, others, in_others = parts
    return tuple(shown), others, in_others


def _over_time(
    counts: RuleCounts, totals: ShownAtoms, is_replay: bool, min_cell: int
) -> tuple[tuple[ShownRow, ...], str]:
    """By month; by year where too little of it could be shown, or where the months are too many to be read."""
    by_month = _in_time(counts.by_month, counts.in_scope, totals, is_replay, min_cell)
    if len(by_month) <= _MOST_MONTHS and 2 * _pooled(by_month) <= _everybody(by_month):
        return by_month, "month"
    return _in_time(counts.by_year, counts.in_scope, totals, is_replay, min_cell), "year"


def _in_time(
    rows: Sequence[Row], whole: Row | None, totals: ShownAtoms, is_replay: bool, min_cell: int
) -> tuple[ShownRow, ...]:
    if is_replay:
        return tuple(protect_rows(rows, totals, min_cell, whole=whole))
    parts, others, in_others = protect_parts({row.name: row.found for row in rows}, totals.found, min_cell)
    shown = [ShownRow(name, HIDDEN, Shown(found)) for name, found in parts]
    return (*shown, ShownRow("", HIDDEN, Shown(in_others), pooled=others)) if others else tuple(shown)


def _number(row: ShownRow) -> int:
    return row.in_scope.value or row.found.value or 0


def _pooled(rows: Sequence[ShownRow]) -> int:
    return sum(_number(row) for row in rows if row.pooled)


def _everybody(rows: Sequence[ShownRow]) -> int:
    return sum(_number(row) for row in rows)


def _with_finding(counts: Counts, rules: Sequence[RuleSummary], min_cell: int) -> Shown:
    """People, or orders, with any finding. Beside a hidden number of a rule it could tell what is hidden there."""
    none = Count(
        counts.everybody.value - counts.with_finding.value, counts.everybody.people - counts.with_finding.people
    )
    if none.value and not none.people:
        none = Count(none.value, none.value)  # a replay: who has orders of both kinds is among them
    alone = protect(Atoms(counts.with_finding, none, NONE, NONE), min_cell)
    return alone.found if all(rule.counts.found.value is not None for rule in rules) else HIDDEN


def _people(everybody: int, asked: int, min_cell: int) -> Shown:
    """All patients; not where those of whom no order was asked about are few."""
    if is_small(Count(everybody, everybody), min_cell):
        return FEW
    rest = everybody - asked
    return HIDDEN if is_small(Count(rest, rest), min_cell) else Shown(everybody)


def _quality(counts: QualityCounts, asked: int, min_cell: int) -> Quality:
    def of_people(count: Count) -> Shown:
        """A number of patients; what is left of all patients must not be small either."""
        rest = counts.people - count.people
        return protect(Atoms(count, Count(rest, rest), NONE, NONE), min_cell).found

    def of_records(count: Count) -> Shown:
        few = of_people(Count(count.people, count.people)).value is None
        return HIDDEN if few else Shown(count.value)

    return Quality(
        people=_people(counts.people, asked, min_cell),
        resources=counts.resources,
        bad=counts.bad,
        ignored=counts.ignored,
        with_psychotropics=of_people(counts.with_psychotropics),
        drugs={name: of_records(count) for name, count in counts.drugs.items()},
        unidentified=tuple(
            (code, of_people(count))
            for code, count in sorted(counts.unidentified.items(), key=lambda item: (-item[1].people, item[0]))
        ),
        missing_dates=of_records(counts.missing_dates),
        problems=counts.problems,
    )
