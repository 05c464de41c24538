"""A second opinion, written from the docstrings of `cds.model` and `cds.engine.direct` alone.

Tries every assignment of facts to patterns. Shares no code with the engines, and is slow on purpose: it must be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds.model import Comparison, Fact, FieldRef, Match, Pattern, RuleSpec

Assignment = dict[str, Fact]


def evaluate(specs: Sequence[RuleSpec], facts: Sequence[Fact]) -> list[Match]:
    """Every match, sorted by key."""
    matches = [match for spec in specs for match in _rule(spec, facts)]
    return sorted(matches, key=lambda match: match.key)


def _rule(spec: RuleSpec, facts: Sequence[Fact]) -> list[Match]:
    matches = []
    for assignment in _assignments([pattern for pattern in spec.patterns if pattern.at_least is None], {}, facts):
        if not any(_silences(pattern, assignment, facts) for pattern in spec.unless):
            bound = _bind_groups(spec, assignment, facts)
            if bound is not None:
                matches.append(Match(spec.id, bound))
    return matches


def _assignments(patterns: Sequence[Pattern], above: Assignment, facts: Sequence[Fact]) -> Iterator[Assignment]:
    """Every way to give each pattern a fact of its own."""
    if not patterns:
        yield above
        return
    first, *rest = patterns
    for fact in facts:
        if fact.ref not in {other.ref for other in above.values()} and satisfies(fact, first, above):
            yield from _assignments(rest, {**above, first.binding: fact}, facts)


def _bind_groups(
    spec: RuleSpec, assignment: Assignment, facts: Sequence[Fact]
) -> tuple[Fact | tuple[Fact, ...], ...] | None:
    taken = {fact.ref for fact in assignment.values()}
    bound: list[Fact | tuple[Fact, ...]] = []
    for pattern in spec.patterns:
        if pattern.at_least is None:
            bound.append(assignment[pattern.binding])
            continue
        group = [fact for fact in facts if fact.ref not in taken and satisfies(fact, pattern, assignment)]
        if len(group) < pattern.at_least:
            return None
        taken |= {fact.ref for fact in group}
        bound.append(tuple(sorted(group, key=lambda fact: fact.ref)))
    return tuple(bound)


def _silences(pattern: Pattern, assignment: Assignment, facts: Sequence[Fact]) -> bool:
    found = [fact for fact in facts if satisfies(fact, pattern, assignment)]
    return len(found) >= (pattern.at_least or 1)


def satisfies(fact: Fact, pattern: Pattern, assignment: Assignment) -> bool:
    """Whether a fact is of the pattern's kind and every comparison holds."""
    known = {**assignment, pattern.binding: fact}
    return fact.kind == pattern.kind and all(holds(comparison, fact, known) for comparison in pattern.where)


def holds(comparison: Comparison, fact: Fact, known: Assignment) -> bool:
    """Whether a comparison is true; a missing field on either side never is."""
    if comparison.field not in fact.fields:
        return False
    left = fact.fields[comparison.field]
    wanted = comparison.value
    offset = 0.0
    if isinstance(wanted, FieldRef):
        if wanted.field not in known[wanted.binding].fields:
            return False
        offset = wanted.offset
        wanted = known[wanted.binding].fields[wanted.field]
    kinds = [_kind(left), _kind(wanted)]
    if kinds[0] != kinds[1]:
        return False
    if kinds == ["number", "number"]:
        right = wanted + offset
        return {
            "is": left == right,
            "is not": left != right,
            "less than": left < right,
            "at most": left <= right,
            "at least": left >= right,
            "more than": left > right,
        }[comparison.operator]
    if offset != 0:
        return False
    return {"is": left == wanted, "is not": left != wanted}.get(comparison.operator, False)


def _kind(value: object) -> str:
    for name, types in (("truth", bool), ("text", str), ("number", (int, float))):
        if isinstance(value, types):
            return name
    raise TypeError(type(value))
