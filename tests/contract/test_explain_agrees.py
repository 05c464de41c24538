"""`explain` against a second opinion that tries every assignment, on the random rules of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from cds.engine.explain import Unknown, near_miss, unknowns
from cds.model import Comparison, Fact, FieldRef, Pattern, RuleSpec
from tests.contract import naive
from tests.contract.suite import rulesets

SEEDS = range(5_000, 5_250)
Known = dict[str, Fact]


def missing(pattern: Pattern, fact: Fact, known: Known, kinds: dict[str, str]) -> set[Unknown] | None:
    """The fields that make comparisons unknown; None when one is false."""
    known = {**known, pattern.binding: fact}
    found = set()
    for comparison in pattern.where:
        lacking = _lacking(comparison, pattern, known, kinds)
        if not lacking and not naive.holds(comparison, fact, known):
            return None
        found |= lacking
    return found


def _lacking(comparison: Comparison, pattern: Pattern, known: Known, kinds: dict[str, str]) -> set[Unknown]:
    sides = [(pattern.binding, comparison.field)]
    if isinstance(comparison.value, FieldRef):
        sides.append((comparison.value.binding, comparison.value.field))
    lacking = [(name, field) for name, field in sides if field not in known[name].fields]
    return {Unknown(name, kinds[name], field, known[name].ref) for name, field in lacking}


def naive_unknowns(spec: RuleSpec, facts: Sequence[Fact]) -> list[Unknown]:
    singles = [pattern for pattern in spec.patterns if pattern.at_least is None]
    kinds = {pattern.binding: pattern.kind for pattern in spec.patterns}
    found: set[Unknown] = set()
    for chosen in product(*([fact for fact in facts if fact.kind == pattern.kind] for pattern in singles)):
        if len({fact.ref for fact in chosen}) < len(chosen):
            continue
        known = {pattern.binding: fact for pattern, fact in zip(singles, chosen, strict=True)}
        parts = [missing(pattern, known[pattern.binding], known, kinds) for pattern in singles]
        taken = {fact.ref for fact in chosen}
        for pattern in spec.patterns:
            if pattern.at_least is None:
                continue
            others = [fact for fact in facts if fact.kind == pattern.kind and fact.ref not in taken]
            members = [(fact, missing(pattern, fact, known, kinds)) for fact in others]
            certain = [fact.ref for fact, lacking in members if lacking == set()]
            perhaps = [lacking for _, lacking in members if lacking]
            if len(certain) + len(perhaps) < pattern.at_least:
                parts.append(None)
            elif len(certain) < pattern.at_least:
                parts += perhaps
            taken |= set(certain)
        if None in parts or not any(parts):
            continue
        if not any(
            len([fact for fact in facts if naive.satisfies(fact, pattern, known)]) >= (pattern.at_least or 1)
            for pattern in spec.unless
        ):
            found |= {unknown for part in parts for unknown in part or ()}
    return sorted(found)


def test_unknowns_are_those_of_every_assignment() -> None:
    some = 0
    for seed in SEEDS:
        specs, fact_sets = rulesets(seed)
        for _, facts in fact_sets:
            for spec in specs[:4]:
                if spec.id == "wide":
                    continue
                wanted = naive_unknowns(spec, facts)
                assert unknowns(spec, facts) == wanted, f"seed {seed}, rule {spec.id}"
                some += bool(wanted)
    assert some >= 300


def test_a_near_miss_is_given_when_nothing_matches_and_names_what_is_not_so() -> None:
    reasons: dict[str, int] = {}
    for seed in SEEDS:
        specs, fact_sets = rulesets(seed)
        for _, facts in fact_sets:
            by_ref = {fact.ref: fact for fact in facts}
            for spec in specs[:4]:
                nearest = near_miss(spec, facts)
                assert (nearest is None) == bool(naive.evaluate([spec], facts)), f"seed {seed}, rule {spec.id}"
                if nearest is None:
                    continue
                reasons[nearest.reason] = reasons.get(nearest.reason, 0) + 1
                assert nearest == near_miss(spec, facts[::-1])
                if nearest.reason == "comparison":
                    assert nearest.comparison is not None
                    assert nearest.fact is not None
                    assert nearest.actual == by_ref[nearest.fact].fields.get(nearest.comparison.field)
                    if not isinstance(nearest.comparison.value, FieldRef):
                        assert not naive.holds(nearest.comparison, by_ref[nearest.fact], {})
                if nearest.reason == "silenced":
                    assert naive.evaluate([RuleSpec(spec.id, spec.patterns)], facts)
    assert min(reasons[reason] for reason in ("comparison", "no fact", "too few", "silenced")) >= 30
