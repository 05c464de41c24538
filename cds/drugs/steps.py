"""Steps of a dosage in time: which are taken together, which follow each other, and when the last one ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import TypeAlias

from cds.dates import Day

Phase: TypeAlias = "tuple[DoseStep, ...]"


@dataclass(frozen=True, slots=True)
class DoseStep:
    """One line of a dosage instruction.

    start, end: ordinal days, both inclusive; None is open. days: stated length of a step whose start is not known yet.
    per_day_low/high: administrations a day. amount_low/high: one administration, in `unit`: "mg", "mL", or "unit"
    (tablet, capsule, patch, puff). max_per_day: the stated ceiling of a day, in `max_unit`. None is "not known".
    also_mg: what the high amount in pieces is said to be in mg ("1 tablet (50 mg total)").
    Steps of one sequence number are taken together; different numbers follow each other.
    """

    start: Day | None
    end: Day | None
    prn: bool
    per_day_low: Decimal | None
    per_day_high: Decimal | None
    amount_low: Decimal | None
    amount_high: Decimal | None
    unit: str | None
    sequence: int | None = None
    days: int | None = None
    max_per_day: Decimal | None = None
    max_unit: str | None = None
    also_mg: Decimal | None = None


def in_order(steps: Sequence[DoseStep]) -> tuple[DoseStep, ...]:
    """Steps by sequence number, each closed where the next one makes it end or its own length does."""
    if len(steps) == 1 and (steps[0].days is None or steps[0].start is None):
        return tuple(steps)
    ordered = sorted(steps, key=lambda s: (s.sequence is None, s.sequence or 0))
    groups = [list(group) for _, group in groupby(ordered, key=lambda s: s.sequence)]
    closed: list[DoseStep] = []
    for at, group in enumerate(groups):
        following = [s.start for s in groups[at + 1] if s.start is not None] if at + 1 < len(groups) else []
        before = closed[-len(groups[at - 1]) :] if at else []
        follows = _day_after(before)
        for step in group:
            start = step.start if step.start is not None or step.days is None else follows
            end = step.end
            if end is None and start is not None and step.days is not None:
                end = start + step.days - 1
            if end is None and step.days is None and start is not None and following and min(following) > start:
                end = min(following) - 1
            if start is None and follows is not None and (end is None or follows <= end):
                start = follows
            closed.append(replace(step, start=start, end=end))
    return tuple(closed)


def _day_after(group: Sequence[DoseStep]) -> Day | None:
    ends = [s.end for s in group]
    known = [e for e in ends if e is not None]
    return max(known) + 1 if known and len(known) == len(ends) else None


def anchor(steps: Sequence[DoseStep], start: Day | None) -> tuple[DoseStep, ...]:
    """Put steps that only state how long they last on the calendar, the first of them beginning on `start`."""
    if start is None or not steps:
        return tuple(steps)
    first = steps[0].sequence
    waiting = any(s.days is not None and s.start is None for s in steps)
    if not waiting:
        return tuple(steps)
    return in_order([replace(s, start=start) if s.sequence == first and s.start is None else s for s in steps])


def on_day(steps: Sequence[DoseStep], day: Day) -> Phase | None:
    """The steps in force on a day; None when that cannot be said (undated steps that follow each other)."""
    if _undated_sequence(steps):
        return None
    return tuple(s for s in steps if (s.start is None or s.start <= day) and (s.end is None or day <= s.end))


def phases(steps: Sequence[DoseStep]) -> tuple[Phase, ...] | None:
    """The sets of steps that are in force together, in order of time; None when the steps do not say."""
    if _undated_sequence(steps):
        groups = [tuple(group) for _, group in groupby(steps, key=lambda s: s.sequence)]
        lasting = all(s.days is not None or s.end is not None for group in groups[:-1] for s in group)
        return tuple(groups) if lasting else None
    edges = {d for s in steps if s.start is not None for d in (s.start - 1, s.start)}
    edges |= {d for s in steps if s.end is not None for d in (s.end, s.end + 1)}
    if not edges:
        return (tuple(steps),) if steps else ()
    found: list[Phase] = []
    for day in sorted(edges):
        now = on_day(steps, day)
        if now and (not found or found[-1] != now):
            found.append(now)
    return tuple(found)


def _undated_sequence(steps: Sequence[DoseStep]) -> bool:
    return len({s.sequence for s in steps}) > 1 and any(s.start is None and s.end is None for s in steps)


def last_day(steps: Sequence[DoseStep]) -> Day | None:
    """The last day of the regimen; None when any step is open."""
    ends = [s.end for s in steps]
    known = [e for e in ends if e is not None]
    return max(known) if known and len(known) == len(ends) else None
