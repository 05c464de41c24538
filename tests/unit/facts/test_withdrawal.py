"""Stops, falls of the dose and supplies that ran out (B-03, 10.3, 10.4, 10.26)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.charts import facts_of, the, those

ORDER = "order o: {drug: diazepam 10, authored: -60d, take: 2}"
FILL = "fills f: {drug: diazepam 10, take: 2, from: -60d, days_supply: 60d, order: o}"
STOP = "stop s: {order: o}"
STAY = "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}"
LIST = "order z: {drug: sertraline 50, authored: -1d, take: 1, category: discharge}"
CODED = "medicationCodeableConcept: {coding: [{system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '%s'}]}"
OF_PATIENT = "subject: {reference: Patient/case-patient}"
SIGN, DISCHARGE = "order-sign", "encounter-discharge"


def stop(*lines: str, hook: Any = SIGN) -> Any:
    return the(facts_of(*lines, hook=hook), "class_stop")


def stops(*lines: str, hook: Any = SIGN) -> list[Any]:
    return those(facts_of(*lines, hook=hook), "class_stop")


def fall(*lines: str) -> Any:
    return the(facts_of(ORDER, FILL, *lines, hook=SIGN), "dose_fall")


def test_a_stop_tells_the_risk_of_the_last_covered_day() -> None:
    found = stop(ORDER, FILL, STOP)
    assert (found["how"], found["covered_days"], found["diazepam_equivalent"], found["band"]) == (
        "stopped", 60, 20, "high",
    )  # fmt: skip
    assert (found["current_order"], found["taper_ordered"]) == ("MedicationRequest/o", False)


def test_the_order_of_the_records_does_not_matter() -> None:
    assert stop(ORDER, FILL, STOP) == stop(FILL, ORDER, STOP)


def test_a_stop_with_another_order_in_place_is_a_change_of_dose() -> None:
    draft = "draft d: {drug: clonazepam 1, take: 1, days: 28d}"
    assert stops(ORDER, FILL, STOP, draft) == []
    assert the(facts_of(ORDER, FILL, STOP, draft, hook=SIGN), "dose_fall")["fall_percent_14_days"] == 50


def test_a_stop_while_the_patient_reports_another_benzodiazepine_is_a_change_of_dose() -> None:
    reported = "statement r: {drug: clonazepam 1, take: 1, from: -90d}"
    assert stops(ORDER, FILL, STOP, reported) == []


def test_what_is_left_of_the_stopped_drug_does_not_go_on() -> None:
    bottle = "fills g: {drug: diazepam 10, take: 2, from: -1d, days_supply: 30d}"
    assert stop(ORDER, FILL, bottle, STOP)["covered_days"] == 60


def test_a_rescue_form_is_no_treatment_that_goes_on() -> None:
    rescue = """
    draft d:
      drug: "text: diazepam rectal gel"
      take: 1
    """
    assert len(stops(ORDER, FILL, STOP, rescue)) == 1


def test_a_drug_that_is_not_taken_cannot_be_stopped() -> None:
    assert stops(ORDER, FILL, STOP, "statement n: {drug: diazepam 10, status: not-taken}") == []


@pytest.mark.parametrize(("end", "expected"), [(-15, 1), (-16, 0)])
def test_a_course_that_ended_before_the_grace_is_not_stopped_now(end: int, expected: int) -> None:
    fill = f"fills f: {{drug: diazepam 10, take: 2, from: {end - 59}d, days_supply: 60d, order: o}}"
    order = "order o: {drug: diazepam 10, authored: -90d, take: 2}"
    assert len(stops(order, fill, STOP)) == expected


def test_without_a_discharge_list_nothing_is_known_of_a_taper() -> None:
    assert "taper_ordered" not in stop(ORDER, FILL, STAY, hook=DISCHARGE)
    found = stop(ORDER, FILL, STAY, LIST, hook=DISCHARGE)
    assert (found["how"], found["taper_ordered"], found["disposition"]) == ("omitted", False, "not-recorded")


def given(period: str, code: str) -> str:
    """Doses that staff gave."""
    what = f"status: completed, {OF_PATIENT}, {period}, {CODED % code}"
    return f"fhir a: {{resourceType: MedicationAdministration, id: a, {what}}}"


def test_what_only_the_ward_gave_is_no_home_drug() -> None:
    ward = given("effectivePeriod: {start: '@-30d', end: '@-1d'}", "197528")
    stay = "visit stay: {this: true, class: IMP, status: in-progress, date: -31d}"
    assert stops(ward, stay, LIST, hook=DISCHARGE) == []


def test_a_home_drug_that_the_ward_gave_is_stopped_where_the_list_leaves_it_out() -> None:
    ward = given("effectivePeriod: {start: '@-5d', end: '@-1d'}", "197589")
    assert stop(ORDER, FILL, ward, STAY, LIST, hook=DISCHARGE)["covered_days"] == 60


def test_on_the_day_of_admission_nothing_has_been_left_out_yet() -> None:
    today = "visit stay: {this: true, class: IMP, status: in-progress, date: +0d}"
    yesterday = "visit stay: {this: true, class: IMP, status: in-progress, date: -1d}"
    draft = "draft d: {drug: sertraline 50, take: 1, category: inpatient}"
    assert stops(ORDER, FILL, today, draft) == []
    assert stop(ORDER, FILL, yesterday, draft)["how"] == "not-ordered"


def test_what_was_stopped_before_admission_is_no_home_drug() -> None:
    stopped = "order o: {drug: diazepam 10, authored: -60d, take: 2, status: stopped, updated: -8d}"
    assert stops(stopped, FILL, STAY, LIST, hook=DISCHARGE) == []
    at_admission = "order o: {drug: diazepam 10, authored: -60d, take: 2, status: stopped, updated: -5d}"
    assert stop(at_admission, FILL, STAY, LIST, hook=DISCHARGE)["how"] == "omitted"


def test_an_order_of_an_earlier_stay_is_none_of_this_one() -> None:
    old = "order w: {drug: lorazepam 1, authored: -300d, take: 1, category: inpatient}"
    yesterday = "visit stay: {this: true, class: IMP, status: in-progress, date: -1d}"
    draft = "draft d: {drug: sertraline 50, take: 1, category: inpatient}"
    assert stop(ORDER, FILL, old, yesterday, draft)["how"] == "not-ordered"
    of_this_stay = "order w: {drug: lorazepam 1, authored: -1d, take: 1, category: inpatient}"
    assert stops(ORDER, FILL, of_this_stay, yesterday, draft) == []


def test_a_drug_that_began_today_does_not_upset_the_maximum_dose() -> None:
    order = "order o: {drug: zolpidem 10, authored: -60d, take: 1}"
    fill = "fills f: {drug: zolpidem 10, take: 1, from: -60d, days_supply: 60d, order: o}"
    today = "fills g: {drug: zolpidem 10, take: 2, from: +0d, days_supply: 30d, order: o}"
    assert stop("patient: {age: 45}", order, fill, today, STOP)["percent_of_maximum"] == 200


def test_a_dose_given_on_the_ward_shows_that_it_was_ordered() -> None:
    ward = given("effectiveDateTime: '@-1d'", "197589")
    yesterday = "visit stay: {this: true, class: IMP, status: in-progress, date: -1d}"
    assert stops(ORDER, FILL, ward, yesterday, "draft d: {drug: sertraline 50, take: 1, category: inpatient}") == []


def test_seizure_risk_is_unknown_without_a_problem_list_unless_what_is_there_shows_it() -> None:
    assert stop(ORDER, FILL, STOP)["seizure_risk"] is False
    assert "seizure_risk" not in stop(ORDER, FILL, STOP, "absent: [Condition]")
    assert (
        stop(ORDER, FILL, STOP, "condition d: {code: F10.231, onset: -900d, status: resolved}")["seizure_risk"] is True
    )


def test_the_world_health_organizations_codes_of_withdrawal_with_convulsions_count() -> None:
    assert stop(ORDER, FILL, STOP, "condition d: {code: F13.31, onset: -900d}")["withdrawal_history"] is True


def test_the_recent_rate_counts_where_it_is_higher_than_that_of_the_whole_course() -> None:
    order = "order o: {drug: alprazolam 1, authored: -200d, take: 1, times: 3, prn: true}"
    fill = "{{drug: alprazolam 1, from: {}d, days_supply: {}d, take: 1, times: 3, prn: true, quantity: {}, order: o}}"
    rare, daily = "fills f: " + fill.format(-200, 172, 43), "fills g: " + fill.format(-28, 28, 56)
    assert stop(order, rare, daily, STOP)["administrations_per_28_days"] == 56


def test_zolpidem_is_measured_against_the_maximum_of_the_age() -> None:
    order = "order o: {drug: zolpidem 10, authored: -60d, take: 2}"
    fill = "fills f: {drug: zolpidem 10, take: 2, from: -60d, days_supply: 60d, order: o}"
    assert stop("patient: {age: 45}", order, fill, STOP)["percent_of_maximum"] == 200
    assert stop("patient: {age: 70}", order, fill, STOP)["percent_of_maximum"] == 400


# Falls ---------------------------------------------------------------------------------------------------------------


def test_the_larger_fall_of_both_columns_counts() -> None:
    # Alprazolam 2 mg: 20 by VA/DoD, 40 by Ashton.
    order = "order o: {drug: alprazolam 1, authored: -60d, take: 2}"
    fill = "fills f: {drug: alprazolam 1, take: 2, from: -60d, days_supply: 60d, order: o}"
    draft = "draft d: {drug: diazepam 10, take: 3, days: 28d, replaces: o}"
    found = the(facts_of(order, fill, draft, hook=SIGN), "dose_fall")
    assert (found["equivalent_before"], found["equivalent_after"], found["fall_percent_14_days"]) == (20, 30, 25)


def test_a_rise_is_no_fall() -> None:
    assert fall("draft d: {drug: diazepam 10, take: 3, days: 28d, replaces: o}")["fall_percent_14_days"] == 0


def test_a_fall_that_came_before_this_call_is_not_its_doing() -> None:
    order = "order o: {drug: diazepam 10, authored: -7d, take: 2}"
    higher = "fills g: {drug: diazepam 10, take: 4, from: -60d, days_supply: 53d}"
    lower = "fills f: {drug: diazepam 10, take: 2, from: -7d, days_supply: 30d, order: o}"
    same = "draft d: {drug: diazepam 10, take: 2, days: 28d, replaces: o}"
    assert the(facts_of(order, higher, lower, same, hook=SIGN), "dose_fall")["fall_percent_14_days"] == 0
    less = "draft d: {drug: diazepam 10, take: 1, days: 28d, replaces: o}"
    assert the(facts_of(order, higher, lower, less, hook=SIGN), "dose_fall")["fall_percent_14_days"] == 75


def test_a_step_that_lies_ahead_counts_on_its_day() -> None:
    found = fall(
        "draft d: {drug: diazepam 10, replaces: o, steps: ["
        "{take: 1.9, from: +0d, to: +27d}, {take: 1.14, from: +28d, to: +55d}]}"
    )
    assert (found["day"], round(found["fall_percent_14_days"])) == (28, 40)


def test_the_end_of_a_taper_is_no_fall() -> None:
    found = fall(
        "draft d: {drug: diazepam 10, replaces: o, steps: ["
        "{take: 1.8, from: +0d, to: +13d}, {take: 1.6, from: +14d, to: +27d}]}"
    )
    assert found["fall_percent_14_days"] < 12


def test_a_draft_that_begins_later_leaves_the_old_dose_until_then() -> None:
    found = fall("draft d: {drug: diazepam 10, replaces: o, steps: [{take: 1, from: +10d}]}")
    assert (found["day"], found["fall_percent_14_days"]) == (10, 50)


def test_a_dose_that_is_not_known_leaves_the_fall_unknown() -> None:
    assert "fall_percent_14_days" not in fall("draft d: {drug: diazepam 10, replaces: o}")


def test_one_of_two_strengths_stopped_leaves_the_other() -> None:
    second = "order p: {drug: diazepam 5, authored: -60d, take: 1}"
    bottle = "fills g: {drug: diazepam 5, take: 1, from: -60d, days_supply: 60d, order: p}"
    found = fall(second, bottle, "stop s: {order: p}")
    assert (found["equivalent_before"], found["equivalent_after"], found["fall_percent_14_days"]) == (25, 20, 20)


# Running out ---------------------------------------------------------------------------------------------------------


def out(*lines: str) -> Any:
    return the(facts_of(*lines), "run_out")


GONE = "fills f: {drug: clonazepam 1, take: 1, times: 2, from: -70d, days_supply: 60d}"


def test_days_since_the_last_cover_are_counted_to_today_without_days_in_hospital() -> None:
    assert out(GONE)["days_since_last_cover"] == 11
    assert out(GONE, "visit stay: {class: IMP, date: -8d, end: -4d}")["days_since_last_cover"] == 6


def test_a_later_fill_of_unknown_length_leaves_the_days_unknown() -> None:
    handed = f"status: completed, whenHandedOver: '@-3d', {OF_PATIENT}, {CODED % '197900'}"
    assert "days_since_last_cover" not in out(GONE, f"fhir g: {{resourceType: MedicationDispense, id: g, {handed}}}")


@pytest.mark.parametrize(
    ("more", "recorded"),
    [
        ("", False),
        (", status: completed", True),
        (", end: -11d", True),
        (", end: +30d", False),
    ],
)
def test_a_closed_order_or_a_planned_end_is_a_recorded_stop(more: str, recorded: bool) -> None:
    order = f"order o: {{drug: clonazepam 1, authored: -70d, take: 1, times: 2{more}}}"
    fill = GONE.replace("days_supply: 60d", "days_supply: 60d, order: o")
    assert out(order, fill)["stop_recorded"] is recorded


def test_a_statement_that_the_drug_was_stopped_is_a_recorded_stop() -> None:
    assert (
        out(GONE, "statement s: {drug: clonazepam 1, status: stopped, from: -400d, to: -11d}")["stop_recorded"] is True
    )
    assert out(GONE)["stop_recorded"] is False


@pytest.mark.parametrize(
    ("drug", "said"),
    [
        ("clobazam 20", "that of clobazam is general knowledge, not confirmed in a source"),
        ("diazepam 10", None),
    ],
)
def test_a_card_says_which_equivalent_was_not_read_in_a_source(drug: str, said: str | None) -> None:
    found = stop(ORDER.replace("diazepam 10", drug), FILL.replace("diazepam 10", drug), STOP)
    assert found.get("unconfirmed_equivalent") == said
