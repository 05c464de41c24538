"""Names as text: the normal form, and the strengths a name states."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.names import normalize, stated_strengths, words
from cds.drugs.routes import read_route, route_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sertraline 50 MG Oral Tablet", {("50", "mg")}),
        ("Fluoxetine 25MG", {("25", "mg")}),
        ("morphine 10 MG/5 ML Oral Solution", {("2", "mg/mL")}),
        ("72 HR Fentanyl 25 mcg/hr", {("0.025", "mg/h")}),
        ("valproate 1,000 mg", {("1000", "mg")}),
        ("lithium citrate 60 MG/ML", {("60", "mg/mL")}),
        ("olanzapine .5 mg", {("0.5", "mg")}),
        ("hydrocodone 5 MG / acetaminophen 325 MG", {("5", "mg"), ("325", "mg")}),
        ("Vitamin B12", set()),
        ("3 MG/0 ML", set()),
    ],
)
def test_strengths_in_a_name(name: str, expected: set[tuple[str, str]]) -> None:
    assert stated_strengths(name) == {(Decimal(value), unit) for value, unit in expected}


def test_a_titration_kit_is_not_a_kit_of_the_drugs_its_patients_take() -> None:
    said = words("Lamictal Green (For Patients Taking Carbamazepine, or Primidone and Not Taking Valproate)")
    assert said == ("lamictal", "green")


@given(st.text(max_size=50))
def test_normalizing_twice_changes_nothing(name: str) -> None:
    assert normalize(normalize(name)) == normalize(name)


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Oral", "oral"),
        ("By mouth", "oral"),
        ("PO", "oral"),
        ("Oral transmucosal", "oromucosal"),
        ("Intramuscular route (qualifier value)", "intramuscular"),
        ("Subcutaneous injection", "subcutaneous"),
        ("Per rectum", "rectal"),
        ("Left ear", "otic"),
        ("as directed", None),
        (None, None),
    ],
)
def test_route_texts(text: str | None, route: str | None) -> None:
    assert read_route(text) == route


def test_a_tablet_stays_oral_whatever_the_order_says() -> None:
    assert route_of("oral", "intravenous") == "oral"
    assert route_of("transdermal", "topical") == "transdermal"
    assert route_of(None, "nasal") == "nasal"
    assert route_of("injection", None) == "injection"
