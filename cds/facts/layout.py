"""Supplies of one ingredient in order: concurrent strengths, stockpiling, dose changes (1.4 steps 2 and 3, 10.8-10.9).

Bottles (dispenses, and orders without any) are laid end to end. List entries and statements are periods, not bottles:
they cover the days that no bottle covers. What is left to collect comes after what is in hand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from cds.dates import Day
from cds.facts.intervals import Interval, outside, union, within
from cds.facts.supply import Supply

CONCURRENT_START_DAYS = 3  # 1.4 step 2
SAME_DOSE_TOLERANCE = Decimal("0.05")  # 1.4 step 3
_Spans = Mapping[object, tuple[Day, Day]]


def lay_out(rows: Sequence[Supply], *, carry_max: int, today: Day, stays: Sequence[Interval] = ()) -> list[Supply]:
    """Put the supplies of one ingredient in order, by start.

    Same dose: the later bottle begins when the earlier is used up, by at most `carry_max` days in all. Another dose:
    the earlier one is set aside. Concurrent strengths run side by side. Inpatient days are covered only by doses that
    staff gave (1.4 step 4).
    """
    bottles = one_event_a_day(r for r in rows if r.source in {"fill", "order"})
    spans = _spans(bottles)
    placed = _end_to_end(bottles, spans, carry_max=carry_max)
    entries = sorted((r for r in rows if r.source in {"entry", "statement"}), key=_order)
    placed += _between(_end_to_end(entries, spans, carry_max=None), placed, spans)
    placed += _still_to_collect((r for r in rows if r.source == "refills"), placed, spans, today)
    at_home = [
        row if (a, b) == (row.start, row.end) else replace(row, start=a, end=b)
        for row in placed
        for a, b in outside((row.start, row.end), stays)
    ]
    given = (r for r in rows if r.source == "administration")
    return sorted((*at_home, *_given_in_stays(given, stays)), key=_order)


def _order(row: Supply) -> tuple[Day, Day, tuple[str, ...]]:
    return row.start, row.end, row.refs


def one_event_a_day(rows: Iterable[Supply]) -> list[Supply]:
    """By start; two fills of one product on one day are one event with summed days (10.8)."""
    merged: list[Supply] = []
    on_day: dict[tuple[Day, tuple[str, str]], int] = {}
    for row in sorted(rows, key=_order):
        key = row.start, row.product
        if row.source == "fill" and key in on_day:
            first = merged[on_day[key]]
            merged[on_day[key]] = replace(first, end=first.end + (row.end - row.start + 1), refs=first.refs + row.refs)
            continue
        if row.source == "fill":
            on_day[key] = len(merged)
        merged.append(row)
    return merged


def _regimen(row: Supply) -> object:
    """What is refilled: an order, or the product where no order is known."""
    return row.request if row.request is not None else row.product


def _spans(bottles: Iterable[Supply]) -> dict[object, tuple[Day, Day]]:
    """First and last start of each regimen's bottles."""
    spans: dict[object, tuple[Day, Day]] = {}
    for row in bottles:
        first, last = spans.get(_regimen(row), (row.start, row.start))
        spans[_regimen(row)] = min(first, row.start), max(last, row.start)
    return spans


def concurrent(a: Supply, b: Supply, spans: _Spans) -> bool:
    """Two strengths or forms taken together (1.4 step 2, 10.9): one regimen whose doses add up."""
    if a.product == b.product or not (a.together and b.together):
        return False
    if a.request is not None and a.request in (b.request, b.prior):
        return False
    if b.request is not None and b.request == a.prior:
        return False
    first_a, last_a = spans.get(_regimen(a), (a.start, a.start))
    first_b, last_b = spans.get(_regimen(b), (b.start, b.start))
    if min(abs(a.start - b.start), abs(first_a - first_b)) <= CONCURRENT_START_DAYS:
        return True
    if a.requester != b.requester or (a.request is None) != (b.request is None):
        return False
    # Refills of two strengths drift apart: each was filled again after the other had begun.
    return last_a > first_b and last_b > first_a


def _end_to_end(rows: Sequence[Supply], spans: _Spans, *, carry_max: int | None) -> list[Supply]:
    """Bottles one after the other; without `carry_max`, periods that only take over where the earlier one ends."""
    placed: list[Supply] = []
    last_dose: list[Decimal | None] = []
    running: list[int] = []  # indices of `placed` that still reach the row at hand: the rest can never overlap again
    carry: dict[tuple[str, str], int] = {}
    for row in rows:
        running = [i for i in running if placed[i].end >= row.start]
        beside = {placed[i].product for i in running if concurrent(placed[i], row, spans)}
        overlapping = [i for i in running if placed[i].product not in beside]
        first_dose = row.dose(row.start, high=True)
        same = [i for i in overlapping if _same_dose(placed[i], last_dose[i], row, first_dose)]
        for i in set(overlapping).difference(same):
            placed[i] = replace(placed[i], end=row.start - 1)
        if not same:
            carry[row.product] = 0
        else:
            free = max(placed[i].end for i in same) + 1
            if carry_max is None:
                row = replace(row, start=free)  # noqa: PLW2901
            else:
                used = carry.get(row.product, 0)
                shift = max(0, min(free - row.start, carry_max - used))
                carry[row.product] = used + shift
                # Days that still overlap at the cap count once, and so does their dose (10.8).
                row = replace(row, start=max(row.start + shift, free), end=row.end + shift)  # noqa: PLW2901
        if row.end >= row.start:
            running.append(len(placed))
            placed.append(row)
            last_dose.append(first_dose if not _dated(row) else row.dose(row.end, high=True))
    return [p for p in placed if p.end >= p.start]


def _dated(row: Supply) -> bool:
    return any(s.start is not None or s.end is not None for s in row.steps)


def _same_dose(a: Supply, dose_a: Decimal | None, b: Supply, dose_b: Decimal | None) -> bool:
    if dose_a is None or dose_b is None:
        return a.product == b.product
    return abs(dose_a - dose_b) <= SAME_DOSE_TOLERANCE * dose_a


def _between(entries: Sequence[Supply], bottles: Sequence[Supply], spans: _Spans) -> list[Supply]:
    """The days of each period that no bottle covers, up to the first bottle of another dose."""
    if not entries or not bottles:
        return list(entries)
    starts = sorted((p.start, n) for n, p in enumerate(bottles))
    changes: dict[Decimal | None, list[Day]] = {}
    covered = union((p.start, p.end) for p in bottles)
    found: list[Supply] = []
    for entry in entries:
        dose = entry.dose(entry.start, high=True)
        if dose not in changes:
            changes[dose] = [
                day for day, n in starts if not _same_dose(entry, dose, bottles[n], bottles[n].dose(day, high=True))
            ]
        blockers = covered
        near = _starting_near(starts, entry.start)
        if any(concurrent(entry, bottles[n], spans) for n in near):
            blockers = union((p.start, p.end) for p in bottles if not concurrent(entry, p, spans))
            end = entry.end
        else:
            at = bisect_right(changes[dose], entry.start)
            end = min(entry.end, changes[dose][at] - 1) if at < len(changes[dose]) else entry.end
        found += [replace(entry, start=a, end=b) for a, b in outside((entry.start, end), blockers)]
    return found


def _starting_near(starts: Sequence[tuple[Day, int]], day: Day) -> list[int]:
    """Numbers of the rows that start at most `CONCURRENT_START_DAYS` from the day."""
    first = bisect_right(starts, day - CONCURRENT_START_DAYS - 1, key=lambda item: item[0])
    last = bisect_right(starts, day + CONCURRENT_START_DAYS, key=lambda item: item[0])
    return [n for _, n in starts[first:last]]


def _still_to_collect(rows: Iterable[Supply], placed: Sequence[Supply], spans: _Spans, today: Day) -> Iterator[Supply]:
    """Refills after what is in hand; none of a strength that another has taken the place of."""
    latest = max(placed, key=_order, default=None)
    ends: dict[tuple[str, str], Day] = {}
    last_of: dict[str | None, Supply] = {}
    for p in placed:
        ends[p.product] = max(ends.get(p.product, p.end), p.end)
        if p.request is not None:
            last_of[p.request] = max(last_of.get(p.request, p), p, key=_order)
    for row in sorted(rows, key=_order):
        own = last_of.get(row.request)
        if own is None or latest is None:
            continue
        if latest.start > own.start and not concurrent(latest, own, spans):
            doses = own.dose(own.end, high=True), latest.dose(latest.start, high=True)
            if not _same_dose(own, doses[0], latest, doses[1]):
                continue
        start = max(today + 1, ends.get(row.product, today) + 1)
        end = start + (row.end - row.start)
        if row.not_after is not None:
            end = min(end, row.not_after)
        if end >= start:
            ends[row.product] = end
            yield replace(row, start=start, end=end)


def _given_in_stays(given: Iterable[Supply], stays: Sequence[Interval]) -> list[Supply]:
    """One supply a day of a stay, with every dose that was given on it."""
    by_day: dict[Day, list[Supply]] = {}
    for row in sorted(given, key=_order):
        for first, last in within(stays, row.start, row.end):
            for day in range(first, last + 1):
                by_day.setdefault(day, []).append(row)
    return [
        replace(
            rows[0],
            start=day,
            end=day,
            steps=() if any(not r.steps for r in rows) else tuple(s for r in rows for s in r.steps),
            refs=tuple(sorted({ref for r in rows for ref in r.refs})),
        )
        for day, rows in by_day.items()
    ]
