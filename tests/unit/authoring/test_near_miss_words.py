"""How far a comparison is from holding, by the type of its field."""

from __future__ import annotations

import datetime as dt

import pytest

from cds.authoring.near_miss_words import date_words, deviation, kind_words, value_words
from cds.model import Comparison, Operator, Scalar


@pytest.mark.parametrize(
    ("kind", "field", "operator", "actual", "wanted", "words"),
    [
        ("order", "authorised_days", "more than", 28.0, 28.0, "1 d short"),
        ("order", "authorised_days", "at least", 27.0, 28.0, "1 d short"),
        ("order", "authorised_days", "at most", 30.0, 28.0, "2 d over"),
        ("order", "authorised_days", "less than", 28.0, 28.0, "1 d over"),
        ("contact", "day", "at least", -91.0, -90.0, "1 d too early"),
        ("contact", "day", "less than", -28.0, -28.0, "1 d too late"),
        ("order", "refills", "at least", 2.0, 3.0, "1 short"),
        ("order", "daily_dose", "more than", 7.5, 10.0, "2.5 mg short"),
        ("order", "daily_dose", "more than", 10.0, 10.0, "exactly the limit"),
        ("order", "ingredient", "is not", "sertraline", "sertraline", ""),
        ("order", "as_needed", "is", False, True, ""),
        ("order", "authorised_days", "more than", None, 28.0, ""),
    ],
)
def test_the_distance_has_the_unit_and_the_direction_of_its_field(
    kind: str, field: str, operator: Operator, *, actual: Scalar | None, wanted: Scalar, words: str
) -> None:
    assert deviation(Comparison(field, operator, wanted), kind, actual, wanted) == words


@pytest.mark.parametrize(
    ("value", "type_", "words"),
    [
        (28.0, "days", "28 d"),
        (-28.0, "date", "2026-02-02 (-28 d)"),
        (0.0, "date", "2026-03-02 (today)"),
        (12.5, "mg", "12.5 mg"),
        (20.0, "percent", "20 %"),
        (True, "boolean", "true"),
        (None, "days", "not recorded"),
        ("<b>x</b>", "text", "‹b›x‹/b›"),
    ],
)
def test_a_value_is_written_as_its_type_is_read(value: Scalar | None, type_: str, words: str) -> None:
    assert value_words(value, type_, dt.date(2026, 3, 2)) == words


def test_a_day_beyond_the_calendar_is_told_by_its_distance() -> None:
    assert date_words(-36500000, dt.date(2026, 3, 2)) == "-36500000 d"


def test_a_kind_is_told_with_what_it_is() -> None:
    assert kind_words("trial") == "trial (one episode of one antidepressant)"
