"""FHIR records of one patient to a Chart: which records count, when they happened, which drugs they mean (1.2, 1.4, 1.7)."""

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
from cds.chart.model import Booking, Chart, Diagnosis, Fill, Intolerance, Order, Result, Statement, Visit
from cds.dates import Day, day_of
from cds.drugs.resolver import Resolver
from cds.fhir import records as r
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.model import Hook

_CLOSED_VERIFICATION = frozenset({"refuted", "entered-in-error", "provisional", "differential", "unconfirmed"})
_OPEN_STATUS = frozenset({"active", "recurrence", "relapse"})
_Row = TypeVar("_Row", Order, Fill, Statement, Visit, Booking, Diagnosis, Result, Intolerance)


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

    def day(self, text: str | None, *, end: bool = False) -> Day | None:
        """Day of a FHIR date; every day up to today also counts towards the length of the record."""
        found = day_of(text, self.tz, partial="end" if end else "start") if text else None
        if found is not None and found <= self.today:
            self.dated.append(found)
        return found

    def records(self, resource_type: str) -> Iterable[object]:
        return self.source.reading.records.get(resource_type, ())


def build_chart(source: ChartInput, *, today: dt.date, tz: ZoneInfo, resolver: Resolver) -> Chart:
    """Build the chart as it is known on `today`. Never raises for what a single record says."""
    b = Builder(source, today.toordinal(), tz, resolver)
    b.products = {ref(m): m for m in b.records("Medication") if isinstance(m, r.Medication) and m.id}
    patient = next((p for p in b.records("Patient") if isinstance(p, r.Patient)), None)
    orders = tuple(
        o for m in b.records("MedicationRequest") if isinstance(m, r.MedicationRequest) and (o := meds.order(b, m))
    )
    fills = tuple(
        f for m in b.records("MedicationDispense") if isinstance(m, r.MedicationDispense) and (f := meds.fill(b, m))
    )
    statements = tuple(
        s
        for m in b.records("MedicationStatement")
        if isinstance(m, r.MedicationStatement) and (s := meds.statement(b, m))
    )
    seen = tuple(v for e in b.records("Encounter") if isinstance(e, r.Encounter) and (v := visits.visit(b, e)))
    chart = Chart(
        patient=source.reading.patient_id or (patient.id if patient and patient.id else ""),
        today=b.today,
        birth=patient.birth_date if patient else None,
        deceased=bool(patient and (patient.deceased_boolean or patient.deceased_date_time)),
        orders=_sorted(orders),
        fills=_sorted(fills),
        statements=_sorted(statements),
        visits=_sorted(seen),
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


def ref(record: object) -> str:
    """`Type/id` of a record; a record without id keeps its type only."""
    return f"{type(record).__name__}/{getattr(record, 'id', None) or 'without-id'}"


def _sorted(items: Iterable[_Row]) -> tuple[_Row, ...]:
    return tuple(sorted(items, key=lambda item: item.ref))


def _diagnoses(b: Builder) -> Iterable[Diagnosis]:
    for c in b.records("Condition"):
        if not isinstance(c, r.Condition) or _code(c.verification_status) in _CLOSED_VERIFICATION:
            continue
        # 10.11: judged by onset, else by the day it was recorded.
        day = b.day(c.onset_date_time or (c.onset_period.start if c.onset_period else None)) or b.day(c.recorded_date)
        groups = condition_groups(c.code)
        if groups:
            status = _code(c.clinical_status)
            yield Diagnosis(ref(c), groups, day, status is None or status in _OPEN_STATUS)


def _results(b: Builder) -> Iterable[Result]:
    for o in b.records("Observation"):
        if not isinstance(o, r.Observation) or o.status in {"entered-in-error", "cancelled", "registered"}:
            continue
        day = b.day(o.effective_date_time or (o.effective_period.start if o.effective_period else None) or o.issued)
        name = result_name(o.code)
        value = o.value_quantity.value if o.value_quantity else o.value_integer
        if name and day is not None and day <= b.today and value is not None:
            yield Result(ref(o), name, Decimal(value), day)


def _intolerances(b: Builder) -> Iterable[Intolerance]:
    for a in b.records("AllergyIntolerance"):
        if isinstance(a, r.AllergyIntolerance) and _code(a.verification_status) not in {"refuted", "entered-in-error"}:
            yield from _named_drug(b, ref(a), a.code)
    for e in b.records("AdverseEvent"):
        if isinstance(e, r.AdverseEvent):
            for suspect in e.suspect_entity:
                target = suspect.instance.reference if suspect.instance else None
                product = b.products.get(normalize_reference(target)) if target else None
                if product is not None:
                    yield from _named_drug(b, ref(e), product.code)


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
