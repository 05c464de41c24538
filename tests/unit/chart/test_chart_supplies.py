"""Which dispenses, statements and administrations count (1.2, 10.10)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.charts import TODAY, chart_of

SERTRALINE = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "312941"}]}
SUBJECT = {"reference": "Patient/case-patient"}


def resource(kind: str, **elements: Any) -> dict[str, Any]:
    body = {
        "resourceType": kind,
        "id": "x",
        "status": "completed",
        "medicationCodeableConcept": SERTRALINE,
        "subject": SUBJECT,
        **elements,
    }
    return {"fhir x": {k: v for k, v in body.items() if v is not None}}


def rel(day: int | None) -> int | None:
    return None if day is None else day - TODAY.toordinal()


def fills(**elements: Any) -> tuple[Any, ...]:
    return chart_of(resource("MedicationDispense", **elements)).fills


def test_a_completed_dispense_starts_when_it_was_handed_over() -> None:
    (fill,) = fills(whenHandedOver="@-10d", whenPrepared="@-12d")
    assert rel(fill.start) == -10


def test_a_completed_dispense_without_hand_over_starts_when_it_was_prepared() -> None:
    (fill,) = fills(whenPrepared="@-12d")
    assert rel(fill.start) == -12


def test_a_dispense_in_progress_counts_only_when_handed_over() -> None:
    assert fills(status="in-progress", whenPrepared="@-12d") == ()
    (fill,) = fills(status="in-progress", whenHandedOver="@-12d")
    assert rel(fill.start) == -12


@pytest.mark.parametrize("status", ["cancelled", "declined", "entered-in-error", "preparation", "on-hold", "unknown"])
def test_other_dispenses_are_ignored(status: str) -> None:
    assert fills(status=status, whenHandedOver="@-12d") == ()


def test_a_stopped_dispense_counts_for_what_was_handed_over() -> None:
    assert fills(status="stopped", whenHandedOver="@-12d", quantity={"value": 0, "unit": "tablet"}) == ()
    assert fills(status="stopped", whenHandedOver="@-12d") == ()
    assert len(fills(status="stopped", whenHandedOver="@-12d", quantity={"value": 10, "unit": "tablet"})) == 1


def test_a_dispense_without_any_date_is_ignored() -> None:
    assert fills() == ()


def test_days_supply_without_a_unit_is_in_days() -> None:
    (fill,) = fills(whenHandedOver="@-10d", daysSupply={"value": 30})
    assert fill.days == 30


def test_without_days_supply_the_quantity_and_the_dose_say_how_long() -> None:
    dosage = [
        {
            "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ]
    (fill,) = fills(whenHandedOver="@-10d", quantity={"value": 60, "unit": "tablet"}, dosageInstruction=dosage)
    assert fill.days == 30


def test_an_inpatient_dispense_is_marked() -> None:
    (fill,) = fills(whenHandedOver="@-10d", category={"coding": [{"code": "inpatient"}]})
    assert fill.setting == "inpatient"


# Statements ----------------------------------------------------------------------------------------------------------


def statements(**elements: Any) -> tuple[Any, ...]:
    return chart_of(resource("MedicationStatement", **elements)).statements


@pytest.mark.parametrize(
    ("status", "taken", "current"),
    [
        ("active", True, True),
        ("intended", True, True),
        ("completed", True, False),
        ("stopped", True, False),
        ("not-taken", False, False),
    ],
)
def test_the_status_of_a_statement_says_whether_the_drug_is_taken(status: str, taken: bool, current: bool) -> None:
    (said,) = statements(status=status)
    assert (said.taken, said.current) == (taken, current)


@pytest.mark.parametrize("status", ["entered-in-error", "unknown", "on-hold"])
def test_other_statements_are_ignored(status: str) -> None:
    assert statements(status=status) == ()


def test_a_statement_about_a_stay_is_ignored() -> None:
    assert statements(status="active", category={"coding": [{"code": "inpatient"}]}) == ()


def test_only_a_period_dates_a_statement() -> None:
    (period,) = statements(status="active", effectivePeriod={"start": "@-50d"})
    (moment,) = statements(status="active", effectiveDateTime="@-50d")
    assert (rel(period.start), period.dated) == (-50, True)
    assert (rel(moment.start), moment.dated) == (-50, False)


def test_a_statement_mentions_the_drug_on_its_latest_day() -> None:
    (said,) = statements(status="active", effectivePeriod={"start": "@-500d"}, dateAsserted="@-7d")
    assert rel(said.mentioned) == -7


def test_why_a_statement_was_stopped_is_read() -> None:
    (said,) = statements(status="stopped", statusReason=[{"text": "Nausea"}])
    assert said.stop_reasons == {"intolerance"}


# Administrations -----------------------------------------------------------------------------------------------------


def given(**elements: Any) -> tuple[Any, ...]:
    elements = {"effectiveDateTime": "@-3d", **elements}
    return chart_of(resource("MedicationAdministration", **elements)).administrations


def test_a_given_dose_counts_on_its_day() -> None:
    (dose,) = given(dosage={"dose": {"value": 50, "unit": "mg"}})
    assert (rel(dose.start), rel(dose.end)) == (-3, -3)
    assert [float(s.amount_high or 0) for s in dose.steps] == [50]


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "on-hold", "unknown"])
def test_doses_that_were_not_given_are_ignored(status: str) -> None:
    assert given(status=status) == ()
