"""FHIR records of one patient to a Chart: which records count, when, and which drugs they mean (1.2, 1.4, 1.7)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from cds.chart import medications as meds
from cds.chart import visits
from cds.chart.codes import condition_groups, result_name
from cds.chart.model import Booking, Chart, Diagnosis, Fill, Intolerance, Order, Result, Statement, Visit
from cds.dates import Day, day_of
from cds.drugs.resolver import Resolver
from cds.fhir import records as r
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.findings import BadResource
from cds.model import Hook

_CLOSED_VERIFICATION = frozenset({"refuted", "entered-in-error", "provisional", "differential"})
_OPEN_STATUS = frozenset({"active", "recurrence", "relapse"})
_Record = TypeVar("_Record", bound=r.Record)
_Made = TypeVar("_Made", Order, Fill, Statement, Visit, Booking, Diagnosis, Result, Intolerance)


@dataclass(frozen=True, slots=True)
class ChartInput:
    """What the chart is built from: the records read, how each search went, and what the hook says of them.

    draft_refs: orders being judged. set_aside: drafts of the call that are not (order-select judges the selected ones);
    they are no therapy either. stops: charted orders that the same call ends. encounter: the hook's, if any.
    """

    hook: Hook
    reading: Reading
    searches: Mapping[str, SearchState]
    draft_refs: tuple[str, ...] = ()
    set_aside: frozenset[str] = frozenset()
    stops: tuple[str, ...] = ()
    encounter: str | None = None


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
    unusable: list[BadResource] = field(default_factory=list)

    def day(self, text: str | None, *, end: bool = False) -> Day | None:
        """Day of a FHIR date; every day up to today also counts towards the length of the record."""
        found = day_of(text, self.tz, partial="end" if end else "start") if text else None
        if found is not None and found <= self.today:
            self.dated.append(found)
        return found

    def locate(self, reference: r.Reference | None) -> str | None:
        """`Type/id` that a reference means, `urn:uuid:` included."""
        return self.source.reading.locate(reference.reference) if reference and reference.reference else None

    def each(self, record_type: type[_Record], make: Callable[[Builder, _Record], _Made | None]) -> tuple[_Made, ...]:
        """What `make` makes of each record of a type, by ref; a record that it cannot take costs only itself."""
        made: list[_Made] = []
        for record in self.source.reading.of(record_type):
            try:
                found = make(self, record)
            except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
                self.unusable.append(BadResource(ref(record), f"could not be used ({type(error).__name__})"))
                continue
            if found is not None:
                made.append(found)
        return tuple(sorted(made, key=lambda row: row.ref))


def build_chart(
    source: ChartInput, *, today: dt.date, tz: ZoneInfo, resolver: Resolver, bare_counts: bool = False
) -> Chart:
    """Build the chart as it is known on `today`. Never raises for what a single record says.

    bare_counts: the site's doses without a unit count pieces (tablets, capsules); else such a dose is unknown.
    """
    b = Builder(source, today.toordinal(), tz, resolver, bare_counts)
    b.products = {ref(m): m for m in source.reading.of(r.Medication) if m.id}
    patient = next(iter(source.reading.of(r.Patient)), None)
    orders = b.each(r.MedicationRequest, meds.order)
    chart = Chart(
        patient=source.reading.patient_id or (patient.id if patient and patient.id else ""),
        today=b.today,
        birth=patient.birth_date if patient else None,
        deceased=bool(patient and (patient.deceased_boolean or patient.deceased_date_time)),
        orders=orders,
        fills=b.each(r.MedicationDispense, meds.fill),
        statements=b.each(r.MedicationStatement, meds.statement),
        visits=b.each(r.Encounter, visits.visit),
        bookings=(
            *b.each(r.Appointment, visits.appointment),
            *b.each(r.Encounter, visits.planned),
            *b.each(r.ServiceRequest, visits.service_request),
            *b.each(r.Task, visits.task),
        ),
        diagnoses=b.each(r.Condition, _diagnosis),
        results=b.each(r.Observation, _result),
        intolerances=(*b.each(r.AllergyIntolerance, _allergy), *b.each(r.AdverseEvent, _adverse_event)),
        reviews=tuple(sorted(review.day for review in b.each(r.Task, visits.review) if review.day is not None)),
        encounter=normalize_reference(f"Encounter/{source.encounter}") if source.encounter else None,
        discharge_list_known=any(o.role == "discharge" for o in orders),
        searches=dict(source.searches),
        unidentified=tuple(sorted(set(b.unidentified))),
        drugs=dict(b.drugs),
        unusable=tuple(b.unusable),
    )
    # Every date above has been read by now: the length of the record is known only at the end.
    return replace(chart, earliest=min(b.dated, default=None))


def ref(record: object) -> str:
    """`Type/id` of a record; a record without id keeps its type only."""
    return f"{type(record).__name__}/{getattr(record, 'id', None) or 'without-id'}"


def _diagnosis(b: Builder, c: r.Condition) -> Diagnosis | None:
    if _code(c.verification_status) in _CLOSED_VERIFICATION:
        return None
    # 10.11: judged by onset, else by the day it was recorded.
    onset = b.day(c.onset_date_time or (c.onset_period.start if c.onset_period else None))
    day = onset if onset is not None else b.day(c.recorded_date)
    groups = condition_groups(c.code)
    status = _code(c.clinical_status)
    return Diagnosis(ref(c), groups, day, status is None or status in _OPEN_STATUS) if groups else None


def _result(b: Builder, o: r.Observation) -> Result | None:
    if o.status in {"entered-in-error", "cancelled", "registered"}:
        return None
    day = b.day(o.effective_date_time or (o.effective_period.start if o.effective_period else None) or o.issued)
    name = result_name(o.code)
    value = o.value_quantity.value if o.value_quantity else o.value_integer
    if name is None or day is None or day > b.today or value is None:
        return None
    return Result(ref(o), name, Decimal(value), day)


def _allergy(b: Builder, a: r.AllergyIntolerance) -> Intolerance | None:
    if _code(a.verification_status) in {"refuted", "entered-in-error"}:
        return None
    return _named_drug(b, ref(a), a.code)


def _adverse_event(b: Builder, e: r.AdverseEvent) -> Intolerance | None:
    for suspect in e.suspect_entity:
        product = b.products.get(b.locate(suspect.instance) or "")
        found = _named_drug(b, ref(e), product.code) if product is not None else None
        if found is not None:
            return found
    return None


def _named_drug(b: Builder, where: str, concept: r.CodeableConcept | None) -> Intolerance | None:
    if concept is None:
        return None
    found = b.resolver.resolve([(c.system, c.code, c.display) for c in concept.coding], concept.text)
    if found.status != "identified":
        return None
    parts = [p.ingredient for p in found.parts]
    return Intolerance(where, frozenset(i.key for i in parts), frozenset(i.moiety for i in parts))


def _code(concept: r.CodeableConcept | None) -> str | None:
    return next((c.code for c in concept.coding if c.code), None) if concept else None
