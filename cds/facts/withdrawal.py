"""Benzodiazepines and Z-drugs that end: stopped, left out, cut too fast, or run out (B-03, 10.3, 10.4, 10.26).

The risk of withdrawal is told as it stood on the last covered day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from cds.chart.model import Order, Visit
from cds.dates import Day
from cds.drugs.dose import is_decreasing_to_end, last_day
from cds.drugs.dose_tables import maximum
from cds.facts.context import Context, fact
from cds.facts.falls import dose_fall
from cds.facts.intervals import gap
from cds.facts.sedatives import (
    CLASS_NAMES,
    GROUPS,
    ClassUse,
    also_recorded,
    band,
    class_uses,
    current_order,
    current_use,
    has_class,
    is_in_use,
    present_doses,
    seizure_risk,
    single_equivalent,
    unconfirmed,
    usual_and_recent,
    withdrawal_history,
)
from cds.facts.supply import Supply
from cds.model import Fact, Scalar

Fields: TypeAlias = Mapping[str, Scalar | int | Decimal | None]
_LONGEST_RUN_OUT = 60  # days without: older than any site lets a run-out speak
_LONGEST_STAY = 30  # days: whoever has been without for so long on the ward is through the withdrawal
# HL7 discharge-disposition: to another facility, and against advice (B-03). Rehabilitation, nursing and psychiatric
# units are not taken as "other facility": they work from the very list that lacks the drug.
_DIED = "exp"
_DISPOSITIONS = {"home": "home", "other-hcf": "other-facility", "aadvice": "against-advice"}

_ENDINGS = {
    "stopped": "this call stops its last order",
    "omitted": "it was taken at home, and the discharge list does not name it",
    "not-ordered": "it was taken at home, and no benzodiazepine is ordered in this stay",
}


def facts(c: Context) -> Iterator[Fact]:
    if c.hook == "order-sign":
        yield from _at_signing(c)
    elif c.hook == "encounter-discharge":
        for group in GROUPS:
            yield from _omitted(c, group)
    elif c.hook in {"patient-view", "batch"}:
        yield from _run_out(c)


def _risk(c: Context, use: ClassUse) -> Fields:
    """What the levels of B-03 weigh, as of the episode's end."""
    episode = use.episode
    doses = present_doses(c, use)
    equivalent = single_equivalent(doses)
    return {
        "class_group": use.group,
        "class_name": CLASS_NAMES[use.group],
        "drug": use.drug,
        "start": c.rel(episode.start),
        "last_covered": c.rel(episode.end),
        "covered_days": use.covered,
        "diazepam_equivalent": equivalent,
        "equivalent_known": equivalent is not None,
        "unconfirmed_equivalent": unconfirmed(doses) if equivalent is not None else None,
        "band": band(doses),
        "as_needed": use.latest.prn,
        "administrations_per_28_days": usual_and_recent(c, use),
        # 1.15 has Z-drugs on its list from 28 days, whoever takes them; before, a withdrawal history alone speaks.
        "seizure_risk": seizure_risk(c) if use.group == "BZD" else withdrawal_history(c),
        "withdrawal_history": withdrawal_history(c),
        "percent_of_maximum": _percent_of_maximum(c, use) if use.group == "ZDRUG" else None,
        "also_recorded": also_recorded(c),
        "current_order": current_order(c, use),
    }


def _percent_of_maximum(c: Context, use: ClassUse) -> Decimal | None:
    """Σ(dose ÷ maximum) in % (1.6); None without a maximum, or where a partial birth date leaves two."""
    total = Decimal(0)
    for key, mg in present_doses(c, use).items():
        of_drug = [s for s in use.found if s.part.ingredient.key == key and s.first <= c.today]
        form = max(of_drug, key=lambda s: (s.last, s.first)).supplies[-1].medication.form
        limits = {maximum(key, form=form, age=age) for age in set(c.ages or (None,))}
        limit = limits.pop() if len(limits) == 1 else None
        if limit is None or mg is None:
            return None
        total += mg * 100 / limit.value
    return total


# Stops ---------------------------------------------------------------------------------------------------------------


def _at_signing(c: Context) -> Iterator[Fact]:
    stay = next((v for v in c.chart.visits if v.kind == "inpatient" and v.in_progress), None)
    for group in GROUPS:
        use = current_use(c, group)
        if use is None:
            continue
        stopped = [o for o in c.chart.orders if _is_stopped(c, o, group)]
        if stopped and not _goes_on(c, use, stopped, stay):
            yield _stop(c, use, "stopped", [o.ref for o in stopped], taper=_tapered(c, use), stay=None)
        elif group == "BZD":
            if stay is not None and not stopped:
                yield from _not_ordered(c, use, stay)
            yield from dose_fall(c, use, _risk(c, use))


def _is_stopped(c: Context, order: Order, group: str) -> bool:
    """A charted order that the call ends without putting another in its place (10.3).

    What is drafted in its place must be able to prevent withdrawal: a drug of the class, or a benzodiazepine for a
    Z-drug. Zolpidem or an antidepressant that replaces a benzodiazepine leaves it stopped.
    """
    by = c.orders.get(order.replaced_by or "")
    replaced = by is not None and by.role == "draft" and any(has_class(by.medication, g) for g in (group, "BZD"))
    return order.role == "chart" and order.ended_by_call and not replaced and has_class(order.medication, group)


def _goes_on(c: Context, use: ClassUse, stopped: Sequence[Order], stay: Visit | None) -> bool:
    """Whether anything of the class is still taken or ordered: then it is a change of dose, not a stop.

    In a stay only what is ordered there is given; at home only what supply still reaches.
    """
    group = use.group
    for o in c.chart.orders:
        if has_class(o.medication, group) and (
            o.role == "draft" or (stay is not None and _of_stay(o, stay) and o.open)
        ):
            return True
    if stay is not None:
        return False
    if any(o.role == "chart" and has_class(o.medication, group) and is_in_use(c, o, group) for o in c.chart.orders):
        return True
    # Without an order of its own, what is left of a stopped drug is not taken any more.
    drugs = {p.ingredient.key for o in stopped for p in o.medication.parts}
    return any(
        s.part.ingredient.class_group == group and s.request is None and s.end >= c.today and key not in drugs
        for key, rows in c.supply.items()
        for s in rows
    )


def _of_stay(order: Order, stay: Visit) -> bool:
    """Ordered on or since admission; a ward's order also on the day before (in the emergency department)."""
    began = order.start if order.start is not None else order.authored
    if began is None:
        return order.setting == "inpatient"
    return began >= stay.start - (1 if order.setting == "inpatient" else 0)


def _tapered(c: Context, use: ClassUse) -> bool:
    """The latest order of the class is a taper whose last step has been reached, and the course ends with it."""
    orders = [
        o for o in c.chart.orders if o.role == "chart" and o.start is not None and has_class(o.medication, use.group)
    ]
    if not orders:
        return False
    latest = max(orders, key=lambda o: (o.start or 0, o.ref))
    starts = [s.start for s in latest.steps if s.start is not None]
    last = last_day(latest.steps)
    reached = bool(starts) and max(starts) <= c.today
    ends_with_it = last is not None and last >= use.episode.end - c.grace(use.latest.part.ingredient)
    return is_decreasing_to_end(latest.steps) and reached and ends_with_it


def _stop(c: Context, use: ClassUse, how: str, refs: Sequence[str], *, taper: bool | None, stay: Visit | None) -> Fact:
    """taper: None where it cannot be known."""
    said = stay.disposition if stay is not None else None
    disposition = _DISPOSITIONS.get(said, "other") if said else "not-recorded"
    return fact(
        "class_stop",
        f"class_stop:{use.group}:{how}",
        [*refs, *use.episode.refs],
        how=how,
        ending=_ENDINGS[how],
        taper_ordered=taper,
        disposition=disposition,
        **_risk(c, use),
    )


def _not_ordered(c: Context, use: ClassUse, stay: Visit) -> Iterator[Fact]:
    """A home drug that nobody ordered in the stay by the day after admission (B-03 hooks, row 15)."""
    if not 1 <= c.today - stay.start <= _LONGEST_STAY or not _taken_at(c, use, stay.start):
        return
    ordered = any(
        has_class(o.medication, use.group) and (o.role == "draft" or _of_stay(o, stay)) and o.progress != "cancelled"
        for o in c.chart.orders
    )
    given = any(has_class(a.medication, use.group) and a.end >= stay.start for a in c.chart.administrations)
    if not ordered and not given:
        yield _stop(c, use, "not-ordered", [], taper=_tapered(c, use), stay=None)


def _taken_at(c: Context, use: ClassUse, admission: Day) -> bool:
    """The home list (10.4): something other than the ward's own doses was in use on the day of admission."""
    return any(
        s.source != "administration"
        and s.start < admission
        and gap(s.end, admission, ()) <= c.grace(s.part.ingredient)
        and not _stopped_before(c, s, admission)
        for rows in c.supply.values()
        for s in rows
        if s.part.ingredient.class_group == use.group
    )


def _stopped_before(c: Context, supply: Supply, day: Day) -> bool:
    order = c.orders.get(supply.request or "")
    return (
        order is not None
        and order.progress in {"stopped", "cancelled"}
        and not order.ended_by_call
        and (order.end if order.end is not None else c.today) < day
    )


def _omitted(c: Context, group: str) -> Iterator[Fact]:
    """A home drug that the discharge list does not name (10.4); without a list nothing is known of a taper on it."""
    use = current_use(c, group)
    stay = next((v for v in c.chart.visits if v.ref == c.chart.encounter), None)
    if use is None or (stay is not None and stay.disposition == _DIED):
        return
    if not _taken_at(c, use, stay.start if stay is not None else c.today):
        return
    if any(o.role == "discharge" and has_class(o.medication, group) for o in c.chart.orders):
        return
    taper = _tapered(c, use) if c.chart.discharge_list_known else None
    yield _stop(c, use, "omitted", [], taper=taper, stay=stay)


# Running out ---------------------------------------------------------------------------------------------------------


def _run_out(c: Context) -> Iterator[Fact]:
    """The last benzodiazepine supply has been used up for some days."""
    uses = class_uses(c, "BZD")
    if not uses:
        return
    use = uses[-1]
    days = gap(use.episode.end, c.today, c.stays) + 1
    if not 1 <= days <= _LONGEST_RUN_OUT or any(
        s.first >= c.today and any(x.source != "refills" for x in s.supplies) for s in use.found
    ):
        return
    later = any(has_class(f.medication, "BZD") and f.start > use.episode.end for f in c.chart.fills)
    yield fact(
        "run_out",
        "run_out:BZD",
        use.episode.refs,
        # A later fill of unknown length: how long it lasts is not known.
        days_since_last_cover=None if later else days,
        dispensed=any(s.source == "fill" for s in use.latest.supplies),
        stop_recorded=_stop_recorded(c, use),
        **_risk(c, use),
    )


def _stop_recorded(c: Context, use: ClassUse) -> bool:
    """The order behind the supply was closed, or had a planned end; or the patient is said to have stopped."""
    keys = {s.part.ingredient.key for s in use.found if s.last == use.episode.end}
    orders = [o for key in keys for o in c.history.of_ingredient(key)]
    stopped = any(
        not (s.taken and s.current) and (s.end is None or s.end >= use.episode.start)
        for s in c.chart.statements
        for p in s.medication.parts
        if p.ingredient.key in keys
    )
    in_force = any(o.open and (o.end is None or o.end > c.today) for o in orders)
    return stopped or (bool(orders) and not in_force)
