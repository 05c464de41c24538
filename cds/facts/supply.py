"""Records to supply: which days a patient had which drug in hand, at which dose (1.4 steps 1-3, 10.7-10.10, 10.14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from cds.chart.model import Chart, Fill, Order, Statement
from cds.dates import Day
from cds.drugs.dose import DoseStep, daily_mg
from cds.drugs.model import DrugPart, Medication

Confidence = Literal["low", "medium", "high"]
CONCURRENT_START_DAYS = 3  # 1.4 step 2
SAME_DOSE_TOLERANCE = Decimal("0.05")  # 1.4 step 3
STALE_EVIDENCE_DAYS = 180  # 1.4 step 1: no mention in this long and the list entry is stale
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Supply:
    """Days `start` to `end`, both included, on which one ingredient of one product is in hand.

    authorised_to: last day that the refills left on the order would reach; `end` where nothing is left.
    open_ended: the order names no end and no supply; `end` is only today. refs: evidence.
    """

    part: DrugPart
    medication: Medication
    start: Day
    end: Day
    steps: tuple[DoseStep, ...]
    confidence: Confidence
    refs: tuple[str, ...]
    request: str | None = None
    requester: str | None = None
    prior: str | None = None
    request_active: bool = False
    authorised_to: Day | None = None
    open_ended: bool = False
    from_statement: bool = False

    @property
    def product(self) -> tuple[str, str]:
        """Strength and form: what makes two supplies of one ingredient "the same product"."""
        return str(self.part.strength), self.medication.form or ""

    @property
    def prn(self) -> bool:
        return any(step.prn for step in self.steps)

    def dose(self, day: Day, *, high: bool) -> Decimal | None:
        """mg on that day: the high end for safety, the low end for adequacy; None when unknown."""
        return daily_mg(self.steps, self.part, day, high=high)


def weakest(confidences: Iterable[Confidence]) -> Confidence:
    """conf of an episode = the lowest of its parts."""
    return min(confidences, key=CONFIDENCES.index, default="low")


def supplies(chart: Chart, *, stale_days: int) -> dict[str, list[Supply]]:
    """Supply by ingredient key, by start; without inpatient orders, rescue forms, topical products (1.2, 1.3.4)."""
    by_request, loose = _fills_of(chart)
    denied = {i for s in chart.statements if not s.taken for i in _ingredients(s.medication)}
    found: list[Supply] = []
    for order in chart.orders:
        if order.role == "draft" or order.setting == "inpatient" or order.progress == "paused":
            continue
        fills = by_request.get(order.ref, [])
        if not fills:
            fills = [
                f
                for f in loose
                if f.start >= (order.start or 0) and _ingredients(f.medication) & _ingredients(order.medication)
            ]
        # 1.10: non-use that the patient reports wins for duration and duplicates.
        if _ingredients(order.medication) & denied and order.progress == "current":
            continue
        found.extend(_of_order(chart, order, fills, stale_days))
    requests = {o.ref: o for o in chart.orders}
    for fill in chart.fills:
        found.extend(_of_fill(fill, requests.get(fill.request or "")))
    for statement in chart.statements:
        if statement.taken:
            found.extend(_of_statement(chart, statement))
    by_ingredient: dict[str, list[Supply]] = defaultdict(list)
    for supply in found:
        if supply.medication.systemic and not supply.medication.rescue and supply.end >= supply.start:
            by_ingredient[supply.part.ingredient.key].append(supply)
    return {key: _one_event_a_day(rows) for key, rows in sorted(by_ingredient.items())}


def _ingredients(medication: Medication) -> frozenset[str]:
    return frozenset(p.ingredient.key for p in medication.parts)


def _fills_of(chart: Chart) -> tuple[Mapping[str, list[Fill]], list[Fill]]:
    """(fills by the order that authorised them, fills that name no order of the chart)."""
    known = {o.ref for o in chart.orders}
    linked: dict[str, list[Fill]] = defaultdict(list)
    loose: list[Fill] = []
    for fill in chart.fills:
        if fill.request in known:
            linked[fill.request or ""].append(fill)
        else:
            loose.append(fill)
    return linked, loose


def is_stale(chart: Chart, order: Order, stale_days: int) -> bool:
    """A list entry authored long ago that nothing has mentioned since: no fill, renewal, statement or visit (1.4)."""
    since = order.authored if order.authored is not None else order.start
    if order.days_per_fill is not None or order.end is not None or since is None or since >= chart.today - stale_days:
        return False
    recent = chart.today - STALE_EVIDENCE_DAYS
    drug = _ingredients(order.medication)
    return not (
        any(f.start >= recent and _ingredients(f.medication) & drug for f in chart.fills)
        or any(s.taken and (s.start or 0) >= recent and _ingredients(s.medication) & drug for s in chart.statements)
        or any(
            o.ref != order.ref
            and o.role == "chart"
            and (o.authored or 0) >= recent
            and _ingredients(o.medication) & drug
            for o in chart.orders
        )
    )


def _of_order(chart: Chart, order: Order, fills: Sequence[Fill], stale_days: int) -> Iterable[Supply]:
    start = order.start
    if start is None or (order.progress == "cancelled" and not fills):
        return  # cancelled before it was dispensed: never taken (10.10)
    if order.progress == "stopped" and order.start is not None and order.end is not None and order.end < start:
        return
    active = order.progress == "current"
    days = order.authorised_days
    authorised_to: Day | None = None
    if fills:
        # Dispenses replace the estimate; the order keeps only what may still be filled (1.4 step 1).
        last = max(f.start + (f.days or order.days_per_fill or 1) - 1 for f in fills)
        left = max(0, 1 + order.refills - len(fills)) if active else 0
        per_fill = order.days_per_fill or max(fills, key=lambda f: f.start).days
        if not left or per_fill is None:
            return
        start, end = last + 1, last + left * per_fill
        authorised_to = end
        if order.end is not None:
            end = min(end, order.end)
        confidence: Confidence = "medium"
        open_ended = False
        # Refills that nobody has collected are a promise, not a supply: they count only from today on.
        start = max(start, chart.today + 1)
        end = max(end, start - 1)
    elif days is not None:
        end = start + days - 1
        authorised_to = end
        if order.end is not None:
            end = min(end, order.end)
        confidence, open_ended = "medium", False
    elif order.end is not None:
        end, confidence, open_ended = order.end, ("low" if order.end_is_recorded_stop else "medium"), False
    elif active and not is_stale(chart, order, stale_days):
        end, confidence, open_ended = max(chart.today, start), "low", True
    else:
        return
    for part in order.medication.parts:
        yield Supply(
            part, order.medication, start, end, order.steps, confidence, (order.ref,), order.ref, order.requester,
            order.prior, active, authorised_to, open_ended,
        )  # fmt: skip


def _of_fill(fill: Fill, order: Order | None) -> Iterable[Supply]:
    days = fill.days if fill.days is not None else (order.days_per_fill if order else None)
    if days is None:
        return  # an unknown supply is not guessed
    steps = fill.steps or (order.steps if order else ())
    end = fill.start + days - 1
    if order is not None and order.progress == "stopped" and order.end is not None and not order.end_is_recorded_stop:
        end = min(end, order.end)
    for part in fill.medication.parts:
        yield Supply(
            part, fill.medication, fill.start, end, steps, "high", (fill.ref, *((order.ref,) if order else ())),
            fill.request, order.requester if order else None, order.prior if order else None,
            order is None or order.progress == "current", end,
        )  # fmt: skip


def _of_statement(chart: Chart, statement: Statement) -> Iterable[Supply]:
    if statement.start is None and not statement.current:
        return
    start = statement.start if statement.start is not None else chart.today
    end = statement.end if statement.end is not None else chart.today if statement.current else start
    confidence: Confidence = "medium" if statement.start is not None else "low"
    for part in statement.medication.parts:
        yield Supply(
            part, statement.medication, start, max(start, end), statement.steps, confidence, (statement.ref,),
            request_active=statement.current, open_ended=statement.end is None, from_statement=True,
        )  # fmt: skip


def _one_event_a_day(rows: Sequence[Supply]) -> list[Supply]:
    """By start; two fills of one product on one day are one event with summed days (10.8)."""
    merged: list[Supply] = []
    for row in sorted(rows, key=lambda s: (s.start, s.end, s.refs)):
        same = next(
            (
                i
                for i, m in enumerate(merged)
                if m.start == row.start and m.product == row.product and m.confidence == row.confidence == "high"
            ),
            None,
        )
        if same is None:
            merged.append(row)
        else:
            first = merged[same]
            merged[same] = replace(first, end=first.end + (row.end - row.start + 1), refs=first.refs + row.refs)
    return merged


def concurrent(a: Supply, b: Supply, first_fills: Mapping[str, tuple[Day, Day]]) -> bool:
    """Two strengths or forms taken together (1.4 step 2, 10.9): one regimen whose doses add up.

    first_fills: first and last start of each request's supplies.
    """
    if a.product == b.product or not (a.request_active and b.request_active):
        return False
    if (a.request is not None and a.request in (b.request, b.prior)) or (
        b.request is not None and b.request == a.prior
    ):
        return False
    if abs(a.start - b.start) <= CONCURRENT_START_DAYS:
        return True
    if a.request is None or b.request is None or a.requester is None or a.requester != b.requester:
        return False
    (first_a, last_a), (first_b, last_b) = first_fills[a.request], first_fills[b.request]
    return last_a > first_b and last_b > first_a


def lay_out(rows: Sequence[Supply], *, carry_max: int) -> list[Supply]:
    """Put overlapping supplies of one ingredient in order (1.4 step 3).

    Same dose: the later one starts when the earlier is used up, by at most `carry_max` days in all.
    Another dose: the earlier one is set aside. Concurrent strengths run side by side.
    """
    first_fills: dict[str, tuple[Day, Day]] = {}
    for row in rows:
        if row.request is not None:
            first, last = first_fills.get(row.request, (row.start, row.start))
            first_fills[row.request] = min(first, row.start), max(last, row.start)
    placed: list[Supply] = []
    # By product, the supplies that may still reach the row at hand and the last day that any of them does. All
    # have one dose (another ends them), so that the latest stands for them: nothing is quadratic in the fills.
    running: dict[tuple[str, str], list[int]] = {}
    reach: dict[tuple[str, str], Day] = {}
    carry: dict[tuple[str, str], int] = {}
    for original in rows:
        row = original
        used_up: Day | None = None
        for product in [p for p in running if reach[p] < row.start]:
            del running[product]
        for product, indices in list(running.items()):
            latest = placed[indices[-1]]
            if concurrent(latest, row, first_fills):
                continue
            if _same_dose(latest, row):
                used_up = reach[product] if used_up is None else max(used_up, reach[product])
                continue
            for i in indices:
                if placed[i].end >= row.start:
                    placed[i] = replace(placed[i], end=row.start - 1)
            del running[product]
        if used_up is None:
            carry[row.product] = 0
        elif not (row.open_ended or row.from_statement):
            # A list entry or a statement is a period, not a bottle: only real supply is carried forward.
            carried = carry.get(row.product, 0)
            shift = max(0, min(used_up + 1 - row.start, carry_max - carried))
            carry[row.product] = carried + shift
            row = _shifted(row, shift)
        reach[row.product] = max(reach[row.product], row.end) if row.product in running else row.end
        running.setdefault(row.product, []).append(len(placed))
        placed.append(row)
    return [p for p in placed if p.end >= p.start]


def _shifted(row: Supply, days: int) -> Supply:
    to = row.authorised_to
    return replace(row, start=row.start + days, end=row.end + days, authorised_to=None if to is None else to + days)


def _same_dose(a: Supply, b: Supply) -> bool:
    dose_a, dose_b = a.dose(a.end, high=True), b.dose(b.start, high=True)
    if dose_a is None or dose_b is None:
        return a.product == b.product
    return abs(dose_a - dose_b) <= SAME_DOSE_TOLERANCE * max(dose_a, dose_b)
