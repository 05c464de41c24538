"""Several antipsychotics, or several antidepressants, at once: proven from supply, or planned by an order (A-03, A-04).

Substances are counted, not products: risperidone and paliperidone, or a tablet and a depot of one drug, are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from cds.dates import Day
from cds.facts.context import Context, fact
from cds.facts.counted import (
    MEMBERS,
    counts_as,
    depots,
    failed_trials,
    is_low_aripiprazole,
    prolactin_known,
)
from cds.facts.courses import Course, current_courses
from cds.facts.exposure import Episode, Stretch
from cds.facts.intervals import Interval, common
from cds.facts.planned_together import begun_in_hospital, planned
from cds.facts.supply import weakest
from cds.model import Fact

_LOOK_BACK = 60  # days: longer than any site lets a run that has ended count (10.23: 30)
_SIZES = {"antipsychotic": (2, 3), "antidepressant": (3,)}


@dataclass(frozen=True, slots=True)
class Use:
    """Episodes of one substance up to yesterday, as far as they count."""

    moiety: str
    label: str
    keys: frozenset[str]
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Days on which all of several drugs were in hand. episodes: one of each use, in the order of the uses."""

    uses: tuple[Use, ...]
    episodes: tuple[Episode, ...]
    first: Day
    last: Day
    days: int


def facts(c: Context) -> Iterator[Fact]:
    for group in MEMBERS:
        if c.hook in {"patient-view", "batch"}:
            yield from _proven(c, group)
        elif c.hook == "order-sign" or (c.hook == "encounter-discharge" and group == "antipsychotic"):
            yield from planned(c, group)
    if c.hook == "encounter-discharge":
        yield from begun_in_hospital(c)


def _proven(c: Context, group: str) -> Iterator[Fact]:
    uses = _uses(c, group)
    runs: list[Run] = []
    for size in _SIZES[group]:
        found = [run for chosen in combinations(uses, size) if (run := _longest_run(c, chosen)) is not None]
        # Of four drugs there are four triples, and one of them says it; but each pair is a question of its own.
        runs += sorted(found, key=lambda r: (_is_low(r), -r.days, _names(r)))[:1] if size > 2 else found
    if not runs:
        return
    ends = _planned_ends(current_courses(c))
    for run in runs:
        yield _run_fact(c, group, run, ends)


def _is_low(run: Run) -> bool:
    return weakest(e.confidence for e in run.episodes) == "low"


def _uses(c: Context, group: str) -> list[Use]:
    found: dict[str, list[Stretch]] = defaultdict(list)
    for key in c.stretches:
        for stretch in c.past(key):
            if counts_as(c, group, stretch):
                found[stretch.part.ingredient.moiety].append(stretch)
    if group == "antipsychotic":
        for stretch in depots(c):
            found[stretch.part.ingredient.moiety].append(stretch)
    uses = []
    for moiety, rows in sorted(found.items()):
        episodes = tuple(e for e in c.episodes(rows) if e.end >= c.today - _LOOK_BACK)
        if episodes:
            latest = max(rows, key=lambda s: (s.last, s.first, s.label))
            uses.append(Use(moiety, latest.label, frozenset(s.part.ingredient.key for s in rows), episodes))
    return uses


def _longest_run(c: Context, uses: Sequence[Use]) -> Run | None:
    """The longest run that ends in the last days; gaps within grace go on with it and are not counted (10.23)."""
    best: Run | None = None
    for episodes in product(*(use.episodes for use in uses)):
        days: Sequence[Interval] = episodes[0].covered
        for episode in episodes[1:]:
            days = tuple(common(days, episode.covered))
        if days and days[-1][1] >= c.today - _LOOK_BACK:
            counted = sum(end - start + 1 for start, end in days)
            if best is None or counted > best.days:
                best = Run(tuple(uses), episodes, days[0][0], days[-1][1], counted)
    return best


def _names(run: Run) -> str:
    order = sorted(zip(run.episodes, run.uses, strict=True), key=lambda pair: (pair[0].start, pair[1].label))
    return " + ".join(use.label for _, use in order)


def _run_fact(c: Context, group: str, run: Run, ends: Mapping[str, Day]) -> Fact:
    by_start = sorted(zip(run.episodes, run.uses, strict=True), key=lambda pair: pair[0].start)
    # Of two that began on one day, neither was added to the other.
    latest = by_start[-1][1] if by_start[-1][0].start > by_start[-2][0].start else None
    stretches = [s for e in run.episodes for s in e.stretches if s.first <= run.last and s.last >= run.first]
    of_uses = [ends[key] for use in run.uses for key in use.keys if key in ends]
    return fact(
        "drugs_together",
        f"drugs_together:{group}:{'+'.join(use.moiety for use in run.uses)}",
        [ref for e in run.episodes for ref in e.refs],
        group=group,
        moiety="+".join(use.moiety for use in run.uses),
        count=len(run.uses),
        names=_names(run),
        days=run.days,
        first=c.rel(run.first),
        last=c.rel(run.last),
        later_drug=latest.label if latest is not None else None,
        current_order=_order_in_force(c, latest.keys) if latest is not None else None,
        clozapine=any(use.moiety == "clozapine" for use in run.uses),
        planned_end_days=min((c.rel(day) for day in of_uses), default=None),
        failed_trials=failed_trials(c, [use.moiety for use in run.uses]),
        prolactin_known=prolactin_known(c, any(is_low_aripiprazole(c, s.part, s.high) for s in stretches)),
        weakest_confidence=weakest(e.confidence for e in run.episodes),
    )


def _planned_ends(courses: Iterator[Course]) -> dict[str, Day]:
    """When each drug in use is planned to end, by ingredient; a supply that runs out is no plan."""
    return {
        course.part.ingredient.key: day
        for course in courses
        if (day := min((e.day for e in course.endings if e.how in {"stopped", "stated", "tapered"}), default=None))
        is not None
    }


def _order_in_force(c: Context, keys: Collection[str]) -> str | None:
    found = [o for key in sorted(keys) for o in c.history.of_ingredient(key) if o.open and not c.history.denied(o)]
    return max(found, key=lambda o: (o.start or 0, o.ref)).ref if found else None
