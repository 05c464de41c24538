"""Supply to exposure: covered days, episodes bridged by a grace period, overlap of two drugs (1.4 step 4)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cds.chart.model import Chart
from cds.dates import Day
from cds.facts.supply import Confidence, Supply, weakest

Interval = tuple[Day, Day]


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of use. covered: disjoint intervals in order, both ends included; gaps between them are within grace."""

    covered: tuple[Interval, ...]
    supplies: tuple[Supply, ...]

    @property
    def start(self) -> Day:
        return self.covered[0][0]

    @property
    def end(self) -> Day:
        return self.covered[-1][1]

    @property
    def confidence(self) -> Confidence:
        return weakest(s.confidence for s in self.supplies)

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(sorted({r for s in self.supplies for r in s.refs}))

    def covered_days(self, first: Day, last: Day) -> int:
        """Covered days in [first, last]."""
        return days_in(self.covered, first, last)

    def last_covered(self, before: Day) -> Day | None:
        """Last covered day up to and including `before`."""
        return max((min(e, before) for s, e in self.covered if s <= before), default=None)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Disjoint intervals in order; adjacent days join."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def days_in(intervals: Iterable[Interval], first: Day, last: Day) -> int:
    """Days of disjoint intervals that fall in [first, last]."""
    return sum(max(0, min(e, last) - max(s, first) + 1) for s, e in intervals)


def stays(chart: Chart) -> tuple[Interval, ...]:
    """Inpatient days; a stay without end lasts until today."""
    return union((v.start, v.end if v.end is not None else chart.today) for v in chart.visits if v.kind == "inpatient")


def gap(before: Day, after: Day, bridged: Sequence[Interval]) -> int:
    """Uncovered days between two covered ones; inpatient days make no gap."""
    between = after - before - 1
    return between - days_in(bridged, before + 1, after - 1) if between > 0 else 0


def episodes(rows: Sequence[Supply], *, grace: int, bridged: Sequence[Interval] = ()) -> list[Episode]:
    """Join supplies into episodes, by start. A gap of `grace` days merges, of grace + 1 splits."""
    runs: list[list[Interval]] = []
    for start, end in union((s.start, s.end) for s in rows):
        if runs and gap(runs[-1][-1][1], start, bridged) <= grace:
            runs[-1].append((start, end))
        else:
            runs.append([(start, end)])
    return [Episode(tuple(run), tuple(s for s in rows if s.start <= run[-1][1] and s.end >= run[0][0])) for run in runs]


def runs_where(rows: Sequence[Supply], last: Day, holds: Callable[[Day], bool], first: Day) -> tuple[Interval, ...]:
    """Covered days in [first, last] on which `holds`, as intervals; asked once per stretch of equal dosing."""
    found: list[Interval] = []
    covered = union((s.start, s.end) for s in rows)
    edges = sorted({e for s in rows for e in (s.start, s.end + 1, *_step_edges(s))})
    for start, end in covered:
        points = [start, *(e for e in edges if start < e <= end), end + 1]
        for a, b in itertools.pairwise(points):
            lo, hi = max(a, first), min(b - 1, last)
            if lo <= hi and holds(a):
                found.append((lo, hi))
    return union(found)


def _step_edges(supply: Supply) -> Iterable[Day]:
    for step in supply.steps:
        if step.start is not None:
            yield step.start
        if step.end is not None:
            yield step.end + 1


def overlap_runs(a: Episode, b: Episode, *, grace: int) -> list[tuple[Interval, int]]:
    """Runs of days on which both are covered: ((first, last), days). Gaps within `grace` are bridged, not counted."""
    both: list[Interval] = []
    i = j = 0
    while i < len(a.covered) and j < len(b.covered):
        (s1, e1), (s2, e2) = a.covered[i], b.covered[j]
        if max(s1, s2) <= min(e1, e2):
            both.append((max(s1, s2), min(e1, e2)))
        if e1 < e2:
            i += 1
        else:
            j += 1
    runs: list[tuple[Interval, int]] = []
    for start, end in union(both):
        if runs and start - runs[-1][0][1] - 1 <= grace:
            (first, _), days = runs[-1]
            runs[-1] = ((first, end), days + end - start + 1)
        else:
            runs.append(((start, end), end - start + 1))
    return runs
