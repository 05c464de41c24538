"""Why a rule did not fire: what it could not know, and what was nearest.

Pure, on specifications and facts, in three values (`compare.truth`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cds.engine.assignments import Assignment, all_hold, by_kind_of, silencers, truth_of
from cds.engine.near_miss import NearMiss, near_miss
from cds.engine.predicates import Test, constant_test
from cds.model import Fact, FieldRef, Pattern, RuleSpec, Scalar

__all__ = ["NearMiss", "Unknown", "UnknownFinder", "near_miss", "unknowns"]


@dataclass(frozen=True, slots=True, order=True)
class Unknown:
    """A field that a rule needed and that a fact does not have. fact: its ref; kind: the fact's."""

    binding: str
    kind: str
    field: str
    fact: str


def unknowns(spec: RuleSpec, facts: Sequence[Fact]) -> list[Unknown]:
    """The missing fields that alone keep the rule from matching, sorted.

    Of every way to bind the patterns in which each comparison is true or unknown, at least one is unknown, and no
    pattern of `unless` certainly finds a fact. A group counts with the members it may have.
    """
    return UnknownFinder([spec]).find(facts).get(spec.id, [])


class UnknownFinder:
    """`unknowns` of many rules, prepared once: cheap where no fact lacks a field that a rule reads."""

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        self._specs = [(spec, _reads(spec), {p.binding: _alone(p) for p in spec.patterns}) for spec in specs]

    def find(self, facts: Sequence[Fact]) -> dict[str, list[Unknown]]:
        """The unknowns by rule id; rules without any are left out."""
        by_kind = by_kind_of(facts)
        everywhere = {kind: frozenset.intersection(*(frozenset(f.fields) for f in of)) for kind, of in by_kind.items()}
        found: dict[str, list[Unknown]] = {}
        for spec, reads, alone in self._specs:
            # A pattern without any fact of its kind can never bind: nothing that is missing alone keeps the rule back.
            if not all(pattern.kind in by_kind for pattern in spec.patterns):
                continue
            if any(not fields <= everywhere[kind] for kind, fields in reads):
                missing = _unknowns(spec, alone, by_kind)
                if missing:
                    found[spec.id] = missing
        return found


def _reads(spec: RuleSpec) -> list[tuple[str, frozenset[str]]]:
    """The fact kinds of a rule's patterns with the fields it reads of them."""
    kinds = {pattern.binding: pattern.kind for pattern in spec.patterns}
    reads: dict[str, set[str]] = {}
    for pattern in spec.patterns:
        for comparison in pattern.where:
            reads.setdefault(pattern.kind, set()).add(comparison.field)
            if isinstance(comparison.value, FieldRef):
                reads.setdefault(kinds[comparison.value.binding], set()).add(comparison.value.field)
    return [(kind, frozenset(fields)) for kind, fields in reads.items()]


def _alone(pattern: Pattern) -> list[tuple[str, Test]]:
    """The comparisons of a pattern that need only its own field: no fact can bind that has the field and fails."""
    constants = [comparison for comparison in pattern.where if not isinstance(comparison.value, FieldRef)]
    return [(comparison.field, constant_test(comparison) or _never) for comparison in constants]


def _never(_fields: Mapping[str, Scalar]) -> bool:
    return False


def _unknowns(
    spec: RuleSpec, alone: Mapping[str, Sequence[tuple[str, Test]]], by_kind: Mapping[str, Sequence[Fact]]
) -> list[Unknown]:
    candidates: dict[str, Sequence[Fact]] = {}
    for pattern in spec.patterns:
        possible = by_kind.get(pattern.kind, ())
        for field, test in alone[pattern.binding]:
            possible = [fact for fact in possible if field not in fact.fields or test(fact.fields)]
        if len(possible) < (pattern.at_least or 1):
            return []
        candidates[pattern.binding] = possible
    singles = [pattern for pattern in spec.patterns if pattern.at_least is None]
    found: set[Unknown] = set()
    for assignment in _possible(singles, candidates, {}):
        missing = _missing_of(spec, assignment, candidates)
        if missing and not any(silencers(pattern, assignment, by_kind) for pattern in spec.unless):
            found |= missing
    return sorted(found)


def _possible(
    singles: Sequence[Pattern], candidates: Mapping[str, Sequence[Fact]], bound: Mapping[str, Fact]
) -> Iterator[Mapping[str, Fact]]:
    """Every way to bind single patterns to distinct facts without a false comparison."""
    if len(bound) == len(singles):
        yield bound
        return
    pattern = singles[len(bound)]
    for fact in candidates[pattern.binding]:
        if any(fact is other for other in bound.values()):
            continue
        extended = {**bound, pattern.binding: fact}
        if all(truth_of(comparison, fact, extended) is not False for comparison in pattern.where):
            yield from _possible(singles, candidates, extended)


def _missing_of(spec: RuleSpec, assignment: Assignment, candidates: Mapping[str, Sequence[Fact]]) -> set[Unknown]:
    """What is unknown in an assignment; empty too when a group cannot be large enough."""
    missing: set[Unknown] = set()
    taken = list(assignment.values())
    for pattern in spec.patterns:
        if pattern.at_least is None:
            missing |= _missing(spec, pattern, assignment[pattern.binding], assignment)
            continue
        members: list[Fact] = []
        perhaps: list[Fact] = []
        for fact in candidates[pattern.binding]:
            if any(fact is other for other in taken):
                continue
            holds = all_hold(pattern, fact, assignment)
            if holds is not False:
                (members if holds else perhaps).append(fact)
        if len(members) + len(perhaps) < pattern.at_least:
            return set()
        if len(members) < pattern.at_least:
            for fact in perhaps:
                missing |= _missing(spec, pattern, fact, assignment)
        taken += members
    return missing


def _missing(spec: RuleSpec, pattern: Pattern, fact: Fact, assignment: Assignment) -> set[Unknown]:
    """The fields that make comparisons of a pattern unknown, on its own fact or on one it is compared with."""
    kinds = {other.binding: other.kind for other in spec.patterns}
    known = {**assignment, pattern.binding: fact}
    missing: set[Unknown] = set()
    for comparison in pattern.where:
        if comparison.field not in fact.fields:
            missing.add(Unknown(pattern.binding, pattern.kind, comparison.field, fact.ref))
        ref = comparison.value
        if isinstance(ref, FieldRef) and ref.field not in known[ref.binding].fields:
            missing.add(Unknown(ref.binding, kinds[ref.binding], ref.field, known[ref.binding].ref))
    return missing
