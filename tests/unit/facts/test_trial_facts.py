"""Antidepressant trials: covered and adequate days (family C definitions, 1.5, 1.6, 10.16, 10.28)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cds.model import Scalar
from tests.unit.charts import Line, facts_of, the, those

ESCITALOPRAM = "draft d: {drug: escitalopram 10, take: 1, days: 30d}"
PATIENT = "patient: {age: 45}"


def switch(*lines: Line, draft: str = ESCITALOPRAM, patient: str = PATIENT) -> Mapping[str, Scalar]:
    return the(facts_of(patient, *lines, draft, hook="order-sign"), "switch")


def days(*lines: Line, **more: str) -> tuple[Scalar, Scalar | None]:
    """(covered days, adequate days) of the trial that the draft would end."""
    found = switch(*lines, **more)
    return found["covered_days"], found.get("adequate_days")


def test_covered_days_count_up_to_yesterday() -> None:
    assert days("fills s: {drug: sertraline 50, take: 1, from: -28d, days_supply: 60d}") == (28, 28)


def test_days_below_the_minimum_effective_dose_are_covered_and_not_adequate() -> None:
    assert days(
        "fills a: {drug: sertraline 25, take: 1, from: -40d, days_supply: 10d}",
        "fills b: {drug: sertraline 50, take: 1, from: -30d, days_supply: 60d}",
    ) == (40, 30)


def test_strengths_taken_together_are_adequate_together() -> None:
    assert days(
        "order a: {drug: sertraline 25, take: 1, authored: -20d, days: 60d}",
        "order b: {drug: sertraline 25, take: 1, authored: -20d, days: 60d, replaces: none}",
    ) == (20, 0)
    assert days("fills s: {drug: sertraline 25, take: 2, from: -20d, days_supply: 60d}") == (20, 20)


def test_an_as_needed_dose_is_never_adequate() -> None:
    assert days("fills s: {drug: sertraline 50, take: 1, prn: true, from: -20d, days_supply: 60d}") == (20, 0)


def test_the_low_end_of_a_dose_range_decides() -> None:
    dose = {"doseRange": {"low": {"value": 25, "unit": "mg"}, "high": {"value": 100, "unit": "mg"}}}
    fill = {
        "fhir s": {
            "resourceType": "MedicationDispense",
            "id": "s",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 25 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-20d",
            "daysSupply": {"value": 60},
            "dosageInstruction": [
                {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [dose]}
            ],
        }
    }
    assert days(fill) == (20, 0)


def interrupted(gap: int) -> tuple[Scalar, Scalar | None]:
    """Twenty days at 50 mg, a stretch at 25 mg, five days at 50 mg."""
    return days(
        f"fills a: {{drug: sertraline 50, take: 1, from: {-25 - gap}d, days_supply: 20d}}",
        f"fills b: {{drug: sertraline 25, take: 1, from: {-5 - gap}d, days_supply: {gap}d}}",
        "fills c: {drug: sertraline 50, take: 1, from: -5d, days_supply: 30d}",
    )


def test_an_interruption_of_fourteen_days_does_not_restart_the_count_and_one_of_fifteen_does() -> None:
    assert interrupted(14) == (39, 25)
    assert interrupted(15) == (40, 5)


def test_a_dose_lowered_at_the_end_does_not_undo_the_adequate_days_before() -> None:
    assert days(
        "fills a: {drug: sertraline 50, take: 1, from: -60d, days_supply: 40d}",
        "fills b: {drug: sertraline 25, take: 1, from: -20d, days_supply: 40d}",
    ) == (60, 40)


def test_an_unknown_dose_leaves_the_adequate_days_unknown() -> None:
    found = switch("fills s: {drug: sertraline 50, from: -20d, days_supply: 60d}")
    assert (found["dose_known"], found["covered_days"], found.get("adequate_days")) == (False, 20, None)


@pytest.mark.parametrize(("age", "minimum"), [(64, 150), (65, 75)])
def test_the_minimum_dose_of_a_tricyclic_is_lower_from_65(age: int, minimum: int) -> None:
    found = switch(
        "fills a: {drug: amitriptyline 25, take: 4, from: -20d, days_supply: 60d}",
        draft="draft d: {drug: doxepin 10, take: 10, days: 30d}",
        patient=f"patient: {{age: {age}}}",
    )
    assert found["minimum_dose"] == minimum


def test_of_a_partial_birth_date_the_older_reading_gives_the_minimum_dose_the_reading_that_alerts_less() -> None:
    found = switch(
        "fills a: {drug: amitriptyline 25, take: 4, from: -20d, days_supply: 60d}",
        draft="draft d: {drug: doxepin 10, take: 10, days: 30d}",
        patient="patient: {birth: '1961'}",
    )
    assert found["minimum_dose"] == 75


# Bupropion -----------------------------------------------------------------------------------------------------------

SERTRALINE_DRAFT = "draft d: {drug: sertraline 50, take: 1, days: 30d}"


def bupropion(*steps: str) -> tuple[Scalar, Scalar | None]:
    order = "order b: {drug: bupropion XL 150, take: 1, authored: -60d}"
    return days(order, *steps, "stop x: {order: b}", draft=SERTRALINE_DRAFT)


def test_at_150_mg_of_bupropion_the_covered_days_count_for_adequate_ones() -> None:
    assert bupropion("fills f: {drug: bupropion XL 150, take: 1, from: -30d, days_supply: 60d}") == (30, 30)


def test_bupropion_that_has_come_to_150_mg_counts_all_its_covered_days() -> None:
    assert bupropion(
        "fills f: {drug: bupropion XL 150, take: 0.5, from: -37d, days_supply: 7d}",
        "fills g: {drug: bupropion XL 150, take: 1, from: -30d, days_supply: 60d}",
    ) == (37, 37)


def test_bupropion_below_150_mg_is_not_adequate() -> None:
    assert bupropion("fills f: {drug: bupropion XL 150, take: 0.5, from: -30d, days_supply: 60d}") == (30, 0)


# What is a trial -----------------------------------------------------------------------------------------------------


def no_switch(*lines: Line, draft: str = SERTRALINE_DRAFT) -> bool:
    return those(facts_of(PATIENT, *lines, draft, hook="order-sign"), "switch") == []


def test_a_low_dose_adjunct_is_no_trial() -> None:
    assert no_switch("fills t: {drug: trazodone 100, take: 1, from: -60d, days_supply: 20d}")


def test_smoking_cessation_is_no_trial() -> None:
    assert no_switch(
        "order b: {drug: bupropion XL 150, take: 1, authored: -20d, days: 60d, reason: F17.210}", "stop x: {order: b}"
    )


@pytest.mark.parametrize(("reason", "silent"), [("M54.5", True), ("F51.01", True), ("F32.1", False)])
def test_a_drug_ordered_for_pain_or_sleep_is_no_trial(reason: str, silent: bool) -> None:
    order = f"order v: {{drug: venlafaxine XR 75, take: 1, authored: -20d, days: 60d, reason: {reason}}}"
    assert no_switch(order, "stop x: {order: v}") is silent


def test_zuranolone_is_no_trial() -> None:
    assert no_switch("fills z: {drug: zuranolone 25, take: 2, from: -20d, days_supply: 5d}")


def test_a_drug_that_was_begun_today_is_no_trial_yet() -> None:
    assert no_switch("fills e: {drug: escitalopram 10, take: 1, from: +0d, days_supply: 30d}", draft=SERTRALINE_DRAFT)


def test_an_undated_statement_is_no_trial() -> None:
    assert no_switch("statement e: {drug: escitalopram 10, take: 1}", draft=SERTRALINE_DRAFT)


def test_an_order_on_hold_silences_the_trial() -> None:
    assert no_switch(
        "order e: {drug: escitalopram 10, take: 1, authored: -20d, status: on-hold, updated: -1d}",
        "fills f: {drug: escitalopram 10, take: 1, from: -20d, days_supply: 30d, order: e}",
        draft=SERTRALINE_DRAFT,
    )


def test_an_earlier_episode_is_a_trial_of_its_own() -> None:
    facts = facts_of(
        PATIENT,
        "fills old: {drug: sertraline 50, take: 1, from: -300d, days_supply: 42d}",
        "fills s: {drug: sertraline 50, take: 1, from: -20d, days_supply: 30d}",
        ESCITALOPRAM,
        hook="order-sign",
    )
    assert [(f.fields["start"], f.fields["adequate_days"]) for f in those(facts, "trial")] == [(-20, 20), (-300, 42)]
    assert the(facts, "switch")["old_start"] == -20


# Coverage ------------------------------------------------------------------------------------------------------------


def test_coverage_is_covered_days_in_the_span_up_to_yesterday() -> None:
    found = switch(
        "fills a: {drug: sertraline 50, take: 1, from: -60d, days_supply: 20d}",
        "fills b: {drug: sertraline 50, take: 1, from: -26d, days_supply: 26d}",
    )
    assert found["coverage_percent"] == pytest.approx(100 * 46 / 60)


def test_the_span_of_an_ended_trial_ends_with_it() -> None:
    found = switch("fills a: {drug: sertraline 50, take: 1, from: -50d, days_supply: 25d}")
    assert (found["how"], found["coverage_percent"]) == ("ended", 100)


def test_days_in_hospital_are_no_adherence_gap() -> None:
    found = switch(
        "fills a: {drug: sertraline 50, take: 1, from: -50d, days_supply: 60d}",
        "visit stay: {class: IMP, date: -40d, end: -31d}",
    )
    assert (found["covered_days"], found["coverage_percent"]) == (40, 100)
