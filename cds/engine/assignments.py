"""Facts bound to the patterns of a rule, and which comparisons hold for them, in three values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cds.engine.compare import Truth, truth
from cds.model import Comparison, Fact, FieldRef, Pattern, Scalar

Assignment = Mapping[str, Fact]
"""Binding -> fact, for the single patterns of a rule."""


def by_kind_of(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """Facts by their kind, in the order given."""
    by_kind: dict[str, list[Fact]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)
    return by_kind


def truth_of(comparison: Comparison, fact: Fact, known: Assignment) -> Truth:
    """Whether one comparison holds for a fact, among the facts known by their bindings."""
    left = fact.fields.get(comparison.field)
    ref = comparison.value
    if not isinstance(ref, FieldRef):
        return truth(comparison.operator, left, ref)
    other = known.get(ref.binding)
    right = None if other is None else other.fields.get(ref.field)
    return truth(comparison.operator, left, right, ref.offset)


def wanted_by(comparison: Comparison, known: Assignment) -> Scalar | None:
    """The value a comparison asks for, with its offset."""
    ref = comparison.value
    if not isinstance(ref, FieldRef):
        return ref
    other = known.get(ref.binding)
    value = None if other is None else other.fields.get(ref.field)
    if value is None or isinstance(value, str | bool):
        return value
    return value + ref.offset


def all_hold(pattern: Pattern, fact: Fact, assignment: Assignment) -> Truth:
    """All comparisons of a pattern together: false if one is, else unknown if one is."""
    known = {**assignment, pattern.binding: fact}
    result: Truth = True
    for comparison in pattern.where:
        holds = truth_of(comparison, fact, known)
        if holds is False:
            return False
        if holds is None:
            result = None
    return result


def failing_of(pattern: Pattern, fact: Fact, bound: Assignment) -> list[Comparison]:
    """The comparisons of a pattern that do not hold."""
    known = {**bound, pattern.binding: fact}
    return [comparison for comparison in pattern.where if not truth_of(comparison, fact, known)]


def silencers(pattern: Pattern, assignment: Assignment, by_kind: Mapping[str, Sequence[Fact]]) -> list[Fact]:
    """The facts with which a pattern of `unless` certainly silences; empty when it does not."""
    found = [fact for fact in by_kind.get(pattern.kind, ()) if all_hold(pattern, fact, assignment)]
    return found if len(found) >= (pattern.at_least or 1) else []
