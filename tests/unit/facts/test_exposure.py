"""Supply, stockpiling and episodes: the worked boundaries of 1.1 and 1.4. Exposure facts are class-level."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cds.authoring.notation import RXNORM
from tests.unit.facts.patients import facts, lorazepam, of, one

PATIENT = ("patient", {"age": 45})
LORAZEPAM = {"coding": [{"system": RXNORM, "code": "197900"}]}  # lorazepam 0.5 MG Oral Tablet
VISIT = ("visit v1", {"date": "-400d"})


def exposure(*lines, group="BZD", **options):  # type: ignore[no-untyped-def]
    return one("exposure", facts(PATIENT, VISIT, *lines, **options), class_group=group)


def exposures(*lines, group="BZD", **options):  # type: ignore[no-untyped-def]
    return of("exposure", facts(PATIENT, VISIT, *lines, **options), class_group=group)


def test_a_drug_taken_daily_since_day_minus_28_has_28_covered_days() -> None:
    found = exposure(lorazepam("-28d", 28))
    assert (found["covered_days"], found["last_covered"], found["uncovered_days"]) == (28, -1, 0)


def test_today_is_not_counted() -> None:
    assert exposure(lorazepam("-10d", 30))["covered_days"] == 10


def test_a_supply_of_n_days_covers_start_to_start_plus_n_minus_1() -> None:
    found = exposure(lorazepam("-30d", 20))
    assert (found["last_covered"], found["uncovered_days"]) == (-11, 10)


@pytest.mark.parametrize(("gap", "episodes"), [(14, 1), (15, 2)])
def test_a_gap_of_the_grace_merges_and_one_day_more_splits(gap: int, episodes: int) -> None:
    # The first supply covers -60..-41; the second starts after `gap` uncovered days.
    second = -41 + gap + 1
    found = exposures(lorazepam("-60d", 20), lorazepam(f"{second}d", 10))
    assert len(found) == episodes


def test_an_early_refill_is_carried_forward() -> None:
    # 30 days from -40, refilled ten days early: 60 covered days, to +19.
    found = exposure(lorazepam("-40d", 30), lorazepam("-20d", 30))
    assert found["covered_days"] == 40
    later = exposure(lorazepam("-70d", 30), lorazepam("-50d", 30))
    assert (later["covered_days"], later["last_covered"]) == (60, -11)


def test_carrying_forward_stops_at_thirty_days_in_all() -> None:
    # Three fills of 30 days on days -100, -99 and -98: the second is carried 29 days, the third 1 (30 in all).
    found = exposure(lorazepam("-100d", 30), lorazepam("-99d", 30), lorazepam("-98d", 30))
    # -100..-71, then -70..-41, then the third from -97..-68: the rest overlaps and counts once.
    assert (found["covered_days"], found["last_covered"]) == (60, -41)


def test_two_fills_of_one_strength_on_one_day_are_one_supply_with_summed_days() -> None:
    found = exposure(lorazepam("-50d", 20, name="a"), lorazepam("-50d", 20, name="b"))
    assert (found["covered_days"], found["last_covered"]) == (40, -11)


def test_another_dose_sets_the_old_supply_aside() -> None:
    raised = ("fills up", {"drug": "lorazepam 1", "take": 1, "times": 2, "from": "-40d", "days_supply": "10d"})
    found = exposure(lorazepam("-60d", 60), raised)
    assert (found["covered_days"], found["last_covered"]) == (30, -31)


def test_switching_within_the_class_does_not_end_the_episode() -> None:
    clonazepam = ("fills c", {"drug": "clonazepam 0.5", "take": 1, "times": 2, "from": "-20d", "days_supply": "20d"})
    assert exposure(lorazepam("-40d", 20), clonazepam)["covered_days"] == 40


def test_benzodiazepines_and_z_drugs_are_two_classes() -> None:
    zolpidem = ("fills z", {"drug": "zolpidem 10", "take": 1, "from": "-20d", "days_supply": "20d"})
    found = facts(PATIENT, VISIT, lorazepam("-40d", 20), zolpidem)
    assert one("exposure", found, class_group="BZD")["covered_days"] == 20
    assert one("exposure", found, class_group="ZDRUG")["covered_days"] == 20


def test_inpatient_days_make_no_gap_and_are_not_covered() -> None:
    stay = ("visit stay", {"class": "IMP", "date": "-40d", "end": "-21d"})
    found = exposure(lorazepam("-60d", 20), stay, lorazepam("-20d", 20))
    assert found["covered_days"] == 40


def test_a_dispense_replaces_the_estimate_of_its_order() -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "authored": "-60d", "days": "20d"})
    assert exposure(order)["covered_days"] == 20
    assert exposure(order, lorazepam("-30d", 20, order="o1"))["last_covered"] == -11
    assert exposure(order, lorazepam("-30d", 20, order="o1"))["covered_days"] == 20


def test_a_dispense_that_was_not_handed_over_does_not_count() -> None:
    for status in ("cancelled", "declined", "entered-in-error", "preparation"):
        assert exposures(lorazepam("-30d", 20, status=status)) == []


def test_a_dispense_stopped_after_something_was_handed_over_counts() -> None:
    assert exposure(lorazepam("-30d", 20, status="stopped"))["covered_days"] == 20


@pytest.mark.parametrize("status", ["entered-in-error", "draft"])
def test_orders_that_do_not_count_leave_no_exposure(status: str) -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "20d", "status": status})
    assert exposures(order) == []


@pytest.mark.parametrize("intent", ["proposal", "option"])
def test_proposals_do_not_count(intent: str) -> None:
    assert exposures(("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "20d", "intent": intent})) == []


def test_a_cancelled_order_without_a_dispense_was_never_taken() -> None:
    order = {"drug": "lorazepam 0.5", "authored": "-30d", "days": "20d"}
    assert exposures(("order o1", {**order, "status": "cancelled"})) == []
    assert len(exposures(("order o1", {**order, "status": "stopped", "updated": "-20d"}))) == 1


def test_an_order_starts_at_the_latest_of_authored_and_validity() -> None:
    order = {"drug": "lorazepam 0.5", "take": 1, "times": 2, "authored": "-60d", "days": "20d"}
    assert exposure(("order o1", {**order, "valid_from": "-30d"}))["start"] == -30


def test_sequential_scripts_are_one_regimen_after_another() -> None:
    scripts = [
        (f"order o{n}", {"drug": "lorazepam 0.5", "take": 1, "authored": "-90d", "valid_from": f"{n}d", "days": "30d"})
        for n in (-90, -60, -30)
    ]
    assert exposure(*scripts)["covered_days"] == 90


def test_days_come_from_the_quantity_when_they_are_not_stated() -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "authored": "-60d", "quantity": 40})
    assert exposure(order)["covered_days"] == 20


@pytest.mark.parametrize(("authored", "present"), [("-365d", True), ("-366d", False)])
def test_a_list_entry_is_stale_after_a_year_without_a_mention(authored: str, present: bool) -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "authored": authored})
    assert bool(exposures(order)) is present


def test_a_recent_fill_keeps_a_list_entry_alive() -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "authored": "-500d", "refills": 5})
    assert exposures(order, lorazepam("-100d", 20))


def test_a_list_entry_has_low_confidence_and_a_fill_high() -> None:
    assert exposure(("order o1", {"drug": "lorazepam 0.5", "authored": "-30d"}))["confidence"] == "low"
    assert (
        exposure(("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "60d"}))["confidence"] == "medium"
    )
    assert exposure(lorazepam("-30d", 60))["confidence"] == "high"


def test_a_paused_order_is_no_exposure() -> None:
    assert (
        exposures(("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "60d", "status": "on-hold"})) == []
    )


def test_an_inpatient_order_is_no_outpatient_exposure() -> None:
    assert (
        exposures(("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "60d", "category": "inpatient"}))
        == []
    )


def test_a_drug_that_the_patient_does_not_take_is_no_exposure() -> None:
    order = ("order o1", {"drug": "lorazepam 0.5", "authored": "-30d", "days": "60d"})
    assert exposures(order, ("statement s", {"drug": "lorazepam 0.5", "status": "not-taken"})) == []


def test_a_dated_statement_is_exposure_of_medium_confidence_and_an_undated_one_of_low() -> None:
    dated = exposure(("statement s", {"drug": "lorazepam 0.5", "from": "-30d"}))
    assert (dated["covered_days"], dated["confidence"]) == (30, "medium")
    undated = ("statement s", {"drug": "lorazepam 0.5"})
    assert exposures(undated) == []  # known to be current, not for how long


def test_a_month_only_start_counts_from_its_last_day() -> None:
    # 2026-01 is read as 2026-01-31: 30 days before 2026-03-02.
    order = ("fhir o1", {
        "resourceType": "MedicationRequest", "id": "o1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/case-patient"}, "authoredOn": "2026-01",
        "medicationCodeableConcept": LORAZEPAM,
    })  # fmt: skip
    assert exposure(order)["start"] == -30


def test_a_year_only_start_is_unknown_and_claims_nothing() -> None:
    order = ("fhir o1", {
        "resourceType": "MedicationRequest", "id": "o1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/case-patient"}, "authoredOn": "2025",
        "medicationCodeableConcept": LORAZEPAM,
    })  # fmt: skip
    assert exposures(order) == []


def test_the_time_of_day_is_dropped_in_the_time_zone_of_the_site() -> None:
    # 03:00 UTC on 1 March is still 28 February in New York.
    fill = ("fhir f1", {
        "resourceType": "MedicationDispense", "id": "f1", "status": "completed",
        "whenHandedOver": "2026-03-01T03:00:00Z", "daysSupply": {"value": 10},
        "subject": {"reference": "Patient/case-patient"},
        "medicationCodeableConcept": LORAZEPAM,
    })  # fmt: skip
    assert exposure(fill, time_zone="UTC")["start"] == -1
    assert exposure(fill, time_zone="America/New_York")["start"] == -2


def test_a_fill_in_the_future_is_no_past_exposure() -> None:
    assert exposures(lorazepam("+3d", 20)) == []


@pytest.mark.parametrize("today", [dt.date(2024, 2, 29), dt.date(2025, 12, 31), dt.date(2026, 3, 9)])
def test_the_calendar_does_not_matter(today: dt.date) -> None:
    found = exposure(lorazepam("-60d", 20), lorazepam("-30d", 20), today=today)
    assert (found["start"], found["covered_days"], found["last_covered"]) == (-60, 40, -11)


def test_rescue_forms_are_left_out() -> None:
    rectal = ("fhir f1", {
        "resourceType": "MedicationDispense", "id": "f1", "status": "completed", "whenHandedOver": "@-10d",
        "subject": {"reference": "Patient/case-patient"}, "daysSupply": {"value": 10},
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "104706"}]},  # diazepam rectal suppository
    })  # fmt: skip
    assert exposures(rectal) == []


def test_a_thousand_fills_and_list_entries_are_laid_out_once_each() -> None:
    # Not a timed test: the number of dose comparisons is counted, which grew with the square of the fills once.
    from cds.facts import layout

    calls = 0
    real = layout._same_dose

    def counted(*args: Any) -> bool:
        nonlocal calls
        calls += 1
        return real(*args)

    def calls_for(n: int) -> int:
        nonlocal calls
        calls = 0
        lines = [lorazepam(f"-{k}d", 30, name=f"f{k}") for k in range(1, n + 1)]
        exposure(*lines, *((f"order o{k}", {"drug": "lorazepam 0.5", "authored": f"-{k % 300}d"}) for k in range(n)))
        return calls

    layout._same_dose = counted
    try:
        assert 0 < calls_for(1000) <= 2.5 * calls_for(500)
    finally:
        layout._same_dose = real


def test_a_stopped_order_ends_when_it_was_stopped_not_at_its_planned_end() -> None:
    order = {"drug": "lorazepam 0.5", "take": 1, "authored": "-30d", "end": "+60d", "status": "stopped"}
    assert exposure(("order o1", {**order, "updated": "-20d"}))["last_covered"] == -20


def test_a_quantity_in_millilitres_does_not_count_tablets() -> None:
    order = ("fhir o1", {
        "resourceType": "MedicationRequest", "id": "o1", "status": "completed", "intent": "order",
        "subject": {"reference": "Patient/case-patient"}, "authoredOn": "@-90d", "medicationCodeableConcept": LORAZEPAM,
        "dispenseRequest": {"quantity": {"value": 60, "unit": "mL"}},
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                               "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}],
    })  # fmt: skip
    assert exposures(order) == []
