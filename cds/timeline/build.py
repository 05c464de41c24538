"""Chart and facts to one picture: which days, which lanes, and the windows of the rule that is asked about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cds.chart.model import Chart
from cds.engine.assignments import Assignment
from cds.engine.direct import DirectEngine
from cds.engine.near_miss import closeness, nearest
from cds.facts.context import Context
from cds.findings import Finding
from cds.model import Fact, Hook, Match, RuleSpec
from cds.rules.model import Level, Parameter, Rule, RuleSet
from cds.timeline.lanes import lanes
from cds.timeline.model import Lane, Timeline, Window
from cds.timeline.moved import Moved
from cds.timeline.windows import Windows

_MARGIN = 7
_BEFORE, _AFTER = 180, 90  # days shown of a chart without a rule
_BEFORE_WINDOWS = 60  # days before the first window that the finding's own records may add
_BEFORE_NOTHING = 365  # as above, where the rule has no window
_LEAST_BEFORE, _LEAST_AFTER = 28, 14
_FARTHEST_BEFORE, _FARTHEST_AFTER = 1100, 550  # days; a supply of ten years is cut, not drawn to scale


@dataclass(frozen=True, slots=True)
class _Asked:
    """The level of a rule that is drawn, with the facts it bound or came nearest with."""

    rule: Rule
    level: Level
    spec: RuleSpec
    bound: Assignment
    holds: bool


def timeline(
    chart: Chart,
    facts: Sequence[Fact],
    *,
    hook: Hook,
    rules: RuleSet,
    rule: Rule | None = None,
    finding: Finding | None = None,
    span: tuple[int, int] | None = None,
) -> Timeline:
    """One picture of a chart on its day.

    facts: derived from this chart for this hook. rules: for the parameters, and the rule of a finding.
    rule: draws the windows of its level that holds, else of the one that came nearest. finding: draws its own level.
    span: (first, last) day to show, counted from today; None chooses by what is asked.
    """
    if finding is not None:
        rule = next((r for r in rules.rules if r.id == finding.rule), rule)
    context = Context(chart, hook, rules.shared_values)
    asked = _asked(rule, hook, facts, finding) if rule is not None else None
    found = lanes(context)
    today = dt.date.fromordinal(chart.today)
    if asked is None:
        first, last = span or _whole(found)
        return Timeline(today, first, last, tuple(found), rule.id if rule else "", rule.spec if rule else "")
    parameters: Mapping[str, Parameter] = {**rules.shared, **asked.rule.parameters}
    drawn = Windows(asked.spec, asked.bound, facts, Moved(context), parameters)
    refs = frozenset(r for fact in asked.bound.values() for r in fact.evidence)
    if finding is not None:
        refs |= frozenset(finding.evidence)
    marked = [replace(lane, concerned=not refs.isdisjoint(lane.refs)) for lane in found]
    first, last = span or _around(marked, drawn.extent)
    windows: tuple[Window, ...] = drawn.windows(first, last)
    return Timeline(
        today,
        first,
        last,
        tuple(marked),
        asked.rule.id,
        asked.rule.spec,
        asked.level.name,
        asked.holds,
        windows,
    )


def _asked(rule: Rule, hook: Hook, facts: Sequence[Fact], finding: Finding | None) -> _Asked | None:
    """The level of the finding, else the first that holds, else the one that came nearest."""
    levels = [(level, level.spec) for level in rule.levels if level.spec is not None and hook in level.hooks]
    if finding is not None:
        levels = [pair for pair in levels if pair[0].name == finding.level] or levels
    for level, spec in levels:
        matches = DirectEngine([spec]).evaluate(facts)
        if matches:
            subject = finding.subject if finding is not None else ()
            match = next((m for m in matches if _subject(m) == subject), matches[0])
            return _Asked(rule, level, spec, _bound(spec, match), True)
    if not levels:
        return None
    level, spec = max(levels, key=lambda pair: closeness(pair[1], facts))  # of equals, the more severe
    return _Asked(rule, level, spec, nearest(spec, facts), False)


def _subject(match: Match) -> tuple[str, ...]:
    first = match.bound[0]
    return (first.ref,) if isinstance(first, Fact) else ("",)


def _bound(spec: RuleSpec, match: Match) -> Assignment:
    return {p.binding: b for p, b in zip(spec.patterns, match.bound, strict=True) if isinstance(b, Fact)}


def _whole(found: Sequence[Lane]) -> tuple[int, int]:
    """The last half year and the next three months, or less where nothing was recorded or is planned."""
    first = min((lane.first for lane in found), default=0)
    last = max((lane.last for lane in found), default=0)
    if last < -_BEFORE:
        # An old chart: its last half year, not an empty one.
        return max(first, last - _BEFORE) - _MARGIN, _LEAST_AFTER
    before, after = max(first, -_BEFORE), min(last, _AFTER)
    return min(before - _MARGIN, -_LEAST_BEFORE), max(after + _MARGIN, _LEAST_AFTER)


def _around(found: Sequence[Lane], extent: tuple[int, int] | None) -> tuple[int, int]:
    """The windows, today, and as much of the records concerned as lies near them."""
    low, high = extent or (0, 0)
    low, high = min(low, 0), max(high, 0)
    before = _BEFORE_WINDOWS if extent is not None else _BEFORE_NOTHING
    concerned = [bar for lane in found if lane.concerned for bar in lane.bars if bar.last >= low - before]
    first = min([low, *(max(bar.first, low - before) for bar in concerned)])
    last = max([high, *(min(bar.last, high + _BEFORE_WINDOWS) for bar in concerned)])
    first, last = min(first - _MARGIN, -_LEAST_BEFORE), max(last + _MARGIN, _LEAST_AFTER)
    return max(first, -_FARTHEST_BEFORE), min(last, _FARTHEST_AFTER)
