"""Starts, increases, planned starts, contacts and bookings (D-01, 10.5, 10.6, 10.10, 10.29)."""

from __future__ import annotations

import pytest

from cds.model import Fact, Scalar
from tests.unit.charts import Line, facts_of, the, those

SERTRALINE = "fills s: {drug: sertraline 50, take: 1, from: -29d, days_supply: 60d}"


def events(*lines: Line, **fields: Scalar) -> list[tuple[Scalar, Scalar]]:
    """(change, day) of the treatment starts that happened, by day."""
    found: list[Fact] = those(facts_of(*lines), "treatment_start", planned=False, **fields)
    return sorted(((f.fields["change"], f.fields["day"]) for f in found), key=lambda e: (e[1], e[0]))


# Starts --------------------------------------------------------------------------------------------------------------


def test_the_first_covered_day_is_a_start() -> None:
    assert events(SERTRALINE) == [("start", -29)]


def test_an_order_without_dispenses_starts_on_its_latest_date() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -35d, valid_from: -29d, days: 60d}"
    assert events(order) == [("start", -29)]


@pytest.mark.parametrize(("last", "change"), [(-135, "start"), (-134, "continuation")])
def test_105_whole_days_without_an_antidepressant_make_a_new_start(last: int, change: str) -> None:
    earlier = f"fills e: {{drug: sertraline 50, take: 1, from: {last - 29}d, days_supply: 30d}}"
    assert (change, -29) in events(SERTRALINE, earlier)


def test_days_in_hospital_are_no_days_without_the_reading_that_alerts_less() -> None:
    earlier = "fills e: {drug: sertraline 50, take: 1, from: -164d, days_supply: 30d}"
    stay = "visit stay: {class: IMP, date: -100d, end: -100d}"
    assert ("continuation", -29) in events(SERTRALINE, earlier, stay)


def test_a_switch_of_antidepressant_is_no_start() -> None:
    earlier = "fills e: {drug: venlafaxine XR 75, take: 1, from: -59d, days_supply: 30d}"
    assert events(SERTRALINE, earlier) == [("start", -59)]


def test_a_low_dose_adjunct_does_not_hide_a_start() -> None:
    trazodone = "fills t: {drug: trazodone 50, take: 1, from: -300d, days_supply: 30d, fills: 11}"
    assert events(SERTRALINE, trazodone) == [("start", -29)]


def test_an_adjunct_that_becomes_an_antidepressant_is_a_start_and_not_also_an_increase() -> None:
    assert events(
        "fills a: {drug: trazodone 50, take: 1, from: -90d, days_supply: 60d}",
        "fills b: {drug: trazodone 50, take: 4, from: -30d, days_supply: 60d}",
    ) == [("start", -30)]


def test_a_statement_never_makes_a_start() -> None:
    assert events("statement s: {drug: sertraline 50, take: 1, from: -29d}") == []


def test_a_statement_of_earlier_use_makes_a_later_fill_no_start() -> None:
    assert events(SERTRALINE, "statement s: {drug: sertraline 50, take: 1, from: -90d, to: -20d}") == []


def test_a_list_entry_makes_a_start_of_low_confidence() -> None:
    fact = the(facts_of("order s: {drug: sertraline 50, take: 1, authored: -29d}"), "treatment_start")
    assert fact["confidence"] == "low"


def test_a_start_of_today_is_not_one_that_happened() -> None:
    assert events("fills s: {drug: sertraline 50, take: 1, from: +0d, days_supply: 30d}") == []


def test_an_inpatient_order_is_no_start() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -29d, days: 60d, category: inpatient}"
    assert events(order) == []


@pytest.mark.parametrize(("admitted", "found"), [(-30, 1), (-28, 0), (-23, 0), (-22, 1)])
def test_a_start_less_than_seven_days_before_an_admission_is_left_out(admitted: int, found: int) -> None:
    stay = f"visit stay: {{class: IMP, date: {admitted}d, end: {admitted}d}}"
    assert len(events("fills s: {drug: sertraline 50, take: 1, from: -29d, days_supply: 60d}", stay)) == found


# Purpose -------------------------------------------------------------------------------------------------------------


def test_low_dose_tricyclics_and_smoking_cessation_are_starts_of_another_purpose() -> None:
    amitriptyline = "fills a: {drug: amitriptyline 25, take: 1, from: -29d, days_supply: 60d}"
    bupropion = "order b: {drug: bupropion XL 150, take: 1, authored: -29d, days: 60d, reason: F17.210}"
    assert events(amitriptyline, purpose="other") == [("start", -29)]
    assert events(bupropion, purpose="other") == [("start", -29)]


def test_an_antidepressant_ordered_for_pain_is_a_start_of_another_purpose() -> None:
    order = "order v: {drug: venlafaxine XR 75, take: 1, authored: -29d, days: 60d, reason: M54.5}"
    assert events(order, purpose="other") == [("start", -29)]
    assert events(order, purpose="mood") == []


def test_an_antidepressant_for_pain_still_counts_towards_the_days_without() -> None:
    pain = "order v: {drug: venlafaxine XR 75, take: 1, authored: -90d, days: 60d, reason: M54.5}"
    assert events(SERTRALINE, pain, purpose="mood") == []


@pytest.mark.parametrize("drug", ["trazodone 50", "mirtazapine 7.5", "quetiapine 25"])
def test_other_low_dose_adjuncts_are_no_start_at_all_the_reading_that_alerts_less(drug: str) -> None:
    assert events(f"fills a: {{drug: {drug}, take: 1, from: -29d, days_supply: 60d}}") == []


def test_a_low_dose_tricyclic_beside_a_running_antidepressant_is_no_start_the_reading_that_alerts_less() -> None:
    running = "fills s: {drug: sertraline 50, take: 1, from: -90d, days_supply: 120d}"
    low = "fills a: {drug: amitriptyline 25, take: 1, from: -29d, days_supply: 60d}"
    assert events(running, low, change="start") == [("start", -90)]


# Increases -----------------------------------------------------------------------------------------------------------


def raised(first_ml: float, then_ml: float, on_day: int) -> list[tuple[Scalar, Scalar]]:
    """A solution of 20 mg/mL since day -60, another volume from `on_day` of the course."""
    facts = facts_of(
        f"fills a: {{drug: sertraline solution, take: {first_ml}, from: -60d, days_supply: {on_day}d}}",
        f"fills b: {{drug: sertraline solution, take: {then_ml}, from: {on_day - 60}d, days_supply: 30d}}",
    )
    return [(f.fields["change"], f.fields["day"]) for f in those(facts, "treatment_start", change="increase")]


def test_a_dose_up_by_more_than_five_per_cent_is_an_increase() -> None:
    assert raised(5, 5.26, 20) == [("increase", -40)]
    assert raised(5, 5.25, 20) == []


def test_a_dose_down_is_no_increase() -> None:
    assert raised(5, 4, 20) == []


def test_a_rise_within_the_first_seven_days_is_titration_of_the_start() -> None:
    assert raised(5, 10, 7) == []
    assert raised(5, 10, 8) == [("increase", -52)]


def test_a_second_strength_taken_together_with_the_first_is_an_increase() -> None:
    facts = facts_of(
        "order a: {drug: sertraline 50, take: 1, authored: -60d, requester: smith}",
        "fills fa: {drug: sertraline 50, take: 1, from: -60d, every: 30d, fills: 2, days_supply: 30d, order: a}",
        "order b: {drug: sertraline 25, take: 1, authored: -40d, requester: smith}",
        "fills fb: {drug: sertraline 25, take: 1, from: -40d, every: 25d, fills: 2, days_supply: 30d, order: b}",
    )
    increase = the(facts, "treatment_start", change="increase")
    assert (increase["day"], increase["increase_percent"]) == (-40, 50)


def test_a_step_of_a_planned_titration_is_an_increase() -> None:
    order = {
        "order s": {
            "drug": "sertraline 50",
            "authored": "-30d",
            "days": "60d",
            "steps": [{"take": 1, "from": "-30d", "to": "-17d"}, {"take": 2, "from": "-16d"}],
        }
    }
    assert events(order) == [("start", -30), ("increase", -16)]


def test_an_early_refill_of_the_same_dose_is_no_increase() -> None:
    fills = "fills s: {drug: sertraline 50, take: 1, from: -120d, every: 10d, fills: 9, days_supply: 30d}"
    assert events(fills, change="increase") == []


# Other starts --------------------------------------------------------------------------------------------------------


def other(*lines: Line) -> list[tuple[Scalar, Scalar, Scalar]]:
    facts = those(facts_of(*lines), "treatment_start", purpose="other-psychotropic")
    return sorted((f.fields["kind"], f.fields["change"], f.fields["day"]) for f in facts)


@pytest.mark.parametrize(("last", "change"), [(-150, "start"), (-149, "continuation")])
def test_120_whole_days_without_lithium_make_a_new_start(last: int, change: str) -> None:
    facts = other(
        f"fills e: {{drug: lithium 300, take: 2, from: {last - 29}d, days_supply: 30d}}",
        "fills l: {drug: lithium 300, take: 2, from: -29d, days_supply: 60d}",
    )
    assert ("lithium", change, -29) in facts


def test_a_switch_of_antipsychotic_is_no_start_the_reading_that_alerts_less() -> None:
    facts = other(
        "fills a: {drug: aripiprazole 10, take: 1, from: -90d, days_supply: 60d}",
        "fills q: {drug: quetiapine 100, take: 3, from: -30d, days_supply: 60d}",
    )
    assert facts == [("antipsychotic", "start", -90)]


def test_a_low_dose_or_as_needed_antipsychotic_is_no_start() -> None:
    assert other("fills q: {drug: quetiapine 100, take: 1, from: -30d, days_supply: 60d}") == []
    assert other("fills a: {drug: aripiprazole 10, take: 1, prn: true, from: -30d, days_supply: 60d}") == []


def test_clozapine_is_a_start_of_its_own_and_keeps_the_next_antipsychotic_from_being_new() -> None:
    clozapine = {
        "fhir c": {
            "resourceType": "MedicationDispense",
            "id": "c",
            "status": "completed",
            "medicationCodeableConcept": {"text": "clozapine 100 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-90d",
            "daysSupply": {"value": 60},
        }
    }
    aripiprazole = "fills a: {drug: aripiprazole 10, take: 1, from: -30d, days_supply: 60d}"
    assert other(clozapine, aripiprazole) == [("clozapine", "start", -90)]


# Planned -------------------------------------------------------------------------------------------------------------


def planned(*lines: Line) -> tuple[Scalar, Scalar]:
    fact = the(facts_of(*lines, hook="order-sign"), "treatment_start", planned=True)
    return fact["change"], fact["day"]


DRAFT = "draft d: {drug: sertraline 50, take: 1, days: 30d}"


def test_a_draft_without_earlier_use_is_a_planned_start() -> None:
    assert planned(DRAFT) == ("start", 0)


@pytest.mark.parametrize(("last", "change"), [(-106, "start"), (-105, "continuation")])
def test_a_draft_after_105_whole_days_without_is_a_planned_start(last: int, change: str) -> None:
    earlier = f"fills e: {{drug: venlafaxine XR 75, take: 1, from: {last - 29}d, days_supply: 30d}}"
    assert planned(earlier, DRAFT) == (change, 0)


def test_a_draft_begins_at_its_bounds_when_they_lie_ahead() -> None:
    draft = {"draft d": {"drug": "sertraline 50", "days": "30d", "steps": [{"take": 1, "from": "+6d"}]}}
    assert planned(draft) == ("start", 6)


def test_a_renewal_is_no_start() -> None:
    assert planned("fills e: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d}", DRAFT) == (
        "continuation",
        0,
    )


def test_a_draft_with_the_id_of_a_charted_order_goes_on_with_its_dispenses() -> None:
    assert planned(
        "order d: {drug: sertraline 50, take: 1, authored: -40d}",
        "fills e: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d, order: d}",
        DRAFT,
    ) == ("continuation", 0)


@pytest.mark.parametrize(("begun", "change"), [(-8, "increase"), (-7, "continuation")])
def test_a_higher_dose_is_a_planned_increase_after_the_first_seven_days(begun: int, change: str) -> None:
    running = f"fills e: {{drug: sertraline 50, take: 1, from: {begun}d, days_supply: 30d}}"
    assert planned(running, "draft d: {drug: sertraline 100, take: 1, days: 30d}") == (change, 0)


def test_a_lower_dose_is_no_increase() -> None:
    running = "fills e: {drug: sertraline 100, take: 1, from: -60d, days_supply: 90d}"
    assert planned(running, DRAFT) == ("continuation", 0)


def test_two_strengths_ordered_together_are_compared_by_their_sum() -> None:
    running = "fills e: {drug: sertraline 50, take: 1, from: -60d, days_supply: 90d}"
    facts = facts_of(running, DRAFT, "draft e: {drug: sertraline 25, take: 1, days: 30d}", hook="order-sign")
    assert {f.fields["increase_percent"] for f in those(facts, "treatment_start", planned=True)} == {50}


def test_a_low_dose_draft_is_no_planned_start() -> None:
    facts = facts_of("draft d: {drug: trazodone 50, take: 1, days: 30d}", hook="order-sign")
    assert those(facts, "treatment_start") == []


def test_a_draft_for_pain_is_a_planned_start_of_another_purpose() -> None:
    draft = "draft d: {drug: venlafaxine XR 75, take: 1, days: 30d, reason: M54.5}"
    assert the(facts_of(draft, hook="order-sign"), "treatment_start", planned=True)["purpose"] == "other"


def test_the_discharge_list_is_planned_and_not_its_own_earlier_use() -> None:
    facts = facts_of(
        "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}",
        "order s: {drug: sertraline 50, take: 1, days: 30d, category: discharge, authored: -2d}",
        hook="encounter-discharge",
    )
    fact = the(facts, "treatment_start")
    assert (fact["planned"], fact["change"], fact["day"]) == (True, "start", 0)


# Contacts ------------------------------------------------------------------------------------------------------------


def contacts(*lines: Line) -> list[Scalar]:
    return sorted(f.fields["day"] for f in those(facts_of(SERTRALINE, *lines), "contact"))


def test_contacts_since_the_start_are_told_one_a_day() -> None:
    assert contacts(
        "visit a: {date: -29d}", "visit b: {date: -10d}", "visit c: {date: -10d, class: VR}", "visit d: {date: -30d}"
    ) == [-29, -10]


def test_a_visit_in_progress_today_is_a_contact() -> None:
    assert contacts("visit now: {status: in-progress, date: +0d}") == [0]


@pytest.mark.parametrize(
    "line", ["{date: -5d, status: cancelled}", "{date: -5d, class: EMER}", "{date: -5d, class: IMP}"]
)
def test_cancelled_emergency_and_inpatient_visits_are_no_contacts(line: str) -> None:
    assert contacts(f"visit v: {line}") == []


def test_an_emergency_visit_is_told_by_its_last_day() -> None:
    facts = facts_of(SERTRALINE, "visit v: {date: -5d, end: -3d, class: EMER}")
    assert the(facts, "emergency_visit")["day"] == -3


def test_an_emergency_visit_before_a_planned_start_is_told_too() -> None:
    facts = facts_of("visit v: {date: -2d, class: EMER}", DRAFT, hook="order-sign")
    assert the(facts, "emergency_visit")["day"] == -2


# Bookings ------------------------------------------------------------------------------------------------------------


def booking(line: str) -> tuple[Scalar, Scalar | None, Scalar]:
    fact = the(facts_of(line, DRAFT, hook="order-sign"), "booking")
    return fact["dated"], fact.get("day"), fact["of_this_encounter"]


def test_a_booking_is_told_with_its_day() -> None:
    assert booking("booking b: {date: +14d}") == (True, 14, False)


def test_a_booking_made_today_is_of_this_encounter() -> None:
    assert booking("booking b: {date: +14d, created: +0d}") == (True, 14, True)
    assert booking("booking b: {date: +14d, created: -1d}") == (True, 14, False)


def test_an_undated_request_of_this_encounter_is_told() -> None:
    assert booking("follow_up_request r: {}") == (False, None, True)


def test_a_booking_that_has_passed_is_none() -> None:
    facts = facts_of("booking b: {date: -1d}", DRAFT, hook="order-sign")
    assert those(facts, "booking") == []
