"""Which outcomes of a rule's comparisons its cases have seen: each one true, and each one false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cds.authoring.mutation.mutants import Role, patterns_by_role, place
from cds.authoring.prepared import Prepared
from cds.engine.assignments import Assignment, by_kind_of, truth_of
from cds.engine.compare import Truth
from cds.model import Comparison, Fact, Pattern
from cds.rules.model import Level, Rule

_Site = tuple[Role, str, Comparison]


@dataclass(frozen=True, slots=True)
class Covered:
    """One comparison of a rule. at: "level/binding", or "binding" where several levels have it."""

    line: int
    text: str
    at: str
    true: bool
    false: bool

    @property
    def never(self) -> tuple[str, ...]:
        """The outcomes that no case has seen."""
        return tuple(word for word, seen in (("false", self.false), ("true", self.true)) if not seen)


def coverage(rule: Rule, prepared: Sequence[Prepared]) -> list[Covered]:
    """Every comparison of a rule with the outcomes that its cases saw, by line.

    A comparison is seen when it is reached: the case asks at a hook of the level, every pattern above is bound to
    facts that satisfy it, and a fact of the pattern's own kind is left to compare. Then each comparison of the pattern
    is seen on each such fact, whatever the others beside it say; a missing field is neither true nor false. Patterns of
    `unless` are reached when all of `when` is bound, those of `lower_one_level_if` when the level holds. A comparison
    of the rule's common patterns is one, however many levels have it. Gates (`silenced_by`) stand in no comparison.
    """
    seen: dict[_Site, set[bool]] = {}
    places: dict[_Site, list[str]] = {}
    for level in rule.levels:
        for role, p in patterns_by_role(level):
            for c in p.where:
                if c.line:
                    seen.setdefault((role, p.binding, c), set())
                    places.setdefault((role, p.binding, c), []).append(level.name)
    for ready in prepared:
        for level in rule.levels:
            if ready.case.hook in level.hooks and level.spec is not None:
                for site, truth in _Walk(level, ready.derived.facts).saw:
                    if truth is not None and site in seen:
                        seen[site].add(truth)
    found = [
        Covered(c.line, c.text, place(places[role, binding, c], rule, binding), True in truths, False in truths)
        for (role, binding, c), truths in seen.items()
    ]
    return sorted(found, key=lambda covered: covered.line)


class _Walk:
    """One case through one level: `saw` are the comparisons it reached, with what they said."""

    def __init__(self, level: Level, facts: Sequence[Fact]) -> None:
        assert level.spec is not None
        self.saw: list[tuple[_Site, Truth]] = []
        self._by_kind = by_kind_of(facts)
        self._patterns = level.spec.patterns
        bound: list[Assignment] = []
        self._bind(0, {}, bound)
        for known in bound:
            silenced = [len(self._compare("unless", p, known)) >= (p.at_least or 1) for p in level.spec.unless]
            if not any(silenced):
                for lowering in level.lowerings:
                    self._compare("lower_one_level_if", lowering.spec.patterns[-1], known)

    def _compare(self, role: Role, pattern: Pattern, known: Assignment) -> list[Fact]:
        """Every comparison of a pattern on every fact it can have; the facts that satisfy all."""
        fitting = []
        # Under `unless` a fact that is bound already counts too (`cds.engine.direct`).
        taken = () if role == "unless" else known.values()
        for fact in self._by_kind.get(pattern.kind, ()):
            if any(fact is other for other in taken):
                continue
            truths = [truth_of(c, fact, {**known, pattern.binding: fact}) for c in pattern.where]
            self.saw.extend(((role, pattern.binding, c), t) for c, t in zip(pattern.where, truths, strict=True))
            if all(truths):
                fitting.append(fact)
        return fitting

    def _bind(self, at: int, known: Assignment, found: list[Assignment]) -> None:
        if at == len(self._patterns):
            found.append(known)
            return
        pattern = self._patterns[at]
        fitting = self._compare("when", pattern, known)
        if pattern.at_least is not None:
            if len(fitting) >= pattern.at_least:
                self._bind(at + 1, known, found)
            return
        for fact in fitting:
            self._bind(at + 1, {**known, pattern.binding: fact}, found)
