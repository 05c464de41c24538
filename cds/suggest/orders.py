"""Suggestions on the orders of the call and the chart: S-SHORT, S-DEL, S-XTAPER, S-STOP-OLD (1.14)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from cds.chart.model import Order
from cds.decide import Decision
from cds.findings import Action, Suggestion
from cds.model import Fact
from cds.suggest.doses import CLASS_TAPERS, taper_of
from cds.suggest.known import Known, medication_of
from cds.suggest.words import Body, days_of, in_days, one

_TAPER_REVIEW_DAYS = 28


def short(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    draft = known.draft(decision.bound.get(body["order"]), "id")
    if draft is None:
        return
    days = days_of(body)
    quantity_now: Decimal | None = None
    if draft.quantity is not None and draft.days_per_fill:
        quantity_now = _for_days(draft.quantity, days, draft.days_per_fill)
    action = Action(
        "update",
        "S-SHORT",
        f"{days}-day supply, no refills",
        draft.ref,
        {"days": days, "refills": 0, "quantity": quantity_now},
    )
    label = f"Shorten to {in_days(days)}, no refills"
    yield from one("S-SHORT", label, action, recommended=bool(body.get("recommended")))


def _for_days(quantity_per_fill: Decimal, days: int, days_per_fill: int) -> Decimal:
    """The share of a fill that lasts for `days`; whole tablets stay whole, rounded up to last."""
    share = quantity_per_fill * days / days_per_fill
    if quantity_per_fill == quantity_per_fill.to_integral_value():
        return share.to_integral_value(ROUND_CEILING)
    return share.quantize(Decimal("0.01"))


def delete(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    draft = known.draft(decision.bound.get(body["pair"]), "order")
    if draft is not None:
        yield from one("S-DEL", "Remove this draft", Action("delete", "S-DEL", "Remove this draft", draft.ref))


def _old(body: Body, decision: Decision, known: Known) -> tuple[Order, Order] | None:
    """(draft, old order) when a signed current order stands behind the old drug."""
    pair = decision.bound.get(body["pair"])
    draft = known.draft(pair, "order")
    old = known.charted(pair)
    return None if draft is None or old is None else (draft, old)


def cross_taper(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    found = _old(body, decision, known)
    if found is None:
        return
    draft, old = found
    days = days_of(body)
    start = (draft.start or known.chart.today) - known.chart.today
    action = Action(
        "create", "S-XTAPER", f"Draft that ends {old.medication.label} in {in_days(days)}",
        old.ref, {"old": old.ref, "medication": medication_of(old), "end_day": start + days},
    )  # fmt: skip
    yield from one("S-XTAPER", f"Cross-taper: end {old.medication.label} in {in_days(days)}", action)


def stop_old(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    found = _old(body, decision, known)
    if found is None:
        return
    draft, old = found
    label = old.medication.label
    stop = Action("create", "S-STOP-OLD", f"Task: discontinue {label}", old.ref, {"old": old.ref, "reason": "replaced"})
    tapered = any(known.needs_taper(part) for part in old.medication.parts)
    if {p.ingredient.moiety for p in draft.medication.parts} & {p.ingredient.moiety for p in old.medication.parts}:
        # The same substance goes on: one of two orders ends. On the taper list only where its dose does not fall by it.
        if not tapered or not _falls(decision.bound.get(body["pair"])):
            yield from one("S-STOP-OLD", f"End the earlier order of {label}", stop)
        return
    if tapered:
        percent, days = CLASS_TAPERS.get(old.medication.parts[0].ingredient.class_group, (None, _TAPER_REVIEW_DAYS))
        yield from taper_of(old, known, percent, days)
        return
    yield from one("S-STOP-OLD", f"Stop {label}", stop)


def _falls(pair: Fact | None) -> bool:
    """Whether ending the old order lowers the dose, or may: a dose that is not known says nothing."""
    new, old = (pair.fields.get(name) if pair is not None else None for name in ("new_dose", "old_dose"))
    return not (isinstance(new, float) and isinstance(old, float) and new >= old)
