"""What the status of a record was at an earlier moment, as far as the record says so.

Each function takes a record that was there at that moment and returns it as it was then, or None when nothing in the
record tells. What did not change since (`meta.lastUpdated` up to the moment) is returned as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from cds.chart.supplied import stated_days
from cds.fhir import records as r
from cds.replay.moment import Moment, moment_of

_ENDED_ORDER = frozenset({"stopped", "completed", "cancelled", "on-hold"})
_KEPT = frozenset({"fulfilled", "arrived", "checked-in", "noshow"})
_ENDED_TASK = frozenset({"completed", "cancelled", "rejected", "failed"})


@dataclass(frozen=True, slots=True)
class Then:
    """at: the moment asked about. handed_over: by id of an order, the last day on which a dispense names it, ever."""

    at: Moment
    tz: ZoneInfo
    handed_over: dict[str, int]

    def of(self, text: str | None) -> Moment | None:
        return moment_of(text, self.tz)

    def lies_ahead(self, text: str | None) -> bool:
        """Whether the text names a moment after this one; of the same day only where both have a time."""
        found = self.of(text)
        return found is not None and found.after(self.at) is True

    def changed_later(self, record: r.Record) -> bool | None:
        """Whether the record last changed after this moment; None when it does not say."""
        changed = self.of(record.meta.last_updated) if record.meta is not None else None
        return None if changed is None else changed.after(self.at) is True


def order(m: r.MedicationRequest, written: Moment, then: Then) -> r.MedicationRequest:
    """An order that has ended since is in force on the day it was written, and until something says otherwise.

    That is: an end that it states, else the day on which the record last changed, which is the latest the end was
    recorded; without `lastUpdated`, the last day of the supply that it authorised or of a dispense that names it. After
    that, and where none of these is recorded, it stands as it does now: a stop without its day.
    """
    if m.status not in _ENDED_ORDER or then.changed_later(m) is False:
        return m
    in_force = replace(m, status="active", status_reason=None)
    if written.day == then.at.day:
        return in_force
    ends = [moment for text in _stated_ends(m) if (moment := then.of(text)) is not None]
    stated = max((e.day for e in ends), default=None)
    if stated is not None and stated < then.at.day:
        return m
    if then.changed_later(m):
        return in_force
    supplied = _supplied_until(m, written)
    until = max((day for day in (stated, supplied, then.handed_over.get(m.id or "")) if day is not None), default=None)
    return in_force if until is not None and until >= then.at.day else m


def _stated_ends(m: r.MedicationRequest) -> Iterable[str | None]:
    repeats = [d.timing.repeat for d in m.dosage_instruction if d.timing is not None]
    return [p.bounds_period.end for p in repeats if p is not None and p.bounds_period is not None]


def _supplied_until(m: r.MedicationRequest, written: Moment) -> int | None:
    """Last day of the supply as the order states it: days of a fill times fills."""
    dispense = m.dispense_request
    days = stated_days(dispense.expected_supply_duration) if dispense is not None else None
    if dispense is None or days is None:
        return None
    return written.day + days * (1 + max(0, dispense.number_of_repeats_allowed or 0)) - 1


def encounter(e: r.Encounter, _: Moment, then: Then) -> r.Encounter:
    """A visit whose end lies ahead is going on; where the patient went from it is not known yet."""
    if e.status != "finished" or e.period is None or not then.lies_ahead(e.period.end):
        return e
    return replace(e, status="in-progress", period=replace(e.period, end=None), hospitalization=None)


def condition(c: r.Condition, _: Moment, then: Then) -> r.Condition:
    """A condition whose abatement lies ahead is active. One that is inactive without a day stands as it is."""
    abated = c.abatement_date_time or (c.abatement_period.start if c.abatement_period is not None else None)
    if not then.lies_ahead(abated):
        return c
    return replace(c, clinical_status=None, abatement_date_time=None, abatement_period=None)


def statement(m: r.MedicationStatement, _: Moment, then: Then) -> r.MedicationStatement:
    """What is taken until a day that lies ahead is being taken."""
    period = m.effective_period
    if m.status not in {"completed", "stopped"} or period is None or not then.lies_ahead(period.end):
        return m
    return replace(m, status="active", status_reason=(), effective_period=replace(period, end=None))


def appointment(a: r.Appointment, _: Moment, then: Then) -> r.Appointment | None:
    """One that lies ahead and was kept or missed later stood as booked; when one was called off is not recorded."""
    if not then.lies_ahead(a.start) or then.changed_later(a) is False:
        return a
    if a.status in _KEPT:
        return replace(a, status="booked")
    return None if a.status == "cancelled" else a


def service_request(s: r.ServiceRequest, written: Moment, then: Then) -> r.ServiceRequest | None:
    """A request that was carried out or withdrawn since stood on its day, and until it was due or last changed."""
    if s.status not in {"completed", "revoked"} or then.changed_later(s) is False:
        return s
    due = s.occurrence_date_time or (s.occurrence_period.start if s.occurrence_period is not None else None)
    stood = written.day == then.at.day or then.changed_later(s) or (s.status == "completed" and then.lies_ahead(due))
    if stood:
        return replace(s, status="active")
    return None if due is None or then.lies_ahead(due) else s


def task(t: r.Task, _: Moment, then: Then) -> r.Task:
    """A task that was done later was still asked for."""
    done = (t.execution_period.end if t.execution_period is not None else None) or t.last_modified
    return replace(t, status="requested") if t.status in _ENDED_TASK and then.lies_ahead(done) else t


def patient(p: r.Patient, _: Moment, then: Then) -> r.Patient:
    """Nobody is dead on a day of their own records: a death without a date comes after them all."""
    if p.deceased_date_time is not None and not then.lies_ahead(p.deceased_date_time):
        return p
    return replace(p, deceased_boolean=None, deceased_date_time=None)


STATUS_THEN: dict[type[r.Resource], Any] = {
    r.MedicationRequest: order,
    r.Encounter: encounter,
    r.Condition: condition,
    r.MedicationStatement: statement,
    r.Appointment: appointment,
    r.ServiceRequest: service_request,
    r.Task: task,
    r.Patient: patient,
}
