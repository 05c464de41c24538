"""One rule as the report shows it: its numbers in words, its pictures, its findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cds.audit.outputs.small_cells import ShownRow
from cds.audit.outputs.summary import Parts, RuleSummary, Summary
from cds.audit.report import charts
from cds.audit.report.examples import Example
from cds.audit.report.pictures import Pictures
from cds.audit.report.words import between, day, listed, number, percent, reason, why_and_facts, without_references

_LEAST_UNITS = 3
_MOST_UNITS = 20
_TABLES = re.compile(r",? (for pairs )?of rules/tables/[\w.]+|,? ?\((under )?rules/tables/[\w.]+\)")


@dataclass(frozen=True, slots=True)
class ExampleView:
    """A finding as the report shows it; picture: SVG, or why there is none."""

    heading: str
    indicator: str
    summary: str
    why: str
    facts: list[tuple[str, str]]
    missing: tuple[str, ...]
    asked: str
    records: str
    picture: str
    no_picture: str


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule as the report shows it."""

    rule: RuleSummary
    about: str
    anchor: str
    found: str
    in_scope: str
    not_evaluated: str
    not_applicable: str
    rate: str
    interval: str
    bar: str
    sentence: str
    indicators: list[tuple[str, str]]
    funnel: str
    funnel_note: str
    units: list[tuple[str, str, str, str, str]]
    course: str
    course_note: str
    reasons: list[tuple[str, str]]
    examples: list[ExampleView]
    examples_note: str
    source_link: str

    @property
    def has_found(self) -> bool:
        return bool(self.rule.indicators)


class RuleViews:
    """Makes the views of one report. top: right end of the bars of intervals; identified: patients by identifier."""

    def __init__(
        self, summary: Summary, examples: Sequence[Example], pictures: Pictures, *, top: float, identified: bool
    ) -> None:
        self.summary, self.identified, self._top = summary, identified, top
        self._examples, self._pictures = examples, pictures
        self.counted = "orders" if summary.is_replay else "patients"
        self.one = "order" if summary.is_replay else "patient"

    def view(self, rule: RuleSummary) -> RuleView:
        n, counts = self.summary.min_cell, rule.counts
        rate, interval = rule.rate, rule.interval
        bar = charts.interval_bar(rate, *interval, self._top) if rate is not None and interval and rate > 0 else ""
        drawn, note, units = self._funnel(rule)
        over_time, time_note = self._course(rule)
        known = dict(rule.reasons.shown)
        examples = [e for e in self._examples if e.spec == rule.spec]
        return RuleView(
            rule=rule,
            about="; ".join(_about(what) for what in rule.about if what),
            anchor=f"rule-{rule.spec.lower()}",
            found=number(counts.found, n),
            in_scope=number(counts.in_scope, n),
            not_evaluated=number(counts.not_evaluated, n),
            not_applicable=number(counts.not_applicable, n),
            rate="" if rate is None else percent(rate),
            interval="" if interval is None else between(*interval),
            bar=bar,
            sentence=self._sentence(rule),
            indicators=[(name, _part(name, rule.by_indicator)) for name in rule.indicators],
            funnel=drawn,
            funnel_note=note,
            units=units,
            course=over_time,
            course_note=time_note,
            reasons=[(reason(name), f"{known[name]:,}" if name in known else "hidden") for name in rule.reason_names],
            examples=[self._example(e) for e in examples],
            examples_note=self._examples_note(rule, len(examples)),
            source_link=rule.source_url if urlsplit(rule.source_url).scheme in {"https", "http"} else "",
        )

    def _sentence(self, rule: RuleSummary) -> str:
        """The rule's result in words."""
        n, counts = self.summary.min_cell, rule.counts
        if rule.rate == 0 and rule.interval is not None:
            return (
                f"Nothing was found for any of {counts.in_scope.value:,} {self.counted} in scope (95 % interval of the "
                f"rate {between(*rule.interval)})."
            )
        if rule.rate is not None and rule.interval is not None:
            found, judged = counts.found.value or 0, counts.in_scope.value or 0
            return (
                f"Something was found for {found:,} of {judged:,} {self.counted} in scope: {percent(rule.rate)} "
                f"(95 % interval {between(*rule.interval)})."
            )
        if counts.in_scope.value == 0:
            return f"No {self.one} was in scope: nothing this rule is about could be judged."
        scope = f" of {counts.in_scope.value:,} {self.counted} in scope" if counts.in_scope.value is not None else ""
        if counts.found.few:
            return f"Something was found for 1 to {n - 1} {self.counted}{scope}."
        if rule.indicators:
            return f"Something was found{f' among the{scope[3:]}' if scope else ''}; the number is not shown."
        return f"Nothing was found{scope and f' for any{scope}'}."

    def _funnel(self, rule: RuleSummary) -> tuple[str, str, list[tuple[str, str, str, str, str]]]:
        """The funnel plot, what it leaves out, and its units as rows, those outside the limits first."""
        share = rule.rate
        named = [row for row in rule.units if not row.pooled]
        units = [
            charts.Unit(row.name or "not recorded", row.found.value, row.in_scope.value)
            for row in named
            if row.found.value is not None and row.in_scope.value
        ]
        rows = self._unit_rows(rule, units)
        if share is None or not 0 < share < 1:
            return "", "", rows if len(rule.units) > 1 else []
        recorded = [unit for unit in units if unit.name != "not recorded"]
        # Of smaller units those with many findings would be drawn, and those with few hidden.
        known = [unit for unit in recorded if unit.of * min(share, 1 - share) >= self.summary.min_cell]
        if len(known) < _LEAST_UNITS:
            return "", "", rows if len(rule.units) > 1 else []
        pooled = sum(row.pooled for row in rule.units)
        closed = sum(row.found.value is None for row in named)
        note = f"{len(known)} units are drawn"
        left_out = [f"{pooled} with fewer than {self.summary.min_cell} people in scope"] if pooled else []
        left_out += [f"{closed} where too few people have, or do not have, a finding"] if closed else []
        unfair = len(recorded) - len(known)
        left_out += [f"{unfair} so small that a few findings would be hidden, but many not"] if unfair else []
        title = f"Rate by unit of {rule.spec}, with the limits of chance"
        note += (
            f"; left out are {listed(left_out)}. Who is left out depends on what was found there." if left_out else "."
        )
        return charts.funnel(known, share, counted=self.counted, title=title), note, rows

    def _unit_rows(self, rule: RuleSummary, units: Sequence[charts.Unit]) -> list[tuple[str, str, str, str, str]]:
        """Units whose numbers are shown, those outside the limits first; then what is known of the rest."""
        n, share = self.summary.min_cell, rule.rate

        def stands(unit: charts.Unit) -> str:
            return charts.standing(unit, share) if share is not None and 0 < share < 1 else ""

        ordered = sorted(units, key=lambda u: (stands(u).startswith("within"), -u.of, u.name))
        rows = [(u.name, f"{u.of:,}", f"{u.found:,}", percent(u.share), stands(u)) for u in ordered[:_MOST_UNITS]]
        if len(ordered) > _MOST_UNITS:
            rows.append((f"{len(ordered) - _MOST_UNITS} more units: see summary.json", "", "", "", ""))
        closed = [row for row in rule.units if not row.pooled and row.found.value is None]
        if closed:
            scope = sum(row.in_scope.value or 0 for row in closed)
            rows.append((f"{len(closed)} units with small numbers", f"{scope:,}", "hidden", "", ""))
        for row in (row for row in rule.units if row.pooled):
            few = f"{row.pooled} units with fewer than {n} in scope"
            rows.append((few, number(row.in_scope, n), number(row.found, n), "", ""))
        return rows if units else []

    def _course(self, rule: RuleSummary) -> tuple[str, str]:
        shown = [row for row in rule.over_time if not row.pooled and row.name]
        if len(shown) < 2 or all(row.found.value is None for row in shown):
            return "", ""
        pool = next((row for row in rule.over_time if row.pooled), None)
        moments = [
            charts.Moment(name, *_of_moment(name, shown, hidden=pool is not None))
            for name in _calendar(shown[0].name, shown[-1].name)
        ]
        if self.summary.is_replay:
            words, title = "rate", f"Rate of {rule.spec} by {rule.grain} of the order"
            note = f"By {rule.grain} in which the order was written, with 95 % intervals."
        else:
            words, title = f"{self.counted} found", f"What {rule.spec} found, by the {rule.grain} in which it began"
            note = (
                f"By the {rule.grain} in which what was found began (the newest order involved). It is what still "
                f"stands on the day of the audit: what began and ended before is not in it, so a rise towards the end "
                f"says little."
            )
        if pool is not None:
            few = f"1 {rule.grain} is" if pool.pooled == 1 else f"{pool.pooled} {rule.grain}s are"
            note += f" “–”: not shown, or nothing; {few} of too few people."
        elif self.summary.is_replay and any(row.found.value is None for row in shown):
            note += " “–”: not shown, of too few people."
        elif undated := next((row for row in rule.over_time if not row.name), None):
            note += f" Without a date: {number(undated.found, self.summary.min_cell)}."
        return charts.course(moments, title=title, words=words), note

    def _examples_note(self, rule: RuleSummary, shown: int) -> str:
        if not shown:
            return ""
        if rule.counts.found.value is None:
            return "One finding is shown; how many there are is not."
        return f"{shown} of {rule.counts.found.value:,}: the most severe and then the newest."

    def _example(self, example: Example) -> ExampleView:
        why, facts, records = why_and_facts(example.detail)
        clean = (lambda text: text) if self.identified else without_references
        name = example.patient if self.identified else str(example.number)
        picture = clean(self._pictures.drawn.get(example, ""))
        return ExampleView(
            heading=f"Patient {name}",
            indicator=example.indicator,
            summary=clean(example.summary),
            why=clean(why),
            facts=[(clean(fact), clean(value)) for fact, value in facts],
            missing=tuple(clean(m) for m in example.missing),
            asked=day(example.day),
            records=records if self.identified else "",
            picture=picture,
            no_picture="" if picture else f"No picture: {self._pictures.why_not}.",
        )


def _about(what: str) -> str:
    """A kind of fact in the words of the vocabulary, without the files that rule authors look it up in."""
    words = _TABLES.sub("", what).rstrip(".")
    return words[0].lower() + words[1:]


def _part(name: str, parts: Parts) -> str:
    known = dict(parts.shown)
    return f"{known[name]:,}" if name in known else "number hidden"


def _calendar(first: str, last: str) -> list[str]:
    """Every month "2026-01", or year, from the first to the last."""
    if len(first) == 4:
        return [f"{year:04}" for year in range(int(first), int(last) + 1)]
    start, end = (int(m[:4]) * 12 + int(m[5:7]) - 1 for m in (first, last))
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(start, end + 1)]


def _of_moment(name: str, shown: Sequence[ShownRow], *, hidden: bool) -> tuple[int | None, int | None]:
    row = next((row for row in shown if row.name == name), None)
    if row is None:
        return (None if hidden else 0), None
    return row.found.value, row.in_scope.value
