"""Supply to exposure: stretches of equal dosing, and episodes bridged by a grace period (1.4 steps 4 and 5, 1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from cds.dates import Day
from cds.drugs.model import DrugPart
from cds.facts.intervals import Interval, common, days_in, gap, union
from cds.facts.supply import Confidence, Supply, weakest


@dataclass(frozen=True, eq=False)
class Stretch:
    """Days `first` to `last` on which the same supplies of one ingredient are in hand, each at one dose."""

    first: Day
    last: Day
    supplies: tuple[Supply, ...]

    @property
    def part(self) -> DrugPart:
        return self.supplies[-1].part

    @property
    def label(self) -> str:
        return self.supplies[-1].medication.label

    @property
    def prn(self) -> bool:
        return any(s.prn for s in self.supplies)

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(sorted({ref for s in self.supplies for ref in s.refs}))

    @property
    def confidence(self) -> Confidence:
        return weakest(s.confidence for s in self.supplies)

    @property
    def only_stated(self) -> bool:
        """The patient's own report is all there is."""
        return all(s.source == "statement" for s in self.supplies)

    @cached_property
    def high(self) -> Decimal | None:
        """mg a day over every strength taken, high end; None when one of them is unknown."""
        return self._mg(high=True)

    @cached_property
    def low(self) -> Decimal | None:
        return self._mg(high=False)

    def _mg(self, *, high: bool) -> Decimal | None:
        total = Decimal(0)
        for s in self.supplies:
            mg = s.dose(self.first, high=high)
            if mg is None:
                return None
            total += mg
        return total


def stretches(rows: Sequence[Supply], *, cut_at: Day) -> list[Stretch]:
    """Cut supplies of one ingredient (by start) wherever one begins or ends or its dose changes, and at `cut_at`."""
    edges = sorted({cut_at, *(e for s in rows for e in (s.start, s.end + 1, *_dose_changes(s)))})
    found: list[Stretch] = []
    held: list[Supply] = []
    following = 0
    for n, edge in enumerate(edges[:-1]):
        held = [s for s in held if s.end >= edge]
        while following < len(rows) and rows[following].start <= edge:
            held.append(rows[following])
            following += 1
        if held:
            found.append(Stretch(edge, edges[n + 1] - 1, tuple(held)))
    return found


def _dose_changes(supply: Supply) -> Iterator[Day]:
    for step in supply.steps:
        for day in (step.start, None if step.end is None else step.end + 1):
            if day is not None and supply.start < day <= supply.end:
                yield day


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of use. covered: disjoint intervals in order, both ends included; gaps between them are within grace."""

    covered: tuple[Interval, ...]
    stretches: tuple[Stretch, ...]

    @property
    def start(self) -> Day:
        return self.covered[0][0]

    @property
    def end(self) -> Day:
        return self.covered[-1][1]

    @property
    def confidence(self) -> Confidence:
        return weakest(s.confidence for s in self.stretches)

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(sorted({ref for s in self.stretches for supply in s.supplies for ref in supply.refs}))

    def covered_days(self, first: Day, last: Day) -> int:
        """Covered days in [first, last]."""
        return days_in(self.covered, first, last)

    def last_covered(self, before: Day) -> Day | None:
        """Last covered day up to and including `before`."""
        return max((min(e, before) for s, e in self.covered if s <= before), default=None)


def episodes(found: Iterable[Stretch], *, grace: int, bridged: Sequence[Interval] = ()) -> list[Episode]:
    """Join stretches, of one ingredient or of several, into episodes by start.

    A gap of `grace` days merges, of grace + 1 splits; inpatient days (`bridged`) make no gap and are not counted.
    """
    rows = sorted(found, key=lambda s: (s.first, s.last, s.refs))
    runs: list[list[Interval]] = []
    for start, end in union((s.first, s.last) for s in rows):
        if runs and gap(runs[-1][-1][1], start, bridged) <= grace:
            runs[-1].append((start, end))
        else:
            runs.append([(start, end)])
    made: list[Episode] = []
    at = 0
    for run in runs:
        first = at
        while at < len(rows) and rows[at].first <= run[-1][1]:
            at += 1
        made.append(Episode(tuple(run), tuple(rows[first:at])))
    return made


def overlap_runs(a: Sequence[Episode], b: Sequence[Episode]) -> Iterator[tuple[Episode, Episode, Interval, int]]:
    """Runs of days on which both drugs are covered: the two episodes, (first, last) common day, common days.

    A gap within the grace of either drug does not end a run, and its days are not counted (1.4): a run lasts as long
    as an episode of each.
    """
    i = j = 0
    while i < len(a) and j < len(b):
        both = list(common(a[i].covered, b[j].covered))
        if both:
            yield a[i], b[j], (both[0][0], both[-1][1]), sum(end - start + 1 for start, end in both)
        if a[i].end < b[j].end:
            i += 1
        else:
            j += 1
