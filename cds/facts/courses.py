"""Courses: what the patient takes now, drug by drug, and how each is planned to end (A-02, C-01)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import is_decreasing_to_end
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.intervals import gap
from cds.facts.supply import Confidence, Supply, weakest
from cds.model import Fact

EndingKind = Literal["stopped", "stated", "tapered", "supply", "refills"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a course ends.

    how: stopped (by this call), stated (bounds), tapered, supply (nothing left to fill), refills (more may be filled).
    """

    how: EndingKind
    day: Day


@dataclass(frozen=True, slots=True)
class Course:
    """One drug in current use: its supplies that reach today or later, and the open orders behind them."""

    part: DrugPart
    label: str
    supplies: tuple[Supply, ...]
    orders: tuple[Order, ...]
    endings: tuple[Ending, ...]

    @property
    def ref(self) -> str:
        return f"course:{self.part.ingredient.key}"

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(sorted({r for s in self.supplies for r in s.refs} | {o.ref for o in self.orders}))

    @property
    def confidence(self) -> Confidence:
        return weakest(s.confidence for s in self.supplies)

    @property
    def open_ended(self) -> bool:
        return any(s.open_ended for s in self.supplies)

    def dose(self, day: Day) -> Decimal | None:
        """mg on that day, high end, over every supply planned for it; None when one is unknown, 0 when none is."""
        total = Decimal(0)
        for s in self.supplies:
            if s.start <= day and (s.open_ended or day <= s.end):
                mg = s.dose(day, high=True)
                if mg is None:
                    return None
                total += mg
        return total

    def present_dose(self, today: Day) -> Decimal | None:
        """Dose of today; between two supplies, or before the first, the dose on the nearest day of one."""
        if any(s.start <= today and (s.open_ended or today <= s.end) for s in self.supplies):
            return self.dose(today)
        started = [s for s in self.supplies if s.start <= today]
        return self.dose(max(s.end for s in started) if started else min(s.start for s in self.supplies))


def current_courses(c: Context) -> Iterator[Course]:
    """Drugs in use today (covered, or within grace: 1.4) or planned by an order of the chart.

    At encounter-discharge none: a home drug goes on where the discharge list names it, and there it is an order; what
    the list leaves out is stopped (1.15).
    """
    if c.hook == "encounter-discharge":
        return
    for key, rows in c.supply.items():
        part = rows[0].part
        begun = max((s.end for s in rows if s.start <= c.today), default=None)
        active = begun is not None and gap(begun, c.today + 1, c.stays) <= c.grace(part.ingredient)
        now = [s for s in rows if s.end >= c.today and (active or s.source != "refills")]
        if active and not any(s.start <= c.today for s in now):
            now.insert(0, max((s for s in rows if s.start <= c.today), key=lambda s: (s.end, s.start, s.refs)))
        if now:
            orders = tuple(_orders_behind(c, key))
            yield Course(now[0].part, now[0].medication.label, tuple(now), orders, tuple(_endings(now, orders, c)))


def _orders_behind(c: Context, key: str) -> Iterator[Order]:
    """Orders of the drug that are in force, or that this call ends; no stale entry, nothing that is not taken."""
    for order in c.history.of_ingredient(key):
        if (order.open or order.ended_by_call) and not c.history.is_stale(order) and not c.history.denied(order):
            yield order


def is_stopped_by_call(c: Context, key: str) -> bool:
    """Every order in force for the drug is stopped or replaced by this call, and at least one is."""
    orders = list(_orders_behind(c, key))
    return bool(orders) and all(o.ended_by_call for o in orders)


def _endings(now: Sequence[Supply], orders: Sequence[Order], c: Context) -> Iterator[Ending]:
    in_force = [o for o in orders if not o.ended_by_call]
    if orders and not in_force:
        yield Ending("stopped", max(_stop_day(c, o) for o in orders))
        return
    if in_force and all(o.end is not None for o in in_force):
        last = max(o.end for o in in_force if o.end is not None)
        yield Ending("stated", last)
        if all(is_decreasing_to_end(o.steps) for o in in_force):
            yield Ending("tapered", last)
    if not any(s.open_ended for s in now):
        # Refills that may still be collected are no end (A-02: "with no refills").
        to_collect = any(s.source == "refills" for s in now)
        yield Ending("refills" if to_collect else "supply", max(s.end for s in now))


def _stop_day(c: Context, order: Order) -> Day:
    by = c.orders.get(order.replaced_by or "")
    return by.start if by is not None and by.start is not None else c.today


def endings_facts(c: Context, course: str, name: str, endings: Sequence[Ending], refs: Sequence[str]) -> Iterator[Fact]:
    """One `planned_end` for each ending. course: what a pair calls it; name: what makes the refs unique."""
    for ending in endings:
        yield fact(
            "planned_end",
            f"planned_end:{name}:{ending.how}",
            refs,
            course=course,
            how=ending.how,
            day=c.rel(ending.day),
        )
