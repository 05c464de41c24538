"""Our own matcher. It defines the meaning of a rule specification and is the oracle of the contract suite.

Beyond the docstrings of `cds.model`:
- `unless` finds facts among all facts, those bound by `patterns` included.
- A group takes every fact that satisfies its comparisons and is bound neither by a single pattern of the rule, wherever
  that stands, nor by a group before it. A group under `unless` silences from `at_least` facts on, bound ones included.

Compiled once, three steps keep the cost of an evaluation near the number of rules that can match at all:
gates (an equality with a constant, else the kind) choose the rules to look at; filters (the comparisons of a pattern
that need no other pattern) are shared by all rules and run at most once; what is left are joins, by hash where equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final

from cds.engine.checks import check_specs
from cds.engine.direct_plan import Filter, Gate, RulePlan, Step, plan_gates, plan_rules
from cds.model import Fact, Match, RuleSpec, Scalar

_HASH_FROM: Final = 6  # candidates from which a hash join costs less than trying them all


class DirectEngine:
    """Compiled rules; immutable, so that threads may share it."""

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        """Compile. Raises EngineError when a specification has no meaning."""
        check_specs(specs)
        self._filters, self._rules = plan_rules(specs)
        self._gates, self._always = plan_gates(self._filters, self._rules)

    def evaluate(self, facts: Sequence[Fact]) -> list[Match]:
        """Return every match, sorted by key."""
        by_kind: dict[str, list[Fact]] = {}
        for fact in facts:
            group = by_kind.get(fact.kind)
            if group is None:
                by_kind[fact.kind] = [fact]
            else:
                group.append(fact)
        active = _active(by_kind, self._gates, self._always)
        if not active:
            return []
        memory = _Memory(by_kind, self._filters)
        found: list[Match] = []
        for number in active:
            _search(self._rules[number], memory, found)
        if len(found) > 1:
            found.sort(key=lambda match: match.key)
        return found

    def close(self) -> None:
        """Nothing to release; here so that every engine can be closed."""

    def __enter__(self) -> DirectEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _active(by_kind: Mapping[str, list[Fact]], gates: Mapping[str, Gate], always: Sequence[int]) -> set[int]:
    """The rules whose gate at least one fact opens."""
    active = set(always)
    for kind, facts in by_kind.items():
        gate = gates.get(kind)
        if gate is None:
            continue
        active.update(gate.any_fact)
        for field, openings in gate.by_value:
            for fact in facts:
                rules = openings.get(fact.fields.get(field))
                if rules is not None:
                    active.update(rules)
    return active


class _Memory:
    """What one evaluation found so far: filtered candidates and the indexes over them, each built at most once."""

    __slots__ = ("_by_kind", "_by_value", "_candidates", "_filters", "_joined")

    def __init__(self, by_kind: Mapping[str, list[Fact]], filters: Sequence[Filter]) -> None:
        self._by_kind = by_kind
        self._filters = filters
        self._candidates: list[Sequence[Fact] | None] = [None] * len(filters)
        self._by_value: dict[tuple[str, str], dict[Scalar, list[Fact]]] = {}
        self._joined: dict[tuple[int, str], dict[Scalar, list[Fact]]] = {}

    def candidates(self, number: int) -> Sequence[Fact]:
        """The facts that pass a filter."""
        found = self._candidates[number]
        if found is None:
            found = self._candidates[number] = self._filter(self._filters[number])
        return found

    def _filter(self, wanted: Filter) -> Sequence[Fact]:
        facts: Sequence[Fact] = self._by_kind.get(wanted.kind, ())
        if not facts:
            return facts
        if wanted.equal is not None:
            field, value = wanted.equal
            index = self._by_value.get((wanted.kind, field))
            if index is None:
                index = self._by_value[wanted.kind, field] = _index(facts, field)
            facts = index.get(value, ())
        for test in wanted.tests:
            facts = [fact for fact in facts if test(fact.fields)]
        return facts

    def joined(self, step: Step, bound: Sequence[Fact]) -> Sequence[Fact]:
        """The candidates of a step that can still satisfy its joins."""
        facts = self.candidates(step.filter)
        if step.equal is None or len(facts) < _HASH_FROM:
            return facts
        field, position, other = step.equal
        value = bound[position].fields.get(other)
        if value is None:
            return ()
        index = self._joined.get((step.filter, field))
        if index is None:
            index = self._joined[step.filter, field] = _index(facts, field)
        return index.get(value, ())


def _index(facts: Sequence[Fact], field: str) -> dict[Scalar, list[Fact]]:
    # True and 1.0 share a bucket; the comparison itself still tells them apart.
    index: dict[Scalar, list[Fact]] = {}
    for fact in facts:
        value = fact.fields.get(field)
        if value is not None:
            index.setdefault(value, []).append(fact)
    return index


def _search(rule: RulePlan, memory: _Memory, found: list[Match]) -> None:
    for number in rule.needs:
        if not memory.candidates(number):
            return
    for step in rule.unless:
        if not step.joins and len(memory.candidates(step.filter)) >= step.at_least:
            return
    _extend(rule, memory, [], found)


def _extend(rule: RulePlan, memory: _Memory, bound: list[Fact], found: list[Match]) -> None:
    """Bind the next single pattern to each fact it can have, distinct from those bound before."""
    if len(bound) == len(rule.singles):
        _complete(rule, memory, bound, found)
        return
    step = rule.singles[len(bound)]
    for fact in memory.joined(step, bound):
        if any(fact is other for other in bound):
            continue
        for join in step.joins:
            if not join(fact.fields, bound):
                break
        else:
            bound.append(fact)
            _extend(rule, memory, bound, found)
            bound.pop()


def _complete(rule: RulePlan, memory: _Memory, bound: list[Fact], found: list[Match]) -> None:
    """All single patterns are bound: look for what silences the rule, then collect its groups."""
    for step in rule.unless:
        if step.joins and len(_members(step, memory, bound, step.at_least)) >= step.at_least:
            return
    if not rule.groups:
        found.append(Match(rule.id, tuple(bound)))
        return
    taken = {id(fact) for fact in bound}
    groups: list[tuple[Fact, ...]] = []
    for step in rule.groups:
        members = [fact for fact in _members(step, memory, bound) if id(fact) not in taken]
        if len(members) < step.at_least:
            return
        taken.update(map(id, members))
        groups.append(tuple(sorted(members, key=lambda fact: fact.ref)))
    found.append(Match(rule.id, tuple(groups[at] if grouped else bound[at] for grouped, at in rule.order)))


def _members(step: Step, memory: _Memory, bound: Sequence[Fact], enough: int | None = None) -> list[Fact]:
    """The facts that satisfy a step; no more than `enough` of them when given."""
    members: list[Fact] = []
    for fact in memory.joined(step, bound):
        for join in step.joins:
            if not join(fact.fields, bound):
                break
        else:
            members.append(fact)
            if len(members) == enough:
                break
    return members
