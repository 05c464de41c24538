"""The contract: on random rules and facts, `direct`, durable-rules and the naive reference find the same matches.

A seed makes one ruleset and `FACT_SETS` checks on it. Figures say what the checks were worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import orjson

from cds.engine.direct import DirectEngine
from cds.engine.durable_child import Executor
from cds.engine.durable_compile import compile_program
from cds.errors import EngineError
from cds.model import Comparison, Fact, FieldRef, Match, RuleSpec
from tests.contract import generate, naive

FACT_SETS = 8
YIELD = {"match": 0.40, "absence": 0.25, "join": 0.25, "count": 0.10, "bound": 0.05}
ROWS = tuple(f"DR{number}" for number in range(1, 16))
Key = tuple[str, tuple[Any, ...]]
Evaluate = Callable[[Sequence[Fact]], list[Match]]


class DisagreementError(AssertionError):
    """Two engines differ; the text names the seed and the check."""


@dataclass(slots=True)
class Figures:
    """What a run was worth. found: checks by what they exercised."""

    checks: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """Add another run's figures."""
        self.checks += other.checks
        self.found += other.found

    def shortfalls(self) -> list[str]:
        """What the run was not worth: yields below the goal, operators and rows below 5 % (1,000 in 20,000)."""
        goals = {**YIELD, **dict.fromkeys((*generate.OPERATORS, *ROWS), 0.05)}
        shares = {name: self.found[name] / max(self.checks, 1) for name in goals}
        return [
            f"{name}: {shares[name]:.1%} of the checks, wanted {goal:.0%}"
            for name, goal in goals.items()
            if shares[name] < goal
        ]

    def table(self) -> str:
        """The figures as text."""
        rows = ((name, self.found[name]) for name in (*YIELD, *generate.OPERATORS, *ROWS))
        return "\n".join(f"{name:10} {count:9} {count / max(self.checks, 1):7.1%}" for name, count in rows)


def keys(matches: Iterable[Match]) -> list[Key]:
    """What makes lists of matches equal."""
    return [match.key for match in matches]


class InProcessDurable:
    """The compiler and the child's executor without the pipe between them; only ever inside a worker process."""

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        self._specs = specs
        self.program = compile_program(specs)
        self._executor = Executor(orjson.loads(orjson.dumps(self.program)))

    def evaluate(self, facts: Sequence[Fact]) -> list[Match]:
        """Return every match, sorted by key."""
        matches = []
        for rule, bound in self._executor.evaluate([(fact.kind, fact.fields) for fact in facts]):
            members = [
                facts[at] if isinstance(at, int) else tuple(sorted((facts[n] for n in at), key=lambda fact: fact.ref))
                for at in bound
            ]
            matches.append(Match(self._specs[rule].id, tuple(members)))
        return sorted(matches, key=lambda match: match.key)

    def break_once(self) -> None:
        """Let one batch stop half-way as DR3 has it; the handle is dirty and must be rebuilt (DR14)."""
        whole = self._executor._batch
        self._executor._batch = lambda facts: whole(facts).replace('"$go":1', '"$go":1e-07')  # type: ignore[method-assign]
        try:
            self._executor.evaluate([])
        except EngineError:
            return
        finally:
            self._executor._batch = whole  # type: ignore[method-assign]
        raise DisagreementError("a batch that was not read to its end gave an answer")

    def close(self) -> None:
        """Free the rulesets."""
        self._executor.close()


def rulesets(seed: int) -> tuple[list[RuleSpec], Iterator[tuple[Random, list[Fact]]]]:
    """The rules of a seed, and the facts of its checks."""
    rng = Random(seed)
    specs = generate.some_ruleset(rng)
    return specs, ((rng, generate.some_facts(rng, specs)) for _ in range(FACT_SETS))


def check_seed(seed: int, figures: Figures) -> None:
    """Run the checks of one seed on both engines. Raises DisagreementError."""
    specs, fact_sets = rulesets(seed)
    direct = DirectEngine(specs)
    durable = InProcessDurable(specs)
    for number, (rng, facts) in enumerate(fact_sets):
        broken = bool(durable.program.rulesets) and rng.random() < 0.08
        if broken:
            durable.break_once()
        wanted = naive.evaluate(specs, facts)
        for name, engine in (("direct", direct.evaluate), ("durable", durable.evaluate)):
            compare(name, engine, facts, wanted, f"seed {seed}, check {number}")
        shuffled = rng.sample(facts, len(facts))
        compare("direct, other order", direct.evaluate, shuffled, wanted, f"seed {seed}, check {number}")
        figures.checks += 1
        figures.found.update(worth(specs, facts, wanted))
        figures.found["DR14"] += broken
    durable.close()


def compare(name: str, evaluate: Evaluate, facts: Sequence[Fact], wanted: Sequence[Match], where: str) -> None:
    """Raise DisagreementError when an engine differs from the reference."""
    found = keys(evaluate(facts))
    if found != keys(wanted):
        extra = sorted(map(str, set(found) - set(keys(wanted))))
        lacking = sorted(map(str, set(keys(wanted)) - set(found)))
        raise DisagreementError(f"{where}: {name} finds {extra or 'nothing'} too many and lacks {lacking or 'nothing'}")


def worth(specs: Sequence[RuleSpec], facts: Sequence[Fact], matches: Sequence[Match]) -> set[str]:
    """What a check exercised: the yields, the comparison operators, the rows of the fault table."""
    by_id = {spec.id: spec for spec in specs}
    matched = [by_id[match.rule] for match in matches]
    found = {"DR1", "DR9", "DR15"}  # the C module, its ids and session, and a process of its own: in every check
    if matched:
        found.add("match")
    else:
        found.add("DR4")  # nothing fires but `done`
    if any(_joins(spec) for spec in matched):
        found.add("join")
    if any(pattern.at_least is not None for spec in matched for pattern in spec.patterns):
        found.add("count")
    for spec in specs:
        if spec.unless and naive.evaluate([spec], facts) != naive.evaluate([replace(spec, unless=())], facts):
            found.add("absence")
            break
    by_kind: dict[str, list[Fact]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)
        found |= _of_fact(fact)
    if len(specs) > 200:
        found.add("DR13")
    for spec in specs[:8]:
        if all(pattern.kind in by_kind for pattern in spec.patterns):
            found |= _of_spec(spec, by_kind)
    return found


def _joins(spec: RuleSpec) -> bool:
    refs = [(pattern, c.value) for pattern in spec.patterns for c in pattern.where if isinstance(c.value, FieldRef)]
    return any(ref.binding != pattern.binding for pattern, ref in refs)


def _of_fact(fact: Fact) -> set[str]:
    found = set()
    if not fact.fields or any(value in (0.0001, 1e15, -1e15) for value in fact.fields.values()):
        found.add("DR3")
    if any(isinstance(value, str) and not value.isascii() for value in fact.fields.values()):
        found.add("DR10")
    return found


def _of_spec(spec: RuleSpec, by_kind: dict[str, list[Fact]]) -> set[str]:
    """What a rule exercises when there are facts of all its kinds."""
    found: set[str] = set()
    kinds = {pattern.binding: pattern.kind for pattern in (*spec.patterns, *spec.unless)}
    if any(pattern.kind in by_kind for pattern in spec.unless):
        found.add("DR2")
    for pattern in (*spec.patterns, *spec.unless):
        if pattern.kind not in by_kind:
            continue
        if pattern.at_least is not None:
            found |= {"DR6", "DR11"}  # several compiled rules for one; a group of any size
        for comparison in pattern.where:
            found.add(comparison.operator)
            found |= _of_comparison(comparison, by_kind[pattern.kind], by_kind.get(_other(comparison, kinds), ()))
            if isinstance(comparison.value, FieldRef) and comparison.value.binding != pattern.binding:
                found.add("DR5")
    return found


def _other(comparison: Comparison, kinds: dict[str, str]) -> str:
    return kinds[comparison.value.binding] if isinstance(comparison.value, FieldRef) else ""


def _of_comparison(comparison: Comparison, facts: Sequence[Fact], others: Sequence[Fact]) -> set[str]:
    found = set()
    left = [fact.fields.get(comparison.field) for fact in facts]
    ref = comparison.value
    right = [other.fields.get(ref.field) for other in others] if isinstance(ref, FieldRef) else [ref]
    offset = ref.offset if isinstance(ref, FieldRef) else 0.0
    if isinstance(ref, FieldRef):
        if None in left or None in right:
            found.add("DR7")
        if comparison.operator == "is" and any(type(value) is int or str(value) == "-0.0" for value in (*left, *right)):
            found.add("DR8")
        if offset:
            found.add("DR12")  # the only arithmetic there is; division cannot be written
    bounds = {value + offset for value in right if isinstance(value, int | float) and not isinstance(value, bool)}
    if comparison.operator in generate.ORDER and any(type(value) is not bool and value in bounds for value in left):
        found.add("bound")
    return found
