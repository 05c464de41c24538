"""Records to days in hand (1.2, 1.4 step 1, 10.8-10.10, 10.14). Days are counted from today."""

from __future__ import annotations

import pytest

from cds.facts.context import Context
from tests.unit.charts import context_of, covered, dosing, episodes_of


def source_of(context: Context, drug: str) -> list[tuple[str, str]]:
    return [(s.source, s.confidence) for s in context.supply[drug]]


def test_thirty_days_of_supply_cover_thirty_days_from_the_day_of_the_fill() -> None:
    c = context_of("fills s: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d}")
    assert covered(c, "sertraline") == [(-40, -11)]
    assert source_of(c, "sertraline") == [("fill", "high")]


def test_a_drug_started_28_days_ago_has_28_covered_days_for_today_is_not_counted() -> None:
    c = context_of("fills s: {drug: sertraline 50, take: 1, from: -28d, days_supply: 60d}")
    (episode,) = c.by_ingredient["sertraline"]
    assert episode.covered_days(episode.start, c.today - 1) == 28


def test_an_order_alone_covers_its_authorised_days_at_medium_confidence() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -40d, days: 30d, refills: 1}")
    assert covered(c, "sertraline") == [(-40, 19)]
    assert {confidence for _, confidence in source_of(c, "sertraline")} == {"medium"}


def test_a_fill_without_any_length_is_not_guessed() -> None:
    fill = {
        "fhir f": {
            "resourceType": "MedicationDispense",
            "id": "f",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 50 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-10d",
        }
    }
    assert context_of(fill).supply == {}


def test_a_fill_without_a_length_has_that_of_the_order_it_names() -> None:
    fill = {
        "fhir f": {
            "resourceType": "MedicationDispense",
            "id": "f",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 50 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-40d",
            "authorizingPrescription": [{"reference": "MedicationRequest/o"}],
        }
    }
    c = context_of("order o: {drug: sertraline 50, take: 2, authored: -41d, days: 30d}", fill)
    assert dosing(c, "sertraline") == [(-40, -11, 100)]


# List entries --------------------------------------------------------------------------------------------------------


def test_an_active_order_without_supply_and_end_is_a_list_entry_up_to_today() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -200d}")
    assert covered(c, "sertraline") == [(-200, 0)]
    assert set(source_of(c, "sertraline")) == {("entry", "low")}


@pytest.mark.parametrize(("authored", "counts"), [(-365, True), (-366, False)])
def test_a_list_entry_is_stale_when_it_was_authored_more_than_365_days_ago(authored: int, counts: bool) -> None:
    c = context_of(f"order s: {{drug: sertraline 50, take: 1, authored: {authored}d}}")
    assert ("sertraline" in c.supply) is counts


def stale_with(*evidence: str) -> bool:
    return not any(
        s.source == "entry"
        for s in context_of("order s: {drug: sertraline 50, take: 1, authored: -400d}", *evidence).supply.get(
            "sertraline", ()
        )
    )


@pytest.mark.parametrize(("day", "stale"), [(-180, False), (-181, True)])
def test_a_renewal_of_the_last_180_days_keeps_a_list_entry(day: int, stale: bool) -> None:
    # The renewal is of another strength, so that the entry stands by itself before it.
    assert stale_with(f"order r: {{drug: sertraline 100, take: 1, authored: {day}d, days: 30d}}") is stale


@pytest.mark.parametrize(("day", "stale"), [(-180, False), (-181, True)])
def test_a_statement_of_the_last_180_days_keeps_a_list_entry(day: int, stale: bool) -> None:
    assert stale_with(f"statement t: {{drug: sertraline 50, from: {day}d, to: {day}d, status: completed}}") is stale


@pytest.mark.parametrize(("day", "stale"), [(-180, False), (-181, True)])
def test_a_visit_of_the_last_180_days_that_the_order_names_keeps_it(day: int, stale: bool) -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -400d, encounter: v}"
    c = context_of(order, f"visit v: {{date: {day}d}}")
    assert ("sertraline" not in c.supply) is stale


@pytest.mark.parametrize(("day", "stale"), [(-180, False), (-181, True)])
def test_a_dispense_of_the_last_180_days_keeps_a_list_entry(day: int, stale: bool) -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -400d}"
    fill = {
        "fhir f": {
            "resourceType": "MedicationDispense",
            "id": "f",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 100 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": f"@{day}d",
        }
    }
    assert ("sertraline" not in context_of(order, fill).supply) is stale


@pytest.mark.parametrize(("day", "stale"), [(-180, False), (-181, True)])
def test_a_dose_given_in_the_last_180_days_keeps_a_list_entry(day: int, stale: bool) -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -400d}"
    given = {
        "fhir a": {
            "resourceType": "MedicationAdministration",
            "id": "a",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 50 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "effectiveDateTime": f"@{day}d",
        }
    }
    assert ("sertraline" not in context_of(order, given).supply) is stale


def test_any_visit_is_no_mention_of_the_drug_the_reading_that_alerts_less() -> None:
    assert stale_with("visit v: {date: -10d}")


def test_a_mention_of_another_drug_does_not_keep_a_list_entry() -> None:
    assert stale_with("fills e: {drug: escitalopram 10, take: 1, from: -10d, days_supply: 30d}")


def test_an_old_order_with_supply_data_is_not_stale() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -400d, days: 90d, refills: 5}")
    assert covered(c, "sertraline") == [(-400, 139)]


# Status --------------------------------------------------------------------------------------------------------------


def test_an_order_on_hold_covers_nothing_by_itself() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -40d, days: 90d, status: on-hold}")
    assert c.supply == {}


def test_what_was_handed_over_before_an_order_was_put_on_hold_is_history() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, status: on-hold, updated: -10d}",
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 90d, order: s}",
    )
    assert covered(c, "sertraline") == [(-40, -11)]


def test_a_cancelled_order_without_a_dispense_is_never_history() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -40d, days: 30d, status: cancelled}")
    assert c.supply == {}


def test_a_cancelled_order_with_a_dispense_is_history() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, status: cancelled, updated: -20d}",
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 90d, order: s}",
    )
    assert covered(c, "sertraline") == [(-40, -20)]


def test_a_stopped_order_is_history_up_to_its_recorded_stop_at_low_confidence() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -60d, days: 90d, status: stopped, updated: -20d}")
    assert covered(c, "sertraline") == [(-60, -20)]
    assert source_of(c, "sertraline") == [("order", "low")]


def test_a_stopped_order_that_had_run_out_before_is_history_at_medium_confidence() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, status: stopped, updated: -20d}")
    assert covered(c, "sertraline") == [(-60, -31)]
    assert source_of(c, "sertraline") == [("order", "medium")]


def test_a_stopped_order_without_any_day_of_the_stop_does_not_reach_today() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -20d, days: 90d, status: stopped}")
    assert covered(c, "sertraline") == [(-20, -1)]
    assert source_of(c, "sertraline") == [("order", "low")]


def test_a_completed_order_is_history_and_does_not_reach_today() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -20d, days: 90d, status: completed}")
    assert covered(c, "sertraline") == [(-20, -1)]


def test_closing_a_completed_order_does_not_shorten_its_supply() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, status: completed, updated: -58d}"
    )
    assert covered(c, "sertraline") == [(-60, -31)]


def test_what_was_handed_over_is_not_taken_after_the_stop() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, status: stopped, updated: -30d}",
        "fills f: {drug: sertraline 50, take: 1, from: -60d, days_supply: 90d, order: s}",
    )
    assert covered(c, "sertraline") == [(-60, -30)]
    assert source_of(c, "sertraline") == [("fill", "high")]


def test_an_inpatient_order_and_its_dispenses_are_no_outpatient_supply() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -20d, days: 30d, category: inpatient}",
        "fills f: {drug: sertraline 50, take: 1, from: -20d, days_supply: 30d, order: s}",
    )
    assert c.supply == {}


def test_an_order_of_another_drug_that_names_it_as_prior_ends_the_old_one_the_day_before() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, days: 90d}",
        "order e: {drug: escitalopram 10, take: 1, authored: -20d, days: 90d, replaces: s}",
    )
    assert covered(c, "sertraline") == [(-60, -21)]


# Linked dispenses ----------------------------------------------------------------------------------------------------


def test_linked_dispenses_take_the_place_of_the_estimate_and_leave_what_is_still_to_collect() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, refills: 3}",
        "fills f: {drug: sertraline 50, take: 1, from: -50d, every: 30d, fills: 2, days_supply: 30d, order: s}",
    )
    assert covered(c, "sertraline") == [(-50, 69)]  # filled up to day 9, then two refills of 30 days
    assert [s.source for s in c.supply["sertraline"]] == ["fill", "fill", "refills"]


def test_refills_left_begin_after_today_even_when_the_last_fill_has_run_out() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, refills: 1}",
        "fills f: {drug: sertraline 50, take: 1, from: -50d, days_supply: 30d, order: s}",
    )
    assert covered(c, "sertraline") == [(-50, -21), (1, 30)]


def test_a_partial_fill_leaves_the_rest_of_the_authorised_days() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -10d, days: 30d}",
        "fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 10d, order: s}",
    )
    assert covered(c, "sertraline") == [(-10, -1), (1, 20)]


def test_a_stopped_order_has_nothing_left_to_collect() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, refills: 9, status: stopped, updated: -5d}",
        "fills f: {drug: sertraline 50, take: 1, from: -50d, days_supply: 30d, order: s}",
    )
    assert covered(c, "sertraline") == [(-50, -21)]


def test_what_is_left_to_collect_does_not_outlast_the_end_of_the_order() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -10d, days: 30d, refills: 9, end: +25d}",
        "fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 30d, order: s}",
    )
    assert covered(c, "sertraline") == [(-10, 25)]


def test_a_dispense_that_names_no_order_belongs_to_the_latest_fitting_one() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -60d}",
        "fills f: {drug: sertraline 50, take: 1, from: -50d, days_supply: 30d}",
    )
    # The list entry no longer claims that the drug was taken without a break.
    assert covered(c, "sertraline") == [(-50, -21)]


# Statements ----------------------------------------------------------------------------------------------------------


def test_a_statement_with_an_open_period_covers_up_to_today_at_medium_confidence() -> None:
    c = context_of("statement m: {drug: sertraline 50, take: 1, from: -90d}")
    assert covered(c, "sertraline") == [(-90, 0)]
    assert {confidence for _, confidence in source_of(c, "sertraline")} == {"medium"}


def test_a_closed_statement_covers_its_period() -> None:
    c = context_of("statement m: {drug: sertraline 50, take: 1, from: -90d, to: -30d, status: completed}")
    assert covered(c, "sertraline") == [(-90, -30)]


def test_an_undated_statement_has_low_confidence() -> None:
    c = context_of("statement m: {drug: sertraline 50, take: 1}")
    assert covered(c, "sertraline") == [(0, 0)]
    assert source_of(c, "sertraline") == [("statement", "low")]


def test_a_statement_fills_the_days_that_no_bottle_covers_and_does_not_double_the_dose() -> None:
    c = context_of(
        "statement m: {drug: sertraline 50, take: 1, from: -60d}",
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d}",
    )
    assert dosing(c, "sertraline") == [(-60, 0, 50)]


def test_a_list_entry_beside_a_dispensed_order_of_the_same_drug_does_not_double_the_dose() -> None:
    c = context_of(
        "order old: {drug: sertraline 50, take: 1, authored: -90d}",
        "order new: {drug: sertraline 50, take: 1, authored: -30d, days: 60d}",
    )
    assert dosing(c, "sertraline") == [(-90, 29, 50)]


def test_a_statement_of_an_earlier_dose_ends_where_the_new_dose_begins() -> None:
    c = context_of(
        "statement m: {drug: sertraline 50, take: 1, from: -60d}",
        "fills f: {drug: sertraline 100, take: 1, from: -30d, days_supply: 20d}",
    )
    assert dosing(c, "sertraline") == [(-60, -31, 50), (-30, -11, 100)]


# Not taken -----------------------------------------------------------------------------------------------------------


def test_reported_non_use_wins_over_an_active_order_and_its_dispenses() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 30d, refills: 3}",
        "fills f: {drug: sertraline 50, take: 1, from: -20d, days_supply: 30d, order: s}",
        "statement n: {drug: sertraline 50, status: not-taken}",
    )
    assert c.supply == {}


def test_reported_non_use_wins_over_a_dispense_without_an_order() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -20d, days_supply: 30d}",
        "statement n: {drug: sertraline 50, status: not-taken}",
    )
    assert c.supply == {}


def test_reported_non_use_leaves_earlier_history() -> None:
    c = context_of(
        "order old: {drug: sertraline 50, take: 1, authored: -300d, days: 30d, status: completed}",
        "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 90d}",
        "statement n: {drug: sertraline 50, status: not-taken}",
    )
    assert covered(c, "sertraline") == [(-300, -271)]


def test_reported_non_use_says_nothing_of_another_drug() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 90d}",
        "statement n: {drug: escitalopram 10, status: not-taken}",
    )
    assert covered(c, "sertraline") == [(-40, 49)]


@pytest.mark.parametrize(("end", "counts"), [(-41, True), (-40, False)])
def test_non_use_that_ended_before_the_order_began_does_not_negate_it(end: int, counts: bool) -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 90d}",
        f"statement n: {{drug: sertraline 50, status: not-taken, from: -90d, to: {end}d}}",
    )
    assert ("sertraline" in c.supply) is counts


def test_an_open_report_of_non_use_negates_a_later_order_too_the_reading_that_alerts_less() -> None:
    c = context_of(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 90d}",
        "statement n: {drug: sertraline 50, status: not-taken, from: -90d}",
    )
    assert c.supply == {}


# The future ----------------------------------------------------------------------------------------------------------


def test_a_planned_exposure_is_in_the_supply_and_in_no_episode() -> None:
    c = context_of("order s: {drug: sertraline 50, take: 1, authored: -1d, valid_from: +5d, days: 30d}")
    assert covered(c, "sertraline") == [(5, 34)]
    assert episodes_of(c, "sertraline") == []


def test_routes_that_do_not_count_leave_no_supply() -> None:
    rescue = {
        "fhir f": {
            "resourceType": "MedicationDispense",
            "id": "f",
            "status": "completed",
            "medicationCodeableConcept": {"text": "diazepam 10 MG Rectal Gel"},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-10d",
            "daysSupply": {"value": 30},
        }
    }
    assert context_of(rescue).supply == {}
