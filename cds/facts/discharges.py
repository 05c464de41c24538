"""Discharges from hospital and visits to an emergency department, and what came after them (D-03, D-02)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds.chart.model import Visit
from cds.dates import Day
from cds.facts.context import Context, fact
from cds.model import Fact

_LOOK_BACK = 430  # days; a stay this long ago still explains a gap after the start of an ADHD medicine
_MENTAL_HEALTH = frozenset({"mental-disorder", "self-harm"})


def discharges(c: Context) -> Iterator[Fact]:
    """One fact a stay or emergency visit: how it ended; and one for the stay or emergency visit that came next."""
    stays = [v for v in c.chart.visits if v.kind == "inpatient"]
    emergencies = [v for v in c.chart.visits if v.kind == "emergency" and not v.in_progress]
    for v in [*stays, *emergencies]:
        day = _last_day(c, v)
        if day >= c.today - _LOOK_BACK:
            yield _discharge(c, v, day)
            first = min(_returns(c, v, day, stays, emergencies), key=lambda r: (r[0], r[1].ref), default=None)
            if first is not None:
                yield _return(c, v, *first)


def _last_day(c: Context, v: Visit) -> Day:
    """Day of discharge; of a stay that goes on, today: at encounter-discharge it ends today."""
    if v.in_progress:
        return c.today
    return v.end if v.end is not None else v.start


def _event(v: Visit) -> str:
    if v.kind == "inpatient":
        return "stay"
    return "self-harm-visit" if v.principal == "self-harm" else "emergency-visit"


def _of_mental_health(v: Visit) -> str:
    if v.principal is None:
        return "unrecorded"
    return "yes" if v.principal in _MENTAL_HEALTH else "no"


def _discharge(c: Context, v: Visit, day: Day) -> Fact:
    return fact(
        "discharge",
        f"discharge:{v.ref}",
        [v.ref],
        id=v.ref,
        event=_event(v),
        # The stay that this call is about: what follows it lies ahead.
        planned=c.hook == "encounter-discharge" and v.ref == c.chart.encounter,
        in_progress=v.in_progress,
        admitted=c.rel(v.start),
        day=c.rel(day),
        diagnosis=v.principal,
        mental_health=_of_mental_health(v),
        destination=v.destination or "unrecorded",
    )


def _returns(
    c: Context, v: Visit, day: Day, stays: Sequence[Visit], emergencies: Sequence[Visit]
) -> Iterator[tuple[Day, Visit]]:
    """Where the patient was again, and when.

    Admissions from the day of discharge on (a transfer begins on it), and stays that had not ended by then (a ward
    within the stay); after an emergency visit, admissions from its first day on.

    A later emergency visit for mental health takes the place of an earlier one: the last counts.
    """
    for other in stays:
        if other.ref == v.ref:
            continue
        if v.kind == "emergency":
            again = _last_day(c, other) >= v.start
        else:
            last = _last_day(c, other)
            again = last > day or (last == day and _precedence(c, other) < _precedence(c, v))
        if again:
            yield max(other.start, day), other
    for other in emergencies if v.kind == "emergency" else ():
        if other.start > day and other.principal in _MENTAL_HEALTH:
            yield other.start, other


def _precedence(c: Context, v: Visit) -> tuple[bool, bool, Day, str]:
    """Which of two stays that end on one day counts: the hook's own, one with a diagnosis, the longer."""
    return v.ref != c.chart.encounter, v.principal is None, v.start, v.ref


def _return(c: Context, v: Visit, day: Day, other: Visit) -> Fact:
    return fact(
        "return_to_care",
        f"return_to_care:{v.ref}:{other.ref}",
        [other.ref],
        discharge=v.ref,
        how="admission" if other.kind == "inpatient" else "emergency",
        day=c.rel(day),
    )
