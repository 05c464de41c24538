"""The medication records of a chart, indexed once: whose fills are whose, what is stale, stopped or not taken (1.4)."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from cds.chart.model import Chart, Fill, Order, Statement
from cds.dates import Day
from cds.drugs.model import Medication

STALE_EVIDENCE_DAYS = 180  # 1.4 step 1: no mention in this long and the list entry is stale


def ingredients(medication: Medication) -> frozenset[str]:
    return frozenset(p.ingredient.key for p in medication.parts)


def first_ingredient(medication: Medication) -> str:
    return medication.parts[0].ingredient.key if medication.parts else ""


def same_strength(a: Medication, b: Medication) -> bool:
    """The same ingredients at the same strengths: "one tablet" means the same of both."""
    return _strengths(a) == _strengths(b)


def _strengths(medication: Medication) -> frozenset[tuple[str, str, str | None]]:
    return frozenset((p.ingredient.key, str(p.strength), p.unit) for p in medication.parts)


class History:
    """Look-ups over one chart. orders: outpatient orders of the chart; neither drafts nor the discharge list."""

    def __init__(self, chart: Chart, *, stale_days: int) -> None:
        self.chart = chart
        self.today = chart.today
        self.orders = tuple(o for o in chart.orders if o.role == "chart" and o.setting != "inpatient")
        self._stale_days = stale_days
        self._by_ref = {o.ref: o for o in chart.orders}
        self._by_ingredient: dict[str, list[Order]] = defaultdict(list)
        # (start, ref) beside the orders, per ingredient and per exact strength: for the latest order before a day.
        self._dated: dict[object, list[tuple[Day, str]]] = defaultdict(list)
        for o in self.orders:
            for key in ingredients(o.medication):
                self._by_ingredient[key].append(o)
            if o.start is not None and o.medication.parts and o.progress != "cancelled":
                self._dated[first_ingredient(o.medication)].append((o.start, o.ref))
                self._dated[_strengths(o.medication)].append((o.start, o.ref))
        for dated in self._dated.values():
            dated.sort()
        self._fills: dict[str, list[Fill]] = defaultdict(list)
        for fill in chart.fills:
            order, named = self.owner(fill)
            if order is not None and named:
                self._fills[order.ref].append(fill)
        self._not_taken: dict[str, list[Statement]] = defaultdict(list)
        for s in chart.statements:
            for key in ingredients(s.medication) if not s.taken else ():
                self._not_taken[key].append(s)
        self._mentioned = self._mentions()
        self._seen = {v.ref: v.end if v.end is not None else chart.today for v in chart.visits}

    def of_ingredient(self, key: str) -> list[Order]:
        """Outpatient orders of the chart for one ingredient, by reference."""
        return self._by_ingredient.get(key, [])

    def fills_of(self, order: Order) -> list[Fill]:
        """Dispenses that name the order, or that name none and fit it."""
        return self._fills.get(order.ref, [])

    def owner(self, fill: Fill) -> tuple[Order | None, bool]:
        """(the order behind a dispense, whether it is that order's own product).

        A dispense that names no order of the chart belongs to the latest order of the drug begun on or before its day:
        of the same strength, else (False) of any.
        """
        if fill.request is not None and fill.request in self._by_ref:
            return self._by_ref[fill.request], True
        if not fill.medication.parts:
            return None, False
        exact = self._latest(_strengths(fill.medication), fill.start)
        if exact is not None:
            return exact, True
        return self._latest(first_ingredient(fill.medication), fill.start), False

    def _latest(self, key: object, day: Day) -> Order | None:
        dated = self._dated.get(key, [])
        at = bisect_right(dated, day, key=lambda item: item[0])
        return self._by_ref[dated[at - 1][1]] if at else None

    def limit(self, order: Order, *, of_fills: bool = False) -> Day | None:
        """Last day on which the order's drug can have been taken: it was stopped, held or replaced; None: no such day.

        of_fills: what was handed over outlasts a renewal of the same drug, but neither a stop nor another drug.
        """
        limits: list[Day] = []
        by = self._by_ref.get(order.replaced_by or "")
        if by is not None and by.start is not None:
            renewed = bool(ingredients(by.medication) & ingredients(order.medication))
            if not (renewed and of_fills):
                limits.append(by.start - 1)
        if order.progress == "paused":
            held = order.last_updated if order.last_updated is not None else self.today
            limits.append(min(held, self.today) - 1)
        elif order.progress in {"stopped", "cancelled"}:
            limits.append(min(order.end, self.today) if order.end is not None else self.today - 1)
        return min(limits, default=None)

    def denied(self, order: Order) -> bool:
        """1.10: reported non-use wins over an order in force, unless its period ended before the order began."""
        in_force = order.progress in {"current", "paused"} or order.ended_by_call
        return in_force and self._denied(ingredients(order.medication), order.start)

    def denied_fill(self, fill: Fill, order: Order | None, end: Day) -> bool:
        """A dispense of such an order, or one that would still be in hand, is not taken either."""
        return (order is not None and self.denied(order)) or (
            end >= self.today and self._denied(ingredients(fill.medication), fill.start)
        )

    def _denied(self, keys: Iterable[str], start: Day | None) -> bool:
        return any(
            s.end is None or start is None or s.end >= start for key in keys for s in self._not_taken.get(key, ())
        )

    def is_stale(self, order: Order) -> bool:
        """A list entry authored long ago that no fill, renewal, statement or visit has mentioned of late (1.4)."""
        since = order.authored if order.authored is not None else order.start
        planned_end = order.end is not None and not order.ended_by_call
        if order.days_per_fill is not None or planned_end or since is None:
            return False
        if since >= self.today - self._stale_days:
            return False
        recent = self.today - STALE_EVIDENCE_DAYS
        if order.encounter is not None and self._seen.get(order.encounter, recent - 1) >= recent:
            return False
        for key in ingredients(order.medication):
            for day, ref in self._mentioned.get(key, ()):
                if day >= recent and ref != order.ref:
                    return False
        return True

    def _mentions(self) -> dict[str, list[tuple[Day, str]]]:
        """The two latest mentions of each ingredient, (day, reference): one of them is not the order asked about."""
        found: dict[str, list[tuple[Day, str]]] = defaultdict(list)
        chart = self.chart
        mentions = [
            *((f.start, f.ref, f.medication) for f in chart.fills),
            *((a.start, a.ref, a.medication) for a in chart.administrations),
            *((s.mentioned, s.ref, s.medication) for s in chart.statements if s.taken),
            *(
                (o.authored, o.ref, o.medication)
                for o in chart.orders
                if o.role == "chart" and o.progress != "cancelled"
            ),
        ]
        for day, ref, medication in mentions:
            if day is not None:
                for key in ingredients(medication):
                    found[key] = sorted([*found[key], (day, ref)])[-2:]
        return found
