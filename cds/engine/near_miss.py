"""What was nearest when a rule did not match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cds.engine.assignments import Assignment, by_kind_of, failing_of, silencers, wanted_by
from cds.engine.direct import DirectEngine
from cds.model import Comparison, Fact, FieldRef, Pattern, RuleSpec, Scalar


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The first thing that stood between a rule and its match, on the way that came closest.

    reason: a comparison that failed; no fact of the pattern's kind left to try; a group with too few members; a
    pattern of `unless` that found a fact. binding, kind: of the pattern concerned.
    comparison: the one that failed; with "too few", the first that keeps the nearest fact out of the group.
    fact: ref of the fact that was compared, or that silenced. actual: its value, None when missing.
    wanted: the value it was compared with, offset included, None when that is missing. found, needed: group members.
    bound: how many patterns held. line: where to look in the rule file.
    """

    reason: Literal["comparison", "no fact", "too few", "silenced"]
    binding: str
    kind: str
    line: int
    bound: int
    comparison: Comparison | None = None
    fact: str | None = None
    actual: Scalar | None = None
    wanted: Scalar | None = None
    found: int | None = None
    needed: int | None = None


def near_miss(spec: RuleSpec, facts: Sequence[Fact]) -> NearMiss | None:
    """What was nearest to a match: most patterns bound, then fewest failing comparisons, then first by ref.

    None when the rule matches.
    """
    if DirectEngine([spec]).evaluate(facts):
        return None
    return _Nearest(spec, facts).explain()


def nearest(spec: RuleSpec, facts: Sequence[Fact]) -> Assignment:
    """Which facts the single patterns of a rule bind on the way that came closest; what silences takes no part."""
    return _Nearest(spec, facts).assignment


def closeness(spec: RuleSpec, facts: Sequence[Fact]) -> tuple[int, int, float]:
    """How near a rule came, to be compared with others on the same facts: the larger, the nearer.

    Patterns that do not hold, then comparisons that fail, then how far the numbers of those are from their limits, as
    shares of the limit; each counted downwards. What silences takes no part.
    """
    found = _Nearest(spec, facts)
    return -int(found.cost[0]), -found.cost[1], -found.distance()


class _Nearest:
    """Looks for the best assignment, leaving a branch as soon as it is worse than the best so far."""

    def __init__(self, spec: RuleSpec, facts: Sequence[Fact]) -> None:
        self._spec = spec
        self._by_kind = by_kind_of(sorted(facts, key=lambda fact: fact.ref))
        self._singles = [pattern for pattern in spec.patterns if pattern.at_least is None]
        self._ahead = self._least_costs()
        self._best: Assignment = {}
        self._cost: tuple[float, int] = (float("inf"), 0)
        self._search(0, {}, (0, 0))

    @property
    def assignment(self) -> Assignment:
        return self._best

    @property
    def cost(self) -> tuple[float, int]:
        return self._cost

    def distance(self) -> float:
        """Sum over the failing comparisons of the best assignment; one that is not of numbers counts 1."""
        total = 0.0
        for pattern in self._singles:
            fact = self._best.get(pattern.binding)
            for comparison in failing_of(pattern, fact, self._best) if fact is not None else ():
                actual = fact.fields.get(comparison.field) if fact is not None else None
                wanted = wanted_by(comparison, self._best)
                if isinstance(actual, float) and isinstance(wanted, float):
                    total += min(1.0, abs(actual - wanted) / max(abs(wanted), 1.0))
                else:
                    total += 1.0
        return total

    def _least_costs(self) -> list[tuple[int, int]]:
        """What the patterns from each on cost at least, by the comparisons that need no other pattern."""
        ahead = [(0, 0)]
        for pattern in reversed(self._singles):
            alone = [c for c in pattern.where if not isinstance(c.value, FieldRef)]
            own = Pattern(pattern.binding, pattern.kind, tuple(alone))
            facts = self._by_kind.get(pattern.kind, ())
            least = min((len(failing_of(own, fact, {})) for fact in facts), default=len(pattern.where) + 1)
            ahead.append((ahead[-1][0] + bool(least), ahead[-1][1] + least))
        return ahead[::-1]

    def _search(self, at: int, bound: Assignment, cost: tuple[int, int]) -> None:
        if (cost[0] + self._ahead[at][0], cost[1] + self._ahead[at][1]) >= self._cost:
            return
        if at == len(self._singles):
            groups = [_group_cost(pattern, found) for pattern, found in self._groups(bound)]
            total = (cost[0] + sum(unbound for unbound, _ in groups), cost[1] + sum(short for _, short in groups))
            if total < self._cost:
                self._best, self._cost = bound, total
            return
        pattern = self._singles[at]
        free = [fact for fact in self._by_kind.get(pattern.kind, ()) if fact not in bound.values()]
        if not free:
            self._search(at + 1, bound, (cost[0] + 1, cost[1] + len(pattern.where) + 1))
            return
        failing = [(len(failing_of(pattern, fact, bound)), number, fact) for number, fact in enumerate(free)]
        for count, _, fact in sorted(failing, key=lambda item: item[:2]):
            self._search(at + 1, {**bound, pattern.binding: fact}, (cost[0] + bool(count), cost[1] + count))

    def _groups(self, bound: Assignment) -> Iterator[tuple[Pattern, list[Fact]]]:
        taken = list(bound.values())
        for pattern in self._spec.patterns:
            if pattern.at_least is not None:
                free = [fact for fact in self._by_kind.get(pattern.kind, ()) if fact not in taken]
                members = [fact for fact in free if not failing_of(pattern, fact, bound)]
                taken += members
                yield pattern, members

    def explain(self) -> NearMiss:
        """Turn the best assignment into words: its first pattern that does not hold, else what silenced it."""
        held = len(self._spec.patterns) - int(self._cost[0])
        groups = {pattern.binding: found for pattern, found in self._groups(self._best)}
        for pattern in self._spec.patterns:
            if pattern.at_least is not None:
                members = groups[pattern.binding]
                if len(members) < pattern.at_least:
                    return self._too_few(pattern, members, held)
                continue
            fact = self._best.get(pattern.binding)
            if fact is None:
                return NearMiss("no fact", pattern.binding, pattern.kind, pattern.line, held)
            failing = failing_of(pattern, fact, self._best)
            if failing:
                return self._failed("comparison", pattern, fact, failing[0], held)
        for pattern in self._spec.unless:
            facts = silencers(pattern, self._best, self._by_kind)
            if facts:
                return NearMiss("silenced", pattern.binding, pattern.kind, pattern.line, held, fact=facts[0].ref)
        raise AssertionError("a rule that matches has no near miss")

    def _too_few(self, pattern: Pattern, members: Sequence[Fact], held: int) -> NearMiss:
        found, needed = len(members), pattern.at_least
        others = self._by_kind.get(pattern.kind, ())
        outside = [(fact, failing) for fact in others if (failing := failing_of(pattern, fact, self._best))]
        if not outside:
            return NearMiss("too few", pattern.binding, pattern.kind, pattern.line, held, found=found, needed=needed)
        fact, failing = min(outside, key=lambda item: len(item[1]))
        return self._failed("too few", pattern, fact, failing[0], held, found=found, needed=needed)

    def _failed(
        self,
        reason: Literal["comparison", "too few"],
        pattern: Pattern,
        fact: Fact,
        comparison: Comparison,
        held: int,
        *,
        found: int | None = None,
        needed: int | None = None,
    ) -> NearMiss:
        return NearMiss(
            reason,
            pattern.binding,
            pattern.kind,
            comparison.line,
            held,
            comparison,
            fact.ref,
            fact.fields.get(comparison.field),
            wanted_by(comparison, {**self._best, pattern.binding: fact}),
            found,
            needed,
        )


def _group_cost(pattern: Pattern, members: Sequence[Fact]) -> tuple[int, int]:
    short = max(0, (pattern.at_least or 1) - len(members))
    return int(short > 0), short
