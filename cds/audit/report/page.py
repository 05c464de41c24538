"""What the report says, in the order in which it says it; the template only sets it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cds.audit.outputs.small_cells import ShownRow
from cds.audit.outputs.summary import Parts, RuleSummary, Summary
from cds.audit.report import charts
from cds.audit.report.examples import Example, by_weight
from cds.audit.report.pictures import Pictures
from cds.audit.report.words import (
    HIDDEN_MARK,
    between,
    day,
    listed,
    number,
    percent,
    reason,
    why_and_facts,
    without_references,
)

_LEAST_UNITS = 3
_MOST_UNITS = 20
_MOST_CODES = 30
_MOST_FIRST = 3
_STALE_DAYS = 30


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


class Page:
    """The report's content. identified: patients are named by identifier."""

    def __init__(
        self,
        summary: Summary,
        examples: Sequence[Example],
        pictures: Pictures,
        *,
        identified: bool,
    ) -> None:
        self.summary, self.identified = summary, identified
        self._examples, self._pictures = examples, pictures
        self.counted = "orders" if summary.is_replay else "patients"
        self.one = "order" if summary.is_replay else "patient"
        highest = [r.interval[1] for r in summary.rules if r.interval]
        self._top = min(max(highest, default=1.0), 1.0)
        self.views = [self._view(rule) for rule in by_weight(summary.rules)]
        self.found = [view for view in self.views if view.has_found]
        self.silent = [view for view in self.views if not view.has_found]

    @property
    def told(self) -> Mapping[str, Any]:
        return self.summary.told

    @property
    def top(self) -> str:
        """The right end of the bars of the first table."""
        return percent(self._top)

    @property
    def data_day(self) -> str:
        return day(self.told.get("data_date"))

    @property
    def asked(self) -> str:
        """What was asked of whom, in a sentence."""
        n = self.summary.min_cell
        people = number(self.summary.people, n)
        if self.summary.is_replay:
            orders = number(self.summary.asked, n)
            first, last = day(self.told.get("from")), day(self.told.get("to") or self.told.get("today"))
            return (
                f"Every order from {first} to {last} was judged again on the day it was written, as the service would "
                f"have judged it then: {orders} orders of {people} patients."
            )
        return f"Each of {people} patients was judged once, as of {day(self.told.get('today'))}."

    @property
    def warnings(self) -> list[str]:
        """What makes this report less than the whole."""
        told, said = self.told, []
        if told.get("failed_parts"):
            failed, parts = len(told["failed_parts"]), told.get("parts", "?")
            said.append(f"Incomplete: {failed} of {parts} parts of the data failed, and their patients are not in it.")
        old = self._days_without_data()
        if old is not None:
            said.append(
                f"The data end {old:,} days before the day asked about: what looks unfinished or overdue may only be "
                "missing from the export."
            )
        if told.get("unread_files"):
            said.append(f"Not read to the end: {listed([str(name) for name in told['unread_files']])}.")
        if told.get("limit"):
            said.append(f"Not all patients: the run was limited to {told['limit']:,}.")
        if told.get("only_rules"):
            said.append(f"Not all rules: only {listed([str(r) for r in told['only_rules']])} were asked for.")
        if self.identified:
            said.append("This report names patients by their identifier: it is for the clinic that treats them.")
        return said

    def _days_without_data(self) -> int | None:
        """Days from the last record to the day asked about, when they are many."""
        try:
            last = dt.date.fromisoformat(str(self.told.get("data_date"))[:10])
        except ValueError:
            return None
        days = (self.summary.today - last).days
        return days if days > _STALE_DAYS and not self.summary.is_replay else None

    @property
    def what_was_found(self) -> list[str]:
        """Sentences of the first page: which rules found what, and how sure that is."""
        summary = self.summary
        if summary.people.value == 0:
            return ["There were no patients in the data, so nothing can be said."]
        said = []
        ruled = f"{len(summary.rules)} rule{'s' if len(summary.rules) != 1 else ''}"
        if not self.found:
            said.append(f"None of {ruled} found anything in what could be evaluated.")
        else:
            said.append(f"{len(self.found)} of {ruled} found something.")
        with_drugs = number(summary.quality.with_psychotropics, summary.min_cell)
        if with_drugs != HIDDEN_MARK and summary.quality.people.value:
            said.append(
                f"{with_drugs} of {summary.quality.people.value:,} patients have a psychotropic medicine on record."
            )
        if summary.with_finding.value:
            said.append(f"{summary.with_finding.value:,} {self.counted} have at least one finding.")
        critical = [f"{v.rule.spec} ({v.rule.title})" for v in self.found if v.rule.indicators[0] == "critical"]
        if critical:
            said.append(f"Critical findings: {listed(critical)}.")
        return said

    @property
    def first(self) -> list[RuleView]:
        """What to look at first."""
        return self.found[:_MOST_FIRST]

    @property
    def out_of_reach(self) -> list[str]:
        """Rules with nobody in scope."""
        return [v.rule.spec for v in self.silent if v.rule.counts.in_scope.value == 0]

    @property
    def has_bars(self) -> bool:
        return any(view.bar for view in self.views)

    @property
    def how_sure(self) -> list[str]:
        n = self.summary.min_cell
        said = []
        with_rate = [v for v in self.found if v.rule.rate is not None]
        if with_rate:
            said.append(
                "Behind each rate stands its 95 % interval. It says how far the rate could lie by chance, "
                "not whether a finding is right: nobody has checked the findings against the patients’ notes."
            )
        hidden = [v.rule.spec for v in self.found if v.rule.counts.found.value is None]
        if hidden:
            whose = "their numbers are" if len(hidden) > 1 else "its number is"
            said.append(
                f"{listed(hidden)}: no rate is shown, because {whose} of fewer than {n} people, or would give away "
                f"one that is."
            )
        zero = [v for v in self.silent if v.rule.interval is not None]
        if zero:
            widest = max(zero, key=lambda v: v.rule.interval[1] if v.rule.interval else 0.0)
            said.append(
                f"Nothing found among few proves little: for {widest.rule.spec}, 0 of {widest.in_scope} in scope, the "
                f"rate could still be {percent(widest.rule.interval[1] if widest.rule.interval else 0.0)}."
            )
        if self.summary.is_replay and with_rate:
            said.append("Orders of one patient are alike: the true intervals are wider than those shown.")
        return said

    @property
    def not_seen(self) -> list[str]:
        """What could not be seen, the most important first."""
        summary, said = self.summary, []
        asked = summary.asked.value or 0
        missed = [v for v in self.views if v.rule.counts.not_evaluated.value]
        for view in sorted(missed, key=lambda v: -(v.rule.counts.not_evaluated.value or 0))[:_MOST_FIRST]:
            value = view.rule.counts.not_evaluated.value or 0
            why = f": {reason(view.rule.reason_names[0])}" if view.rule.reason_names else ""
            said.append(
                f"{view.rule.spec} could not be evaluated for {value:,} {self.counted} ({percent(value / asked)}){why}."
            )
        few = [v.rule.spec for v in self.views if v.rule.counts.not_evaluated.value is None and v.rule.reason_names]
        if few:
            said.append(f"{listed(few)} could not be evaluated for some {self.counted}.")
        quality = summary.quality
        if quality.unidentified:
            said.append(
                f"{len(quality.unidentified)} codes or texts of medicines were not identified; no rule saw them."
            )
        if quality.problems:
            lines = sum(quality.problems.values())
            said.append(f"{lines:,} line{'s' if lines != 1 else ''} of the files could not be used.")
        if not said:
            said.append("Every rule could be evaluated wherever it applied, and every line of the files could be read.")
        return said

    def _view(self, rule: RuleSummary) -> RuleView:
        n, counts = self.summary.min_cell, rule.counts
        rate, interval = rule.rate, rule.interval
        bar = charts.interval_bar(rate, *interval, self._top) if rate is not None and interval and rate > 0 else ""
        drawn, note, units = self._funnel(rule)
        over_time, time_note = self._course(rule)
        known = dict(rule.reasons.shown)
        examples = [e for e in self._examples if e.spec == rule.spec]
        return RuleView(
            rule=rule,
            about="; ".join(what[0].lower() + what[1:].rstrip(".") for what in rule.about if what),
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
        known = [unit for unit in units if unit.name != "not recorded"]
        if share is None or not 0 < share < 1 or len(known) < _LEAST_UNITS:
            return "", "", rows if len(rule.units) > 1 else []
        pooled = sum(row.pooled for row in rule.units)
        closed = sum(row.found.value is None for row in named)
        note = f"{len(known)} units are drawn"
        left_out = [f"{pooled} with fewer than {self.summary.min_cell} people in scope"] if pooled else []
        left_out += [f"{closed} where too few people have, or do not have, a finding"] if closed else []
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
        if len(shown) < 2:
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
            note += f" “–”: not shown, or nothing; {pool.pooled} {rule.grain}s are of too few people by themselves."
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

    @property
    def codes(self) -> list[tuple[str, str, str]]:
        """Medicines that were not identified, most frequent first: system, code, patients."""
        rows = []
        for code, shown in self.summary.quality.unidentified[:_MOST_CODES]:
            system, bar, bare = code.rpartition("|")
            rows.append((system if bar else "text only", bare if bar else "", number(shown, self.summary.min_cell)))
        return rows

    @property
    def more_codes(self) -> int:
        return max(len(self.summary.quality.unidentified) - _MOST_CODES, 0)

    @property
    def quality_rows(self) -> list[tuple[str, str]]:
        quality, n = self.summary.quality, self.summary.min_cell
        words = {
            "identified": "medication records identified",
            "unidentified": "medication records not identified",
            "not_listed": "medication records of drugs that no rule is about",
            "conflict": "medication records whose codes contradict each other",
        }
        return [
            ("records read", f"{quality.resources:,}"),
            ("patients with a psychotropic medicine", number(quality.with_psychotropics, n)),
            *((words.get(name, name), number(shown, n)) for name, shown in quality.drugs.items()),
            ("medication records without a date", number(quality.missing_dates, n)),
            ("records that could not be read", f"{quality.bad:,}"),
            ("records of kinds that no rule reads, or of another patient", f"{quality.ignored:,}"),
            *(
                (f"lines: {kind.replace('-', ' ')}{f' ({resource_type})' if resource_type else ''}", f"{lines:,}")
                for (kind, resource_type), lines in quality.problems.items()
            ),
        ]

    @property
    def unsigned(self) -> int:
        return sum(not rule.signed_off for rule in self.summary.rules)


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
