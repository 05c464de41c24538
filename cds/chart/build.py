"""FHIR records of one patient to a Chart: which count, when they happened, which drugs they mean (1.2, 1.4, 1.7)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from cds.chart import medications as meds
from cds.chart import visits
from cds.chart.codes import condition_groups, result_name
from cds.chart.model import (
    Administration,
    Booking,
    Care,
    Chart,
    Diagnosis,
    Fill,
    Intolerance,
    Order,
    Result,
    Statement,
    Visit,
)
from cds.dates import Day, day_of
from cds.drugs.resolver import Resolver
from cds.fhir import records as r
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.model import Hook

# 1.8: a refuted condition is none; a provisional one neither suppresses nor escalates.
_CLOSED_VERIFICATION = frozenset({"refuted", "entered-in-error", "provisional", "differential"})
_OPEN_STATUS = frozenset({"active", "recurrence", "relapse"})
_Row = TypeVar("_Row", Order, Fill, Statement, Administration, Visit, Care, Booking, Diagnosis, Result, Intolerance)


@dataclass(frozen=True, slots=True)
class ChartInput:
    """What the chart is built from: the records read, how each search went, and what the hook says of them.

    draft_refs: orders being written. stops: charted orders that the same call ends. encounter: the hook's, if any.
    """

    hook: Hook
    reading: Reading
    searches: Mapping[str, SearchState]
    draft_refs: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    encounter: str | None = None


@dataclass(slots=True)
class Builder:
    """Working state of one chart: the clock (`today`), the zone, the drug resolver, and what has been met so far."""

    source: ChartInput
    today: Day
    tz: ZoneInfo
    resolver: Resolver
    drugs: Counter[str] = field(default_factory=Counter)
    unidentified: list[str] = field(default_factory=list)
    dated: list[Day] = field(default_factory=list)
    products: dict[str, r.Medication] = field(default_factory=dict)
    nameless: dict[int, str] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)

    def day(self, text: str | None, *, end: bool = False) -> Day | None:
        """Day of a FHIR date; of a month its last day, or (end) its first: the shortest plausible exposure (1.1)."""
        return day_of(text, self.tz, partial="end" if end else "start") if text else None

    def recorded(self, text: str | None) -> Day | None:
        """Day on which something was recorded or done here: it counts towards the length of the record (10.19)."""
        found = self.day(text)
        if found is not None and found <= self.today:
            self.dated.append(found)
        return found

    def ref(self, record: r.Record) -> str:
        """`Type/id`; records without id are numbered in the reading's order, which does not depend on the sender's."""
        kind = type(record).__name__
        if record.id:
            return f"{kind}/{record.id}"
        key = id(record)
        if key not in self.nameless:
            self._numbers[kind] += 1
            self.nameless[key] = f"{kind}/without-id-{self._numbers[kind]}"
        return self.nameless[key]


def build_chart(source: ChartInput, *, today: dt.date, tz: ZoneInfo, resolver: Resolver) -> Chart:
    """Build the chart as it is known on `today`. Never raises for what a single record says."""
    b = Builder(source, today.toordinal(), tz, resolver)
    b.products = {b.ref(m): m for m in source.reading.of(r.Medication) if m.id}
    of = source.reading.of
    patient = next(iter(of(r.Patient)), None)
    orders = meds.with_replacements([o for m in of(r.MedicationRequest) if (o := meds.order(b, m)) is not None])
    chart = Chart(
        patient=source.reading.patient_id or (patient.id if patient and patient.id else ""),
        today=b.today,
        birth=patient.birth_date if patient else None,
        deceased=bool(patient and (patient.deceased_boolean or patient.deceased_date_time)),
        orders=_sorted(orders),
        fills=_sorted(f for m in of(r.MedicationDispense) if (f := meds.fill(b, m)) is not None),
        statements=_sorted(s for m in of(r.MedicationStatement) if (s := meds.statement(b, m)) is not None),
        administrations=_sorted(
            a for m in of(r.MedicationAdministration) if (a := meds.administration(b, m)) is not None
        ),
        visits=_sorted(v for e in of(r.Encounter) if (v := visits.visit(b, e)) is not None),
        care=_sorted(visits.care(b)),
        bookings=_sorted(visits.bookings(b)),
        diagnoses=_sorted(_diagnoses(b)),
        results=_sorted(_results(b)),
        intolerances=_sorted(_intolerances(b)),
        reviews=tuple(sorted(visits.reviews(b))),
        encounter=normalize_reference(f"Encounter/{source.encounter}") if source.encounter else None,
        discharge_list_known=any(o.role == "discharge" for o in orders),
        searches=dict(source.searches),
        unidentified=tuple(sorted(set(b.unidentified))),
        drugs=dict(b.drugs),
    )
    # Every date above has been read by now: the length of the record is known only at the end.
    return replace(chart, earliest=min(b.dated, default=None))


def _sorted(items: Iterable[_Row]) -> tuple[_Row, ...]:
    return tuple(sorted(items, key=lambda item: item.ref))


def _diagnoses(b: Builder) -> Iterable[Diagnosis]:
    for c in b.source.reading.of(r.Condition):
        recorded = b.recorded(c.recorded_date)
        if _code(c.verification_status) in _CLOSED_VERIFICATION:
            continue
        # 10.11: judged by onset, else by the day it was recorded.
        onset = b.day(c.onset_date_time or (c.onset_period.start if c.onset_period else None))
        groups = condition_groups(c.code)
        if groups:
            status = _code(c.clinical_status)
            day = onset if onset is not None else recorded
            yield Diagnosis(b.ref(c), groups, day, status is None or status in _OPEN_STATUS)


def _results(b: Builder) -> Iterable[Result]:
    for o in b.source.reading.of(r.Observation):
        if o.status in {"entered-in-error", "cancelled", "registered"}:
            continue
        day = b.recorded(
            o.effective_date_time or (o.effective_period.start if o.effective_period else None)
            or o.effective_instant or o.issued
        )  # fmt: skip
        if day is None or day > b.today:
            continue
        # A panel carries its scores as components ("PHQ-9 item 9" beside the total).
        parts: tuple[r.Observation | r.ObservationComponent, ...] = (o, *o.component)
        for part in parts:
            name = result_name(part.code)
            value = part.value_quantity.value if part.value_quantity else part.value_integer
            if name and value is not None:
                yield Result(b.ref(o), name, Decimal(value), day)


def _intolerances(b: Builder) -> Iterable[Intolerance]:
    reading = b.source.reading
    for a in reading.of(r.AllergyIntolerance):
        b.recorded(a.recorded_date)
        if _code(a.verification_status) not in {"refuted", "entered-in-error"}:
            yield from _named_drug(b, b.ref(a), a.code)
    suspects: dict[str, r.CodeableConcept | None] = {ref: product.code for ref, product in b.products.items()}
    if reading.of(r.AdverseEvent):
        given: list[r.MedicationRequest | r.MedicationStatement | r.MedicationAdministration] = [
            *reading.of(r.MedicationRequest),
            *reading.of(r.MedicationStatement),
            *reading.of(r.MedicationAdministration),
        ]
        for m in given:
            product = m.medication_reference.reference if m.medication_reference else None
            suspects[b.ref(m)] = m.medication_codeable_concept or suspects.get(normalize_reference(product or ""))
    for e in reading.of(r.AdverseEvent):
        for suspect in e.suspect_entity:
            target = suspect.instance.reference if suspect.instance else None
            yield from _named_drug(b, b.ref(e), suspects.get(normalize_reference(target)) if target else None)


def _named_drug(b: Builder, where: str, concept: r.CodeableConcept | None) -> Iterable[Intolerance]:
    if concept is None:
        return
    found = b.resolver.resolve([(c.system, c.code, c.display) for c in concept.coding], concept.text)
    if found.status == "identified":
        yield Intolerance(
            where, frozenset(p.ingredient.key for p in found.parts), frozenset(p.ingredient.moiety for p in found.parts)
        )


def _code(concept: r.CodeableConcept | None) -> str | None:
    return next((c.code for c in concept.coding if c.code), None) if concept else None
