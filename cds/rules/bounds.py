"""Comparisons that can never hold together: bounds that cross, words that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cds.model import Comparison, FieldRef, Pattern
from cds.rules.compilation import Compilation
from cds.rules.model import Rule
from cds.rules.vocabulary import Field

_WHOLE = frozenset({"date", "count", "years"})
_NEVER_NEGATIVE = frozenset({"count", "mg", "years"})
_Bound = tuple[float, bool, Comparison | None]  # value, exclusive, who says so


@dataclass(slots=True)
class _Side:
    """What is known so far of one field, against constants or against one field of another fact."""

    low: _Bound = (float("-inf"), False, None)
    high: _Bound = (float("inf"), False, None)
    words: list[Comparison] = field(default_factory=list)


def check_bounds(c: Compilation, rule: Rule) -> None:
    """R124 for every pattern of every level whose comparisons exclude each other, parameters as they are."""
    for level in rule.levels:
        if level.spec is None:
            continue
        added = [low.spec.patterns[-1] for low in level.lowerings]
        for pattern in (*level.spec.patterns, *level.spec.unless, *added):
            for comparison, other in _crossed(c, pattern):
                _report(c, pattern, comparison, other)


def _report(c: Compilation, pattern: Pattern, comparison: Comparison, other: Comparison | None) -> None:
    line, column, text = c.places.get(id(comparison), (comparison.line, 1, comparison.field))
    earlier = c.places.get(id(other), (0, 0, "")) if other is not None else None
    if earlier is None:
        why = f"{pattern.kind}.{comparison.field} never is: look at its type"
    else:
        if earlier[:2] > (line, column):
            (line, column, text), earlier = earlier, (line, column, text)
        why = f'"{earlier[2]}" in line {earlier[0]} excludes it'
    error = c.source.error((), "R124", f'"{text}" can never hold for {pattern.binding}: {why}', "change one of the two")
    error.line, error.column = line, column
    c.problems.append(error)


def _crossed(c: Compilation, pattern: Pattern) -> Iterator[tuple[Comparison, Comparison | None]]:
    """(a comparison, the one that it crosses; None where the type alone forbids it)."""
    sides: dict[tuple[str, str, str], _Side] = {}
    for comparison in pattern.where:
        known = c.vocabulary.field(pattern.kind, comparison.field)
        if known is None:
            continue
        value = comparison.value
        target = (value.binding, value.field) if isinstance(value, FieldRef) else ("", "")
        side = sides.setdefault((comparison.field, *target), _Side())
        if isinstance(value, FieldRef):
            value = value.offset
        if isinstance(value, (str, bool)) or known.type in {"text", "code", "boolean"}:
            yield from _words(side, comparison, known)
        else:
            yield from _numbers(side, comparison, float(value), known, against_constant=target == ("", ""))


def _numbers(
    side: _Side, comparison: Comparison, value: float, known: Field, *, against_constant: bool
) -> Iterator[tuple[Comparison, Comparison | None]]:
    low: _Bound | None = None
    high: _Bound | None = None
    step = 1.0 if known.type in _WHOLE else 0.0
    match comparison.operator:
        case "at least":
            low = (value, False, comparison)
        case "more than":
            low = (value + step, step == 0, comparison)
        case "at most":
            high = (value, False, comparison)
        case "less than":
            high = (value - step, step == 0, comparison)
        case "is":
            low = high = (value, False, comparison)
        case _:
            side.words.append(comparison)
            return
    if low is not None and (low[0], low[1]) > (side.low[0], side.low[1]):
        side.low = low
    if high is not None and (high[0], not high[1]) < (side.high[0], not side.high[1]):
        side.high = high
    if against_constant and known.type in _NEVER_NEGATIVE and side.high[0] < 0:
        yield comparison, None
    elif side.low[0] > side.high[0] or (side.low[0] == side.high[0] and (side.low[1] or side.high[1])):
        other = side.high[2] if side.low[2] is comparison else side.low[2]
        if other is not None and other is not comparison:
            yield comparison, other


def _words(side: _Side, comparison: Comparison, known: Field) -> Iterator[tuple[Comparison, Comparison | None]]:
    for other in side.words:
        same = _plain(other) == _plain(comparison)
        both = {other.operator, comparison.operator}
        if (both == {"is"} and not same) or (both == {"is", "is not"} and same):
            yield comparison, other
            break
    side.words.append(comparison)
    values: Sequence[object] = {"code": known.values, "boolean": (True, False)}.get(known.type, ())
    excluded = {_plain(w) for w in side.words if w.operator == "is not"}
    against_constant = not isinstance(comparison.value, FieldRef)
    if values and against_constant and comparison.operator == "is not" and excluded >= set(values):
        yield comparison, side.words[0]


def _plain(comparison: Comparison) -> object:
    value = comparison.value
    return value.offset if isinstance(value, FieldRef) else value
