"""Specifications without a meaning are refused by every engine, with the rule and the line."""

from __future__ import annotations

import pytest

from cds.engine.checks import check_specs
from cds.engine.compare import truth
from cds.errors import EngineError
from cds.model import Comparison, FieldRef, Pattern, RuleSpec


def refused(spec: RuleSpec) -> str:
    with pytest.raises(EngineError) as error:
        check_specs([spec])
    return str(error.value)


def test_two_rules_with_one_id_are_refused() -> None:
    with pytest.raises(EngineError, match="rule r: two specifications"):
        check_specs([RuleSpec("r", ()), RuleSpec("r", ())])


def test_a_name_bound_twice_is_refused() -> None:
    text = refused(RuleSpec("r", (Pattern("a", "x"), Pattern("a", "y", line=7))))
    assert text == "rule r, line 7, a: the name is bound twice"


def test_a_reference_to_what_is_not_bound_above_is_refused() -> None:
    below = Comparison("x", "is", FieldRef("b", "x"), line=3)
    text = refused(RuleSpec("r", (Pattern("a", "x", (below,)), Pattern("b", "x"))))
    assert text == "rule r, line 3, a.x: b is not bound above this line"


def test_absences_cannot_refer_to_each_other() -> None:
    other = Comparison("x", "is", FieldRef("u", "x"))
    assert "u is not bound" in refused(RuleSpec("r", (), (Pattern("u", "x"), Pattern("v", "x", (other,)))))


def test_two_absences_may_have_one_name() -> None:
    check_specs([RuleSpec("r", (), (Pattern("u", "x"), Pattern("u", "y")))])


def test_a_reference_to_a_group_is_refused() -> None:
    ref = Comparison("x", "is", FieldRef("g", "x"))
    text = refused(RuleSpec("r", (Pattern("g", "x", at_least=2), Pattern("b", "x", (ref,)))))
    assert "g is a group and has no single x" in text


def test_a_group_of_none_is_refused() -> None:
    assert "at least 1 member" in refused(RuleSpec("r", (Pattern("g", "x", at_least=0),)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), FieldRef("a", "y", float("inf"))])
def test_numbers_that_are_not_finite_are_refused(value: float | FieldRef) -> None:
    assert "not a finite number" in refused(RuleSpec("r", (Pattern("a", "x", (Comparison("x", "is", value),)),)))


@pytest.mark.parametrize("operator", ["is", "is not", "less than", "at most", "at least", "more than"])
def test_a_comparison_with_what_is_missing_is_unknown(operator: str) -> None:
    assert truth(operator, None, 1.0) is None  # type: ignore[arg-type]
    assert truth(operator, "a", None) is None  # type: ignore[arg-type]


def test_a_comparison_of_different_types_is_false_rather_than_unknown() -> None:
    assert truth("is", "1", 1.0) is False
    assert truth("is not", True, 1.0) is False
    assert truth("is", "a", "a", 1.0) is False
