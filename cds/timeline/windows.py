"""A rule's parameters as spans of days, and the days on which the rule fires as far as they go.

Nothing here knows a rule: a window comes from a comparison with a parameter on a date field or a days field, and the
vocabulary says what the days of a field are counted from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cds.engine.assignments import Assignment, by_kind_of
from cds.engine.compare import truth
from cds.model import Comparison, Fact, FieldRef, Pattern, RuleSpec
from cds.rules.model import Parameter
from cds.timeline.model import Window
from cds.timeline.moved import Moved

_BEYOND = 400  # days after a limit in which its crossing is looked for
_LONG_PAST = -800  # a window that closed before this says nothing of today
_MOST_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class _Span:
    """A window before its days of firing are known.

    opens: the rule may fire after it. closes: the rule may fire within it, and no longer. planned: the days of a plan
    that lie beyond it. None of them: it stands still beside the patient, and the passing of days crosses no bound.
    """

    window: Window
    opens: bool = False
    closes: bool = False
    planned: tuple[int, int] | None = None


class Windows:
    """The windows of one level, for the facts it bound or came nearest with."""

    def __init__(
        self,
        spec: RuleSpec,
        bound: Assignment,
        facts: Sequence[Fact],
        moved: Moved,
        parameters: Mapping[str, Parameter],
    ) -> None:
        self._spec, self._bound, self._moved, self._parameters = spec, bound, moved, parameters
        self._by_kind = by_kind_of(facts)
        self._silencers = [(p, self._standing(p)) for p in spec.unless]
        self._spans = _distinct([*self._of_patterns(), *self._of_unless()])

    @property
    def extent(self) -> tuple[int, int] | None:
        """First and last day of any window; None without."""
        days = [d for s in self._spans for d in (s.window.first, s.window.last, *(s.planned or ()))]
        return (min(days), max(days)) if days else None

    def fires_on(self, day: int) -> bool:
        """Whether the level would hold on that day, on the facts it has now moved there."""
        for pattern in self._spec.patterns:
            if pattern.at_least is not None:
                continue
            fact = self._bound.get(pattern.binding)
            if fact is None or not all(self._moved.holds(c, fact, self._bound, day) for c in pattern.where):
                return False
        return not any(self._silences(p, facts, day) for p, facts in self._silencers)

    def windows(self, first: int, last: int) -> tuple[Window, ...]:
        """The windows with the days, from `first` to `last`, on which the level fires."""
        runs = _runs([day for day in range(first, last + 1) if self.fires_on(day)])
        now = self.fires_on(0)
        opening = any(s.opens or s.planned for s in self._spans)
        found = []
        for span in self._spans:
            fires = None
            if span.planned is not None:
                fires = span.planned if now else None
            elif span.opens:
                fires = _nearest([(max(a, span.window.last + 1), b) for a, b in runs if b > span.window.last])
            elif span.closes and not opening:
                within = [(max(a, span.window.first), min(b, span.window.last)) for a, b in runs]
                fires = _nearest([(a, b) for a, b in within if a <= b])
            found.append(replace(span.window, fires=fires))
        return tuple(found)

    def _standing(self, pattern: Pattern) -> list[Fact]:
        """The facts that a pattern of `unless` may find on some day: all that does not depend on the day holds."""
        fixed = [c for c in pattern.where if not self._moved.moves(pattern, c)]
        facts = self._by_kind.get(pattern.kind, ())
        return [f for f in facts if all(self._moved.holds(c, f, self._with(pattern, f), 0) for c in fixed)]

    def _with(self, pattern: Pattern, fact: Fact) -> Assignment:
        return {**self._bound, pattern.binding: fact}

    def _silences(self, pattern: Pattern, facts: Sequence[Fact], day: int) -> bool:
        moving = [c for c in pattern.where if self._moved.moves(pattern, c)]
        found = 0
        for fact in facts:
            found += all(self._moved.holds(c, fact, self._with(pattern, fact), day) for c in moving)
            if found >= (pattern.at_least or 1):
                return True
        return False

    def _of_patterns(self) -> Iterator[_Span]:
        for pattern in self._spec.patterns:
            fact = self._bound.get(pattern.binding)
            if fact is not None:
                yield from self._of(pattern, fact, silences=False)

    def _of_unless(self) -> Iterator[_Span]:
        for pattern, facts in self._silencers:
            # Of several facts that may silence, the one that does so longest.
            spans = [span for fact in facts for span in self._of(pattern, fact, silences=True)]
            latest: dict[str, _Span] = {}
            for span in spans:
                name = span.window.name
                if name not in latest or span.window.last > latest[name].window.last:
                    latest[name] = span
            yield from latest.values()
            if not facts:
                for comparison in pattern.where:
                    yield from self._beside(comparison)

    def _of(self, pattern: Pattern, fact: Fact, *, silences: bool) -> Iterator[_Span]:
        for comparison in pattern.where:
            span = (
                self._span(pattern, comparison, fact)
                if comparison.parameter
                else self._limit(pattern, comparison, fact)
            )
            if span is not None and span.window.last >= _LONG_PAST:
                window = replace(span.window, silences=silences)
                yield replace(
                    span, window=window, opens=span.opens and not silences, closes=span.closes and not silences
                )
            yield from self._beside(comparison)

    def _span(self, pattern: Pattern, comparison: Comparison, fact: Fact) -> _Span | None:
        field = self._moved.field(fact, comparison.field)
        if field is None or isinstance(comparison.value, (FieldRef, str, bool)):
            return None
        number = self._moved.number(fact, comparison.field)
        if number is None:
            return None
        if field.type == "date":
            return self._running(pattern, comparison, fact, number, about=False)
        if field.counts in {"each day", "covered"}:
            start = self._moved.number(fact, field.since) if field.since else -number
            if start is None:
                return None
            about = not self._moved.is_exact(fact, comparison.field)
            return self._running(pattern, comparison, fact, start, about=about)
        if field.counts == "planned":
            return self._plan(comparison, fact, field.since, number)
        return None

    def _limit(self, pattern: Pattern, comparison: Comparison, fact: Fact) -> _Span | None:
        """A limit that the fact itself carries: `warning_limit is less than seen.days_unseen`."""
        ref, limit = comparison.value, self._moved.number(fact, comparison.field)
        other = self._bound.get(ref.binding) if isinstance(ref, FieldRef) else None
        if limit is None or other is None or not isinstance(ref, FieldRef):
            return None
        field, counted = self._moved.field(fact, comparison.field), self._moved.field(other, ref.field)
        if field is None or field.counts or counted is None or counted.counts != "each day":
            return None
        number = self._moved.number(other, ref.field)
        start = self._moved.number(other, counted.since) if counted.since else None
        if start is None and number is not None:
            start = -number
        if start is None:
            return None
        bound = self._with(pattern, fact)
        at_first = self._moved.holds(comparison, fact, bound, start)
        turns = (
            d
            for d in range(start, start + limit + _BEYOND)
            if self._moved.holds(comparison, fact, bound, d) is not at_first
        )
        last = next(turns, None)
        if last is None:
            return None
        window = Window(comparison.field, f"{limit} d", start, max(start, last - 1), line=comparison.line)
        return _Span(window, opens=not at_first)

    def _running(
        self, pattern: Pattern, comparison: Comparison, fact: Fact, start: int, *, about: bool
    ) -> _Span | None:
        """From the day it counts from to the last day before what the comparison says changes."""
        bound = self._with(pattern, fact)
        limit = abs(int(comparison.value)) if isinstance(comparison.value, (int, float)) else 0
        at_first = self._moved.holds(comparison, fact, bound, start)
        for day in range(start + 1, start + limit + _BEYOND):
            if self._moved.holds(comparison, fact, bound, day) is not at_first:
                return _Span(self._window(comparison, start, day - 1, about=about), not at_first, at_first)
        # Covered days that end before the limit: drawn to where they would have reached it.
        return _Span(self._window(comparison, start, start + max(limit, 1) - 1, about=True), opens=False)

    def _plan(self, comparison: Comparison, fact: Fact, since: str, number: int) -> _Span | None:
        """A plan's length: the days it may have, and the days of it that lie beyond."""
        holder, _, name = since.rpartition(".")
        other = next((f for f in self._bound.values() if f.kind == holder), None) if holder else fact
        start = self._moved.number(other, name)
        if other is None or start is None:
            return None
        about = bool(holder) and not self._moved.is_unbroken(other, start)
        limit = int(float(comparison.value))  # type: ignore[arg-type]
        over = next((n for n in range(limit + 2) if truth(comparison.operator, float(n), comparison.value)), None)  # type: ignore[arg-type]
        if over is None or over == 0:
            return _Span(self._window(comparison, start, start + limit - 1, about=about))
        beyond = (start + over - 1, start + number - 1) if number >= over else None
        window = replace(self._window(comparison, start, start + over - 2, about=about), plan=True)
        return _Span(window, planned=beyond)

    def _beside(self, comparison: Comparison) -> Iterator[_Span]:
        """A span from a date of a fact bound above: `day is on or before treatment.day plus second_days`."""
        ref = comparison.value
        if not comparison.parameter or not isinstance(ref, FieldRef) or not ref.offset:
            return
        fact = self._bound.get(ref.binding)
        field = self._moved.field(fact, ref.field) if fact is not None else None
        start = self._moved.number(fact, ref.field)
        if field is None or field.type != "date" or start is None:
            return
        first, last = sorted((start, start + int(ref.offset)))
        yield _Span(self._window(comparison, first, last, about=False))

    def _window(self, comparison: Comparison, first: int, last: int, *, about: bool) -> Window:
        parameter = self._parameters.get(comparison.parameter)
        value = f"{float(parameter.value):g} {parameter.unit}".strip() if parameter is not None else ""
        return Window(comparison.parameter, value, first, max(first, last), about=about, line=comparison.line)


def _distinct(spans: Sequence[_Span]) -> list[_Span]:
    """One span for each parameter and place, those that open first."""
    seen: dict[tuple[str, int], _Span] = {}
    for span in sorted(spans, key=lambda s: not (s.opens or s.planned)):
        seen.setdefault((span.window.name, span.window.first), span)
    chosen = list(seen.values())[:_MOST_WINDOWS]
    return sorted(chosen, key=lambda s: (s.window.first, s.window.last, s.window.name))


def _runs(days: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and runs[-1][1] == day - 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _nearest(runs: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The run that holds today, else the next one, else the last."""
    ahead = [run for run in runs if run[1] >= 0]
    return ahead[0] if ahead else runs[-1] if runs else None
