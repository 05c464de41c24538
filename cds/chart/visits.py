"""Encounters, appointments and follow-up requests: who was seen, who is booked (1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cds.chart.codes import asks_for_follow_up, condition_groups
from cds.chart.model import Booking, Visit
from cds.fhir import records as r

if TYPE_CHECKING:
    from cds.chart.build import Builder

_CONTACT_CLASSES = frozenset({"AMB", "VR", "HH", "TEL"})
_INPATIENT_CLASSES = frozenset({"IMP", "ACUTE", "NONAC"})
_NO_CLINICIAN = ("Patient/", "RelatedPerson/")
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
    """True unless those listed are all patients or relatives.

    An unrecorded participant is not an absent one, and an opaque reference (`urn:uuid:...`) says nothing of who: both
    are taken as a clinician, the reading that alerts less.
    """
    people = [p.individual.reference for p in e.participant if p.individual and p.individual.reference]
    return not people or any(not any(t in person for t in _NO_CLINICIAN) for person in people)


def appointment(b: Builder, a: r.Appointment) -> Booking | None:
    """An appointment that stands."""
    if a.status not in {"booked", "pending"}:
        return None
    period = a.requested_period[0].start if a.requested_period else None
    return Booking(f"Appointment/{a.id}", b.day(a.start or period), None, b.day(a.created))


def planned(b: Builder, e: r.Encounter) -> Booking | None:
    """A planned encounter is a booking."""
    if e.status != "planned" or e.period is None:
        return None
    return Booking(f"Encounter/{e.id}", b.day(e.period.start), None, None)


def service_request(b: Builder, s: r.ServiceRequest) -> Booking | None:
    """A request for a follow-up visit."""
    if s.status not in {"active", "draft"} or not asks_for_follow_up(s.code):
        return None
    when = s.occurrence_date_time or (s.occurrence_period.start if s.occurrence_period else None)
    return Booking(f"ServiceRequest/{s.id}", b.day(when), b.locate(s.encounter), b.day(s.authored_on))


def task(b: Builder, t: r.Task) -> Booking | None:
    """A task that asks for a follow-up visit."""
    if t.status not in {"requested", "accepted", "ready", "in-progress"} or not asks_for_follow_up(t.code):
        return None
    due = t.execution_period.start if t.execution_period else None
    limit = t.restriction.period.end if t.restriction and t.restriction.period else None
    return Booking(f"Task/{t.id}", b.day(due or limit), b.locate(t.encounter), b.day(t.authored_on))


def review(b: Builder, t: r.Task) -> Booking | None:
    """A completed risk-benefit review, on the day it was done (10.25)."""
    if t.status != "completed" or t.code is None or not any((c.system, c.code) == _REVIEW for c in t.code.coding):
        return None
    done = b.day((t.execution_period.end if t.execution_period else None) or t.last_modified or t.authored_on)
    return Booking(f"Task/{t.id}", done, None, None) if done is not None else None
