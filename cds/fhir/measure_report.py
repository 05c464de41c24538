"""A rule's counts as a FHIR R4 MeasureReport of type summary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cds.fhir.codes import (
    DATA_ABSENT_REASON,
    IMPROVEMENT_NOTATION,
    MEASURE,
    MEASURE_POPULATION,
    POPULATION,
)

_STANDARD: Final = {
    "initial-population": "Initial Population",
    "denominator": "Denominator",
    "numerator": "Numerator",
}


@dataclass(frozen=True, slots=True)
class Population:
    """A counted population; count None: not shown, because it or one beside it is of few people.

    code: initial-population, denominator, numerator of HL7's code system, or one of our own (not-evaluated).
    """

    code: str
    count: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A unit and its populations."""

    name: str
    populations: tuple[Population, ...]
    rate: float | None


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What a MeasureReport is made of. start, end: the days the answers are about, both inclusive."""

    id: str
    rule: str
    version: str
    title: str
    start: dt.date
    end: dt.date
    date: dt.date
    populations: tuple[Population, ...]
    rate: float | None
    strata: Sequence[Stratum] = ()


def measure_report(report: RuleReport) -> dict[str, Any]:
    """The resource. What the rule found is what one wants less of: improvement is a decrease."""
    group: dict[str, Any] = {
        "code": {"text": report.title},
        "population": [_population(p) for p in report.populations],
        **_score(report.rate),
    }
    if report.strata:
        group["stratifier"] = [{"code": [{"text": "unit"}], "stratum": [_stratum(s) for s in report.strata]}]
    return {
        "resourceType": "MeasureReport",
        "id": report.id,
        "status": "complete",
        "type": "summary",
        "measure": f"{MEASURE}:{report.rule}|{report.version}",
        "date": report.date.isoformat(),
        "period": {"start": report.start.isoformat(), "end": report.end.isoformat()},
        "improvementNotation": {"coding": [{"system": IMPROVEMENT_NOTATION, "code": "decrease"}]},
        "group": [group],
    }


def _population(population: Population) -> dict[str, Any]:
    standard = _STANDARD.get(population.code)
    coding = {
        "system": MEASURE_POPULATION if standard else POPULATION,
        "code": population.code,
        "display": standard or population.text,
    }
    concept = {"coding": [coding], "text": population.text or standard}
    if population.count is None:
        return {"code": concept, "_count": {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "masked"}]}}
    return {"code": concept, "count": population.count}


def _score(rate: float | None) -> dict[str, Any]:
    return {} if rate is None else {"measureScore": {"value": round(rate, 6)}}


def _stratum(stratum: Stratum) -> dict[str, Any]:
    return {
        "value": {"text": stratum.name},
        "population": [_population(p) for p in stratum.populations],
        **_score(stratum.rate),
    }
