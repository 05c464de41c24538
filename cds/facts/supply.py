"""Records to supply: which days a patient had which drug in hand, at which dose (1.4 step 1, 10.9, 10.10, 10.14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cds.chart.model import Administration, Chart, Fill, Order, Statement
from cds.chart.supplied import supply_days
from cds.dates import Day
from cds.drugs.dose import DoseStep, daily_mg
from cds.drugs.model import DrugPart, Medication
from cds.facts.history import History, same_strength

Confidence = Literal["low", "medium", "high"]
SupplySource = Literal["fill", "order", "refills", "entry", "statement", "administration"]
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Supply:
    """Days `start` to `end`, both included, on which one ingredient of one product is in hand.

    source: a dispense; an order's own estimate; what is left to collect on an order; a list entry, which names neither
    end nor supply; a statement; doses that staff gave. open_ended: nothing says when it stops, `end` is only today.
    request, requester, prior, reasons: of the order behind it. together: may be taken beside another strength (10.9).
    not_after: the order's own end, which what is left to collect cannot outlast. refs: evidence.
    """

    part: DrugPart
    medication: Medication
    start: Day
    end: Day
    steps: tuple[DoseStep, ...]
    confidence: Confidence
    refs: tuple[str, ...]
    source: SupplySource
    request: str | None = None
    requester: str | None = None
    prior: str | None = None
    reasons: frozenset[str] = frozenset()
    together: bool = True
    open_ended: bool = False
    not_after: Day | None = None

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


def supplies(history: History) -> dict[str, list[Supply]]:
    """Supply by ingredient key, as recorded, not yet laid out.

    Inpatient orders, rescue forms and topical products are left out (1.2, 1.3.4).
    """
    chart = history.chart
    found: list[Supply] = []
    for order in history.orders:
        if order.progress != "paused" and not history.denied(order):
            found.extend(_of_order(history, order))
    for fill in chart.fills:
        found.extend(_of_fill(history, fill))
    for statement in chart.statements:
        if statement.taken:
            found.extend(_of_statement(chart, statement))
    for given in chart.administrations:
        found.extend(_of_administration(given))
    by_ingredient: dict[str, list[Supply]] = defaultdict(list)
    for supply in found:
        if supply.medication.systemic and not supply.medication.rescue and supply.end >= supply.start:
            by_ingredient[supply.part.ingredient.key].append(supply)
    return dict(sorted(by_ingredient.items()))


def _of_order(history: History, order: Order) -> Iterator[Supply]:
    fills = [f for f in history.fills_of(order) if _days_of(f, order) is not None]
    if fills:
        # Dispenses replace the estimate; the order keeps only what may still be filled (1.4 step 1).
        left = _left_to_fill(order, fills) if order.open else 0
        if left:
            today = history.today
            yield from _rows(order, today + 1, today + left, "medium", "refills")
        return
    estimate = _estimate(history, order)
    if estimate is not None:
        yield from _rows(order, *estimate)


def _rows(order: Order, start: Day, end: Day, confidence: Confidence, source: SupplySource) -> Iterator[Supply]:
    for part in order.medication.parts:
        yield Supply(
            part=part,
            medication=order.medication,
            start=start,
            end=end,
            steps=order.steps,
            confidence=confidence,
            refs=(order.ref,),
            source=source,
            request=order.ref,
            requester=order.requester,
            prior=order.prior,
            reasons=order.reasons,
            together=_together(order),
            open_ended=source == "entry",
            not_after=order.end,
        )


def _together(order: Order) -> bool:
    """10.9: a stopped or cancelled order is a correction; one that this very call ends was taken until now."""
    return order.ended_by_call or order.progress not in {"stopped", "cancelled"}


def _left_to_fill(order: Order, fills: Sequence[Fill]) -> int:
    """Days of the order that nobody has collected yet."""
    collected = [_days_of(f, order) or 0 for f in fills]
    if order.authorised_days is not None:
        return max(0, order.authorised_days - sum(collected))
    latest = max(range(len(fills)), key=lambda i: (fills[i].start, fills[i].ref))
    return max(0, 1 + order.refills - len(fills)) * collected[latest]


def _estimate(history: History, order: Order) -> tuple[Day, Day, Confidence, SupplySource] | None:
    """What an order without dispenses says of its supply: (start, end, confidence, source)."""
    start, today = order.start, history.today
    if start is None or (order.progress == "cancelled" and not order.ended_by_call):
        return None  # 10.10: cancelled without a dispense is never history
    limit = history.limit(order)
    explicit = order.end if not order.ended_by_call else None
    if order.progress == "ended" and order.end_is_last_update and order.authorised_days is not None:
        explicit = None  # a completed order was changed last when somebody closed it, not when it was used up
    confidence: Confidence = "medium"
    if order.authorised_days is not None:
        end = start + order.authorised_days - 1
        if explicit is not None and explicit < end:
            end, confidence = explicit, "low" if order.end_is_last_update else "medium"
    elif explicit is not None:
        end, confidence = explicit, "low" if order.end_is_last_update else "medium"
    elif order.progress in {"ended", "stopped", "cancelled"} and not order.ended_by_call:
        return None  # neither supply nor end: how long it lasted is not known
    elif history.is_stale(order):
        return None
    elif limit is None:
        return start, max(today, start), "low", "entry"
    else:
        end, confidence = limit, "low"
    if order.progress == "stopped" and order.end is None:
        confidence = "low"
    if order.progress in {"ended", "stopped", "cancelled"} and not order.ended_by_call:
        end = min(end, today - 1)  # history: what is not current does not reach today
    if limit is not None:
        end = min(end, limit)
    return start, end, confidence, "order"


def _of_fill(history: History, fill: Fill) -> Iterator[Supply]:
    order, named = history.owner(fill)
    if fill.setting == "inpatient" or (order is not None and order.setting == "inpatient"):
        return
    days = _days_of(fill, order)
    if days is None:
        return  # an unknown supply is not guessed
    end = fill.start + days - 1
    if history.denied_fill(fill, order, end):
        return
    if order is not None and (limit := history.limit(order, of_fills=True)) is not None:
        end = min(end, limit)
    for part in fill.medication.parts:
        yield Supply(
            part=part,
            medication=fill.medication,
            start=fill.start,
            end=end,
            steps=_steps_of(fill, order),
            confidence="high",
            refs=(fill.ref, *((order.ref,) if order is not None and named else ())),
            source="fill",
            request=order.ref if order is not None and named else None,
            requester=order.requester if order is not None and named else None,
            prior=order.prior if order is not None and named else None,
            reasons=order.reasons if order is not None else frozenset(),
            together=order is None or not named or _together(order),
        )


def _steps_of(fill: Fill, order: Order | None) -> tuple[DoseStep, ...]:
    """The dispense's own dosage, else the order's; "one tablet" of the order says nothing of another strength."""
    if fill.steps or order is None:
        return fill.steps
    fits = same_strength(fill.medication, order.medication) or all(s.unit == "mg" for s in order.steps)
    return order.steps if fits else ()


def _days_of(fill: Fill, order: Order | None) -> int | None:
    if fill.days is not None:
        return fill.days
    counted = supply_days(fill.quantity, fill.quantity_unit, _steps_of(fill, order), fill.medication)
    if counted is not None or order is None or not same_strength(fill.medication, order.medication):
        return counted
    return order.days_per_fill


def _of_statement(chart: Chart, statement: Statement) -> Iterator[Supply]:
    """10.10: an open end is today; MEDIUM with a dated period, LOW without."""
    if statement.start is None and not statement.current:
        return
    start = statement.start if statement.start is not None else chart.today
    end = statement.end if statement.end is not None else chart.today if statement.current else start
    for part in statement.medication.parts:
        yield Supply(
            part=part,
            medication=statement.medication,
            start=start,
            end=max(start, end),
            steps=statement.steps,
            confidence="medium" if statement.dated else "low",
            refs=(statement.ref,),
            source="statement",
            open_ended=statement.current and statement.end is None,
        )


def _of_administration(given: Administration) -> Iterator[Supply]:
    for part in given.medication.parts:
        yield Supply(
            part=part,
            medication=given.medication,
            start=given.start,
            end=given.end,
            steps=given.steps,
            confidence="high",
            refs=(given.ref,),
            source="administration",
        )
