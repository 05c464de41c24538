"""What a rule specification means, case by case, on our own matcher."""

from __future__ import annotations

import random

import pytest

from cds.engine.direct import DirectEngine
from cds.model import Comparison, Fact, FieldRef, Operator, Pattern, RuleSpec, Scalar


def fact(ref: str, kind: str = "episode", **fields: Scalar) -> Fact:
    return Fact(kind, ref, fields)


def where(field: str, operator: Operator, value: Scalar | FieldRef) -> Comparison:
    return Comparison(field, operator, value)


def found(spec: RuleSpec, *facts: Fact) -> list[tuple[str | tuple[str, ...], ...]]:
    return [match.key[1] for match in DirectEngine([spec]).evaluate(facts)]


def one(*comparisons: Comparison) -> RuleSpec:
    return RuleSpec("rule", (Pattern("course", "episode", comparisons),))


@pytest.mark.parametrize(
    ("operator", "holding"),
    [
        ("is", [28.0]),
        ("is not", [27.0, 29.0]),
        ("less than", [27.0]),
        ("at most", [27.0, 28.0]),
        ("at least", [28.0, 29.0]),
        ("more than", [29.0]),
    ],
)
def test_each_operator_at_below_and_above_its_bound(operator: Operator, holding: list[float]) -> None:
    spec = one(where("days", operator, 28.0))
    assert [days for days in (27.0, 28.0, 29.0) if found(spec, fact("e", days=days))] == holding


@pytest.mark.parametrize("operator", ["is", "is not", "less than", "at most", "at least", "more than"])
def test_a_missing_field_never_holds(operator: Operator) -> None:
    assert found(one(where("days", operator, 28.0)), fact("e", other=28.0)) == []
    joined = RuleSpec(
        "r", (Pattern("a", "order"), Pattern("b", "episode", (where("days", operator, FieldRef("a", "x")),)))
    )
    assert found(joined, fact("o", "order"), fact("e", days=1.0)) == []
    assert found(joined, fact("o", "order", x=1.0), fact("e")) == []


@pytest.mark.parametrize("operator", ["is", "is not", "less than", "at most", "at least", "more than"])
@pytest.mark.parametrize(("value", "other"), [("1", 1.0), (True, 1.0), (1.0, True), ("true", True), (False, 0.0)])
def test_between_different_types_nothing_holds(operator: Operator, value: Scalar, other: Scalar) -> None:
    assert found(one(where("x", operator, other)), fact("e", x=value)) == []
    own = one(where("x", operator, FieldRef("course", "y")))
    assert found(own, fact("e", x=value, y=other)) == []


@pytest.mark.parametrize("operator", ["less than", "at most", "at least", "more than"])
def test_text_and_truth_values_have_no_order(operator: Operator) -> None:
    assert found(one(where("x", operator, "b")), fact("1", x="a"), fact("2", x="b"), fact("3", x="c")) == []
    own = one(where("x", operator, FieldRef("course", "y")))
    assert found(own, fact("1", x="a", y="b"), fact("2", x=True, y=False), fact("3", x="a", y="a")) == []


def test_a_whole_number_equals_itself_with_a_point() -> None:
    assert found(one(where("days", "is", 28.0)), fact("e", days=28)) == [("e",)]


def test_truth_values_are_equal_to_themselves_only() -> None:
    facts = (fact("1", prn=True), fact("2", prn=False), fact("3", prn=1.0))
    assert found(one(where("prn", "is", True)), *facts) == [("1",)]
    assert found(one(where("prn", "is not", True)), *facts) == [("2",)]


def test_an_offset_is_added_to_the_other_side() -> None:
    window = where("date", "at most", FieldRef("course", "start", 30.0))
    spec = RuleSpec("r", (Pattern("course", "episode"), Pattern("visit", "encounter", (window,))))
    course = fact("e", start=-40.0)
    assert found(spec, course, fact("v", "encounter", date=-10.0)) == [("e", "v")]
    assert found(spec, course, fact("v", "encounter", date=-9.0)) == []


def test_an_offset_holds_between_numbers_only() -> None:
    spec = one(where("x", "is", FieldRef("course", "y", 1.0)), where("z", "is not", FieldRef("course", "y", 1.0)))
    assert found(spec, fact("1", x="a", y="a", z="b"), fact("2", x=2.0, y=1.0, z=3.0)) == [("2",)]


def test_a_pattern_can_compare_two_fields_of_its_own_fact() -> None:
    spec = one(where("end", "at least", FieldRef("course", "start", 30.0)))
    assert found(spec, fact("1", start=0.0, end=30.0), fact("2", start=0.0, end=29.0)) == [("1",)]


def test_patterns_of_a_rule_bind_distinct_facts() -> None:
    spec = RuleSpec("r", (Pattern("a", "episode"), Pattern("b", "episode")))
    assert found(spec, fact("1")) == []
    assert found(spec, fact("1"), fact("2")) == [("1", "2"), ("2", "1")]


def test_an_absence_silences_when_one_of_its_patterns_finds_a_fact() -> None:
    unless = (Pattern("visit", "encounter"), Pattern("plan", "taper", (where("of", "is", FieldRef("course", "drug")),)))
    spec = RuleSpec("r", (Pattern("course", "episode"),), unless)
    course = fact("e", drug="lorazepam")
    assert found(spec, course, fact("t", "taper", of="diazepam")) == [("e",)]
    assert found(spec, course, fact("t", "taper", of="lorazepam")) == []
    assert found(spec, course, fact("v", "encounter")) == []


def test_an_absence_sees_the_facts_that_are_bound_too() -> None:
    same = Pattern("other", "episode", (where("drug", "is", FieldRef("course", "drug")),))
    assert found(RuleSpec("r", (Pattern("course", "episode"),), (same,)), fact("e", drug="x")) == []


def test_an_absence_is_decided_for_each_way_to_bind() -> None:
    visit = Pattern("visit", "encounter", (where("drug", "is", FieldRef("course", "drug")),))
    spec = RuleSpec("r", (Pattern("course", "episode"),), (visit,))
    facts = (fact("1", drug="x"), fact("2", drug="y"), fact("v", "encounter", drug="x"))
    assert found(spec, *facts) == [("2",)]


def test_a_rule_of_absences_alone_holds_once() -> None:
    spec = RuleSpec("r", (), (Pattern("visit", "encounter"),))
    assert found(spec) == [()]
    assert found(spec, fact("v", "encounter")) == []


@pytest.mark.parametrize(("size", "matches"), [(1, []), (2, [(("1", "2"),)]), (3, [(("1", "2", "3"),)])])
def test_a_group_is_bound_whole_from_its_count_on(size: int, matches: list[object]) -> None:
    spec = RuleSpec("r", (Pattern("all", "episode", at_least=2),))
    assert found(spec, *(fact(ref) for ref in "321"[3 - size :])) == matches


def test_a_group_leaves_out_what_a_single_pattern_or_an_earlier_group_has() -> None:
    spec = RuleSpec(
        "r",
        (
            Pattern("early", "episode", (where("start", "less than", 0.0),), at_least=1),
            Pattern("rest", "episode", at_least=1),
            Pattern("order", "episode", (where("draft", "is", True),)),
        ),
    )
    facts = (fact("1", start=-1.0), fact("2", start=1.0), fact("3", draft=True, start=-2.0))
    assert found(spec, *facts) == [(("1",), ("2",), "3")]


def test_a_group_under_unless_silences_from_its_count_on() -> None:
    spec = RuleSpec("r", (Pattern("course", "episode"),), (Pattern("visits", "encounter", at_least=2),))
    one_visit = (fact("e"), fact("v1", "encounter"))
    assert found(spec, *one_visit) == [("e",)]
    assert found(spec, *one_visit, fact("v2", "encounter")) == []


@pytest.mark.parametrize("copies", [1, 20])
def test_a_join_by_hash_finds_what_a_join_by_trial_finds(copies: int) -> None:
    spec = RuleSpec("r", (Pattern("a", "order"), Pattern("b", "episode", (where("x", "is", FieldRef("a", "x")),))))
    facts = [fact(f"{value!r}-{n}", x=value) for value in (1.0, True, "a", 2.0) for n in range(copies)]
    bound = found(spec, fact("o", "order", x=1), *facts)
    assert bound == sorted(("o", f"1.0-{n}") for n in range(copies))


def test_matches_are_sorted_and_do_not_depend_on_the_order_of_facts() -> None:
    specs = [RuleSpec(name, (Pattern("a", "episode"), Pattern("b", "episode"))) for name in ("z", "a")]
    facts = [fact(str(number)) for number in range(6)]
    engine = DirectEngine(specs)
    first = engine.evaluate(facts)
    random.Random(3).shuffle(facts)
    assert engine.evaluate(facts) == first
    assert [match.key for match in first] == sorted(match.key for match in first)
    assert len(first) == 2 * 6 * 5


def test_a_rule_that_can_never_hold_is_never_found() -> None:
    assert found(one(where("x", "more than", "text")), fact("e", x="z")) == []
    spec = RuleSpec("r", (Pattern("a", "episode"),), (Pattern("b", "episode", (where("x", "more than", "t"),)),))
    assert found(spec, fact("e", x="z")) == [("e",)]
