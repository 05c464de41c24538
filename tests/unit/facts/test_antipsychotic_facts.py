"""Antipsychotic switches and the record of full trials (C-03, 10.28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cds.model import Fact, Scalar
from tests.unit.charts import Line, facts_of, the, those

ORDER = "order r: {drug: risperidone 4, take: 1, authored: -21d, refills: 5}"
FILL = "fills f: {drug: risperidone 4, take: 1, from: -21d, days_supply: 30d, order: r}"
STOP = "stop x: {order: r}"
OLANZAPINE = "draft d: {drug: olanzapine 10, take: 1, days: 30d}"
PSYCHOSIS = "condition sz: {code: F20.9, onset: -300d}"


def found(*lines: Line) -> list[Fact]:
    return those(facts_of("patient: {age: 35}", PSYCHOSIS, *lines, hook="order-sign"), "antipsychotic_switch")


def switch(*lines: Line) -> Mapping[str, Scalar]:
    return the(facts_of("patient: {age: 35}", PSYCHOSIS, *lines, hook="order-sign"), "antipsychotic_switch")


def observation(code: str, value: float, unit: str, day: str, **more: Any) -> dict[str, Any]:
    resource = {
        "resourceType": "Observation",
        "id": f"o{code}{day}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/case-patient"},
        "effectiveDateTime": f"@{day}",
        "valueQuantity": {"value": value, "unit": unit, "code": unit},
        **more,
    }
    return {f"fhir {resource['id']}": resource}


def injection(day: str) -> dict[str, Any]:
    product = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1659812"}
    resource = {
        "resourceType": "MedicationAdministration",
        "id": f"i{day}",
        "status": "completed",
        "medicationCodeableConcept": {"coding": [product]},
        "subject": {"reference": "Patient/case-patient"},
        "effectiveDateTime": f"@{day}",
    }
    return {f"fhir {resource['id']}": resource}


def test_a_stopped_antipsychotic_is_switched() -> None:
    fact = switch(ORDER, FILL, STOP, OLANZAPINE)
    wanted = {"how": "stopped", "adequate_days": 21, "covered_days": 21, "minimum_dose": 2, "minimum_confirmed": True}
    assert {k: fact[k] for k in wanted} == wanted


def test_an_antipsychotic_that_goes_on_is_not_switched() -> None:
    assert found(ORDER, FILL, OLANZAPINE) == []


def test_a_supply_that_ran_out_is_no_end() -> None:
    assert found("fills f: {drug: risperidone 4, take: 1, from: -60d, days_supply: 30d}", OLANZAPINE) == []


@pytest.mark.parametrize("drug", ["clozapine 100", "paliperidone ER 6", "quetiapine 50", "lorazepam 1"])
def test_clozapine_the_same_substance_and_low_doses_are_never_switched_to(drug: str) -> None:
    assert found(ORDER, FILL, STOP, f"draft d: {{drug: {drug}, take: 1, days: 30d}}") == []


def test_a_drug_without_a_minimum_dose_is_neither_known_nor_unknown() -> None:
    order = "order r: {drug: amisulpride 200, take: 2, authored: -21d, days: 30d}"
    assert "dose_known" not in switch(order, STOP, OLANZAPINE)


def test_days_as_needed_are_no_trial() -> None:
    order = "order r: {drug: risperidone 4, take: 1, prn: true, authored: -21d, days: 30d}"
    assert found(order, STOP, OLANZAPINE) == []


def test_a_step_up_counts_only_from_the_effective_dose() -> None:
    low = "fills a: {drug: risperidone 0.5, take: 1, from: -40d, days_supply: 20d}"
    high = "fills b: {drug: risperidone 4, take: 1, from: -20d, days_supply: 30d, order: r}"
    order = "order r: {drug: risperidone 4, take: 1, authored: -20d, refills: 5}"
    fact = switch(low, high, order, STOP, OLANZAPINE)
    assert (fact["covered_days"], fact["adequate_days"]) == (40, 20)


# Injections -----------------------------------------------------------------------------------------------------------

LAI = "order r: {drug: aripiprazole injection 400, authored: -90d, refills: 12}"


def test_a_trial_of_an_injection_is_counted_from_the_third_one() -> None:
    fact = switch(LAI, injection("-66d"), injection("-38d"), injection("-10d"), STOP, OLANZAPINE)
    assert (fact["form"], fact["covered_days"], fact["dose_known"]) == ("injection", 10, False)


def test_or_from_the_sixteenth_week_when_that_is_earlier() -> None:
    fact = switch(LAI, injection("-117d"), injection("-60d"), injection("-2d"), STOP, OLANZAPINE)
    assert fact["covered_days"] == 5


def test_before_either_there_is_nothing_to_judge() -> None:
    assert found(LAI, injection("-38d"), injection("-10d"), STOP, OLANZAPINE) == []


def test_an_injection_after_more_than_seven_months_begins_a_new_trial() -> None:
    old = [injection("-400d"), injection("-372d"), injection("-344d")]
    assert found(LAI, *old, injection("-38d"), injection("-10d"), STOP, OLANZAPINE) == []


def test_dispensed_injections_count_only_where_none_is_recorded_as_given() -> None:
    fills = "fills f: {drug: aripiprazole injection 400, from: -66d, every: 28d, days_supply: 28d, fills: 3, order: r}"
    assert switch(LAI, fills, STOP, OLANZAPINE)["covered_days"] == 10
    assert found(LAI, fills, injection("-10d"), STOP, OLANZAPINE) == []


# What explains a switch -----------------------------------------------------------------------------------------------


def test_a_flagged_prolactin_is_high_and_a_normal_flag_is_not() -> None:
    high = observation("2842-3", 90, "ng/mL", "-3d", interpretation=[{"coding": [{"code": "HH"}]}])
    assert switch(ORDER, FILL, high, STOP, OLANZAPINE)["high_prolactin"] is True
    normal = observation("2842-3", 90, "ng/mL", "-3d", interpretation=[{"coding": [{"code": "N"}]}])
    assert switch(ORDER, FILL, normal, STOP, OLANZAPINE)["high_prolactin"] is False


def test_weight_is_compared_across_units_from_the_last_one_around_the_start() -> None:
    lines = [
        observation("29463-7", 90, "kg", "-80d"),
        observation("29463-7", 80, "kg", "-25d"),
        observation("29463-7", 176.37, "[lb_av]", "-15d"),
        observation("29463-7", 85, "kg", "-1d"),
    ]
    percent = switch(ORDER, FILL, *lines, STOP, OLANZAPINE)["weight_change_percent"]
    assert isinstance(percent, float)
    assert percent == pytest.approx(6.25, abs=0.01)


def test_a_weight_without_a_unit_is_not_used() -> None:
    lines = [observation("29463-7", 80, "kg", "-25d"), observation("29463-7", 300, "", "-1d")]
    assert "weight_change_percent" not in switch(ORDER, FILL, *lines, STOP, OLANZAPINE)


def test_a_clozapine_level_in_another_unit_is_not_used() -> None:
    order = "order r: {drug: clozapine 100, take: 3, authored: -21d, days: 60d}"
    levels = [observation("6896-2", 400, "ug/L", "-2d"), observation("6896-2", 1200, "nmol/L", "-1d")]
    assert switch(order, *levels, STOP, OLANZAPINE)["highest_level"] == 400


# The record -----------------------------------------------------------------------------------------------------------


def record(*lines: Line) -> list[Fact]:
    return those(facts_of("patient: {age: 35}", PSYCHOSIS, *lines, hook="batch"), "antipsychotic_record")


def test_full_trials_are_counted_by_substance() -> None:
    facts = record(
        "fills h: {drug: haloperidol 5, take: 1, from: -300d, days_supply: 60d}",
        "fills r: {drug: risperidone 4, take: 1, from: -200d, days_supply: 60d}",
        "fills p: {drug: paliperidone ER 6, take: 1, from: -100d, days_supply: 60d}",
    )
    assert [(f.fields["full_trials"], f.fields["drugs"]) for f in facts] == [(2, "haloperidol, risperidone")]


def test_clozapine_counts_as_tried_by_any_record_of_it() -> None:
    fill = "fills h: {drug: haloperidol 5, take: 1, from: -300d, days_supply: 60d}"
    (fact,) = record(fill, "statement c: {drug: clozapine 100, from: -900d, to: -800d, status: completed}")
    assert fact.fields["clozapine_tried"] is True


def test_the_record_is_for_audits_only() -> None:
    fill = "fills h: {drug: haloperidol 5, take: 1, from: -300d, days_supply: 60d}"
    assert those(facts_of("patient: {age: 35}", fill, hook="patient-view"), "antipsychotic_record") == []
