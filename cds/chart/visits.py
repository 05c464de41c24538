"""Encounters, appointments and follow-up requests: who was seen, who is booked (1.7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from cds.chart.codes import asks_for_follow_up, condition_groups
from cds.chart.model import Booking, Visit
from cds.dates import Day
from cds.fhir import records as r
from cds.fhir.reading import normalize_reference

if TYPE_CHECKING:
    from cds.chart.build import Builder

_CONTACT_CLASSES = frozenset({"AMB", "VR", "HH"})
_INPATIENT_CLASSES = frozenset({"IMP", "ACUTE", "NONAC"})
_CLINICIAN_TYPES = ("Practitioner/", "PractitionerRole/")
_REVIEW = ("urn:psychmed:task", "risk-benefit-review")


def visit(b: Builder, e: r.Encounter) -> Visit | None:
    """A visit that took place or is going on; None for planned, cancelled and undated ones."""
    if e.status not in {"finished", "in-progress"} or e.period is None:
        return None
    start = b.day(e.period.start)
    if start is None or start > b.today:
        return None
    in_progress = e.status == "in-progress"
    end = None if in_progress else (b.day(e.period.end, end=True) or start)
    disposition = e.hospitalization.discharge_disposition if e.hospitalization else None
    hospice = "hospice" in condition_groups(disposition)
    return Visit(f"Encounter/{e.id or 'without-id'}", _kind(e), start, end, in_progress, hospice)


def _kind(e: r.Encounter) -> Literal["contact", "emergency", "inpatient", "other"]:
    code = e.class_.code if e.class_ else None
    if code == "EMER":
        return "emergency"
    if code in _INPATIENT_CLASSES:
        return "inpatient"
    # An Encounter without class is real traffic (it is required in R4): a finished visit without one is taken as a
    # contact, the reading that alerts less.
    if code is None or code in _CONTACT_CLASSES:
        return "contact" if _clinician_took_part(e) else "other"
    return "other"


def _clinician_took_part(e: r.Encounter) -> bool:
    """True when a clinician is listed, or when nobody is: an unrecorded participant is not an absent one."""
    people = [p.individual.reference for p in e.participant if p.individual and p.individual.reference]
    return not people or any(t in person for person in people for t in _CLINICIAN_TYPES)


def bookings(b: Builder) -> Iterable[Booking]:
    """Appointments that stand, planned encounters, and requests for a follow-up visit."""
    for a in b.records("Appointment"):
        if isinstance(a, r.Appointment) and a.status in {"booked", "pending"}:
            period = a.requested_period[0].start if a.requested_period else None
            yield Booking(f"Appointment/{a.id}", b.day(a.start or period), None, b.day(a.created))
    for e in b.records("Encounter"):
        if isinstance(e, r.Encounter) and e.status == "planned" and e.period is not None:
            yield Booking(f"Encounter/{e.id}", b.day(e.period.start), None, None)
    for s in b.records("ServiceRequest"):
        if isinstance(s, r.ServiceRequest) and s.status in {"active", "draft"} and asks_for_follow_up(s.code):
            period = s.occurrence_period.start if s.occurrence_period else None
            yield _request(b, f"ServiceRequest/{s.id}", s.occurrence_date_time or period, s.encounter, s.authored_on)
    for t in b.records("Task"):
        if (
            isinstance(t, r.Task)
            and t.status in {"requested", "accepted", "ready", "in-progress"}
            and asks_for_follow_up(t.code)
        ):
            due = t.execution_period.start if t.execution_period else None
            limit = t.restriction.period.end if t.restriction and t.restriction.period else None
            yield _request(b, f"Task/{t.id}", due or limit, t.encounter, t.authored_on)


def _request(b: Builder, where: str, when: str | None, encounter: r.Reference | None, authored: str | None) -> Booking:
    visit_ref = normalize_reference(encounter.reference) if encounter and encounter.reference else None
    return Booking(where, b.day(when), visit_ref, b.day(authored))


def reviews(b: Builder) -> Iterable[Day]:
    """Days on which a risk-benefit review was completed (10.25)."""
    for t in b.records("Task"):
        if not isinstance(t, r.Task) or t.status != "completed" or t.code is None:
            continue
        if any((c.system, c.code) == _REVIEW for c in t.code.coding):
            done = b.day((t.execution_period.end if t.execution_period else None) or t.last_modified or t.authored_on)
            if done is not None:
                yield done
