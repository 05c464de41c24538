"""Why an order was written, and results that come in several units or with a reference range."""

from __future__ import annotations

from typing import Any

import pytest

from cds.chart.model import Order, Result
from tests.unit.charts import Line, chart_of

DEPRESSION = "condition mdd: {code: F33.1, onset: -300d}"
TIC = "condition tic: {code: F95.2, onset: -300d}"


def order(*lines: Line, **reason: Any) -> Order:
    resource = {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "sertraline"},
        "subject": {"reference": "Patient/case-patient"},
        **reason,
    }
    (found,) = chart_of(*lines, {"fhir m": resource}).orders
    return found


def result(code: str, value: float, unit: str, **more: Any) -> list[Result]:
    resource = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/case-patient"},
        "effectiveDateTime": "@-1d",
        "valueQuantity": {"value": value, "unit": unit, "code": unit},
        **more,
    }
    return list(chart_of({"fhir o": resource}).results)


def test_an_order_without_a_reason_has_none() -> None:
    found = order()
    assert (found.reasons, found.unknown_reason) == (frozenset(), False)


def test_a_reason_by_reference_counts_like_one_by_code() -> None:
    found = order(DEPRESSION, reasonReference=[{"reference": "Condition/mdd"}])
    assert (found.reasons, found.unknown_reason) == (frozenset({"depression"}), False)


@pytest.mark.parametrize(
    "reason",
    [
        {"reasonCode": [{"text": "restless at school"}]},
        {"reasonReference": [{"reference": "Condition/tic"}]},
        {"reasonReference": [{"reference": "Condition/not-sent"}]},
    ],
)
def test_a_reason_that_the_table_does_not_know_is_still_a_reason(reason: dict[str, Any]) -> None:
    found = order(TIC, **reason)
    assert (found.reasons, found.unknown_reason) == (frozenset(), True)


@pytest.mark.parametrize(("value", "unit", "kg"), [(80.5, "kg", 80.5), (80500, "g", 80.5), (200, "[lb_av]", 90.718474)])
def test_weights_are_in_kilograms(value: float, unit: str, kg: float) -> None:
    (found,) = result("29463-7", value, unit)
    assert float(found.value) == pytest.approx(kg)


def test_a_weight_without_a_known_unit_is_left_out() -> None:
    assert result("29463-7", 80, "stone") == []


@pytest.mark.parametrize(
    ("more", "high"),
    [
        ({}, None),
        ({"interpretation": [{"coding": [{"code": "H"}]}]}, True),
        ({"interpretation": [{"coding": [{"code": "N"}]}]}, False),
        ({"referenceRange": [{"high": {"value": 20, "unit": "ng/mL", "code": "ng/mL"}}]}, True),
        ({"referenceRange": [{"high": {"value": 40, "unit": "ng/mL", "code": "ng/mL"}}]}, False),
        ({"referenceRange": [{"high": {"value": 400, "unit": "mIU/L", "code": "mIU/L"}}]}, None),
    ],
)
def test_a_result_is_high_by_its_flag_else_by_its_own_range(more: dict[str, Any], high: bool | None) -> None:
    (found,) = result("2842-3", 30, "ng/mL", **more)
    assert found.high is high
