"""The pictures of the report as SVG: an interval, a funnel, a course over time.

Classes carry the colours, so that the page's own sheet gives them in light, dark and print. Shape and word say whatever
colour says. Nothing is loaded from anywhere and nothing runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil

from cds.audit.outputs.rates import funnel_limits, wilson
from cds.audit.report.words import percent

_WIDTH, _HEIGHT = 640.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 62.0, 14.0, 46.0
ALERT_TAIL, WARN_TAIL = 0.001, 0.025  # 99.8 % and 95 % limits: Spiegelhalter 2005
_MOST_LABELS = 8
_CURVE_POINTS = 60
_A_LINE = 12.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit on a funnel."""

    name: str
    found: int
    of: int

    @property
    def share(self) -> float:
        return self.found / self.of


def standing(unit: Unit, share: float) -> str:
    """Where a unit stands: "within", "outside 95 %" or "outside 99.8 %" of what chance allows, above or below."""
    side = "above" if unit.share > share else "below"
    for tail, name in ((ALERT_TAIL, "99.8 %"), (WARN_TAIL, "95 %")):
        low, high = funnel_limits(share, unit.of, tail)
        if not low <= unit.share <= high:
            return f"{side} the {name} limits"
    return "within the limits"


def interval_bar(rate: float, low: float, high: float, top: float) -> str:
    """A rate as a dot on its interval; `top` is the share at the right end. The numbers stand beside it as text."""
    width, height, pad = 110.0, 14.0, 5.0

    def x(share: float) -> float:
        return pad + (width - 2 * pad) * min(share / top, 1.0)

    middle = height / 2
    return (
        f'<svg class="interval" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'aria-hidden="true"><line class="axis" x1="{pad}" y1="{middle}" x2="{width - pad}" y2="{middle}"/>'
        f'<line class="range" x1="{x(low):.1f}" y1="{middle}" x2="{max(x(high), x(low) + 1):.1f}" y2="{middle}"/>'
        f'<circle class="dot" cx="{x(rate):.1f}" cy="{middle}" r="4"/></svg>'
    )


def funnel(units: Sequence[Unit], share: float, *, counted: str, title: str) -> str:
    """Rate by size, one mark a unit, with the limits that chance alone would keep to."""
    largest = _nice(max(u.of for u in units) * 1.05)
    # Where units are small the limits are wide: what is drawn ends above the units, not above the limits.
    highest = max(*(u.share for u in units), funnel_limits(share, min(u.of for u in units), WARN_TAIL)[1])
    top = min(_nice(max(highest * 1.08, 0.02)), 1.0)
    area = _Area(0, largest, top)
    smallest = min(u.of for u in units)
    growth = (largest / smallest) ** (1 / _CURVE_POINTS)
    sizes = list(dict.fromkeys(round(smallest * growth**n) for n in range(_CURVE_POINTS + 1)))
    parts = [area.frame(f"{counted} in scope", "rate")]
    ends = [(area.y(share), f"all {percent(share)}")]
    for tail, name, label in ((ALERT_TAIL, "outer", "99.8 %"), (WARN_TAIL, "inner", "95 %")):
        limits = [(n, *funnel_limits(share, n, tail)) for n in sizes]
        for side in (1, 2):
            points = [(area.x(row[0]), area.y(row[side])) for row in limits if row[side] <= top]
            parts.append(f'<polyline class="limit {name}" points="{_points(points)}"/>')
            ends.append((area.y(limits[-1][side]), label))
    parts.append(
        f'<line class="all" x1="{area.x(0):.1f}" y1="{area.y(share):.1f}" x2="{area.x(largest):.1f}" '
        f'y2="{area.y(share):.1f}"/>'
    )
    parts.extend(_text(area.x(largest) + 5, y + 4, label, soft=True) for y, label in _apart(ends))
    parts.extend(_marks(units, share, area))
    said = [f"{u.name}: {u.found} of {u.of}, {standing(u, share)}" for u in units]
    return _svg(title, "; ".join(said), parts)


def _apart(labels: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Labels at the end of lines, moved up and down until each has a line of its own; the middle one stays."""
    ordered = sorted(labels)
    middle = next(n for n, (_, label) in enumerate(ordered) if label.startswith("all"))
    placed = [y for y, _ in ordered]
    for n in range(middle - 1, -1, -1):
        placed[n] = min(placed[n], placed[n + 1] - _A_LINE)
    for n in range(middle + 1, len(placed)):
        placed[n] = max(placed[n], placed[n - 1] + _A_LINE)
    return [(y, label) for y, (_, label) in zip(placed, ordered, strict=True)]


def _marks(units: Sequence[Unit], share: float, area: _Area) -> list[str]:
    outside = [u for u in units if standing(u, share) != "within the limits"]
    labelled = sorted(outside, key=lambda u: -abs(u.share - share) * u.of**0.5)[:_MOST_LABELS]
    taken: list[tuple[float, float]] = []
    parts = []
    for unit in sorted(units, key=lambda u: (u.of, u.name)):
        x, y, stands = area.x(unit.of), area.y(unit.share), standing(unit, share)
        parts.append(_mark(x, y, stands))
        if unit in labelled:
            at = y + 4
            while any(abs(at - other) < 12 and abs(x - beside) < 130 for beside, other in taken):
                at -= 12
            taken.append((x, at))
            before = x > _WIDTH - 190
            name = unit.name if len(unit.name) <= 24 else unit.name[:23] + "…"
            parts.append(_text(x - 9 if before else x + 9, at, name, anchor="end" if before else "start"))
    return parts


def _mark(x: float, y: float, stands: str) -> str:
    """A circle within, a diamond outside the inner limits, a triangle outside the outer ones."""
    if "99.8" in stands:
        points = [(x, y - 6), (x + 5.5, y + 4.5), (x - 5.5, y + 4.5)]
        return f'<polygon class="mark far" points="{_points(points)}"/>'
    if "95" in stands:
        points = [(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)]
        return f'<polygon class="mark near" points="{_points(points)}"/>'
    return f'<circle class="mark in" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


@dataclass(frozen=True, slots=True)
class Moment:
    """A month or a year. of: how many were in scope (None: only what was found is known). None: not shown."""

    name: str
    found: int | None
    of: int | None = None


def course(moments: Sequence[Moment], *, title: str, words: str) -> str:
    """What was found over time: bars of numbers, or rates with their intervals where it is known out of how many."""
    rates = any(m.of for m in moments)
    if rates:
        known = [(m, wilson(m.found, m.of)) for m in moments if m.found is not None and m.of]
        top = min(_nice(max((high for _, (_, high) in known), default=0.1)), 1.0)
    else:
        top = _nice(max((m.found or 0 for m in moments), default=1))
    area = _Area(-0.5, len(moments) - 0.5, top, as_share=rates)
    parts = [area.frame("", words, ticks=False)]
    width = min(0.7 * (area.x(1) - area.x(0)), 34.0)
    every = ceil(len(moments) / 12)
    previous = ""
    for n, moment in enumerate(moments):
        x = area.x(n)
        if n % every == 0:
            year = moment.name[:4]
            parts.append(_text(x, _HEIGHT - _BOTTOM + 15, moment.name[5:7] or year, anchor="middle", soft=True))
            if moment.name[5:7] and year != previous:
                parts.append(_text(x, _HEIGHT - _BOTTOM + 28, year, anchor="middle", soft=True))
            previous = year
        parts.append(_moment(moment, x, width, area, rates))
    points = [
        (area.x(n), area.y(m.found / m.of)) for n, m in enumerate(moments) if rates and m.found is not None and m.of
    ]
    if len(points) > 1:
        parts.insert(1, f'<polyline class="course" points="{_points(points)}"/>')
    said = [f"{m.name}: {'not shown' if m.found is None else m.found}{f' of {m.of}' if m.of else ''}" for m in moments]
    return _svg(title, "; ".join(said), parts)


def _moment(moment: Moment, x: float, width: float, area: _Area, rates: bool) -> str:
    bottom = area.y(0)
    if moment.found is None or (rates and not moment.of):
        return _text(x, bottom - 5, "–", anchor="middle", soft=True)
    if not rates:
        y = area.y(moment.found)
        bar = f'<rect class="bar" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{bottom - y:.1f}"/>'
        return bar + _text(x, y - 4, str(moment.found), anchor="middle")
    assert moment.of
    low, high = wilson(moment.found, moment.of)
    return (
        f'<line class="range" x1="{x:.1f}" y1="{area.y(low):.1f}" x2="{x:.1f}" y2="{area.y(high):.1f}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{area.y(moment.found / moment.of):.1f}" r="4"/>'
    )


@dataclass(frozen=True, slots=True)
class _Area:
    """What is inside the axes: x from `first` to `last`, y from 0 to `top`."""

    first: float
    last: float
    top: float
    as_share: bool = True

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(max(value / self.top, 0.0), 1.0)

    def frame(self, across: str, up: str, *, ticks: bool = True) -> str:
        parts = []
        for value in _ticks(self.top, whole=not self.as_share):
            y = self.y(value)
            label = f"{100 * value:.6g} %" if self.as_share else f"{value:,.0f}"
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
            parts.append(_text(_LEFT - 6, y + 4, label, anchor="end", soft=True))
        if ticks:
            for value in _ticks(self.last, whole=True):
                at = _HEIGHT - _BOTTOM + 15
                parts.append(_text(self.x(value), at, f"{value:,.0f}", anchor="middle", soft=True))
        if across:
            parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, across, anchor="middle", soft=True))
        if up:
            middle = (_TOP + _HEIGHT - _BOTTOM) / 2
            parts.append(
                f'<text class="soft" x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">'
                f"{escape(up)}</text>"
            )
        return "".join(parts)


def _nice(value: float) -> float:
    """The next round number: 1, 1.2, 1.5, 2 ... times a power of ten."""
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _ticks(top: float, *, whole: bool) -> list[float]:
    """From 0 to the top in four to six equal steps; numbers of things are whole."""
    figure = top
    while figure >= 10:
        figure /= 10
    while figure < 1 - 1e-9:
        figure *= 10
    parts = {1.0: 5, 1.2: 6, 1.5: 5, 2.0: 4, 2.5: 5, 3.0: 6, 4.0: 4, 5.0: 5, 6.0: 6, 8.0: 4}[round(figure, 1)]
    ticks = [top * n / parts for n in range(parts + 1)]
    return [t for t in ticks if t.is_integer()] if whole else ticks


def _points(points: Sequence[tuple[float, float]]) -> str:
    # A curve that lies on the edge says the same twice: points between equal neighbours are left out.
    kept = [p for n, p in enumerate(points) if not 0 < n < len(points) - 1 or not _flat(points[n - 1 : n + 2])]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in kept)


def _flat(three: Sequence[tuple[float, float]]) -> bool:
    return all(abs(a[1] - b[1]) < 0.01 for a, b in pairwise(three))


def _text(x: float, y: float, words: str, *, anchor: str = "start", soft: bool = False) -> str:
    kind = ' class="soft"' if soft else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(title: str, told: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="plot" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" '
        f'role="img" aria-label="{escape(title)}"><desc>{escape(told)}</desc>{"".join(parts)}</svg>'
    )
