"""What the report says, in the order in which it says it; the template only sets it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from cds.audit.outputs.summary import Summary
from cds.audit.report.examples import Example, by_weight
from cds.audit.report.pictures import Pictures
from cds.audit.report.rule_view import RuleView, RuleViews
from cds.audit.report.words import (
    HIDDEN_MARK,
    day,
    listed,
    number,
    percent,
    reason,
)

_MOST_CODES = 30
_MOST_FIRST = 3
_STALE_DAYS = 30


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
        self.counted = "orders" if summary.is_replay else "patients"
        self.whom = "which" if summary.is_replay else "whom"
        highest = [r.interval[1] for r in summary.rules if r.interval]
        self._top = min(max(highest, default=1.0), 1.0)
        views = RuleViews(summary, examples, pictures, top=self._top, identified=identified)
        self.views = [views.view(rule) for rule in by_weight(summary.rules)]
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
            asked = self.summary.asked.value
            orders = f"{asked:,} orders of" if asked is not None else "orders of"
            first, last = day(self.told.get("from")), day(self.told.get("to") or self.told.get("today"))
            return (
                f"Each order of a psychotropic medicine from {first} to {last} was judged again on its own day, as the "
                f"service would have judged it then: {orders} {people} patients."
            )
        return f"Each of {people} patients was judged once, as of {day(self.told.get('today'))}."

    @property
    def warnings(self) -> list[str]:
        """What makes this report less than the whole."""
        told, said = self.told, []
        if self.summary.people.few:
            least = self.summary.min_cell
            said.append(f"No numbers are shown: they would be of fewer than {least} people (--min-cell).")
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
