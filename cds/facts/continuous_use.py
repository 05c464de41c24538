"""How long benzodiazepines and Z-drugs have been taken, and what an order would add (B-02, B-04, 10.7, 10.25-10.27)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg, is_decreasing_to_end
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.intervals import days_in, union
from cds.facts.orders import judged
from cds.facts.sedatives import (
    CLASS_NAMES,
    GROUPS,
    ClassUse,
    administrations_per_28_days,
    also_recorded,
    class_uses,
    current_order,
    has_class,
    is_current,
    measure,
    percent_of,
    present_doses,
    single_equivalent,
    unconfirmed,
)
from cds.facts.supply import CONFIDENCES, Supply
from cds.facts.switches import is_on_hold
from cds.model import Fact

KINDS = frozenset({"continuous_use", "unknown_frequency", "sedative_renewal", "review", "short_courses", "prescribers"})
_HOOKS = frozenset({"patient-view", "batch", "order-sign"})
_ON_HAND = frozenset({"fill", "order", "administration"})
_YEAR, _QUARTER = 365, 90  # days: the windows of B-04
_ORDERED_TOGETHER = (*GROUPS, "OPIOID")
# ASAM 2025 Table 2, as a fact of the card and no threshold: days, mg of diazepam, administrations in 28 days.
_MONTH, _THREE_MONTHS, _LOW_EQUIVALENT, _RARE = 30, 90, Decimal(10), Decimal(12)


def facts(c: Context) -> Iterator[Fact]:
    if c.hook not in _HOOKS:
        return
    uses = {group: class_uses(c, group) for group in GROUPS}
    if c.hook != "order-sign":
        # 1.2: an order on hold silences what is said of duration; a new order is judged all the same.
        uses = {group: found for group, found in uses.items() if not (found and _is_held(c, found[-1]))}
    current = {group: found[-1] for group, found in uses.items() if found and is_current(c, found[-1])}
    for group, use in current.items():
        other = next((u for g, u in current.items() if g != group), None)
        rate = administrations_per_28_days(c, use.episode.stretches, use.episode.start, use.episode.end)
        yield _continuous(c, use, other, rate)
        if rate is None:
            yield fact("unknown_frequency", f"unknown_frequency:{group}", use.episode.refs, class_group=group)
        if c.hook == "order-sign":
            yield from _renewals(c, use)
    if current:
        for day in sorted(set(c.chart.reviews)):
            if day <= c.today:
                yield fact("review", f"review:{day - c.today}", day=c.rel(day))
    if c.hook != "order-sign":
        for group, found in uses.items():
            yield from _short_courses(c, group, found)
        yield from _prescribers(c)


def _is_held(c: Context, use: ClassUse) -> bool:
    return is_on_hold(c, use.latest.part.ingredient.key)


def _continuous(c: Context, use: ClassUse, other: ClassUse | None, rate: Decimal | None) -> Fact:
    episode = use.episode
    doses = present_doses(c, use)
    equivalent = single_equivalent(doses)
    percent, rose = _since_lookback(c, use)
    strongest = max((s.confidence for st in episode.stretches for s in st.supplies), key=CONFIDENCES.index)
    return fact(
        "continuous_use",
        f"continuous_use:{use.group}",
        episode.refs,
        class_group=use.group,
        class_name=CLASS_NAMES[use.group],
        drug=use.drug,
        start=c.rel(episode.start),
        last_covered=c.rel(episode.end),
        covered_days=use.covered,
        as_needed=use.latest.prn,
        administrations_per_28_days=rate,
        diazepam_equivalent=equivalent,
        unconfirmed_equivalent=unconfirmed(doses) if equivalent is not None else None,
        dependence=_dependence(use, equivalent, rate),
        equivalent_percent_of_lookback=percent,
        rose_since_lookback=rose,
        strongest_confidence=strongest,
        other_drug=other.drug if other is not None else None,
        other_covered_days=other.covered if other is not None else None,
        also_recorded=also_recorded(c),
        current_order=current_order(c, use),
    )


def _dependence(use: ClassUse, equivalent: Decimal | None, rate: Decimal | None) -> str | None:
    """Physical dependence as ASAM 2025 Table 2 rates it; of benzodiazepines only."""
    if use.group != "BZD":
        return None
    if rate is None:
        return "unknown"
    if rate <= _RARE:
        return "rare"
    if use.covered >= _THREE_MONTHS:
        return "likely"
    if use.covered < _MONTH:
        return "less likely but possible"
    if equivalent is None:
        return "unknown"
    return "less likely but possible" if equivalent <= _LOW_EQUIVALENT else "likely"


def _since_lookback(c: Context, use: ClassUse) -> tuple[Decimal | None, bool | None]:
    """(dose now in % of the dose `taper_lookback` days ago, whether it rose in between); None: cannot be said (10.25).

    Between two supplies the dose is that of the last covered day.
    """
    then = use.last_dosed(c.today - int(c.p["taper_lookback"]))
    if then is None or then < use.episode.start:
        return None, None
    percent = percent_of(present_doses(c, use), use.doses(then))
    edges = {e for s in use.found for e in (s.first, s.last + 1) if then < e <= c.today}
    doses = [d for day in (then, *sorted(edges)) if (d := use.doses(day))]
    measured = [measure(d) for d in doses]
    known = [m for m in measured if m is not None]
    if len(known) < len(measured):
        return percent, None
    rose = any(
        after.keys() != before.keys() or any(after[k] > before[k] for k in after) for before, after in pairwise(known)
    )
    return percent, rose


# Orders --------------------------------------------------------------------------------------------------------------


def _renewals(c: Context, use: ClassUse) -> Iterator[Fact]:
    """Drafts that go on with the episode: covered so far + on hand + authorised = projected (10.7)."""
    on_hand = _on_hand(c, use)
    now = present_doses(c, use)
    ended = any(o.ended_by_call and has_class(o.medication, use.group) for o in c.chart.orders)
    for order, part in judged(c):
        if order.role != "draft" or part.ingredient.class_group != use.group:
            continue
        auth = order.authorised_days
        prior = c.orders.get(order.prior or "")
        yield fact(
            "sedative_renewal",
            f"sedative_renewal:{order.ref}#{part.ingredient.key}",
            [order.ref, *use.episode.refs],
            order=f"{order.ref}#{part.ingredient.key}",
            class_group=use.group,
            drug=order.medication.label,
            on_hand_days=on_hand,
            authorised_days=auth,
            projected_days=None if auth is None else use.covered + on_hand + auth,
            linked=ended or (prior is not None and has_class(prior.medication, use.group)),
            dose_percent_of_current=percent_of(_doses_of(order, part, c.today), now),
            tapers=is_decreasing_to_end(order.steps),
        )


def _doses_of(order: Order, part: DrugPart, today: Day) -> dict[str, Decimal | None]:
    start = order.start if order.start is not None else today
    return {part.ingredient.key: daily_mg(order.steps, part, start, high=True)}


def _on_hand(c: Context, use: ClassUse) -> int:
    """Days from today on that are covered already; refills that nobody collected are not on hand."""
    rows = (
        (max(s.start, c.today), s.end)
        for found in c.supply.values()
        for s in found
        if s.part.ingredient.class_group == use.group and s.source in _ON_HAND and s.end >= c.today
    )
    return sum(end - start + 1 for start, end in union(rows))


# Repeated courses ----------------------------------------------------------------------------------------------------


def _short_courses(c: Context, group: str, uses: Sequence[ClassUse]) -> Iterator[Fact]:
    """Covered days and separate fills of one class in the year before today (10.27, 10.33: per class)."""
    first, last = c.today - _YEAR, c.today - 1
    within = [u for u in uses if u.episode.end >= first]
    fills = [s for s in _fills(c, (group,)) if first <= s.start <= last]
    if not within or not fills:
        return  # without dispense data nothing is said
    found = [s for u in within for s in u.episode.stretches]
    yield fact(
        "short_courses",
        f"short_courses:{group}",
        [ref for s in fills for ref in s.refs],
        class_group=group,
        class_name=CLASS_NAMES[group],
        drug=within[-1].latest.label,
        courses=len(within),
        covered_days=days_in(union((s.first, s.last) for s in found), first, last),
        separate_fills=_separate(sorted({s.start for s in fills}), int(c.p["separate_fill_days"])),
        last_covered=c.rel(within[-1].episode.end),
        administrations_per_28_days=administrations_per_28_days(c, found, first, last, while_covered=True),
        also_recorded=also_recorded(c),
    )


def _separate(days: Sequence[Day], apart: int) -> int:
    """Fills that are at least `apart` days after the last one counted."""
    counted: list[Day] = []
    for day in days:
        if not counted or day - counted[-1] >= apart:
            counted.append(day)
    return len(counted)


def _fills(c: Context, groups: Sequence[str]) -> list[Supply]:
    return [
        s
        for found in c.supply.values()
        for s in found
        if s.source == "fill" and s.part.ingredient.class_group in groups
    ]


def _prescribers(c: Context) -> Iterator[Fact]:
    """Who ordered the fills of benzodiazepines, Z-drugs and opioids of the last quarter.

    A fill counts for the requester of the order that it names. Two requesters are one where the chart gives them as
    one: which organisation a prescriber works for is not in these records.
    """
    fills = [s for s in _fills(c, _ORDERED_TOGETHER) if c.today - _QUARTER <= s.start <= c.today - 1]
    habit_forming = [s for s in fills if s.part.ingredient.class_group in GROUPS]
    known = [s for s in fills if s.requester]
    if not known:
        return
    groups = {s.part.ingredient.class_group for s in habit_forming}
    rates = [
        administrations_per_28_days(
            c,
            [st for rows in c.stretches.values() for st in rows if st.part.ingredient.class_group == group],
            c.today - _QUARTER,
            c.today - 1,
            while_covered=True,
        )
        for group in sorted(groups)
    ]
    often = [r for r in rates if r is not None]
    yield fact(
        "prescribers",
        "prescribers",
        [ref for s in known for ref in s.refs],
        requesters=len({s.requester for s in known}),
        habit_forming_fills=len(habit_forming),
        fills=len(fills),
        drugs=", ".join(sorted({s.medication.label for s in fills})),
        administrations_per_28_days=max(often) if often and len(often) == len(rates) else None,
        also_recorded=also_recorded(c),
    )
