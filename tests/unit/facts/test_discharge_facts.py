"""Discharges, and what came after them (D-03, D-02)."""

from __future__ import annotations

import pytest

from cds.model import Hook, Scalar
from tests.unit.charts import Line, facts_of, the, those

STAY = "visit s: {class: IMP, date: -15d, end: -8d, diagnosis: F32.2}"


def returns(*lines: Line, hook: Hook = "patient-view") -> list[tuple[Scalar, Scalar, Scalar]]:
    """(discharge, how, day), sorted."""
    found = those(facts_of(*lines, hook=hook), "return_to_care")
    return sorted((f.fields["discharge"], f.fields["how"], f.fields["day"]) for f in found)


def test_a_stay_is_discharged_on_its_last_day() -> None:
    fact = the(facts_of(STAY), "discharge")
    assert (fact["event"], fact["admitted"], fact["day"], fact["diagnosis"]) == ("stay", -15, -8, "mental-disorder")
    assert (fact["planned"], fact["destination"]) == (False, "unrecorded")


def test_a_stay_of_unknown_diagnosis_has_no_diagnosis_field() -> None:
    fact = the(facts_of("visit s: {class: IMP, date: -15d, end: -8d}"), "discharge")
    assert "diagnosis" not in fact
    assert fact["mental_health"] == "unrecorded"


@pytest.mark.parametrize(("diagnosis", "mental"), [("F32.2", "yes"), ("T43.622A", "yes"), ("J18.9", "no")])
def test_a_mental_disorder_or_self_harm_makes_a_stay_one_of_mental_health(diagnosis: str, mental: str) -> None:
    stay = f"visit s: {{class: IMP, date: -15d, end: -8d, diagnosis: {diagnosis}}}"
    assert the(facts_of(stay), "discharge")["mental_health"] == mental


def test_the_stay_that_the_hook_is_about_ends_today() -> None:
    now = "visit now: {this: true, class: IMP, status: in-progress, date: -5d, diagnosis: F32.2}"
    fact = the(facts_of(now, hook="encounter-discharge"), "discharge")
    assert (fact["planned"], fact["day"]) == (True, 0)
    assert the(facts_of(now), "discharge")["planned"] is False


def test_only_self_harm_is_told_apart_among_emergency_visits() -> None:
    assert the(facts_of("visit e: {class: EMER, date: -8d, diagnosis: X78.8XXA}"), "discharge")["event"] == (
        "self-harm-visit"
    )
    assert the(facts_of("visit e: {class: EMER, date: -8d, diagnosis: F41.0}"), "discharge")["event"] == (
        "emergency-visit"
    )


def test_an_emergency_visit_that_goes_on_is_no_discharge() -> None:
    assert (
        those(facts_of("visit e: {class: EMER, status: in-progress, date: +0d, diagnosis: F41.0}"), "discharge") == []
    )


def test_an_outpatient_visit_is_no_discharge() -> None:
    assert those(facts_of("visit v: {date: -8d, diagnosis: F32.1}"), "discharge") == []


def test_a_readmission_follows_the_first_stay_and_not_the_second() -> None:
    again = "visit t: {class: IMP, date: -5d, end: -2d, diagnosis: I10}"
    assert returns(STAY, again) == [("Encounter/s", "admission", -5)]


def test_a_transfer_begins_on_the_day_of_discharge() -> None:
    again = "visit t: {class: IMP, date: -8d, end: -2d, diagnosis: I10}"
    assert returns(STAY, again) == [("Encounter/s", "admission", -8)]


def test_a_ward_within_a_stay_is_not_its_end() -> None:
    ward = "visit w: {class: IMP, date: -13d, end: -11d, diagnosis: F32.2}"
    assert returns(STAY, ward) == [("Encounter/w", "admission", -11)]


def test_of_two_records_of_one_stay_the_one_with_a_diagnosis_counts() -> None:
    twin = "visit a: {class: IMP, date: -15d, end: -8d}"
    assert returns(STAY, twin) == [("Encounter/a", "admission", -8)]


def test_an_emergency_visit_before_an_admission_led_to_it() -> None:
    emergency = "visit e: {class: EMER, date: -15d, diagnosis: F32.2}"
    assert returns(STAY, emergency) == [("Encounter/e", "admission", -15)]


def test_a_stay_that_ends_on_the_day_of_an_emergency_visit_is_of_the_same_event() -> None:
    assert returns(STAY, "visit e: {class: EMER, date: -8d, diagnosis: F32.2}") == [("Encounter/e", "admission", -8)]
    assert returns(STAY, "visit e: {class: EMER, date: -7d, diagnosis: F32.2}") == []


def test_an_emergency_visit_before_the_stay_of_another_year_did_not() -> None:
    assert returns("visit e: {class: EMER, date: -3d, diagnosis: F32.2}", STAY) == []


def test_a_later_emergency_visit_for_mental_health_takes_the_place_of_an_earlier_one() -> None:
    lines = (
        "visit e: {class: EMER, date: -9d, diagnosis: F41.0}",
        "visit f: {class: EMER, date: -4d, diagnosis: F41.0}",
    )
    assert returns(*lines) == [("Encounter/e", "emergency", -4)]
    assert returns(lines[0], "visit f: {class: EMER, date: -4d, diagnosis: S52.5}") == []


def test_an_emergency_visit_after_a_stay_does_not_replace_its_follow_up() -> None:
    assert returns(STAY, "visit f: {class: EMER, date: -4d, diagnosis: F41.0}") == []


def test_contacts_since_a_discharge_say_whether_they_were_for_mental_health() -> None:
    lines = (STAY, "visit a: {date: -5d}", "visit b: {date: -5d, service: psychiatry}", "visit c: {date: -3d}")
    found = those(facts_of(*lines), "contact")
    assert sorted((f.fields["day"], f.fields["mental_health"]) for f in found) == [(-5, "yes"), (-3, "unrecorded")]


def test_a_stay_long_ago_is_left_out() -> None:
    assert those(facts_of("visit s: {class: IMP, date: -450d, end: -431d, diagnosis: F32.2}"), "discharge") == []
