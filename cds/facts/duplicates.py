"""An order beside a current regimen, or another order of the call, of the same substance (A-01 at the order hooks).

What the call itself replaces, stops or finds on hold is no regimen. Refills in hand and to collect count as supply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.dose_tables import DoseLimit, maximum
from cds.drugs.model import DrugPart, Medication
from cds.facts.context import Context, fact
from cds.facts.orders import judged
from cds.facts.supply import Confidence, Supply, weakest
from cds.model import Fact

Combination = Literal[
    "naltrexone-bupropion", "titration-pack", "oral-and-depot", "scheduled-and-as-needed", "immediate-and-extended",
    "two-salts", "two-members", "tablet-and-liquid", "two-strengths", "same-product",
]  # fmt: skip
_OPEN_ENDED = 365  # days counted for what nothing ends: more than any window, and never shown
_NALTREXONE_BUPROPION = "naltrexone-bupropion"
# Extended and immediate release of these are taken together on purpose (A-01 step 2), and of the stimulants.
_TWO_RELEASES = frozenset({"quetiapine", "carbamazepine", "lithium", "venlafaxine"})
_AS_EXTENDED = frozenset({"lisdexamfetamine", "serdexmethylphenidate"})  # prodrugs that last the day


@dataclass(frozen=True, slots=True)
class Regimen:
    """One ingredient as it is ordered or taken: from `start` to `end`, both included; end None: nothing ends it.

    rows: supplies of the chart, none for an order of the call. order: the order of the call, or the latest in force.
    """

    part: DrugPart
    medication: Medication
    start: Day
    end: Day | None
    rows: tuple[Supply, ...]
    order: Order | None
    requesters: frozenset[str | None]
    authored: Day | None
    prn: bool
    confidence: Confidence
    refs: tuple[str, ...]

    def dose(self, day: Day) -> Decimal | None:
        """mg on that day, high end; None when not known."""
        if not self.rows:
            return None if self.order is None else daily_mg(self.order.steps, self.part, day, high=True)
        total = Decimal(0)
        for row in self.rows:
            if row.start <= day and (row.open_ended or day <= row.end):
                mg = row.dose(day, high=True)
                if mg is None:
                    return None
                total += mg
        return total

    def changes(self) -> Iterator[Day]:
        """Days on which the dose may change."""
        yield self.start
        steps = self.order.steps if self.order is not None and not self.rows else ()
        yield from (s.start for s in steps if s.start is not None)
        for row in self.rows:
            yield row.start
            yield from (s.start for s in row.steps if s.start is not None)


def facts(c: Context) -> Iterator[Fact]:
    orders = [_of_order(c, order, part) for order, part in judged(c)]
    if not orders:
        return
    # What the discharge list leaves out is stopped (1.15): there, only its own entries stand beside each other.
    charted = [] if c.hook == "encounter-discharge" else list(_charted(c))
    for n, new in enumerate(orders):
        for old in charted:
            if _same_substance(new, old):
                yield _duplicate(c, new, old)
        yield from _within_call(c, new, orders[:n])


def _within_call(c: Context, new: Regimen, before: Sequence[Regimen]) -> Iterator[Fact]:
    """The order beside earlier ones of the call: of each way in which two can differ, the longest overlap.

    Of five orders of one drug each is named once, not each with each.
    """
    longest: dict[Combination, tuple[int, Regimen]] = {}
    for other in before:
        if _same_substance(new, other) and new.order is not other.order and not _linked(new.order, other.order):
            how = _combination(new, other)
            last = min((e for e in (new.end, other.end) if e is not None), default=c.today + _OPEN_ENDED)
            days = last - max(new.start, other.start)
            if how not in longest or days > longest[how][0]:
                longest[how] = days, other
    for _, other in longest.values():
        # The one that ends first is the one that gives way.
        old, later = sorted((other, new), key=lambda r: (r.end is None, r.end or 0, r.refs))
        yield _duplicate(c, later, old)


def _same_substance(a: Regimen, b: Regimen) -> bool:
    return a.part.ingredient.moiety == b.part.ingredient.moiety


def _linked(a: Order | None, b: Order | None) -> bool:
    return a is not None and b is not None and (a.prior == b.ref or b.prior == a.ref)


def _of_order(c: Context, order: Order, part: DrugPart) -> Regimen:
    start = order.start if order.start is not None else c.today
    if order.valid_from is not None:
        # 1.4 step 1: scripts signed today for the months to come start when they may be filled.
        start = max(start, order.valid_from)
    ends = [e for e in (order.end, None if order.authorised_days is None else start + order.authorised_days - 1) if e]
    return Regimen(
        part=part,
        medication=order.medication,
        start=start,
        end=min(ends, default=None),
        rows=(),
        order=order,
        requesters=frozenset({order.requester}),
        authored=order.authored if order.authored is not None else c.today,
        prn=any(s.prn for s in order.steps),
        confidence="medium",
        refs=(order.ref,),
    )


def _charted(c: Context) -> Iterator[Regimen]:
    """What is in hand or still to collect, by ingredient, of orders that go on and of fills without an order."""
    for key, supplies in c.supply.items():
        orders = [o for o in c.history.of_ingredient(key) if not c.history.is_stale(o) and not c.history.denied(o)]
        going_on = {o.ref: o for o in orders if o.open}
        ending = any(o.ended_by_call or o.progress == "paused" for o in orders)
        rows = tuple(
            s
            for s in supplies
            if (s.end >= c.today or s.open_ended)
            and s.source != "administration"
            and (s.request in going_on if s.request is not None else bool(going_on) or not ending)
        )
        if rows:
            behind = [going_on[ref] for ref in sorted({s.request for s in rows if s.request in going_on})]
            yield _of_supplies(rows, behind or list(going_on.values()))


def _of_supplies(rows: tuple[Supply, ...], orders: Sequence[Order]) -> Regimen:
    latest = max(orders, key=lambda o: (o.start or 0, o.ref), default=None)
    return Regimen(
        part=rows[-1].part,
        medication=rows[-1].medication,
        start=min(s.start for s in rows),
        end=None if any(s.open_ended for s in rows) else max(s.end for s in rows),
        rows=rows,
        order=latest,
        requesters=frozenset(o.requester for o in orders),
        authored=latest.authored if latest is not None else None,
        prn=all(s.prn for s in rows),
        confidence=weakest(s.confidence for s in rows),
        refs=tuple(sorted({ref for s in rows for ref in s.refs} | {o.ref for o in orders})),
    )


def _duplicate(c: Context, new: Regimen, old: Regimen) -> Fact:
    first = max(new.start, old.start, c.today)
    last = min((e for e in (new.end, old.end) if e is not None), default=first + _OPEN_ENDED - 1)
    doses = _highest_day(new, old, first, last)
    limits = _limits(c, new, old)
    alike = new.part.ingredient.key == old.part.ingredient.key
    total = None if doses is None or not alike else sum(doses)
    percent = _percent(doses, limits, alike=alike)
    assert new.order is not None
    is_draft = old.order is not None and old.order.role != "chart"
    ref = f"{new.order.ref}#{new.part.ingredient.key}"
    beside = f"{old.order.ref}#{old.part.ingredient.key}" if is_draft and old.order else old.part.ingredient.key
    since = old.order.start if old.order is not None and not is_draft else None
    single = len({s.request for s in old.rows}) == 1
    mergeable = (
        alike and single and not is_draft and not (new.prn or old.prn) and percent is not None and percent <= 100
    )
    return fact(
        "duplicate",
        f"duplicate:{ref}:{beside}",
        [*new.refs, *old.refs],
        id=f"{ref}:{beside}",
        order=ref,
        current_order=old.order.ref if old.order is not None and not is_draft else None,
        beside="order of this call" if is_draft else "current use",
        moiety=new.part.ingredient.moiety,
        new_drug=new.medication.label,
        old_drug=old.medication.label,
        combination=_combination(new, old),
        start=c.rel(new.start),
        old_since=c.rel(since if since is not None else old.start),
        old_until=None if old.end is None else c.rel(old.end),
        supply_left=_OPEN_ENDED if old.end is None else old.end - new.start,
        overlap_days=max(0, min(last - first + 1, _OPEN_ENDED)),
        planned_days=last - first + 1 if 0 < last - first + 1 < _OPEN_ENDED else None,
        authored_apart_days=_apart(new.authored, old.authored),
        requesters_differ=_requesters_differ(new.requesters, old.requesters),
        confidence=weakest((new.confidence, old.confidence)),
        new_dose=new.dose(first),
        old_dose=old.dose(first),
        sum_dose=total,
        percent_of_maximum=percent,
        maximum_confirmed=None if percent is None else all(x.mark != "U" for x in limits),
        merged_dose=total if mergeable else None,
        reported_as_taken=_reported(c, new.part.ingredient.moiety),
    )


def _highest_day(new: Regimen, old: Regimen, first: Day, last: Day) -> tuple[Decimal, Decimal] | None:
    """mg a day of each on the common day with the highest sum; None where a dose is not known."""
    best: tuple[Decimal, Decimal] | None = None
    for day in sorted({first, *(d for d in (*new.changes(), *old.changes()) if first <= d <= last)}):
        a, b = new.dose(day), old.dose(day)
        if a is None or b is None:
            return None
        if best is None or a + b > sum(best):
            best = a, b
    return best


def _limits(c: Context, new: Regimen, old: Regimen) -> tuple[DoseLimit, ...]:
    """MAX of each side; of one ingredient in two forms the higher for both (10.16). Empty: not to be claimed.

    Without a birth date nobody knows whether the adult's MAX is the patient's; of a partial one the youngest reading.
    """
    if c.ages is None:
        return ()
    found = [maximum(r.part.ingredient.key, form=r.medication.form, age=c.ages[0]) for r in (new, old)]
    known = [x for x in found if x is not None and x.unit == "mg/d"]
    if len(known) < len(found):
        return ()
    if new.part.ingredient.key == old.part.ingredient.key:
        return (max(known, key=lambda x: x.value),)
    return tuple(known)


def _percent(doses: tuple[Decimal, Decimal] | None, limits: Sequence[DoseLimit], *, alike: bool) -> Decimal | None:
    """Share of the maximum dose in %: the sum within one ingredient, else the sum of the shares (1.3.3)."""
    if doses is None or not limits:
        return None
    if alike:
        return sum(doses) * 100 / limits[0].value
    return sum((mg * 100 / x.value for mg, x in zip(doses, limits, strict=True)), Decimal(0))


def _combination(new: Regimen, old: Regimen) -> Combination:
    """How the two differ; the first that fits. Which of them are accepted is for the rule to say."""
    a, b = new.part.ingredient, old.part.ingredient
    if (a.key == _NALTREXONE_BUPROPION) != (b.key == _NALTREXONE_BUPROPION):
        return "naltrexone-bupropion"
    if new.medication.pack or old.medication.pack:
        return "titration-pack"
    if new.medication.long_acting_injection != old.medication.long_acting_injection:
        return "oral-and-depot"
    if new.prn != old.prn:
        return "scheduled-and-as-needed"
    if (a.class_group == "STIM" or a.moiety in _TWO_RELEASES) and _extended(new) != _extended(old):
        return "immediate-and-extended"
    if a.key != b.key:
        return "two-salts" if a.moiety == "lithium" else "two-members"
    if (new.part.unit == "mg/mL") != (old.part.unit == "mg/mL") and "injection" not in (
        new.medication.route, old.medication.route
    ):  # fmt: skip
        return "tablet-and-liquid"
    product = new.part.strength, new.medication.form
    others = [(s.part.strength, s.medication.form) for s in old.rows] or [(old.part.strength, old.medication.form)]
    return "same-product" if product in others else "two-strengths"


def _extended(regimen: Regimen) -> bool:
    form = regimen.medication.form or ""
    return regimen.medication.extended or regimen.part.ingredient.key in _AS_EXTENDED or "Transdermal" in form


def _apart(a: Day | None, b: Day | None) -> int | None:
    return None if a is None or b is None else abs(a - b)


def _requesters_differ(new: frozenset[str | None], old: frozenset[str | None]) -> bool | None:
    """None: not known. A practitioner and a role (of the same person, perhaps) cannot be told apart."""
    sides = [[_last_two(r) for r in side if r] for side in (new, old)]
    if not all(sides) or None in new or None in old:
        return None
    if set(sides[0]) & set(sides[1]):
        return False
    kinds = {ref.partition("/")[0] for side in sides for ref in side}
    return True if len(kinds) == 1 else None


def _last_two(reference: str) -> str:
    """`Practitioner/1`, also of an absolute address."""
    return "/".join(reference.split("/_history/", maxsplit=1)[0].split("/")[-2:])


def _reported(c: Context, moiety: str) -> bool:
    """10.33: the patient reports it as taken now; ordering a home medicine is reconciliation."""
    return any(
        s.taken and s.current and (s.end is None or s.end >= c.today)
        for s in c.chart.statements
        if any(p.ingredient.moiety == moiety for p in s.medication.parts)
    )
