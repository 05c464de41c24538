"""Courses: what the patient takes now, drug by drug, and how each is planned to end (A-02, C-01)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import is_decreasing_to_end
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.exposure import Episode
from cds.facts.supply import Confidence, Supply, weakest
from cds.model import Fact


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a course ends. how: stopped (in the call), stated (bounds), tapered, supply (nothing left)."""

    how: str
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

    def dose(self, day: Day, *, high: bool = True) -> Decimal | None:
        """mg on that day over every supply that covers it; None when one of them is unknown, 0 when none covers it."""
        total = Decimal(0)
        for s in self.supplies:
            if s.start <= day <= max(s.end, _reach(s)):
                mg = s.dose(day, high=high)
                if mg is None:
                    return None
                total += mg
        return total


def _reach(s: Supply) -> Day:
    """Last planned day: an open-ended list entry has none, and is planned to go on."""
    return s.end + 3660 if s.open_ended else s.end


def current_courses(c: Context) -> Iterator[Course]:
    """Drugs in use today, whatever ends they have. A stopped order still is one: its ending says so."""
    judged = {o.ref for o in c.chart.orders if o.role != "chart"}
    for rows in c.supply.values():
        now = tuple(s for s in rows if s.end >= c.today - 1 and not judged.intersection(s.refs))
        if not now:
            continue
        requests = {s.request for s in now if s.request}
        orders = tuple(o for ref in sorted(requests) if (o := c.orders.get(ref)) is not None)
        yield Course(now[0].part, now[0].medication.label, now, orders, tuple(_endings(c, now, orders)))


def _endings(c: Context, now: tuple[Supply, ...], orders: tuple[Order, ...]) -> Iterator[Ending]:
    # 10.3: a draft whose priorPrescription names an order replaces it.
    replaced = {d.prior: d.start for d in c.chart.orders if d.role == "draft" and d.prior is not None}
    open_orders = [o for o in orders if o.progress == "current" and o.ref not in replaced]
    stopped = [o for o in orders if o.progress == "stopped" or o.ref in replaced]
    if stopped and not open_orders:
        ends = [replaced.get(o.ref, o.end) for o in stopped]
        yield Ending("stopped", max(day if day is not None else c.today for day in ends))
        return
    if open_orders and all(o.end is not None for o in open_orders):
        last = max(o.end for o in open_orders if o.end is not None)
        yield Ending("stated", last)
        if all(is_decreasing_to_end(o.steps) for o in open_orders):
            yield Ending("tapered", last)
    if not any(s.open_ended for s in now):
        # Refills that may still be collected count as supply (A-02: "with no refills"); `end` already reaches them.
        refills_left = any(s.authorised_to is not None and s.request_active and s.start > c.today for s in now)
        yield Ending("refills" if refills_left else "supply", max(s.end for s in now))


def endings_facts(course: Course, c: Context) -> Iterator[Fact]:
    for ending in course.endings:
        yield fact(
            "planned_end",
            f"planned_end:{course.part.ingredient.key}:{ending.how}",
            course.refs,
            course=course.ref,
            how=ending.how,
            day=c.rel(ending.day),
        )


def episodes_of(c: Context, ingredient: str) -> list[Episode]:
    """Episodes of one ingredient, by start."""
    return c.by_ingredient.get(ingredient, [])
