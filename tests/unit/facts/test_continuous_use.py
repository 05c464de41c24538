"""Continuous use, renewals, repeated courses and prescribers (B-02, B-04, 10.7, 10.25, 10.27)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cds.facts.sedatives import band, equivalents, percent_of, single_equivalent
from tests.unit.charts import facts_of, the, those

LORAZEPAM = "fills l: {drug: lorazepam 0.5, take: 1, times: 2, from: -60d, days_supply: 60d}"
CLASSES = ("BZD", "ZDRUG")


def use(*lines: str, **options: Any) -> Any:
    return the(facts_of(*lines, **options), "continuous_use", class_group="BZD")


def test_a_course_within_the_grace_goes_on_and_a_longer_gap_ends_it() -> None:
    ended_15 = "fills l: {drug: lorazepam 0.5, take: 1, from: -44d, days_supply: 30d}"
    ended_16 = "fills l: {drug: lorazepam 0.5, take: 1, from: -45d, days_supply: 30d}"
    assert use(ended_15)["covered_days"] == 30
    assert those(facts_of(ended_16), "continuous_use") == []


def test_days_in_hospital_are_bridged_and_not_counted() -> None:
    found = use(LORAZEPAM, "visit stay: {class: IMP, date: -40d, end: -21d}")
    assert (found["covered_days"], found["start"], found["last_covered"]) == (40, -60, -1)


def test_the_drugs_of_a_course_are_named_in_the_order_in_which_they_began() -> None:
    clonazepam = "fills c: {drug: clonazepam 1, take: 1, from: -20d, days_supply: 20d}"
    lorazepam = "fills l: {drug: lorazepam 0.5, take: 1, from: -40d, days_supply: 20d}"
    for lines in ((clonazepam, lorazepam), (lorazepam, clonazepam)):
        assert use(*lines)["drug"] == "lorazepam then clonazepam"


def test_two_drugs_taken_together_add_up() -> None:
    found = use(LORAZEPAM, "fills c: {drug: clonazepam 1, take: 1, times: 2, from: -60d, days_supply: 60d}")
    assert (found["covered_days"], found["diazepam_equivalent"]) == (60, 25)


def test_a_late_refill_of_one_of_two_drugs_is_no_smaller_dose_while_its_order_is_in_force() -> None:
    order = "order o: {drug: clonazepam 1, authored: -60d, take: 1, times: 2}"
    fill = "fills c: {drug: clonazepam 1, take: 1, times: 2, from: -60d, days_supply: 55d, order: o}"
    assert use(LORAZEPAM, order, fill)["diazepam_equivalent"] == 25
    closed = "order o: {drug: clonazepam 1, authored: -60d, take: 1, times: 2, status: completed}"
    assert use(LORAZEPAM, closed, fill)["diazepam_equivalent"] == 5


def test_a_dose_that_is_not_known_leaves_equivalent_and_dependence_open() -> None:
    found = use("fills l: {drug: lorazepam 0.5, from: -60d, days_supply: 60d}")
    assert "diazepam_equivalent" not in found
    assert found["dependence"] == "unknown"


@pytest.mark.parametrize(
    ("days", "take", "said"),
    [
        (29, 4, "less likely but possible"),
        (30, 4, "likely"),
        (30, 2, "less likely but possible"),
        (89, 2, "less likely but possible"),
        (90, 2, "likely"),
    ],
)
def test_dependence_is_told_by_the_table_of_asam(days: int, take: int, said: str) -> None:
    line = f"fills l: {{drug: diazepam 5, take: {take}, from: -{days}d, days_supply: {days}d}}"
    assert use(line)["dependence"] == said


def test_administrations_are_counted_over_the_whole_span() -> None:
    # 14 tablets in 14 of 28 days; the pause of 14 days is bridged.
    found = use(
        "fills a: {drug: lorazepam 0.5, take: 1, from: -28d, days_supply: 7d}",
        "fills b: {drug: lorazepam 0.5, take: 1, from: -7d, days_supply: 7d}",
    )
    assert found["administrations_per_28_days"] == 14


def test_two_strengths_taken_together_are_one_administration() -> None:
    found = use(
        "fills a: {drug: lorazepam 0.5, take: 1, times: 2, from: -28d, days_supply: 28d}",
        "fills b: {drug: lorazepam 1, take: 1, times: 2, from: -28d, days_supply: 28d}",
    )
    assert (found["administrations_per_28_days"], found["diazepam_equivalent"]) == (56, 15)


def test_a_taper_is_measured_against_the_look_back_and_a_rise_is_told() -> None:
    found = use(
        "fills a: {drug: diazepam 10, take: 2, from: -60d, days_supply: 46d}",
        "fills b: {drug: diazepam 5, take: 3, from: -14d, days_supply: 14d}",
    )
    assert (found["equivalent_percent_of_lookback"], found["rose_since_lookback"]) == (75, False)
    raised = use(
        "fills a: {drug: diazepam 5, take: 4, from: -60d, days_supply: 40d}",
        "fills b: {drug: diazepam 5, take: 2, from: -20d, days_supply: 10d}",
        "fills e: {drug: diazepam 5, take: 3, from: -10d, days_supply: 10d}",
    )
    assert (raised["equivalent_percent_of_lookback"], raised["rose_since_lookback"]) == (75, True)


def test_a_course_shorter_than_the_look_back_has_no_taper() -> None:
    found = use("fills a: {drug: diazepam 10, take: 2, from: -41d, days_supply: 41d}")
    assert "equivalent_percent_of_lookback" not in found


def test_a_zolpidem_taper_is_measured_in_milligrams() -> None:
    found = the(
        facts_of(
            "fills a: {drug: zolpidem 10, take: 1, from: -60d, days_supply: 46d}",
            "fills b: {drug: zolpidem 10, take: 0.5, from: -14d, days_supply: 14d}",
        ),
        "continuous_use",
    )
    assert (found["class_group"], found["equivalent_percent_of_lookback"]) == ("ZDRUG", 50)


def test_uncollected_refills_are_not_on_hand() -> None:
    order = "order o: {drug: lorazepam 0.5, authored: -20d, take: 1, times: 2, days: 30d, refills: 3}"
    fill = "fills f: {drug: lorazepam 0.5, take: 1, times: 2, from: -20d, days_supply: 30d, order: o}"
    draft = "draft d: {drug: lorazepam 0.5, take: 1, times: 2, days: 28d}"
    found = the(facts_of(order, fill, draft, hook="order-sign"), "sedative_renewal")
    assert (found["on_hand_days"], found["projected_days"]) == (10, 20 + 10 + 28)


def test_a_renewal_knows_whether_it_takes_the_place_of_an_order_and_how_its_dose_compares() -> None:
    order = "order o: {drug: diazepam 10, authored: -60d, take: 2}"
    fill = "fills f: {drug: diazepam 10, take: 2, from: -60d, days_supply: 60d, order: o}"
    less = "draft d: {drug: diazepam 5, take: 3, days: 28d, replaces: o}"
    found = the(facts_of(order, fill, less, hook="order-sign"), "sedative_renewal")
    assert (found["linked"], found["dose_percent_of_current"], found["tapers"]) == (True, 75, False)
    beside = "draft d: {drug: diazepam 5, take: 3, days: 28d}"
    assert the(facts_of(order, fill, beside, hook="order-sign"), "sedative_renewal")["linked"] is False


def test_nothing_is_derived_for_hooks_whose_rules_do_not_ask() -> None:
    found = facts_of(LORAZEPAM, hook="encounter-discharge")
    assert {f.kind for f in found}.isdisjoint(
        {"continuous_use", "unknown_frequency", "sedative_renewal", "review", "short_courses", "prescribers"}
    )


def test_conditions_of_the_card_are_named_only_while_active() -> None:
    alcohol = "condition a: {code: F10.20, onset: -900d}"
    nursing = "condition n: {code: Z39.1, onset: -20d}"
    assert use(LORAZEPAM, nursing, alcohol)["also_recorded"] == "alcohol use disorder, breast-feeding"
    assert "also_recorded" not in use(LORAZEPAM, "condition a: {code: F10.20, onset: -900d, status: resolved}")


def test_separate_fills_are_counted_from_the_last_one_counted() -> None:
    lines = [
        f"fills f{-day}: {{drug: lorazepam 0.5, take: 1, from: {day}d, days_supply: 5d}}" for day in (-300, -296, -292)
    ]
    assert the(facts_of(*lines), "short_courses")["separate_fills"] == 2


def test_a_course_across_the_border_of_the_year_counts_with_its_days_inside() -> None:
    old = "fills o: {drug: lorazepam 0.5, take: 1, from: -370d, days_supply: 10d}"
    found = the(facts_of(old, LORAZEPAM), "short_courses")
    assert (found["covered_days"], found["separate_fills"], found["courses"]) == (65, 1, 2)


def test_a_fill_without_a_requester_is_nobodys() -> None:
    order = "order o: {drug: lorazepam 0.5, authored: -20d, take: 1, requester: a}"
    named = "fills f: {drug: lorazepam 0.5, take: 1, from: -20d, days_supply: 5d, order: o}"
    other = "fills g: {drug: zolpidem 10, take: 1, from: -10d, days_supply: 5d}"
    found = the(facts_of(order, named, other), "prescribers")
    assert (found["requesters"], found["fills"], found["habit_forming_fills"]) == (1, 2, 2)


# Doses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doses", "expected"),
    [
        ({"alprazolam": "1"}, "low"),
        ({"alprazolam": "2"}, "moderate"),
        ({"alprazolam": "2.5"}, "high"),
        ({"clonazepam": "0.5"}, "low"),
        ({"clonazepam": "1.5"}, "moderate"),
        ({"clonazepam": "1.51"}, "high"),
        ({"lorazepam": "2"}, "low"),
        ({"lorazepam": "3"}, "moderate"),
        ({"diazepam": "10"}, "low"),
        ({"diazepam": "15"}, "moderate"),
        ({"oxazepam": "46"}, "high"),
        # Of several drugs the sum of equivalents decides: 5 + 5 low, 10 + 5 moderate.
        ({"lorazepam": "1", "diazepam": "5"}, "low"),
        ({"clonazepam": "1", "diazepam": "5"}, "moderate"),
        # Midazolam has no equivalent: it stays out of sums, and alone it has no band.
        ({"midazolam": "15", "lorazepam": "1"}, "low"),
        ({"midazolam": "15"}, "unknown"),
        ({"zolpidem": "10"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_bands_are_per_drug_and_by_equivalent_for_the_others_and_for_sums(doses: dict[str, str], expected: str) -> None:
    assert band({key: Decimal(mg) for key, mg in doses.items()}) == expected


def test_an_unknown_dose_leaves_band_and_equivalent_unknown() -> None:
    doses = {"clonazepam": Decimal(2), "lorazepam": None}
    assert (band(doses), equivalents(doses), single_equivalent(doses)) == ("unknown", None, None)


def test_a_drug_without_an_equivalent_leaves_the_band_to_the_others_even_when_its_dose_is_unknown() -> None:
    doses = {"lorazepam": Decimal(1), "midazolam": None}
    assert (band(doses), single_equivalent(doses)) == ("low", Decimal(5))


def test_two_doses_are_compared_by_the_larger_of_both_columns() -> None:
    # VA/DoD 20 and 20, Ashton 40 and 20.
    assert percent_of({"diazepam": Decimal(20)}, {"alprazolam": Decimal(2)}) == 100
    assert percent_of({"zolpidem": Decimal(5)}, {"zolpidem": Decimal(10)}) == 50
    assert percent_of({"zolpidem": Decimal(5)}, {"diazepam": Decimal(10)}) is None
