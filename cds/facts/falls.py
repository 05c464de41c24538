"""How far a call lets the dose of benzodiazepines fall within any 14 days (B-03 b, 1.6: the larger fall decides)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.orders import judged
from cds.facts.sedatives import ClassUse, Doses, equivalents, is_in_use, present_doses
from cds.model import Fact, Scalar

_WINDOW = 14  # days: ASAM 2025, "should typically not exceed 25 % every 2 weeks"


@dataclass(frozen=True, slots=True)
class _Change:
    """What the call makes of one drug in use: from `day` on only `orders` of it are left (drafts are counted apart)."""

    day: Day
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Doses of the class: as supplied up to yesterday, from today on as the call leaves them."""

    c: Context
    use: ClassUse
    now: Doses
    changes: Mapping[str, _Change]
    drafts: tuple[tuple[Order, DrugPart], ...]

    def doses(self, day: Day) -> dict[str, Decimal | None]:
        if day < self.c.today:
            return dict(self.use.doses(day))
        total: dict[str, Decimal | None] = {}
        for key, mg in self.now.items():
            change = self.changes.get(key)
            if change is None or day < change.day:
                _add(total, key, mg)
            else:
                for order in change.orders:
                    for part in order.medication.parts:
                        if part.ingredient.key == key:
                            _add(total, key, daily_mg(order.steps, part, day, high=True))
        for order, part in self.drafts:
            if _runs(order, day, self.c.today):
                _add(total, part.ingredient.key, daily_mg(order.steps, part, day, high=True))
        return total

    def days(self) -> list[Day]:
        """Days on which the plan changes, while something of the class is still planned."""
        found = {change.day for change in self.changes.values()}
        for order, _ in self.drafts:
            start = _start(order, self.c.today)
            found |= {start, *(s.start for s in order.steps if s.start is not None and s.start > start)}
        return sorted(day for day in found if day >= self.c.today)


def dose_fall(c: Context, use: ClassUse, risk: Mapping[str, Scalar | int | Decimal | None]) -> Iterator[Fact]:
    """The largest fall that the call brings about; nothing when it changes no dose, or leaves nothing to take."""
    drafts = tuple((o, p) for o, p in judged(c) if o.role == "draft" and p.ingredient.class_group == use.group)
    now = present_doses(c, use)
    changes = {key: change for key in now if (change := _change(c, use, key, drafts)) is not None}
    plan = _Plan(c, use, now, changes, drafts)
    if not changes or not any(plan.doses(day) for day in plan.days()):
        return
    day, percent = _largest(plan)
    after = equivalents(plan.doses(day))
    order = next((f"{o.ref}#{p.ingredient.key}" for o, p in drafts), None)
    yield fact(
        "dose_fall",
        f"dose_fall:{use.group}",
        [*(o.ref for o, _ in drafts), *use.episode.refs],
        order=order,
        new_drug=", ".join(dict.fromkeys(o.medication.label for o, _ in drafts)) or use.latest.label,
        day=c.rel(day),
        equivalent_before=(equivalents(now) or {}).get("va_dod"),
        equivalent_after=(after or {}).get("va_dod"),
        fall_percent_14_days=percent,
        **risk,
    )


def _change(c: Context, use: ClassUse, key: str, drafts: tuple[tuple[Order, DrugPart], ...]) -> _Change | None:
    """How the call changes one drug: by stopping or replacing its orders, or, where none is in force, by a draft of
    the same drug. A draft beside an order in force is an addition (1.11: an unlinked lower dose is a new order)."""
    orders = c.history.of_ingredient(key)
    ended = [o for o in orders if o.ended_by_call]
    left = tuple(o for o in orders if is_in_use(c, o, use.group))
    if ended:
        return _Change(min(_stops_on(c, o) for o in ended), left)
    own = [o for o, p in drafts if p.ingredient.key == key]
    if own and not left:
        return _Change(min(_start(o, c.today) for o in own), ())
    return None


def _stops_on(c: Context, order: Order) -> Day:
    by = c.orders.get(order.replaced_by or "")
    return _start(by, c.today) if by is not None and by.role == "draft" else c.today


def _start(order: Order, today: Day) -> Day:
    return max(order.start, today) if order.start is not None else today


def _runs(order: Order, day: Day, today: Day) -> bool:
    return _start(order, today) <= day and (order.end is None or day <= order.end)


def _add(total: dict[str, Decimal | None], key: str, mg: Decimal | None) -> None:
    before = total.get(key, Decimal(0))
    total[key] = None if mg is None or before is None else before + mg


def _largest(plan: _Plan) -> tuple[Day, Decimal | None]:
    """(day, fall in %) of the deepest fall from any of the 14 days before; both columns, the larger fall.

    Only days count on which less is taken than now: what fell before this call is not its doing.
    None: a dose, or an equivalent, is not known.
    """
    now = equivalents(plan.now)
    found: tuple[Day, Decimal | None] = (plan.days()[0], Decimal(0))
    for day in plan.days():
        doses = plan.doses(day)
        if not doses:
            continue
        after = equivalents(doses)
        if now is None or after is None:
            return day, None
        for column, mg in after.items():
            if mg >= now.get(column, Decimal(0)):
                continue
            before = [e[column] for y in range(day - _WINDOW, day) if (e := equivalents(plan.doses(y)))]
            if day - _WINDOW < plan.c.today:
                before.append(now.get(column, Decimal(0)))  # a drug whose refill is late is in use all the same
            highest = max(before, default=mg)
            fall = (highest - mg) * 100 / highest if highest else Decimal(0)
            if found[1] is None or fall > found[1]:
                found = day, fall
    return found
