"""When an order is a switch, away from which trial, and what is known of it (C-01, 10.6, 10.19, 10.28)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cds.model import Fact, Scalar
from tests.unit.charts import Line, facts_of, the, those

ESCITALOPRAM = "draft d: {drug: escitalopram 10, take: 1, days: 30d}"
BUPROPION = "draft d: {drug: bupropion XL 150, take: 1, days: 30d}"
ORDER = "order s: {drug: sertraline 50, take: 1, authored: -21d, refills: 5}"
FILL = "fills f: {drug: sertraline 50, take: 1, from: -21d, days_supply: 30d, order: s}"


def found(*lines: Line) -> list[Fact]:
    return those(facts_of("patient: {age: 45}", *lines, hook="order-sign"), "switch")


def switch(*lines: Line) -> Mapping[str, Scalar]:
    return the(facts_of("patient: {age: 45}", *lines, hook="order-sign"), "switch")


# How -----------------------------------------------------------------------------------------------------------------


def test_an_old_drug_stopped_in_the_bundle_is_switched() -> None:
    assert switch(ORDER, FILL, "stop x: {order: s}", BUPROPION)["how"] == "stopped"


def test_an_old_drug_stopped_in_the_bundle_is_switched_although_its_dispenses_name_no_order() -> None:
    loose = "fills f: {drug: sertraline 50, take: 1, from: -21d, days_supply: 30d}"
    assert switch(ORDER, loose, "stop x: {order: s}", BUPROPION)["how"] == "stopped"


def test_an_old_drug_whose_order_the_draft_names_as_prior_is_switched() -> None:
    draft = "draft d: {drug: bupropion XL 150, take: 1, days: 30d, replaces: s}"
    assert switch(ORDER, FILL, draft)["how"] == "stopped"


def test_a_renewal_of_the_old_drug_in_the_same_call_is_no_stop_of_it() -> None:
    renewal = "draft r: {drug: sertraline 100, take: 1, days: 30d, replaces: s}"
    assert found(ORDER, FILL, renewal, BUPROPION) == []


def test_an_old_drug_that_goes_on_is_not_switched_by_another_class() -> None:
    assert found(ORDER, FILL, BUPROPION) == []


@pytest.mark.parametrize(("end", "how"), [(30, "end-planned"), (31, None)])
def test_an_end_within_thirty_days_of_the_draft_is_a_switch(end: int, how: str | None) -> None:
    order = f"order s: {{drug: sertraline 50, take: 1, authored: -21d, refills: 5, end: +{end}d}}"
    facts = found(order, FILL, BUPROPION)
    assert [f.fields["how"] for f in facts] == ([how] if how else [])


def test_supply_that_runs_out_soon_is_no_stated_end() -> None:
    assert found(FILL.replace(", order: s", ""), BUPROPION) == []


@pytest.mark.parametrize(
    ("old", "new", "switched"),
    [
        ("sertraline 50", "escitalopram 10", True),
        ("sertraline 50", "venlafaxine XR 75", True),
        ("amitriptyline 100", "doxepin 10", True),
        ("phenelzine 15", "tranylcypromine 10", True),
        ("sertraline 50", "mirtazapine 15", False),
        ("mirtazapine 15", "bupropion XL 150", False),
        ("sertraline 50", "amitriptyline 100", False),
    ],
)
def test_a_drug_of_the_same_class_group_is_a_switch_while_the_old_one_goes_on(
    old: str, new: str, switched: bool
) -> None:
    facts = found(
        f"fills f: {{drug: {old}, take: 2, from: -21d, days_supply: 60d}}",
        f"draft d: {{drug: {new}, take: 5, days: 30d}}",
    )
    assert [f.fields["how"] for f in facts] == (["same-class"] if switched else [])


@pytest.mark.parametrize(("start", "switched"), [(-44, True), (-43, False)])
def test_a_drug_without_an_order_has_ended_after_its_grace(start: int, switched: bool) -> None:
    # 30 days of supply to day -15 or -14: active as long as T <= end + 14.
    facts = found(f"fills f: {{drug: sertraline 50, take: 1, from: {start}d, days_supply: 30d}}", BUPROPION)
    assert [f.fields["how"] for f in facts] == (["ended"] if switched else [])


def test_a_drug_whose_order_was_closed_has_ended_when_its_supply_ran_out() -> None:
    facts = found(
        "order s: {drug: sertraline 50, take: 1, authored: -40d, status: completed}",
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d, order: s}",
        BUPROPION,
    )
    assert [f.fields["how"] for f in facts] == ["ended"]


# Which old drug ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "since"), [(-50, 31), (-49, 30)])
def test_days_since_the_end_count_from_the_last_covered_day(start: int, since: int) -> None:
    # "Ended in [T-30, T]": twenty days of supply to day -31 or -30.
    fill = f"fills f: {{drug: sertraline 50, take: 1, from: {start}d, days_supply: 20d}}"
    assert switch(fill, ESCITALOPRAM)["days_since_end"] == since


def test_a_drug_that_is_covered_today_has_not_ended() -> None:
    assert switch(FILL, ESCITALOPRAM)["days_since_end"] == 0


def test_of_several_old_drugs_the_one_with_the_most_adequate_days_counts() -> None:
    found = switch(
        "fills a: {drug: sertraline 50, take: 1, from: -20d, days_supply: 60d}",
        "fills b: {drug: venlafaxine XR 75, take: 1, from: -25d, days_supply: 60d}",
        ESCITALOPRAM,
    )
    assert (found["old_moiety"], found["adequate_days"]) == ("venlafaxine", 25)


def test_a_trial_that_ended_long_ago_does_not_stand_for_the_current_one() -> None:
    found = switch(
        "fills a: {drug: venlafaxine XR 75, take: 1, from: -400d, days_supply: 90d}",
        "fills b: {drug: sertraline 50, take: 1, from: -40d, days_supply: 20d}",
        ESCITALOPRAM,
    )
    assert (found["old_moiety"], found["adequate_days"]) == ("sertraline", 20)


def test_an_earlier_episode_of_the_same_drug_does_not_stand_for_the_current_one() -> None:
    found = switch(
        "fills a: {drug: sertraline 50, take: 1, from: -400d, days_supply: 40d}",
        "fills b: {drug: sertraline 50, take: 1, from: -10d, days_supply: 20d}",
        ESCITALOPRAM,
    )
    assert (found["old_start"], found["adequate_days"]) == (-10, 10)


# The new drug --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", ["{drug: zuranolone 25, take: 2, days: 14d}", "{drug: esketamine spray, take: 1}"])
def test_zuranolone_and_esketamine_are_never_switch_targets(draft: str) -> None:
    assert found(ORDER, FILL, "stop x: {order: s}", f"draft d: {draft}") == []


def test_a_low_dose_adjunct_is_no_switch_target() -> None:
    draft = "draft d: {drug: trazodone 50, take: 1, days: 30d}"
    assert found(ORDER, FILL, "stop x: {order: s}", draft) == []


@pytest.mark.parametrize("reason", ["F17.210", "M54.5"])
def test_a_drug_ordered_for_smoking_or_pain_is_no_switch_target(reason: str) -> None:
    draft = f"draft d: {{drug: bupropion XL 150, take: 1, days: 30d, reason: {reason}}}"
    assert found(ORDER, FILL, "stop x: {order: s}", draft) == []


def test_the_same_moiety_is_no_switch() -> None:
    old = "fills c: {drug: citalopram 20, take: 1, from: -21d, days_supply: 60d}"
    assert found(old, ESCITALOPRAM) == []


@pytest.mark.parametrize(("start", "unused"), [(-210, 180), (-209, 179)])
def test_days_unused_are_the_whole_days_since_the_new_drug_was_in_hand(start: int, unused: int) -> None:
    # "Not used in the last 180 days" = no day of [T-180, T]: thirty days of supply to day -181 or -180.
    earlier = f"fills e: {{drug: escitalopram 10, take: 1, from: {start}d, days_supply: 30d}}"
    assert switch(ORDER, FILL, "stop x: {order: s}", earlier, ESCITALOPRAM)["new_unused_days"] == unused


def test_use_of_the_same_moiety_is_use_of_the_new_drug_the_reading_that_alerts_less() -> None:
    earlier = "fills e: {drug: citalopram 20, take: 1, from: -100d, days_supply: 30d}"
    assert switch(ORDER, FILL, "stop x: {order: s}", earlier, ESCITALOPRAM)["new_unused_days"] == 70


def test_a_drug_that_was_never_in_hand_counts_as_unused_for_a_century() -> None:
    assert switch(ORDER, FILL, "stop x: {order: s}", ESCITALOPRAM)["new_unused_days"] == 36500


# What is known of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "indication"),
    [
        ([], "depression"),
        (["F32.1"], "depression"),
        (["F42.2"], "ocd"),
        (["F43.12"], "ptsd"),
        (["F41.1"], "anxiety"),
        (["F40.10"], "anxiety"),
        (["F42.2", "F32.1"], "depression"),
    ],
)
def test_the_problem_list_says_what_the_drug_is_for_depression_first(conditions: list[str], indication: str) -> None:
    lines = [f"condition c{n}: {{code: {code}}}" for n, code in enumerate(conditions)]
    assert switch(ORDER, FILL, ESCITALOPRAM, *lines)["indication"] == indication


def test_a_resolved_condition_is_no_indication() -> None:
    assert (
        switch(ORDER, FILL, ESCITALOPRAM, "condition c: {code: F42.2, status: resolved}")["indication"] == "depression"
    )


def test_the_reason_of_the_order_goes_before_the_problem_list() -> None:
    draft = "draft d: {drug: escitalopram 10, take: 1, days: 30d, reason: F42.2}"
    assert switch(ORDER, FILL, draft, "condition c: {code: F32.1}")["indication"] == "ocd"


@pytest.mark.parametrize(
    ("indication", "short", "full"), [("F32.1", 28, 42), ("F41.1", 42, 56), ("F43.12", 42, 56), ("F42.2", 56, 84)]
)
def test_the_length_of_a_trial_goes_by_its_indication(indication: str, short: int, full: int) -> None:
    found = switch(ORDER, FILL, ESCITALOPRAM, f"condition c: {{code: {indication}}}")
    assert (found["below_indication_days"], found["left_to_full_days"]) == (short - 21, full - 21)


def improvement(before: tuple[int, int], now: tuple[int, int], start: int = -40) -> float | None:
    """Improvement with a baseline (score, day) and a later score, on a drug begun on `start`."""
    value = switch(
        f"fills f: {{drug: sertraline 50, take: 1, from: {start}d, days_supply: 90d}}",
        f"result b: {{scale: phq9, value: {before[0]}, date: {before[1]}d}}",
        f"result c: {{scale: phq9, value: {now[0]}, date: {now[1]:+d}d}}",
        ESCITALOPRAM,
    ).get("improvement_percent")
    return None if value is None else float(value)


@pytest.mark.parametrize(("day", "counts"), [(-71, False), (-70, True), (-33, True), (-32, False)])
def test_the_baseline_lies_between_30_days_before_the_start_and_7_after(day: int, counts: bool) -> None:
    assert improvement((20, day), (10, -1)) == (50 if counts else None)


@pytest.mark.parametrize(("day", "counts"), [(-22, False), (-21, True), (0, True)])
def test_the_current_score_is_of_the_last_21_days(day: int, counts: bool) -> None:
    assert improvement((20, -40), (10, day)) == (50 if counts else None)


@pytest.mark.parametrize(("day", "counts"), [(-7, False), (-6, True)])
def test_the_current_score_is_at_least_14_days_after_the_start(day: int, counts: bool) -> None:
    assert improvement((20, -25), (10, day), start=-20) == (50 if counts else None)


@pytest.mark.parametrize(("score", "counts"), [(9, False), (10, True)])
def test_a_baseline_below_ten_shows_no_improvement(score: int, counts: bool) -> None:
    assert (improvement((score, -40), (5, -1)) is not None) is counts


def test_the_last_score_of_each_window_counts() -> None:
    found = switch(
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 90d}",
        "result a: {scale: phq9, value: 24, date: -60d}",
        "result b: {scale: phq9, value: 20, date: -40d}",
        "result c: {scale: phq9, value: 19, date: -15d}",
        "result d: {scale: phq9, value: 15, date: -2d}",
        ESCITALOPRAM,
    )
    assert (found["phq9_before"], found["phq9_now"], found["improvement_percent"]) == (20, 15, 25)


def test_days_of_record_before_the_trial_count_from_the_first_dated_record() -> None:
    assert switch("visit v: {date: -52d}", ORDER, FILL, ESCITALOPRAM)["record_days_before"] == 31


def test_an_onset_long_ago_does_not_lengthen_the_record() -> None:
    onset = "condition c: {code: F32.1, onset: -2000d, recorded: -30d}"
    assert switch(onset, ORDER, FILL, ESCITALOPRAM)["record_days_before"] == 9


def test_a_statement_can_give_an_earlier_start() -> None:
    statement = "statement m: {drug: sertraline 50, take: 1, from: -100d}"
    assert switch(ORDER, FILL, statement, ESCITALOPRAM)["old_start"] == -100


# Why the old drug was stopped ----------------------------------------------------------------------------------------


def test_why_an_order_or_a_statement_was_stopped_is_told_by_moiety() -> None:
    facts = facts_of(
        "order a: {drug: escitalopram 10, authored: -90d, status: stopped, status_reason: Nausea}",
        {
            "fhir m": {
                "resourceType": "MedicationStatement",
                "id": "m",
                "status": "stopped",
                "statusReason": [{"text": "Cost"}],
                "medicationCodeableConcept": {"text": "sertraline 50 MG Oral Tablet"},
                "subject": {"reference": "Patient/case-patient"},
            }
        },
        hook="order-sign",
    )
    told = {(f.fields["moiety"], f.fields["reason"]) for f in those(facts, "stop_reason")}
    assert told == {("citalopram", "intolerance"), ("sertraline", "cost")}
