"""Suggestions that change how much is taken: S-TAPER and S-DOSE. Without a known dose none is written."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cds.chart.model import Order
from cds.decide import Decision
from cds.drugs.dose import DoseStep, daily_mg
from cds.drugs.steps import on_day
from cds.findings import Action, Suggestion
from cds.rules.grammar import quantity
from cds.suggest.known import Known, medication_of
from cds.suggest.words import Body, days_of, in_days, one

# ASAM 2025: 5 to 10 % every 2 to 4 weeks; the first step of a taper of benzodiazepines.
CLASS_TAPERS = {"BZD": (Decimal(10), 28)}
_MOST_TIMES = 6
_HALF = Decimal("0.5")


def taper(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    """S-TAPER: the charted drug once more with a first, smaller step, and a review when that step ends."""
    order = known.charted(decision.bound.get(body["of"]), stopped_too=True)
    if order is not None:
        percent = quantity(str(body["percent"]))[0] if "percent" in body else None
        yield from taper_of(order, known, Decimal(str(percent)) if percent is not None else None, days_of(body))


def taper_of(order: Order, known: Known, percent: Decimal | None, days: int) -> Iterator[Suggestion]:
    """percent: how much the first step takes away; None leaves every step to the prescriber."""
    label = order.medication.label
    changes: dict[str, Any] = {"old": order.ref, "medication": medication_of(order), "steps": []}
    said = f"Taper {label}: steps left to you, review in {in_days(days)}"
    if percent is not None:
        step = _first_step(order, known, percent)
        if step is None:
            return
        changes["steps"] = [{"start_day": 0, "end_day": days - 1, **step}]
        said = f"Taper {label}: first step -{percent.normalize():f} % for {in_days(days)}"
    review = Action("create", "S-FU", f"Proposed follow-up in about {in_days(days)}", None, {"day": days})
    yield from one("S-TAPER", said, Action("create", "S-TAPER", said, order.ref, changes), review)


def _first_step(order: Order, known: Known, percent: Decimal) -> dict[str, Any] | None:
    """dose_mg and times_per_day of the first step; None where today's dose is not one known scheduled step."""
    step = _only_step(order, known)
    if step is None or len(order.medication.parts) != 1 or step.per_day_high is None:
        return None
    mg = daily_mg(order.steps, order.medication.parts[0], known.chart.today, high=True)
    times = step.per_day_high
    if mg is None or times != times.to_integral_value() or not 1 <= times <= _MOST_TIMES:
        return None
    # Cut, never rounded up: what is taken away is at least the step the rule names.
    dose = (mg * (100 - percent) / 100 / times).quantize(Decimal("0.001"))
    return {"dose_mg": dose.normalize(), "times_per_day": int(times)}


def _only_step(order: Order, known: Known) -> DoseStep | None:
    now = on_day(order.steps, known.chart.today) or ()
    return now[0] if len(now) == 1 and not now[0].prn else None


def dose(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    """S-DOSE at the fact's `to:` mg: `draft:` changes the draft of the call, `of:` drafts the charted drug anew.

    replaces: true: the changed draft takes the place of the charted order that the fact names.
    """
    fact = decision.bound.get(body["draft"] if "draft" in body else body["of"])
    mg = fact.fields.get(body["to"]) if fact is not None else None
    if fact is None or not isinstance(mg, float):
        return
    draft = known.draft(fact, "order") or known.draft(fact, "id") if "draft" in body else None
    # A switch stops the old drug in the same call: drafting it at another dose is the alternative.
    order = draft if "draft" in body else known.charted(fact, stopped_too=True)
    if order is None:
        return
    made = _administration(order, known, Decimal(str(mg)))
    if made is None:
        return
    shown = f"{Decimal(str(mg)).normalize():f} mg a day"
    if draft is not None:
        said = f"Change {order.medication.label} to {shown}"
        if body.get("replaces"):
            # The dose of the old order is in the sum: without naming it the old one would come on top.
            old = known.charted(fact)
            if old is None or draft.prior is not None:
                return
            said = f"{said}, in place of both orders"
            made["replaces"] = old.ref
        yield from one("S-DOSE", said, Action("update", "S-DOSE", said, order.ref, made))
        return
    said = f"Draft {order.medication.label} at {shown}, in place of the current order"
    changes = {"old": order.ref, "medication": medication_of(order), **made}
    yield from one("S-DOSE", said, Action("create", "S-DOSE", said, order.ref, changes))


def _administration(order: Order, known: Known, mg: Decimal) -> dict[str, Any] | None:
    """dose_value, dose_unit and times (a day) that make `mg` a day of the order's product; None where none does.

    In the order's own unit and as often as now; of a solid form only halves of a piece can be taken.
    """
    start = known.chart.today if order.role == "chart" else order.start or known.chart.today
    now = on_day(order.steps, start) or ()
    if len(now) != 1 or now[0].prn or len(order.medication.parts) != 1:
        return None
    part, times, unit = order.medication.parts[0], now[0].per_day_high, now[0].unit
    if times is None or times != times.to_integral_value() or not 1 <= times <= _MOST_TIMES or not part.daily:
        return None
    each = mg / times / part.mg_factor
    if unit == "unit" and part.strength and part.unit == "mg":
        each = each / part.strength
        if each % _HALF:
            return None
    elif unit != "mg":
        return None
    return {"dose_value": each.normalize(), "dose_unit": _unit_of(order, unit), "times": int(times)}


def _unit_of(order: Order, unit: str) -> str:
    """Pieces are called what the product's form says they are."""
    if unit == "mg":
        return "mg"
    form = (order.medication.form or "").lower()
    return "capsule" if "capsule" in form else "tablet" if "tablet" in form else "unit"
