"""The comparisons of the rule language."""

from __future__ import annotations

import pytest

from cds.model import Comparison, FieldRef
from cds.rules.grammar import Folded, GrammarError, Scope, quantity, read_comparison
from cds.rules.model import Parameter
from cds.rules.vocabulary import vocabulary


def parameter(name: str, value: float | bool, unit: str) -> Parameter:
    return Parameter(name, value, unit, None, None, "P", "")


def scope(kind: str = "order", bound: dict[str, str] | None = None) -> Scope:
    parameters = {
        "max_days": parameter("max_days", 28.0, "d"),
        "exempt": parameter("exempt", False, ""),
        "limit_mg": parameter("limit_mg", 75.0, "mg"),
    }
    return Scope(vocabulary(), kind, "order", bound or {}, parameters, set())


@pytest.mark.parametrize(
    ("text", "field", "operator", "value"),
    [
        ("habit_forming is true", "habit_forming", "is", True),
        ("role is not draft", "role", "is not", "draft"),
        ("authorised_days is more than max_days", "authorised_days", "more than", 28.0),
        ("authorised_days is at least 4 wk", "authorised_days", "at least", 28.0),
        ("refills is less than 2", "refills", "less than", 2.0),
        ("daily_dose is at most 7.5 mg", "daily_dose", "at most", 7.5),
        ("start is on or after today", "start", "at least", 0.0),
        ("start is before today minus max_days", "start", "less than", -28.0),
        ("start is after today plus 7 d", "start", "more than", 7.0),
        ("start is on or before today", "start", "at most", 0.0),
    ],
)
def test_a_comparison_is_read(text: str, field: str, operator: str, value: object) -> None:
    assert read_comparison(text, scope(), 5) == Comparison(field, operator, value, 5)  # type: ignore[arg-type]


def test_a_comparison_may_refer_to_a_fact_bound_above() -> None:
    found = read_comparison("day is on or before start.start plus 28 d", scope("contact", {"start": "order"}), 1)
    assert found == Comparison("day", "at most", FieldRef("start", "start", 28.0), 1)


def test_a_truth_valued_parameter_is_decided_when_the_rule_is_compiled() -> None:
    assert read_comparison("exempt is true", scope(), 1) == Folded(False)
    assert read_comparison("exempt is false", scope(), 1) == Folded(True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("authorised_days >= max_days", "R101"),
        ("authorized_days is at least 28 d", "R110"),
        ("start is before other.start", "R111"),
        ("authorised_days is at least max_day", "R113"),
        ("role is at least draft", "R120"),
        ("authorised_days is after today", "R120"),
        ("daily_dose is at least max_days", "R121"),
        ("habit_forming is yes", "R122"),
        ("start is after 28 d", "R123"),
        ("role is drafted", "R125"),
        ("authorised_days is at least 1 month", "R130"),
        ("authorised_days is at least 5 furlongs", "R131"),
        ("authorised_days is at least 28", "R132"),
        ("daily_dose is at least 28 d", "R132"),
    ],
)
def test_a_wrong_comparison_has_its_own_code(text: str, code: str) -> None:
    with pytest.raises(GrammarError) as error:
        read_comparison(text, scope(), 1)
    assert error.value.code == code


def test_a_misspelled_field_names_the_nearest_one() -> None:
    with pytest.raises(GrammarError) as error:
        read_comparison("authorized_days is at least 28 d", scope(), 1)
    assert error.value.hint == 'did you mean "authorised_days"?'


@pytest.mark.parametrize(
    ("text", "size", "unit"), [("28 d", 28, "d"), ("4 wk", 28, "d"), ("125 %", 125, "%"), ("12", 12, "")]
)
def test_a_quantity_has_a_number_and_a_unit(text: str, size: float, unit: str) -> None:
    assert quantity(text) == (size, unit)
