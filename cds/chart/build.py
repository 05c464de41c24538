"""FHIR records of one patient to a Chart: which count, when they happened, which drugs they mean (1.2, 1.4, 1.7)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from cds.chart import care, visits
from cds.chart import medications as meds
from cds.chart.codes import condition_groups, in_house_unit, result_name
from cds.chart.model import (
    Administration,
    Booking,
    Care,
    Chart,
    Diagnosis,
    Fill,
    Intolerance,
    Memory,
    Order,
    Result,
    Statement,
    Visit,
)
from cds.dates import Day, day_of
from cds.drugs.resolver import Resolver
from cds.fhir import records as r
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.findings import BadResource
from cds.model import Hook

# 1.8: a refuted condition is none; a provisional one neither suppresses nor escalates.
_CLOSED_VERIFICATION = frozenset({"refuted", "entered-in-error", "provisional", "differential"})
_OPEN_STATUS = frozenset({"active", "recurrence", "relapse"})
# Interpretations of HL7 ObservationInterpretation that speak of a reference range.
_HIGH_FLAGS = frozenset({"H", "HH", "HU", "HX"})
_FLAGS = _HIGH_FLAGS | {"N", "L", "LL", "LU", "LX"}
_Record = TypeVar("_Record", bound=r.Record)
_Row = TypeVar("_Row", Order, Fill, Statement, Administration, Visit, Care, Booking, Diagnosis, Result, Intolerance)


@dataclass(frozen=True, slots=True)
class ChartInput:
    """What the chart is built from: the records read, how each search went, and what the hook says of them.

    draft_refs: orders being judged. set_aside: drafts of the call that are not (order-select judges the selected ones);
    they are no therapy either. stops: charted orders that the same call ends. encounter: the hook's, if any.
    memory: what earlier calls showed, and what was answered. booked: appointments that the call is booking.
    """

    hook: Hook
    reading: Reading
    searches: Mapping[str, SearchState]
    draft_refs: tuple[str, ...] = ()
    set_aside: frozenset[str] = frozenset()
    stops: tuple[str, ...] = ()
    encounter: str | None = None
    memory: tuple[Memory, ...] = ()
    booked: frozenset[str] = frozenset()


@dataclass(slots=True)
class Builder:
    """Working state of one chart: the clock (`today`), the zone, the drug resolver, and what has been met so far."""

    source: ChartInput
    today: Day
    tz: ZoneInfo
    resolver: Resolver
    bare_counts: bool
    drugs: Counter[str] = field(default_factory=Counter)
    unidentified: list[str] = field(default_factory=list)
    dated: list[Day] = field(default_factory=list)
    products: dict[str, r.Medication] = field(default_factory=dict)
    conditions: dict[str, r.CodeableConcept | None] = field(default_factory=dict)
    nameless: dict[int, str] = field(default_factory=dict)
    unusable: list[BadResource] = field(default_factory=list)
    suspects: Mapping[str, r.CodeableConcept | None] = field(default_factory=dict)
    care_index: care.Index = field(default_factory=care.Index)
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

    def locate(self, reference: r.Reference | None) -> str | None:
        """`Type/id` that a reference means, `urn:uuid:` included."""
        return self.source.reading.locate(reference.reference) if reference and reference.reference else None

    def each(
        self, record_type: type[_Record], make: Callable[[Builder, _Record], Iterable[_Row] | _Row | None]
    ) -> tuple[_Row, ...]:
        """What `make` makes of each record of a type, by ref; a record that it cannot take costs only itself."""
        made: list[_Row] = []
        for record in self.source.reading.of(record_type):
            try:
                found = make(self, record)
                made.extend(list(found) if isinstance(found, Iterable) else [found] if found is not None else [])
            except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
                self.unusable.append(BadResource(self.ref(record), f"could not be used ({type(error).__name__})"))
        return tuple(sorted(made, key=lambda row: row.ref))


def build_chart(
    source: ChartInput, *, today: dt.date, tz: ZoneInfo, resolver: Resolver, bare_counts: bool = False
) -> Chart:
    """Build the chart as it is known on `today`. Never raises for what a single record says.

    bare_counts: the site's doses without a unit count pieces (tablets, capsules); else such a dose is unknown.
    """
    b = Builder(source, today.toordinal(), tz, resolver, bare_counts)
    b.products = {b.ref(m): m for m in source.reading.of(r.Medication) if m.id}
    b.conditions = {b.ref(c): c.code for c in source.reading.of(r.Condition) if c.id}
    patient = next(iter(source.reading.of(r.Patient)), None)
    orders = meds.with_replacements(b.each(r.MedicationRequest, meds.order))
    b.care_index = care.index(b)
    b.suspects = _suspects(b) if source.reading.of(r.AdverseEvent) else {}
    chart = Chart(
        patient=source.reading.patient_id or (patient.id if patient and patient.id else ""),
        today=b.today,
        birth=patient.birth_date if patient else None,
        sex=patient.gender if patient else None,
        deceased=bool(patient and (patient.deceased_boolean or patient.deceased_date_time)),
        orders=orders,
        fills=b.each(r.MedicationDispense, meds.fill),
        statements=b.each(r.MedicationStatement, meds.statement),
        administrations=b.each(r.MedicationAdministration, meds.administration),
        visits=b.each(r.Encounter, visits.visit),
        care=(*b.each(r.Encounter, visits.care_of_visit), *b.each(r.ServiceRequest, visits.care_ordered)),
        bookings=(
            *b.each(r.Appointment, visits.appointment),
            *b.each(r.Encounter, visits.planned),
            *b.each(r.ServiceRequest, visits.service_request),
            *b.each(r.Task, visits.task),
        ),
        diagnoses=b.each(r.Condition, _diagnosis),
        results=b.each(r.Observation, _results),
        intolerances=(*b.each(r.AllergyIntolerance, _allergy), *b.each(r.AdverseEvent, _adverse_event)),
        reviews=tuple(sorted(review.day for review in b.each(r.Task, visits.review) if review.day is not None)),
        encounter=normalize_reference(f"Encounter/{source.encounter}") if source.encounter else None,
        discharge_list_known=source.hook != "encounter-discharge" or any(o.role == "discharge" for o in orders),
        searches=dict(source.searches),
        unidentified=tuple(sorted(set(b.unidentified))),
        drugs=dict(b.drugs),
        unusable=tuple(b.unusable),
        memory=tuple(m for m in source.memory if m.day <= b.today),
    )
    # Every date above has been read by now: the length of the record is known only at the end.
    return replace(chart, earliest=min(b.dated, default=None), latest=max(b.dated, default=None))


def _diagnosis(b: Builder, c: r.Condition) -> Diagnosis | None:
    recorded = b.recorded(c.recorded_date)
    if _code(c.verification_status) in _CLOSED_VERIFICATION:
        return None
    # 10.11: judged by onset, else by the day it was recorded.
    onset = b.day(c.onset_date_time or (c.onset_period.start if c.onset_period else None))
    day = onset if onset is not None else recorded
    groups = condition_groups(c.code)
    status = _code(c.clinical_status)
    return Diagnosis(b.ref(c), groups, day, status is None or status in _OPEN_STATUS) if groups else None


def _results(b: Builder, o: r.Observation) -> Iterator[Result]:
    if o.status in {"entered-in-error", "cancelled", "registered"}:
        return
    period = o.effective_period.start if o.effective_period else None
    day = b.recorded(o.effective_date_time or period or o.effective_instant or o.issued)
    if day is None or day > b.today:
        return
    # A panel carries its scores as components ("PHQ-9 item 9" beside the total).
    parts: tuple[r.Observation | r.ObservationComponent, ...] = (o, *o.component)
    for part in parts:
        name = result_name(part.code)
        quantity = part.value_quantity
        value = quantity.value if quantity else part.value_integer
        if name and value is not None:
            measured = in_house_unit(name, Decimal(value), (quantity.code or quantity.unit) if quantity else None)
            if measured is not None:
                yield Result(b.ref(o), name, measured, day, _high(o, Decimal(value)) if part is o else None)


def _high(o: r.Observation, value: Decimal) -> bool | None:
    """The laboratory's own flag, else its own reference range; a component has neither here."""
    flags = {c.code for concept in o.interpretation for c in concept.coding if c.code}
    if flags & _FLAGS:
        return bool(flags & _HIGH_FLAGS)
    # Of several ranges (by sex, by age) it is not known which is the patient's.
    limit = o.reference_range[0].high if len(o.reference_range) == 1 else None
    if limit is None or limit.value is None or o.value_quantity is None:
        return None
    same_unit = (limit.code or limit.unit) in {None, o.value_quantity.code, o.value_quantity.unit}
    return value > Decimal(limit.value) if same_unit else None


def _allergy(b: Builder, a: r.AllergyIntolerance) -> Iterator[Intolerance]:
    b.recorded(a.recorded_date)
    if _code(a.verification_status) not in {"refuted", "entered-in-error"}:
        yield from _named_drug(b, b.ref(a), a.code)


def _adverse_event(b: Builder, e: r.AdverseEvent) -> Iterator[Intolerance]:
    for suspect in e.suspect_entity:
        yield from _named_drug(b, b.ref(e), b.suspects.get(b.locate(suspect.instance) or ""))


def _suspects(b: Builder) -> dict[str, r.CodeableConcept | None]:
    """What an adverse event may name: a product, or an order, statement or administration of one."""
    of = b.source.reading.of
    found: dict[str, r.CodeableConcept | None] = {ref: product.code for ref, product in b.products.items()}
    given: list[r.MedicationRequest | r.MedicationStatement | r.MedicationAdministration] = [
        *of(r.MedicationRequest),
        *of(r.MedicationStatement),
        *of(r.MedicationAdministration),
    ]
    for m in given:
        found[b.ref(m)] = m.medication_codeable_concept or found.get(b.locate(m.medication_reference) or "")
    return found


def _named_drug(b: Builder, where: str, concept: r.CodeableConcept | None) -> Iterator[Intolerance]:
    if concept is None:
        return
    found = b.resolver.resolve([(c.system, c.code, c.display) for c in concept.coding], concept.text)
    if found.status == "identified":
        yield Intolerance(
            where, frozenset(p.ingredient.key for p in found.parts), frozenset(p.ingredient.moiety for p in found.parts)
        )


def _code(concept: r.CodeableConcept | None) -> str | None:
    return next((c.code for c in concept.coding if c.code), None) if concept else None
