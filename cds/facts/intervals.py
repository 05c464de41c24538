"""Whole days as intervals, both ends included: unions, counts and gaps (1.1).

Several intervals are always sorted and disjoint.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from cds.chart.model import Chart
from cds.dates import Day

Interval = tuple[Day, Day]


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Disjoint intervals in order; adjacent days join."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def within(intervals: Sequence[Interval], first: Day, last: Day) -> Iterator[Interval]:
    """The parts of the intervals that lie in [first, last]."""
    for i in range(bisect_left(intervals, first, key=lambda interval: interval[1]), len(intervals)):
        start, end = intervals[i]
        if start > last:
            return
        yield max(start, first), min(end, last)


def days_in(intervals: Sequence[Interval], first: Day, last: Day) -> int:
    """Days of the intervals that lie in [first, last]."""
    return sum(end - start + 1 for start, end in within(intervals, first, last))


def outside(interval: Interval, intervals: Sequence[Interval]) -> Iterator[Interval]:
    """The parts of one interval that none of the others covers."""
    free, last = interval
    for start, end in within(intervals, *interval):
        if start > free:
            yield free, start - 1
        free = end + 1
    if free <= last:
        yield free, last


def gap(before: Day, after: Day, bridged: Sequence[Interval]) -> int:
    """Uncovered days between two covered ones; inpatient days make no gap (1.4 step 4)."""
    between = after - before - 1
    return between - days_in(bridged, before + 1, after - 1) if between > 0 else 0


def common(a: Sequence[Interval], b: Sequence[Interval]) -> Iterator[Interval]:
    """Days that both cover, as intervals in order."""
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start <= end:
            yield start, end
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1


def stays(chart: Chart) -> tuple[Interval, ...]:
    """Inpatient days; a stay without end lasts until today."""
    return union((v.start, v.end if v.end is not None else chart.today) for v in chart.visits if v.kind == "inpatient")
