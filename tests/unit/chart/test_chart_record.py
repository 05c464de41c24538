"""Conditions, results, intolerances, and since when the patient is known here (1.8, 10.11, 10.17, 10.19)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.charts import TODAY, chart_of

SUBJECT = {"reference": "Patient/case-patient"}
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"


def rel(day: int | None) -> int | None:
    return None if day is None else day - TODAY.toordinal()


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional", "differential"])
def test_conditions_that_are_refuted_or_only_suspected_do_not_count(verification: str) -> None:
    assert chart_of(f"condition c: {{code: G40.909, verification: {verification}}}").diagnoses == ()


@pytest.mark.parametrize("verification", ["confirmed", "unconfirmed"])
def test_other_conditions_count(verification: str) -> None:
    (found,) = chart_of(f"condition c: {{code: G40.909, verification: {verification}}}").diagnoses
    assert found.groups == {"seizure"}


def test_a_condition_without_any_status_is_active() -> None:
    condition = {
        "fhir c": {
            "resourceType": "Condition",
            "id": "c",
            "code": {"coding": [{"system": ICD10, "code": "F41.1"}]},
            "subject": SUBJECT,
        }
    }
    (found,) = chart_of(condition).diagnoses
    assert found.active


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("active", True),
        ("recurrence", True),
        ("relapse", True),
        ("inactive", False),
        ("remission", False),
        ("resolved", False),
    ],
)
def test_the_clinical_status_says_whether_a_condition_is_active(status: str, active: bool) -> None:
    (found,) = chart_of(f"condition c: {{code: F41.1, status: {status}}}").diagnoses
    assert found.active is active


def test_a_condition_is_dated_by_its_onset_else_by_its_record() -> None:
    (both,) = chart_of("condition c: {code: F41.1, onset: -50d, recorded: -10d}").diagnoses
    (recorded,) = chart_of("condition c: {code: F41.1, recorded: -10d}").diagnoses
    (neither,) = chart_of("condition c: {code: F41.1}").diagnoses
    assert (rel(both.day), rel(recorded.day), neither.day) == (-50, -10, None)


def test_the_text_of_a_condition_alone_never_counts() -> None:
    condition = {"fhir c": {"resourceType": "Condition", "id": "c", "code": {"text": "Epilepsy"}, "subject": SUBJECT}}
    assert chart_of(condition).diagnoses == ()


# Results -------------------------------------------------------------------------------------------------------------


def observation(**elements: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Observation",
        "id": "r1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        "subject": SUBJECT,
        "effectiveDateTime": "@-3d",
        "valueQuantity": {"value": 12},
        **elements,
    }
    return {"fhir r1": {k: v for k, v in body.items() if v is not None}}


def test_a_score_is_read_with_its_day() -> None:
    (found,) = chart_of(observation()).results
    assert (found.name, int(found.value), rel(found.day)) == ("phq9", 12, -3)


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered"])
def test_results_that_do_not_stand_are_ignored(status: str) -> None:
    assert chart_of(observation(status=status)).results == ()


def test_a_result_of_tomorrow_is_ignored() -> None:
    assert chart_of(observation(effectiveDateTime="@+1d")).results == ()


def test_the_items_of_a_panel_are_results() -> None:
    item = {"code": {"coding": [{"system": "http://loinc.org", "code": "44260-8"}]}, "valueInteger": 1}
    panel = {"coding": [{"system": "http://loinc.org", "code": "44249-1"}]}
    (found,) = chart_of(observation(code=panel, valueQuantity=None, component=[item])).results
    assert (found.name, int(found.value)) == ("phq9-item9", 1)


# Intolerances --------------------------------------------------------------------------------------------------------


def test_an_allergy_names_the_moiety_of_its_drug() -> None:
    (found,) = chart_of("allergy a1: {drug: escitalopram 10}").intolerances
    assert found.moieties == {"citalopram"}


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_refuted_allergy_does_not_count(verification: str) -> None:
    assert chart_of(f"allergy a1: {{drug: escitalopram 10, verification: {verification}}}").intolerances == ()


def test_an_adverse_event_names_the_drug_of_the_order_or_statement_it_suspects() -> None:
    event = {
        "fhir x": {
            "resourceType": "AdverseEvent",
            "id": "x",
            "actuality": "actual",
            "subject": SUBJECT,
            "suspectEntity": [{"instance": {"reference": "MedicationStatement/m1"}}],
        }
    }
    (found,) = chart_of("statement m1: {drug: sertraline 50, from: -30d}", event).intolerances
    assert found.ingredients == {"sertraline"}


# Since when ----------------------------------------------------------------------------------------------------------


def test_the_record_begins_with_the_first_day_on_which_something_was_done_or_recorded() -> None:
    chart = chart_of("visit v1: {date: -70d}", "fills s: {drug: sertraline 50, from: -80d, days_supply: 30d}")
    assert rel(chart.earliest) == -80


def test_what_the_patient_reports_of_earlier_years_is_not_the_beginning_of_the_record() -> None:
    chart = chart_of(
        "condition c: {code: F41.1, onset: -3000d, recorded: -20d}",
        "statement s: {drug: sertraline 50, from: -2000d}",
    )
    assert rel(chart.earliest) == -20


def test_days_ahead_are_not_the_beginning_of_the_record() -> None:
    assert chart_of("booking b1: {date: +9d}").earliest is None


def test_resources_without_an_id_are_told_apart() -> None:
    def fill(day: str) -> dict[str, Any]:
        return {
            f"fhir {day}": {
                "resourceType": "MedicationDispense",
                "status": "completed",
                "medicationCodeableConcept": {"text": "sertraline 50 MG Oral Tablet"},
                "subject": SUBJECT,
                "whenHandedOver": f"@{day}",
            }
        }

    refs = [f.ref for f in chart_of(fill("-10d"), fill("-40d")).fills]
    assert len(set(refs)) == 2


def test_the_discharge_list_are_active_discharge_orders_of_the_encounter() -> None:
    chart = chart_of(
        "order here: {drug: sertraline 50, category: discharge, authored: -1d}",
        "order done: {drug: sertraline 50, category: discharge, authored: -1d, status: completed}",
        "order elsewhere: {drug: sertraline 50, category: discharge, authored: -1d, encounter: other}",
        "order home: {drug: sertraline 50, authored: -100d}",
        hook="encounter-discharge",
    )
    assert [o.ref for o in chart.orders if o.role == "discharge"] == ["MedicationRequest/here"]
    assert chart.discharge_list_known


def test_without_a_discharge_order_the_list_is_unknown() -> None:
    chart = chart_of("order home: {drug: sertraline 50, authored: -100d}", hook="encounter-discharge")
    assert not chart.discharge_list_known
