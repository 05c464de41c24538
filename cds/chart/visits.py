"""Encounters, appointments and follow-up requests: who was seen, who is booked (1.7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from cds.chart import care
from cds.chart.codes import asks_for_follow_up, condition_groups, visit_kinds
from cds.chart.model import Booking, Care, Visit
from cds.dates import Day
from cds.fhir import records as r

if TYPE_CHECKING:
    from cds.chart.build import Builder

_CONTACT_CLASSES = frozenset({"AMB", "VR", "HH"})
_TELEPHONE = frozenset({"tel", "phone", "telephone", "telephone encounter", "telephone call"})
_INPATIENT_CLASSES = frozenset({"IMP", "ACUTE", "NONAC"})
_GOING_ON_INPATIENT = frozenset({"in-progress", "arrived", "triaged", "onleave"})
_NOT_CLINICIANS = ("RelatedPerson", "Patient", "Device")
_NEVER_CONTACTS = frozenset({"refill", "laboratory", "portal"})
_CALLED_OFF = frozenset({"cancelled", "noshow", "entered-in-error"})
_REVIEW = ("urn:psychmed:task", "risk-benefit-review")
_DISPOSITIONS = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_TO_HOSPICE = "hosp"
_MONTH = 7  # letters of "2026-03"


def visit(b: Builder, e: r.Encounter) -> Visit | None:
    """A visit that took place or is going on; None for planned, cancelled and undated ones."""
    kind = _kind(e)
    going_on = e.status == "in-progress" or (kind == "inpatient" and e.status in _GOING_ON_INPATIENT)
    if not going_on and e.status != "finished":
        return None
    start = _day_seen(b, e.period.start if e.period else None)
    if start is None and going_on:
        # Without a start it still is a visit of today.
        start = b.today
    if start is None or start > b.today:
        return None
    end = None if going_on else b.day(e.period.end if e.period else None, end=True)
    end = end if going_on or (end is not None and end > start) else start
    if kind == "other":
        return Visit(b.ref(e), kind, start, end, going_on, disposition=_disposition(e))
    says = care.of_visit(b, e)
    stay = kind in {"inpatient", "emergency"}
    return Visit(
        ref=b.ref(e),
        kind=kind,
        start=start,
        end=end,
        in_progress=going_on,
        disposition=_disposition(e),
        prescriber=says.prescriber,
        mental_health=says.mental_health,
        principal=care.principal(b, e) if stay else None,
        destination=care.destination(e) if stay else None,
    )


def _disposition(e: r.Encounter) -> str | None:
    """Where the patient goes from the encounter, by HL7's code; other code systems are not read."""
    to = e.hospitalization.discharge_disposition if e.hospitalization else None
    return next((c.code for c in to.coding if c.system == _DISPOSITIONS and c.code), None) if to else None


def _day_seen(b: Builder, text: str | None) -> Day | None:
    """Day of something that has happened; of the current month, no later than today."""
    day = b.recorded(text)
    if day is not None and day > b.today and text is not None and len(text) == _MONTH:
        first = b.day(text, end=True)
        return b.today if first is not None and first <= b.today else day
    return day


def _kind(e: r.Encounter) -> Literal["contact", "emergency", "inpatient", "other"]:
    code = e.class_.code if e.class_ else None
    if code == "EMER":
        return "emergency"
    if code in _INPATIENT_CLASSES:
        return "inpatient"
    said = visit_kinds((*e.type, e.service_type))
    if said & _NEVER_CONTACTS:
        return "other"
    by_telephone = e.class_ is not None and {(code or "").lower(), (e.class_.display or "").lower()} & _TELEPHONE
    # An Encounter without class is real traffic (it is required in R4): a finished visit without one is taken as a
    # contact, the reading that alerts less.
    if code is None or code in _CONTACT_CLASSES or by_telephone:
        return "contact" if _clinician_took_part(e, must_be_named="group" in said) else "other"
    return "other"


def _clinician_took_part(e: r.Encounter, *, must_be_named: bool) -> bool:
    """True when a clinician is listed, or when nobody is: an unrecorded participant is not an absent one."""
    people = [p.individual for p in e.participant if p.individual is not None]
    if not people:
        return not must_be_named
    return any(not _is_no_clinician(p) for p in people)


def _is_no_clinician(person: r.Reference) -> bool:
    kind = person.type or (person.reference or "").rpartition("/")[0].rpartition("/")[2]
    return kind in _NOT_CLINICIANS


def care_of_visit(b: Builder, e: r.Encounter) -> Iterable[Care]:
    """Hospice or palliative care that an encounter names by its type, reason or destination (1.9)."""
    if e.status not in {"finished", "in-progress", "onleave"}:
        return ()
    disposition = e.hospitalization.discharge_disposition if e.hospitalization else None
    groups = frozenset().union(*(condition_groups(c) for c in (*e.type, *e.reason_code, disposition)))
    if _disposition(e) == _TO_HOSPICE:
        groups |= {"hospice"}
    if not groups & {"hospice", "palliative"}:
        return ()
    end = b.day(e.period.end, end=True) if e.period else None
    start = b.day(e.period.start) if e.period else None
    return _care(b.ref(e), groups, b.today if e.status != "finished" else end or start)


def care_ordered(b: Builder, s: r.ServiceRequest) -> Iterable[Care]:
    """Hospice or palliative care that was ordered."""
    if s.status not in {"active", "completed"} or s.do_not_perform:
        return ()
    day = b.day(s.authored_on) or b.day(s.occurrence_date_time)
    return _care(b.ref(s), condition_groups(s.code), day)


def _care(where: str, groups: frozenset[str], day: Day | None) -> Iterable[Care]:
    if day is None:
        return
    if "hospice" in groups:
        yield Care(where, "hospice", day)
    if "palliative" in groups:
        yield Care(where, "palliative", day)


def appointment(b: Builder, a: r.Appointment) -> Booking | None:
    """An appointment that stands. A proposal counts only when it was made today: this very visit set it in motion.

    One that is being booked in this call stands whatever its status, unless it is called off in it.
    """
    created = b.recorded(a.created)
    made_now = b.ref(a) in b.source.booked
    if made_now and a.status in _CALLED_OFF:
        return None
    if not made_now and a.status not in {"booked", "pending"} and not (a.status == "proposed" and created == b.today):
        return None
    period = a.requested_period[0].start if a.requested_period else None
    return Booking(b.ref(a), b.day(a.start or period), None, created, care.of_appointment(b, a).mental_health)


def planned(b: Builder, e: r.Encounter) -> Booking | None:
    """A planned encounter is a booking."""
    if e.status != "planned" or e.period is None:
        return None
    return Booking(b.ref(e), b.day(e.period.start), None, None, care.of_visit(b, e).mental_health)


def service_request(b: Builder, s: r.ServiceRequest) -> Booking | None:
    """A request for a follow-up visit."""
    if s.status not in {"active", "draft"} or not asks_for_follow_up(s.code):
        return None
    when = s.occurrence_date_time or (s.occurrence_period.start if s.occurrence_period else None)
    authored = b.recorded(s.authored_on)
    return Booking(b.ref(s), b.day(when), b.locate(s.encounter), authored, care.of_request(s).mental_health)


def task(b: Builder, t: r.Task) -> Booking | None:
    """A task that asks for a follow-up visit."""
    if t.status not in {"requested", "accepted", "ready", "in-progress"} or not asks_for_follow_up(t.code):
        return None
    due = t.execution_period.start if t.execution_period else None
    limit = t.restriction.period.end if t.restriction and t.restriction.period else None
    authored = b.recorded(t.authored_on)
    return Booking(b.ref(t), b.day(due or limit), b.locate(t.encounter), authored, care.of_request(t).mental_health)


def review(b: Builder, t: r.Task) -> Booking | None:
    """A completed risk-benefit review, on the day it was done (10.25)."""
    if t.status != "completed" or t.code is None or not any((c.system, c.code) == _REVIEW for c in t.code.coding):
        return None
    done = b.day((t.execution_period.end if t.execution_period else None) or t.last_modified or t.authored_on)
    return Booking(b.ref(t), done, None, None) if done is not None else None
