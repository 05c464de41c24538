"""Two drugs that are looked at together: an order beside a current course, or beside another order (A-02)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg, is_decreasing_to_end
from cds.drugs.dose_tables import diazepam_equivalents
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact, is_for_smoking
from cds.facts.courses import Course, Ending, current_courses, endings_facts
from cds.facts.kinship import Kind, Side, kind_of, tricyclic_dose
from cds.facts.orders import judged
from cds.facts.overlaps import overlaps
from cds.facts.sedatives import unconfirmed
from cds.model import Fact

_LONGEST_LOOK = 400  # days of overlap examined for dose; a year of authorised supply and then some


def facts(c: Context) -> Iterator[Fact]:
    courses = list(current_courses(c))
    orders = list(judged(c))
    sides = [_side_of_order(c, order, part) for order, part in orders]
    paired: set[str] = set()
    for n, (order, part) in enumerate(orders):
        for course in courses:
            made = _pair(c, order, sides[n], course)
            if made is not None:
                yield made
                if course.ref not in paired:
                    paired.add(course.ref)
                    yield from endings_facts(c, course.ref, course.part.ingredient.key, course.endings, course.refs)
        for m, (other, other_part) in enumerate(orders[:n]):
            first, second = (order, sides[n]), (other, sides[m])
            # The one with an end is the one that gives way.
            if _stated_end(order, part) < _stated_end(other, other_part):
                first, second = second, first
            yield from _pair_of_orders(c, *first, *second)
    if c.hook in {"patient-view", "batch"}:
        yield from overlaps(c)


def _side_of_order(c: Context, order: Order, part: DrugPart) -> Side:
    mg = daily_mg(order.steps, part, order.start or c.today, high=True)
    smoking = is_for_smoking(part, order.medication.purpose, order.reasons)
    return Side(part, smoking or c.low_dose_adjunct(part, mg), mg, any(s.prn for s in order.steps))


def _side_of_course(c: Context, course: Course) -> Side:
    mg = course.present_dose(c.today)
    adjunct = c.low_dose_adjunct(course.part, mg) or any(c.for_smoking(s) for s in course.supplies)
    return Side(course.part, adjunct, mg, any(s.prn for s in course.supplies))


def _kind(new: Side, old: Side) -> Kind | None:
    # The same substance is the business of A-01.
    return None if new.part.ingredient.moiety == old.part.ingredient.moiety else kind_of(new, old)


def _pair(c: Context, order: Order, new: Side, course: Course) -> Fact | None:
    old = _side_of_course(c, course)
    kind = _kind(new, old)
    if kind is None:
        return None
    start = order.start if order.start is not None else c.today
    percent: Decimal | None = None
    if kind.group == "benzodiazepine" and (last := _last_common_day(order, course)) is not None:
        percent = _combined_percent(order, new.part, course, start, last)
    ref = f"{order.ref}#{new.part.ingredient.key}"
    return fact(
        "pair",
        f"pair:{ref}:{course.part.ingredient.key}",
        [order.ref, *course.refs],
        order=ref,
        course=course.ref,
        group=kind.group,
        kinship=kind.kinship,
        class_label=kind.class_label,
        new_drug=order.medication.label,
        old_drug=course.label,
        confidence=course.confidence,
        start=c.rel(start),
        new_days=order.authorised_days,
        new_refills=order.refills,
        old_since=c.rel(_since(c, course)),
        old_until=None if course.open_ended else c.rel(max(s.end for s in course.supplies)),
        old_dose=old.mg,
        new_dose=new.mg,
        tricyclic_dose=tricyclic_dose(new, old),
        combined_equivalent_percent=percent,
        unconfirmed_equivalent=unconfirmed(s.part.ingredient.key for s in (new, old)) if percent is not None else None,
    )


def _since(c: Context, course: Course) -> Day:
    """Start of the episode that the course goes on with; of a planned one, its own start."""
    found = c.by_ingredient.get(course.part.ingredient.key)
    first = min(s.start for s in course.supplies)
    return min(first, found[-1].start) if found and first <= c.today else first


def _last_common_day(order: Order, course: Course) -> Day | None:
    """Last day on which both are planned; None when there is no such day."""
    start = order.start
    if start is None:
        return None
    # What is stopped today, or replaced on the day of the new start, is not taken on that day any more.
    ends = [e.day - 1 if e.how == "stopped" else e.day for e in course.endings]
    if order.authorised_days is not None:
        ends.append(start + order.authorised_days - 1)
    if order.end is not None:
        ends.append(order.end)
    last = min(ends, default=start)
    return last if last >= start else None


def _combined_percent(order: Order, part: DrugPart, course: Course, start: Day, last: Day) -> Decimal | None:
    """Highest diazepam-equivalent of both on any common day, in % of the old drug's before the change.

    Both columns are worked out and the larger rise decides (1.6). None: a dose or an equivalent is unknown.
    """
    before = course.dose(start - 1) or course.dose(start)
    previous = diazepam_equivalents(course.part.ingredient.key, before) if before else None
    if not previous:
        return None
    worst: Decimal | None = None
    for day in range(start, min(last, start + _LONGEST_LOOK) + 1):
        old_mg, new_mg = course.dose(day), daily_mg(order.steps, part, day, high=True)
        if old_mg is None or new_mg is None:
            return None
        old = diazepam_equivalents(course.part.ingredient.key, old_mg)
        new = diazepam_equivalents(part.ingredient.key, new_mg)
        if old is None or new is None:
            return None
        if not old_mg:
            continue  # a day between two supplies of the old drug is no common day
        percent = max((old[k] + new[k]) * 100 / previous[k] for k in previous if k in old and k in new and previous[k])
        worst = percent if worst is None else max(worst, percent)
    return worst


def _stated_end(order: Order, part: DrugPart) -> tuple[bool, Day, str, str]:
    """Sorts orders of one call: those with an end first, then by reference."""
    return order.end is None, order.end or 0, order.ref, part.ingredient.key


def _pair_of_orders(c: Context, order: Order, new: Side, other: Order, old: Side) -> Iterator[Fact]:
    """Two orders of one call; `other` is the one that gives way, if either does."""
    kind = _kind(new, old)
    if kind is None or order.ref == other.ref:
        return
    start = max(order.start or c.today, other.start or c.today)
    ref, old_ref = f"{order.ref}#{new.part.ingredient.key}", f"{other.ref}#{old.part.ingredient.key}"
    yield fact(
        "pair",
        f"pair:{ref}:{old_ref}",
        [order.ref, other.ref],
        order=ref,
        course=f"order:{ref}:{old_ref}",
        group=kind.group,
        kinship=kind.kinship,
        class_label=kind.class_label,
        new_drug=order.medication.label,
        old_drug=other.medication.label,
        confidence="medium",
        start=c.rel(start),
        new_days=order.authorised_days,
        new_refills=order.refills,
        old_since=c.rel(other.start or c.today),
        old_until=None if other.end is None else c.rel(other.end),
        old_dose=old.mg,
        new_dose=new.mg,
        tricyclic_dose=tricyclic_dose(new, old),
    )
    if other.end is not None:
        endings = [Ending("stated", other.end)]
        if is_decreasing_to_end(other.steps):
            endings.append(Ending("tapered", other.end))
        yield from endings_facts(c, f"order:{ref}:{old_ref}", f"{ref}:{old_ref}", endings, [other.ref])
