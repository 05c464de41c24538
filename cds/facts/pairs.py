"""Two drugs that are looked at together: an order beside a current course, and proven overlap in the past (A-02)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.dose_tables import diazepam_equivalents
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact
from cds.facts.courses import Course, current_courses, endings_facts
from cds.facts.exposure import Episode, episodes, overlap_runs
from cds.facts.orders import judged
from cds.facts.supply import CONFIDENCES
from cds.model import Fact
from cds.shipped import table

_HYPNOTIC_CLASSES = frozenset({"ZDRUG", "DORA"})
_LOW_DOSE_HYPNOTICS = frozenset({"trazodone", "doxepin"})
_LONGEST_LOOK = 400  # days of overlap examined for dose; a year of authorised supply and then some


@dataclass(frozen=True, slots=True)
class Side:
    """One drug of a pair at its present dose."""

    part: DrugPart
    adjunct: bool
    mg: Decimal | None
    as_needed: bool

    @property
    def hypnotic(self) -> str | None:
        """Kind of hypnotic, for pairs of different kinds; a low dose makes trazodone and doxepin one."""
        if self.part.ingredient.class_group in _HYPNOTIC_CLASSES:
            return self.part.ingredient.class_group
        return self.part.ingredient.key if self.adjunct and self.part.ingredient.key in _LOW_DOSE_HYPNOTICS else None


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the pair table."""

    group: str
    left: str
    right: str
    kinship: str
    class_label: str


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(Kind(r["group"], r["left"], r["right"], r["kinship"], r["class_label"]) for r in table("class_pairs"))


def _is(side: Side, selector: str) -> bool:
    what, _, name = selector.partition(":")
    ingredient = side.part.ingredient
    tests: dict[str, Callable[[], bool]] = {
        "group": lambda: ingredient.class_group == name and not side.adjunct,
        "class": lambda: ingredient.therapeutic_class == name and not side.adjunct,
        "drug": lambda: ingredient.key == name and not side.adjunct,
        "tag": lambda: name in ingredient.tags and not side.as_needed and not side.adjunct,
        "hypnotic": lambda: side.hypnotic is not None,
    }
    return tests[what]()


def kind_of(a: Side, b: Side) -> Kind | None:
    """First row of the table that fits the pair in either order; None for pairs that nobody minds."""
    for kind in _kinds():
        if kind.group == "hypnotic" and a.hypnotic == b.hypnotic:
            continue
        if (_is(a, kind.left) and _is(b, kind.right)) or (_is(b, kind.left) and _is(a, kind.right)):
            return kind
    return None


def facts(c: Context) -> Iterator[Fact]:
    courses = list(current_courses(c))
    orders = list(judged(c))
    named: set[str] = set()
    for n, (order, part) in enumerate(orders):
        new = _side_of_order(c, order, part)
        for course in courses:
            old = Side(
                course.part,
                c.low_dose_adjunct(course.part, course.dose(c.today)) or any(c.for_smoking(s) for s in course.supplies),
                course.dose(c.today),
                any(s.prn for s in course.supplies),
            )
            made = _pair(c, order, new, old, course)
            if made is not None:
                yield made
                if course.ref not in named:
                    named.add(course.ref)
                    yield from endings_facts(course, c)
        for other, other_part in orders[:n]:
            made = _pair_of_orders(c, order, new, other, _side_of_order(c, other, other_part))
            if made is not None:
                yield made
    if c.hook in {"patient-view", "batch"}:
        yield from _overlaps(c)


def _side_of_order(c: Context, order: Order, part: DrugPart) -> Side:
    mg = daily_mg(order.steps, part, order.start or c.today, high=True)
    smoking = "smoking-cessation" in order.medication.purpose or (
        part.ingredient.key == "bupropion" and "tobacco" in order.reasons
    )
    return Side(part, smoking or c.low_dose_adjunct(part, mg), mg, any(s.prn for s in order.steps))


def _pair(c: Context, order: Order, new: Side, old: Side, course: Course) -> Fact | None:
    kind = kind_of(new, old)
    if kind is None or new.part.ingredient.moiety == old.part.ingredient.moiety:
        return None  # the same substance is A-01's
    last = _last_common_day(order, course)
    start = order.start if order.start is not None else c.today
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
        old_until=None if any(s.open_ended for s in course.supplies) else c.rel(max(s.end for s in course.supplies)),
        old_dose=old.mg,
        new_dose=new.mg,
        tricyclic_dose=next((s.mg for s in (new, old) if s.part.ingredient.class_group == "TCA"), None),
        combined_equivalent_percent=_combined_percent(order, new.part, course, start, last)
        if kind.group == "benzodiazepine"
        else None,
    )


def _since(c: Context, course: Course) -> Day:
    """First day of the episode that the current use belongs to, not of its latest fill."""
    first = min(s.start for s in course.supplies)
    return max((e.start for e in c.by_ingredient[course.part.ingredient.key] if e.start <= first), default=first)


def _last_common_day(order: Order, course: Course) -> Day | None:
    """Last day on which both are planned; None when there is no such day."""
    start = order.start
    if start is None:
        return None
    days = order.authorised_days
    stated = [e.day for e in course.endings if e.how in {"stopped", "stated", "supply", "refills"}]
    old_end = min(stated, default=None)
    new_end = start + days - 1 if days is not None else None
    ends = [d for d in (old_end, new_end) if d is not None]
    last = min(ends) if ends else start
    return last if last >= start else None


def _combined_percent(order: Order, part: DrugPart, course: Course, start: Day, last: Day | None) -> Decimal | None:
    """Highest diazepam-equivalent of both on any common day, in % of the old drug's before the change.

    Both columns are worked out and the larger rise decides (1.6). None: no common day, or a dose is unknown.
    """
    if last is None:
        return None
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
        percent = max((old[k] + new[k]) * 100 / previous[k] for k in previous if k in old and k in new and previous[k])
        worst = percent if worst is None else max(worst, percent)
    return worst


def _pair_of_orders(c: Context, order: Order, new: Side, other: Order, old: Side) -> Fact | None:
    """Two orders of one call. Neither has an ending beyond its own dates: the earlier entry is taken as the old one."""
    kind = kind_of(new, old)
    if kind is None or order.ref == other.ref or new.part.ingredient.moiety == old.part.ingredient.moiety:
        return None
    start = max(order.start or c.today, other.start or c.today)
    ref, old_ref = f"{order.ref}#{new.part.ingredient.key}", f"{other.ref}#{old.part.ingredient.key}"
    return fact(
        "pair",
        f"pair:{ref}:{old_ref}",
        [order.ref, other.ref],
        order=ref,
        course=f"order:{old_ref}",
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
        tricyclic_dose=next((s.mg for s in (new, old) if s.part.ingredient.class_group == "TCA"), None),
    )


@dataclass(frozen=True, slots=True)
class Use:
    """The last episode of one drug up to yesterday, at the dose range (adjunct or full) of its latest supply."""

    key: str
    label: str
    side: Side
    episode: Episode


def _uses(c: Context) -> Iterator[Use]:
    for key, rows in c.supply.items():
        past = [replace(s, end=min(s.end, c.today - 1)) for s in rows if s.start < c.today]
        if not past:
            continue
        latest = past[-1]
        adjunct = c.is_adjunct(latest)
        alike = [s for s in past if c.is_adjunct(s) == adjunct]
        found = episodes(alike, grace=c.grace(latest.part.ingredient), bridged=c.stays)
        side = Side(latest.part, adjunct, latest.dose(latest.end, high=True), latest.prn)
        yield Use(key, latest.medication.label, side, found[-1])


def _overlaps(c: Context) -> Iterator[Fact]:
    """Latest run of days on which two drugs of a pair were both in hand (1.4, 10.22)."""
    uses = list(_uses(c))
    for n, use in enumerate(uses):
        for other in uses[:n]:
            kind = kind_of(use.side, other.side)
            if kind is None or use.side.part.ingredient.moiety == other.side.part.ingredient.moiety:
                continue
            grace = max(c.grace(use.side.part.ingredient), c.grace(other.side.part.ingredient))
            runs = overlap_runs(use.episode, other.episode, grace=grace)
            if not runs:
                continue
            (first, last), days = runs[-1]
            ranked = sorted((use.episode.confidence, other.episode.confidence), key=CONFIDENCES.index)
            yield fact(
                "overlap",
                f"overlap:{other.key}:{use.key}",
                [*use.episode.refs, *other.episode.refs],
                group=kind.group,
                kinship=kind.kinship,
                class_label=kind.class_label,
                drug=other.label,
                other_drug=use.label,
                days=days,
                first=c.rel(first),
                last=c.rel(last),
                weakest_confidence=ranked[0],
                strongest_confidence=ranked[-1],
            )
