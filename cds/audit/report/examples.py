"""Which findings the report shows with a picture of the chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cds.audit.outputs.dataset import Run
from cds.audit.outputs.summary import RuleSummary, Summary

MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A finding to look at. number: the patient's in this report, from 1; `patient` is the identifier."""

    number: int
    patient: str
    day: dt.date
    hook: str
    order: str
    spec: str
    subject: str
    level: str
    indicator: str
    disposition: str
    summary: str
    detail: str
    since: dt.date | None
    missing: tuple[str, ...]


_SQL = """
SELECT patient, day, hook, "order", spec, subject, level, indicator, disposition, summary, detail, since, missing
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY patient ORDER BY severity, since DESC NULLS LAST, day, hook, "order", subject, level, summary
    ) AS of_patient
    FROM (SELECT *, CASE indicator WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END AS severity
          FROM findings WHERE spec = ?)
) WHERE of_patient = 1
ORDER BY severity, since DESC NULLS LAST, day DESC, patient, hook, "order", subject, level, summary
LIMIT ?
"""


def choose(run: Run, summary: Summary, *, most: int = MOST_EXAMPLES) -> list[Example]:
    """At most `most` findings of each rule, the most severe first, then the newest; of each patient one.

    Of a rule whose number is hidden there is one: a list that ends early would tell how many there are.
    """
    chosen: list[Example] = []
    numbers: dict[str, int] = {}
    for rule in by_weight(summary.rules):
        for row in run.rows(_SQL, [rule.spec, _how_many(rule, most)]):
            patient, day, hook, order, spec, subject, level, indicator, disposition, said, detail, since, missing = row
            number = numbers.setdefault(patient, len(numbers) + 1)
            chosen.append(
                Example(
                    number, patient, day, hook, order, spec, subject, level, indicator, disposition, said, detail,
                    since, tuple(missing or ()),
                )
            )  # fmt: skip
    return chosen


def _how_many(rule: RuleSummary, most: int) -> int:
    found = rule.counts.found.value
    return min(most, 1) if found is None else most


def by_weight(rules: Sequence[RuleSummary]) -> list[RuleSummary]:
    """Rules in the order in which they deserve attention: worst finding first, then how many, then their ids."""

    def weight(rule: RuleSummary) -> tuple[int, int, int, str]:
        worst = ("critical", "warning", "info").index(rule.indicators[0]) if rule.indicators else 3
        found = rule.counts.found.value
        return worst, 0 if found is not None else 1, -(found or 0), rule.spec

    return sorted(rules, key=weight)
