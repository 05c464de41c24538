"""Concurrent strengths, stockpiling, dose changes (1.4 steps 2 and 3, 10.8, 10.9). Days are counted from today."""

from __future__ import annotations

import pytest

from tests.unit.charts import context_of, covered, dosing

# Concurrent strengths ------------------------------------------------------------------------------------------------


def two_strengths(days_apart: int, **second: str) -> list[tuple[int, int, float | None]]:
    more = "".join(f", {k}: {v}" for k, v in second.items())
    c = context_of(
        "order a: {drug: sertraline 100, take: 1, authored: -40d, days: 30d}",
        f"order b: {{drug: sertraline 50, take: 1, authored: {days_apart - 40}d, days: 30d{more}}}",
    )
    return dosing(c, "sertraline")


def test_two_strengths_begun_three_days_apart_are_one_regimen_and_add_up() -> None:
    assert two_strengths(3) == [(-40, -38, 100), (-37, -11, 150), (-10, -8, 50)]


def test_two_strengths_begun_four_days_apart_are_a_change_of_dose() -> None:
    assert two_strengths(4) == [(-40, -37, 100), (-36, -7, 50)]


def test_a_strength_that_names_the_other_as_its_prior_prescription_replaces_it() -> None:
    assert two_strengths(2, replaces="a") == [(-40, -39, 100), (-38, -9, 50)]


@pytest.mark.parametrize("status", ["stopped", "cancelled"])
def test_a_stopped_or_cancelled_strength_is_a_correction_and_never_adds_up(status: str) -> None:
    c = context_of(
        f"order a: {{drug: sertraline 100, take: 1, authored: -40d, days: 30d, status: {status}, updated: -12d}}",
        "order b: {drug: sertraline 50, take: 1, authored: -39d, days: 30d}",
    )
    assert all(mg != 150 for _, _, mg in dosing(c, "sertraline"))


def test_strengths_that_this_call_stops_were_taken_together_until_now() -> None:
    c = context_of(
        "order a: {drug: sertraline 100, take: 1, authored: -20d, days: 60d}",
        "order b: {drug: sertraline 50, take: 1, authored: -20d, days: 60d}",
        "stop x: {order: a}",
        "stop y: {order: b}",
        hook="order-sign",
    )
    assert dosing(c, "sertraline") == [(-20, 0, 150)]


def test_the_same_strength_twice_is_never_summed() -> None:
    c = context_of(
        "order a: {drug: sertraline 50, take: 1, authored: -20d, days: 30d}",
        "order b: {drug: sertraline 50, take: 1, authored: -20d, days: 30d}",
    )
    assert {mg for _, _, mg in dosing(c, "sertraline")} == {50}


DRIFTING = (
    "fills fa: {drug: sertraline 100, take: 1, from: -90d, every: 31d, fills: 3, days_supply: 31d, order: a}",
    "fills fb: {drug: sertraline 50, take: 1, from: -75d, every: 27d, fills: 3, days_supply: 27d, order: b}",
)


def test_refills_of_two_strengths_that_drift_apart_add_up_when_both_orders_are_active_and_of_one_prescriber() -> None:
    c = context_of(
        "order a: {drug: sertraline 100, take: 1, authored: -90d, requester: smith}",
        "order b: {drug: sertraline 50, take: 1, authored: -75d, requester: smith}",
        *DRIFTING,
    )
    assert dosing(c, "sertraline") == [(-90, -76, 100), (-75, 2, 150), (3, 5, 50)]


def test_drifting_refills_of_two_prescribers_are_changes_of_dose() -> None:
    c = context_of(
        "order a: {drug: sertraline 100, take: 1, authored: -90d, requester: smith}",
        "order b: {drug: sertraline 50, take: 1, authored: -75d, requester: jones}",
        *DRIFTING,
    )
    assert all(mg != 150 for _, _, mg in dosing(c, "sertraline"))


def test_an_old_strength_with_refills_left_that_was_not_filled_again_is_not_concurrent() -> None:
    c = context_of(
        "order a: {drug: sertraline 50, take: 1, authored: -60d, days: 30d, refills: 5, requester: smith}",
        "fills fa: {drug: sertraline 50, take: 1, from: -60d, days_supply: 30d, order: a}",
        "order b: {drug: sertraline 100, take: 1, authored: -40d, days: 30d, refills: 5, requester: smith}",
        "fills fb: {drug: sertraline 100, take: 1, from: -40d, every: 20d, fills: 2, days_supply: 30d, order: b}",
    )
    # What is left of the old strength takes nothing from the new one, today or later.
    assert [mg for first, _, mg in dosing(c, "sertraline")] == [50, 100]


# Sequential scripts --------------------------------------------------------------------------------------------------


def test_scripts_with_consecutive_validity_starts_are_one_regimen_in_sequence() -> None:
    c = context_of(
        *(
            f"order m{n}: {{drug: methylphenidate ER 36, take: 1, authored: +0d, valid_from: +{n}d, days: 30d}}"
            for n in (0, 30, 60)
        )
    )
    assert dosing(c, "methylphenidate") == [(0, 89, 36)]


# Stockpiling ---------------------------------------------------------------------------------------------------------


def test_an_early_refill_at_the_same_dose_begins_when_the_first_is_used_up() -> None:
    c = context_of("fills f: {drug: sertraline 50, take: 1, from: -60d, every: 20d, fills: 2, days_supply: 30d}")
    assert covered(c, "sertraline") == [(-60, -1)]


@pytest.mark.parametrize(("early", "end"), [(30, 59), (31, 58)])
def test_at_most_thirty_days_are_carried_forward(early: int, end: int) -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -100d, days_supply: 100d}",
        f"fills g: {{drug: sertraline 50, take: 1, from: -{early}d, days_supply: 60d}}",
    )
    assert covered(c, "sertraline") == [(-100, end)]


def test_the_cap_counts_the_carried_days_of_all_fills_together() -> None:
    c = context_of("fills f: {drug: sertraline 50, take: 1, from: -100d, every: 10d, fills: 4, days_supply: 30d}")
    # Shifts of 20 and 10 days use up the cap: the fourth fill of day -70 covers -40 to -41 + 30 by a shift of none.
    assert covered(c, "sertraline") == [(-100, -41)]


def test_days_that_still_overlap_at_the_cap_count_once_and_so_does_their_dose() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -100d, days_supply: 100d}",
        "fills g: {drug: sertraline 50, take: 1, from: -60d, days_supply: 60d}",
    )
    assert dosing(c, "sertraline") == [(-100, 29, 50)]


def test_a_fill_that_does_not_overlap_resets_the_carry() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -200d, days_supply: 60d}",
        "fills g: {drug: sertraline 50, take: 1, from: -170d, days_supply: 30d}",  # 30 days carried: the cap
        "fills h: {drug: sertraline 50, take: 1, from: -100d, days_supply: 60d}",  # no overlap
        "fills i: {drug: sertraline 50, take: 1, from: -70d, days_supply: 30d}",  # 30 days again
    )
    assert covered(c, "sertraline") == [(-200, -111), (-100, -11)]


def test_two_fills_of_one_strength_on_one_day_are_one_event_with_summed_days() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -60d, days_supply: 30d}",
        "fills g: {drug: sertraline 50, take: 1, from: -60d, days_supply: 45d}",
    )
    assert dosing(c, "sertraline") == [(-60, 14, 50)]


# Dose changes --------------------------------------------------------------------------------------------------------


def refill_at(ml: str) -> list[tuple[int, int, float | None]]:
    """A solution of 20 mg/mL, 5 mL a day, then another volume ten days early."""
    c = context_of(
        "fills f: {drug: sertraline solution, take: 5, from: -60d, days_supply: 30d}",
        f"fills g: {{drug: sertraline solution, take: {ml}, from: -40d, days_supply: 30d}}",
    )
    return dosing(c, "sertraline")


@pytest.mark.parametrize("ml", ["5.25", "4.75"])
def test_a_dose_within_five_per_cent_is_the_same_dose_and_is_carried(ml: str) -> None:
    mg = float(ml) * 20
    assert refill_at(ml) == [(-60, -31, 100), (-30, -1, mg)]


@pytest.mark.parametrize("ml", ["5.3", "4.7"])
def test_a_dose_beyond_five_per_cent_is_another_and_ends_the_earlier_supply(ml: str) -> None:
    mg = float(ml) * 20
    assert refill_at(ml) == [(-60, -41, 100), (-40, -11, mg)]


def test_a_change_of_dose_resets_the_carry() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -200d, days_supply: 60d}",
        "fills g: {drug: sertraline 50, take: 1, from: -170d, days_supply: 30d}",  # carried 30 days, to -111
        "fills h: {drug: sertraline 50, take: 2, from: -120d, days_supply: 60d}",  # another dose: old stock set aside
        "fills i: {drug: sertraline 50, take: 2, from: -90d, days_supply: 30d}",  # carried 30 days again
    )
    assert dosing(c, "sertraline") == [(-200, -121, 50), (-120, -31, 100)]


def test_the_same_daily_dose_from_another_strength_is_carried_and_not_summed() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 2, from: -60d, days_supply: 30d}",
        "fills g: {drug: sertraline 100, take: 1, from: -40d, days_supply: 30d}",
    )
    assert dosing(c, "sertraline") == [(-60, -1, 100)]


def test_steps_of_an_order_change_the_dose_on_their_days() -> None:
    c = context_of(
        {
            "order s": {
                "drug": "sertraline 50",
                "authored": "-20d",
                "days": "40d",
                "steps": [
                    {"take": 0.5, "from": "-20d", "to": "-14d"},
                    {"take": 1, "from": "-13d", "to": "-7d"},
                    {"take": 2, "from": "-6d"},
                ],
            }
        }
    )
    assert dosing(c, "sertraline") == [(-20, -14, 25), (-13, -7, 50), (-6, 19, 100)]
