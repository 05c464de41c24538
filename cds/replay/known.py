"""A chart as it was known at an earlier moment: what had been written by then, with the status it had then.

Written by then: the record's own date is not after the moment. That is `authoredOn`, `recordedDate`, `dateAsserted` or
`created`; else the day it speaks of: a dose or dispense given, an encounter begun, a condition's onset; of a result the
later of its day and its issue. A record without any of these was there from its `meta.lastUpdated`, or from the day
for which it was made (a booking, a planned encounter, a request), at the latest; before that, and when it has no date
at all, nobody knows. Such a record is left out, and the search of its type counts as "damaged" (some records could not
be read), so that no absence is proved by it. What the chart leaves out anyway without a date (encounters, dispenses,
administrations, results) costs nothing.

Status then: see `cds.replay.status`. A record in error, a refuted diagnosis, and whatever else than its status a later
version changed, are as they are now: a chart keeps no versions.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from cds.dates import Day
from cds.evaluate import HookCall
from cds.fhir import records as r
from cds.fhir.envelope import worst
from cds.fhir.reading import SearchState
from cds.replay.moment import Moment, moment_of
from cds.replay.status import STATUS_THEN, Then

_ALWAYS = Moment(0)
# Without a date they say something about today all the same; the others the chart leaves out by itself.
_SEARCH: Mapping[type[r.Resource], str] = {
    cls: cls.__name__
    for cls in (
        r.MedicationRequest, r.MedicationStatement, r.Condition, r.AllergyIntolerance, r.AdverseEvent,
        r.ServiceRequest, r.Task, r.Appointment,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """written: the record was there from then on, None: nobody knows. exact: and not before."""

    record: r.Resource
    written: Moment | None
    exact: bool


class Past:
    """The chart of one call, ready to be asked as of any moment. Reads every date once."""

    def __init__(self, call: HookCall, *, tz: ZoneInfo) -> None:
        """call: a whole chart, as from an export; its drafts, if any, count as what they are in the chart."""
        self.call = call
        self.tz = tz
        self._rows = {name: [self._row(record) for record in found] for name, found in call.reading.records.items()}
        self.products = {f"Medication/{m.id}": m for m in call.reading.of(r.Medication) if m.id}
        self._handed_over: dict[str, Day] = {}
        for dispense in call.reading.of(r.MedicationDispense):
            given = self.moment(dispense.when_handed_over)
            for named in dispense.authorizing_prescription if given is not None else ():
                order = call.reading.locate(named.reference or "").rpartition("/")[2]
                self._handed_over[order] = max(given.day if given else 0, self._handed_over.get(order, 0))

    def moment(self, text: str | None) -> Moment | None:
        return moment_of(text, self.tz)

    def at(self, at: Moment, *, without: Container[int] = ()) -> HookCall:
        """The call with the chart as it was known then.

        at: a moment with a time takes in what has a time up to it, and of that day what has none. A day alone takes in
        the whole day. without: `id()` of records to leave out.
        """
        then = Then(at, self.tz, self._handed_over)
        searches: dict[str, SearchState] = dict(self.call.searches)
        records: dict[str, list[r.Resource]] = {}
        for name, rows in self._rows.items():
            for row in rows:
                not_yet = row.written is not None and row.written.after(at) is True
                if (not_yet and row.exact) or id(row.record) in without:
                    continue
                known = None if not_yet or row.written is None else _as_then(row.record, row.written, then)
                if known is not None:
                    records.setdefault(name, []).append(known)
                    continue
                search = "Appointment" if _is_planned(row.record) else _SEARCH.get(type(row.record), "")
                if search in searches:
                    searches[search] = worst(searches[search], "damaged")
        return replace(
            self.call,
            reading=self.call.reading.with_records(records),
            searches=searches,
            draft_refs=(),
            selected=None,
            stops=(),
            booked=frozenset(),
        )

    def _row(self, record: r.Resource) -> _Row:
        if isinstance(record, r.Patient | r.Practitioner | r.PractitionerRole | r.Medication):
            return _Row(record, _ALWAYS, exact=True)
        stated = [m for text in _WRITTEN[type(record)](record) if (m := self.moment(text)) is not None]
        if stated:
            # A result is known once it is issued.
            latest = isinstance(record, r.Observation)
            return _Row(record, max(stated, key=_order) if latest else stated[0], exact=True)
        changed = record.meta.last_updated if record.meta is not None else None
        # It was made before the day for which it is made, and before it changed.
        bounds = [m for text in (changed, _due(record)) if (m := self.moment(text)) is not None]
        return _Row(record, min(bounds, key=_order, default=None), exact=False)


def _as_then(record: r.Resource, written: Moment, then: Then) -> r.Resource | None:
    """The record as it was then; None when the record does not tell."""
    status_then = STATUS_THEN.get(type(record))
    if status_then is None:
        return record
    found: r.Resource | None = status_then(record, written, then)
    return found


def _order(moment: Moment) -> tuple[Day, float]:
    return moment.day, moment.at or 0.0


def _is_planned(record: r.Resource) -> bool:
    return isinstance(record, r.Encounter) and record.status == "planned"


def _start(period: r.Period | None) -> str | None:
    return period.start if period is not None else None


def _due(record: r.Resource) -> str | None:
    """The day for which an appointment, a planned visit or a request was made."""
    if isinstance(record, r.Appointment):
        return record.start
    if isinstance(record, r.Encounter):
        return _start(record.period)
    if isinstance(record, r.ServiceRequest):
        return record.occurrence_date_time or _start(record.occurrence_period)
    return None


_WRITTEN: Mapping[type[r.Resource], Any] = {
    r.MedicationRequest: lambda m: (m.authored_on,),
    r.MedicationDispense: lambda m: (m.when_handed_over, m.when_prepared),
    r.MedicationStatement: lambda m: (m.date_asserted, _start(m.effective_period), m.effective_date_time),
    r.MedicationAdministration: lambda m: (_start(m.effective_period), m.effective_date_time),
    r.Condition: lambda c: (c.recorded_date, c.onset_date_time, _start(c.onset_period)),
    r.Encounter: lambda e: () if e.status == "planned" else (_start(e.period),),
    r.Appointment: lambda a: (a.created,),
    r.AllergyIntolerance: lambda a: (a.recorded_date, a.onset_date_time, a.last_occurrence),
    r.AdverseEvent: lambda e: (e.recorded_date, e.detected, e.date),
    r.Procedure: lambda p: (_start(p.performed_period), p.performed_date_time),
    r.ServiceRequest: lambda s: (s.authored_on,),
    r.Task: lambda t: (t.authored_on, _start(t.execution_period)),
    r.QuestionnaireResponse: lambda q: (q.authored,),
    r.Observation: lambda o: (_start(o.effective_period), o.effective_date_time, o.effective_instant, o.issued),
}
