"""Facts of the orders being judged: drafts, and the discharge list. One fact per ingredient of each order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cds.chart.model import Order
from cds.chart.supplied import sole_part, taken_in
from cds.drugs.dose import administrations, daily_mg
from cds.drugs.dose_tables import diazepam_equivalents
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.sedatives import also_recorded
from cds.model import Fact

HABIT_FORMING = frozenset({"BZD", "ZDRUG"})
_EMERGENCY_DRUGS = frozenset({"lorazepam", "diazepam", "midazolam", "haloperidol", "droperidol"})


def judged(c: Context) -> Iterator[tuple[Order, DrugPart]]:
    """Orders that the hook asks about: its drafts; at discharge, the discharge list."""
    for order in c.chart.orders:
        if order.role == "chart" or (order.setting == "inpatient" and c.hook != "encounter-discharge"):
            continue
        if order.medication.systemic and not order.medication.rescue:
            for part in order.medication.parts:
                yield order, part


def facts(c: Context) -> Iterator[Fact]:
    for order, part in judged(c):
        ref = f"{order.ref}#{part.ingredient.key}"
        start = order.start if order.start is not None else c.today
        high = daily_mg(order.steps, part, start, high=True)
        prn = any(s.prn for s in order.steps)
        auth = order.authorised_days
        yield fact(
            "order",
            f"order:{ref}",
            [order.ref],
            id=ref,
            role=order.role,
            ingredient=part.ingredient.key,
            drug=order.medication.label,
            moiety=part.ingredient.moiety,
            therapeutic_class=part.ingredient.therapeutic_class,
            class_group=part.ingredient.class_group,
            habit_forming=part.ingredient.class_group in HABIT_FORMING,
            start=c.rel(start),
            authorised_days=auth,
            fill_days=order.days_per_fill,
            refills=order.refills,
            length_known=auth is not None,
            as_needed=prn,
            emergency=_emergency(c, order, part),
            daily_dose=high,
            diazepam_equivalent=_equivalent(part, high),
            started_in_stay=was_started_in_stay(c, order),
            has_end=order.end is not None or auth is not None,
            also_recorded=also_recorded(c) if part.ingredient.class_group in HABIT_FORMING else None,
        )
        if prn:
            yield from _as_needed(order, ref, auth)


def _as_needed(order: Order, ref: str, auth: int | None) -> Iterator[Fact]:
    """Administrations, not tablets (B-01, 10.24): total = quantity × (1 + refills) ÷ units an administration."""
    part = sole_part(order.medication)
    total: Decimal | None = None
    if order.quantity is not None and order.quantity_unit == taken_in(order.steps, part):
        total = administrations(order.quantity * (1 + order.refills), order.steps, part=part)
    rate = None if total is None or not auth else total * 28 / Decimal(auth)
    yield fact(
        "as_needed",
        f"as_needed:{ref}",
        [order.ref],
        order=ref,
        administrations=total,
        administrations_per_28_days=rate,
        refills=order.refills,
    )


def _emergency(c: Context, order: Order, part: DrugPart) -> bool:
    """Emergency gate (1.9): stat, or written in an emergency visit, for the drugs used there."""
    if part.ingredient.key not in _EMERGENCY_DRUGS and not (
        part.ingredient.key == "olanzapine" and order.medication.route == "injection"
    ):
        return False
    return order.emergency or any(v.kind == "emergency" and v.in_progress for v in c.chart.visits)


def _equivalent(part: DrugPart, mg: Decimal | None) -> Decimal | None:
    """mg of diazepam a day, VA/DoD column (single figures, 10.26)."""
    if mg is None:
        return None
    return (diazepam_equivalents(part.ingredient.key, mg) or {}).get("va_dod")


def was_started_in_stay(c: Context, order: Order) -> bool:
    """On the discharge list, and not on the home list: no use of the drug reached the day of admission (10.4)."""
    stay = next((v for v in c.chart.visits if v.ref == c.chart.encounter and v.kind == "inpatient"), None)
    if order.role != "discharge" or stay is None:
        return False
    for part in order.medication.parts:
        grace = c.grace(part.ingredient)
        if any(s.start < stay.start <= s.end + grace for s in c.supply.get(part.ingredient.key, ())):
            return False
    return True
