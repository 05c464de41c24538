"""An order beside what is already ordered or taken of the same substance (A-01): what is summed, linked and left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.facts.patients import Line, facts, of, one

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

PATIENT: Line = ("patient", {"age": 45})
DRAFT: Line = ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d"})


def order(name: str, **body: Any) -> Line:
    return f"order {name}", {"drug": "sertraline 100", "take": 1, "authored": "-30d", "days": "91d", **body}


def duplicate(*lines: Line, **fields: Any) -> dict[str, Any]:
    return one("duplicate", facts(PATIENT, *lines, hook="order-sign"), **fields)


def test_the_overlap_runs_from_the_new_start_to_the_end_of_the_old_supply() -> None:
    found = duplicate(order("s1", authored="-10d", days="31d"), DRAFT)  # in hand to day 20
    assert (found["supply_left"], found["overlap_days"]) == (20, 21)


def test_an_old_order_without_an_end_overlaps_as_long_as_the_new_one_lasts() -> None:
    found = duplicate(("order s1", {"drug": "sertraline 100", "authored": "-30d"}), DRAFT)
    assert (found["overlap_days"], found["confidence"]) == (30, "low")
    assert "old_until" not in found


def test_refills_that_may_still_be_collected_count_as_supply() -> None:
    fill = ("fills f", {"drug": "sertraline 100", "take": 1, "from": "-20d", "days_supply": "30d", "order": "s1"})
    found = duplicate(order("s1", days="30d", refills=1), fill, DRAFT)  # in hand to +9, then thirty days more
    assert found["supply_left"] == 39


def test_what_one_order_of_two_supplies_is_left_when_the_other_is_replaced() -> None:
    replacing: Line = ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d", "replaces": "s1"})
    found = duplicate(order("s1"), order("s2", drug="sertraline 25", authored="-20d"), replacing)
    assert (found["current_order"], found["sum_dose"]) == ("MedicationRequest/s2", 75)


def test_two_strengths_in_use_are_one_regimen_whose_doses_add_up() -> None:
    found = duplicate(order("s1"), order("s2", drug="sertraline 25"), DRAFT)
    assert (found["old_dose"], found["sum_dose"]) == (125, 175)


def test_the_highest_day_of_a_titration_counts() -> None:
    rising: Line = (
        "draft d1",
        {
            "drug": "sertraline 50",
            "days": "30d",
            "steps": [{"take": 1, "from": "+0d", "to": "+6d"}, {"take": 3, "from": "+7d", "to": "+29d"}],
        },
    )
    assert duplicate(order("s1"), rising)["sum_dose"] == 250


def test_a_titration_that_rises_after_the_overlap_does_not_count() -> None:
    rising: Line = (
        "draft d1",
        {
            "drug": "sertraline 50",
            "days": "30d",
            "steps": [{"take": 1, "from": "+0d", "to": "+6d"}, {"take": 3, "from": "+7d", "to": "+29d"}],
        },
    )
    assert duplicate(order("s1", authored="-20d", days="25d"), rising)["sum_dose"] == 150


def test_an_unknown_dose_leaves_sum_and_share_out() -> None:
    found = duplicate(("order s1", {"drug": "sertraline 100", "authored": "-30d", "days": "91d"}), DRAFT)
    assert not {"sum_dose", "percent_of_maximum", "maximum_confirmed", "merged_dose"} & set(found)


@pytest.mark.parametrize("patient", [{}, {"age": 17}], ids=["age unknown", "child"])
def test_without_an_adult_age_there_is_no_share_of_the_maximum(patient: dict[str, Any]) -> None:
    found = facts(("patient", patient), order("s1"), DRAFT, hook="order-sign")
    assert "percent_of_maximum" not in one("duplicate", found)
    assert one("duplicate", found)["sum_dose"] == 150


def test_of_two_forms_the_higher_maximum_counts_for_both() -> None:
    extended = ("order m1", {"drug": "methylphenidate ER 36", "take": 1, "authored": "-30d", "days": "91d"})
    short: Line = ("draft d1", {"drug": "methylphenidate 5", "take": 1, "days": "30d"})
    found = duplicate(extended, short)
    assert found["percent_of_maximum"] == pytest.approx(41 * 100 / 72)
    assert found["maximum_confirmed"] is False


def test_shares_of_unlike_members_add_up_and_milligrams_do_not() -> None:
    citalopram = ("order c1", {"drug": "citalopram 20", "take": 1, "authored": "-30d", "days": "91d"})
    escitalopram: Line = ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d"})
    found = duplicate(citalopram, escitalopram)
    assert found["percent_of_maximum"] == 100
    assert not {"sum_dose", "merged_dose"} & set(found)


def test_two_old_orders_are_not_merged_into_one() -> None:
    assert "merged_dose" not in duplicate(order("s1", take=0.5), order("s2", drug="sertraline 25"), DRAFT)


def test_a_sum_above_the_maximum_is_not_offered_as_one_order() -> None:
    assert duplicate(order("s1"), DRAFT)["merged_dose"] == 150
    assert "merged_dose" not in duplicate(order("s1", take=2), DRAFT)


@pytest.mark.parametrize(
    ("old", "differ"),
    [
        ("Practitioner/case-user", False),
        ("https://ehr.example/fhir/Practitioner/case-user", False),
        ("Practitioner/other", True),
        ("PractitionerRole/other", None),
    ],
)
def test_prescribers_differ_only_where_the_references_can_be_compared(old: str, differ: bool | None) -> None:
    raw = {
        "resourceType": "MedicationRequest", "id": "s1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/case-patient"}, "authoredOn": "@-30d", "requester": {"reference": old},
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "312938"}]},
        "dispenseRequest": {"expectedSupplyDuration": {"value": 91, "code": "d", "system": "http://unitsofmeasure.org"}},
    }  # fmt: skip
    assert duplicate(("fhir s1", raw), DRAFT).get("requesters_differ") is differ


def test_of_many_orders_of_one_drug_each_is_named_once() -> None:
    drafts = [(f"draft d{n}", {"drug": "sertraline 50", "take": 1, "days": "30d"}) for n in range(5)]
    assert len(of("duplicate", facts(PATIENT, *drafts, hook="order-sign"))) == 4


def test_a_script_that_may_be_filled_later_starts_then() -> None:
    later: Line = ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d", "valid_from": "+60d"})
    found = duplicate(order("s1"), later)  # in hand to day 60
    assert (found["start"], found["supply_left"], found["overlap_days"]) == (60, 0, 1)


def test_doses_given_in_a_stay_are_no_regimen() -> None:
    stay = ("visit stay", {"class": "IMP", "date": "-3d", "status": "in-progress"})
    ward = order("s1", category="inpatient")
    assert of("duplicate", facts(PATIENT, stay, ward, DRAFT, hook="order-sign")) == []


def test_duplicates_are_looked_for_only_where_something_is_ordered() -> None:
    assert of("duplicate", facts(PATIENT, order("s1"), order("s2"), hook="patient-view")) == []
