"""Rule specifications compiled for `direct`: shared filters, steps of a rule, gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from cds.engine.compare import type_of
from cds.engine.predicates import Join, Test, constant_test, join_test, own_test
from cds.model import Comparison, FieldRef, Pattern, RuleSpec, Scalar

Equal = tuple[str, Scalar]


@dataclass(frozen=True, slots=True)
class Filter:
    """The facts of one kind that pass what a pattern asks of their own fields.

    equal: a field and the constant it must have, for the index; None when there is none.
    tests: the rest; with a number or truth value in `equal`, that comparison too, because 1.0 and True hash alike.
    """

    kind: str
    equal: Equal | None
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One pattern of a rule: its filter and what it asks of the facts bound before it.

    equal: own field, position and field of the other side of an equality join, for the hash join.
    at_least: members of a group; 1 for a single pattern of `unless`.
    """

    filter: int
    joins: tuple[Join, ...]
    equal: tuple[str, int, str] | None
    at_least: int = 1


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule ready to be searched.

    needs: the filters without whose facts it cannot match.
    order: for each pattern, whether it is a group, and its place among its like.
    """

    id: str
    needs: tuple[int, ...]
    singles: tuple[Step, ...]
    groups: tuple[Step, ...]
    unless: tuple[Step, ...]
    order: tuple[tuple[bool, int], ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """For one fact kind: the rules that any fact opens, and those that a fact with a certain value opens."""

    any_fact: tuple[int, ...]
    by_value: tuple[tuple[str, Mapping[Scalar | None, tuple[int, ...]]], ...]


class _Filters:
    """Collects filters; two patterns that ask the same of a fact's own fields share one."""

    def __init__(self) -> None:
        self.filters: list[Filter] = []
        self._numbers: dict[Hashable, int] = {}

    def add(self, kind: str, own: Sequence[Comparison]) -> int | None:
        """Return the number of the filter; None when no fact can pass it."""
        # The type is part of the identity: 1.0 == True.
        identity = (kind, frozenset((c.field, c.operator, type(c.value), c.value) for c in own))
        number = self._numbers.get(identity)
        if number is not None:
            return number
        tests: list[Test] = []
        equal: Equal | None = None
        for comparison in own:
            value = comparison.value
            if isinstance(value, FieldRef):
                tests.append(own_test(comparison))
                continue
            test = constant_test(comparison)
            if test is None:
                return None
            if comparison.operator == "is" and equal is None:
                equal = (comparison.field, value)
                if isinstance(value, str):
                    continue
            tests.append(test)
        self.filters.append(Filter(kind, equal, tuple(tests)))
        self._numbers[identity] = len(self.filters) - 1
        return len(self.filters) - 1


def plan_rules(specs: Sequence[RuleSpec]) -> tuple[tuple[Filter, ...], tuple[RulePlan, ...]]:
    """Compile checked specifications; a rule that can never match has no plan."""
    filters = _Filters()
    plans = [_plan(spec, filters) for spec in specs]
    return tuple(filters.filters), tuple(plan for plan in plans if plan is not None)


def _plan(spec: RuleSpec, filters: _Filters) -> RulePlan | None:
    singles: list[Step] = []
    groups: list[Step] = []
    order: list[tuple[bool, int]] = []
    positions: dict[str, int] = {}
    for pattern in spec.patterns:
        step = _step(pattern, positions, filters)
        if step is None:
            return None
        if pattern.at_least is None:
            positions[pattern.binding] = len(singles)
        into = singles if pattern.at_least is None else groups
        order.append((pattern.at_least is not None, len(into)))
        into.append(step)
    # A pattern of `unless` that no fact can satisfy silences nothing.
    unless = [step for pattern in spec.unless if (step := _step(pattern, positions, filters)) is not None]
    needs = tuple(step.filter for step in (*singles, *groups))
    return RulePlan(spec.id, needs, tuple(singles), tuple(groups), tuple(unless), tuple(order))


def _step(pattern: Pattern, positions: Mapping[str, int], filters: _Filters) -> Step | None:
    own: list[Comparison] = []
    joins: list[Join] = []
    equal: tuple[str, int, str] | None = None
    for comparison in pattern.where:
        ref = comparison.value
        if not isinstance(ref, FieldRef) or ref.binding == pattern.binding:
            own.append(comparison)
            continue
        position = positions[ref.binding]
        joins.append(join_test(comparison, position))
        if equal is None and comparison.operator == "is" and not ref.offset:
            equal = (comparison.field, position, ref.field)
    number = filters.add(pattern.kind, own)
    return None if number is None else Step(number, tuple(joins), equal, pattern.at_least or 1)


def plan_gates(filters: Sequence[Filter], rules: Sequence[RulePlan]) -> tuple[dict[str, Gate], tuple[int, ...]]:
    """Give each rule the gate that opens least often: of its equalities the one on the field with most constants.

    Returns the gates by fact kind, and the rules without any pattern, which are always looked at.
    """
    constants = {(f.kind, f.equal[0], type_of(f.equal[1]), f.equal[1]) for f in filters if f.equal}
    spread = Counter((kind, field) for kind, field, _, _ in constants)
    always: list[int] = []
    any_fact: dict[str, list[int]] = {}
    by_value: dict[str, dict[str, dict[Scalar | None, list[int]]]] = {}
    for number, rule in enumerate(rules):
        needed = [filters[at] for at in rule.needs]
        if not needed:
            always.append(number)
            continue
        best = max(needed, key=lambda f: spread[f.kind, f.equal[0]] if f.equal else 0)
        if best.equal is None:
            any_fact.setdefault(best.kind, []).append(number)
        else:
            field, value = best.equal
            by_value.setdefault(best.kind, {}).setdefault(field, {}).setdefault(value, []).append(number)
    gates = {
        kind: Gate(
            any_fact=tuple(any_fact.get(kind, ())),
            by_value=tuple(
                (field, {value: tuple(opened) for value, opened in openings.items()})
                for field, openings in by_value.get(kind, {}).items()
            ),
        )
        for kind in {*any_fact, *by_value}
    }
    return gates, tuple(always)
