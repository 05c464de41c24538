"""The suite finds faults: each of these, put into `direct`, is caught within 5,000 checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cds.engine import direct as direct_module
from cds.engine import direct_plan, predicates
from cds.engine.direct import DirectEngine
from cds.model import Comparison, Fact, FieldRef, Match, Pattern, RuleSpec
from tests.contract import naive
from tests.contract.suite import DisagreementError, compare, rulesets

CHECKS = 5_000
FIRST_SEED = 77_000
Change = Callable[[Comparison], Comparison | None]


def every_comparison(change: Change) -> Callable[[RuleSpec], RuleSpec]:
    """Change each comparison of a rule, or drop it."""

    def of_pattern(pattern: Pattern) -> Pattern:
        changed = (change(comparison) for comparison in pattern.where)
        return replace(pattern, where=tuple(comparison for comparison in changed if comparison is not None))

    return lambda spec: replace(
        spec, patterns=tuple(map(of_pattern, spec.patterns)), unless=tuple(map(of_pattern, spec.unless))
    )


def one_off(comparison: Comparison) -> Comparison:
    if isinstance(comparison.value, int | float) and not isinstance(comparison.value, bool):
        return replace(comparison, value=comparison.value + 1.0)
    return comparison


def inclusive_as_exclusive(comparison: Comparison) -> Comparison:
    swapped: dict[str, Any] = {"at least": "more than", "at most": "less than"}
    return replace(comparison, operator=swapped.get(comparison.operator, comparison.operator))


def exclusive_as_inclusive(comparison: Comparison) -> Comparison:
    swapped: dict[str, Any] = {"more than": "at least", "less than": "at most"}
    return replace(comparison, operator=swapped.get(comparison.operator, comparison.operator))


def join_ignored(comparison: Comparison) -> Comparison | None:
    return None if isinstance(comparison.value, FieldRef) else comparison


def offset_ignored(comparison: Comparison) -> Comparison:
    if isinstance(comparison.value, FieldRef):
        return replace(comparison, value=replace(comparison.value, offset=0.0))
    return comparison


def is_not_as_is(comparison: Comparison) -> Comparison:
    return replace(comparison, operator="is") if comparison.operator == "is not" else comparison


def absence_dropped(spec: RuleSpec) -> RuleSpec:
    return replace(spec, unless=())


def second_absence_dropped(spec: RuleSpec) -> RuleSpec:
    return replace(spec, unless=spec.unless[:1])


def count_off_by_one(spec: RuleSpec) -> RuleSpec:
    more = tuple(
        pattern if pattern.at_least is None else replace(pattern, at_least=pattern.at_least + 1)
        for pattern in spec.patterns
    )
    return replace(spec, patterns=more)


SPEC_FAULTS = {
    "a bound is off by one": every_comparison(one_off),
    "at least is more than": every_comparison(inclusive_as_exclusive),
    "more than is at least": every_comparison(exclusive_as_inclusive),
    "a join is ignored": every_comparison(join_ignored),
    "an offset is ignored": every_comparison(offset_ignored),
    "is not is read as is": every_comparison(is_not_as_is),
    "absence is dropped": absence_dropped,
    "the second absence is dropped": second_absence_dropped,
    "a count is off by one": count_off_by_one,
}


def missing_constant_holds(comparison: Comparison) -> Any:
    test = CONSTANT_TEST(comparison)
    return None if test is None else lambda fields: comparison.field not in fields or test(fields)


def missing_join_holds(comparison: Comparison, position: int) -> Any:
    join = JOIN_TEST(comparison, position)
    return lambda fields, bound: comparison.field not in fields or join(fields, bound)


def truth_is_a_number(comparison: Comparison) -> Any:
    if comparison.operator != "is" or isinstance(comparison.value, str | FieldRef):
        return CONSTANT_TEST(comparison)
    return lambda fields: fields.get(comparison.field) == comparison.value


def not_distinct(rule: Any, memory: Any, bound: list[Fact], found: list[Match]) -> None:
    if len(bound) == len(rule.singles):
        direct_module._complete(rule, memory, bound, found)
        return
    step = rule.singles[len(bound)]
    for fact in memory.joined(step, bound):
        if all(join(fact.fields, bound) for join in step.joins):
            not_distinct(rule, memory, [*bound, fact], found)


def first_found_only(rule: Any, memory: Any, found: list[Match]) -> None:
    mine: list[Match] = []
    SEARCH(rule, memory, mine)
    found += mine[:1]


CONSTANT_TEST = predicates.constant_test
JOIN_TEST = predicates.join_test
SEARCH = direct_module._search
CODE_FAULTS = {
    "a missing field holds": (direct_plan, "constant_test", missing_constant_holds),
    "a missing joined field holds": (direct_plan, "join_test", missing_join_holds),
    "a truth value is a number": (direct_plan, "constant_test", truth_is_a_number),
    "one fact is bound twice": (direct_module, "_extend", not_distinct),
    "only the first match is found": (direct_module, "_search", first_found_only),
}


def checks() -> Iterator[tuple[Sequence[RuleSpec], list[list[Fact]]]]:
    """Rules and facts until `CHECKS` are used up; the large rulesets show nothing here that small ones do not."""
    made = 0
    for seed in range(FIRST_SEED, FIRST_SEED + CHECKS):
        specs, fact_sets = rulesets(seed)
        if made >= CHECKS:
            return
        if len(specs) < 20:
            facts = [facts for _, facts in fact_sets]
            made += len(facts)
            yield specs, facts


def caught_after(change: Callable[[RuleSpec], RuleSpec]) -> int | None:
    """The number of checks until `direct`, compiled from changed rules, differs from the reference."""
    made = 0
    for specs, fact_sets in checks():
        engine = DirectEngine([change(spec) for spec in specs])
        for facts in fact_sets:
            made += 1
            try:
                compare("direct", engine.evaluate, facts, naive.evaluate(specs, facts), "")
            except DisagreementError:
                return made
    return None


@pytest.mark.parametrize("fault", SPEC_FAULTS)
def test_a_fault_in_the_meaning_of_rules_is_caught(fault: str) -> None:
    assert caught_after(SPEC_FAULTS[fault]) is not None


@pytest.mark.parametrize("fault", CODE_FAULTS)
def test_a_fault_in_the_matcher_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, faulty = CODE_FAULTS[fault]
    monkeypatch.setattr(module, name, faulty)
    assert caught_after(lambda spec: spec) is not None


def test_without_a_fault_nothing_is_caught() -> None:
    assert caught_after(lambda spec: spec) is None
