"""Overlap of two drugs that happened (1.4 step 5, A-02 at patient-view, 10.22). Days are counted from today."""

from __future__ import annotations

from cds.model import Fact
from tests.unit.charts import facts_of, the, those

SERTRALINE = "fills s: {drug: sertraline 50, take: 1, from: -60d, days_supply: 60d}"


def runs(*lines: str) -> list[tuple[float, float, float]]:
    """(days, first, last) of each overlap, by first day."""
    found: list[Fact] = those(facts_of(*lines), "overlap")
    return sorted((float(f.fields["days"]), float(f.fields["first"]), float(f.fields["last"])) for f in found)


def test_an_overlap_counts_the_days_on_which_both_are_covered_up_to_yesterday() -> None:
    assert runs(SERTRALINE, "fills e: {drug: escitalopram 10, take: 1, from: -31d, days_supply: 60d}") == [
        (31, -31, -1)
    ]


def test_a_gap_within_grace_goes_on_with_the_run_and_is_not_counted() -> None:
    assert runs(
        SERTRALINE,
        "fills e: {drug: escitalopram 10, take: 1, from: -50d, days_supply: 20d}",  # to -31
        "fills f: {drug: escitalopram 10, take: 1, from: -16d, days_supply: 16d}",  # 14 days without
    ) == [(36, -50, -1)]


def test_a_gap_beyond_grace_ends_the_run() -> None:
    assert runs(
        SERTRALINE,
        "fills e: {drug: escitalopram 10, take: 1, from: -50d, days_supply: 20d}",
        "fills f: {drug: escitalopram 10, take: 1, from: -15d, days_supply: 15d}",  # 15 days without
    ) == [(15, -15, -1), (20, -50, -31)]


def test_a_gap_of_each_drug_within_its_own_grace_goes_on_with_the_run() -> None:
    assert runs(
        "fills s: {drug: sertraline 50, take: 1, from: -60d, days_supply: 30d}",  # to -31
        "fills t: {drug: sertraline 50, take: 1, from: -20d, days_supply: 20d}",  # ten days without
        "fills e: {drug: escitalopram 10, take: 1, from: -60d, days_supply: 40d}",  # to -21
        "fills f: {drug: escitalopram 10, take: 1, from: -10d, days_supply: 10d}",  # ten days without, right after
    ) == [(40, -60, -1)]


def test_inpatient_days_are_bridged_and_not_counted() -> None:
    assert runs(
        "fills s: {drug: sertraline 50, take: 1, from: -50d, days_supply: 50d}",
        "fills e: {drug: escitalopram 10, take: 1, from: -50d, days_supply: 50d}",
        "visit stay: {class: IMP, date: -40d, end: -21d}",
    ) == [(30, -50, -1)]


def test_overlap_that_lies_ahead_does_not_count() -> None:
    assert runs(SERTRALINE, "fills e: {drug: escitalopram 10, take: 1, from: +0d, days_supply: 60d}") == []


def test_an_overlap_is_found_only_where_it_is_asked_for() -> None:
    lines = (SERTRALINE, "fills e: {drug: escitalopram 10, take: 1, from: -31d, days_supply: 60d}")
    assert those(facts_of(*lines, hook="order-sign"), "overlap") == []


def test_the_confidence_of_both_sides_is_told() -> None:
    fact = the(facts_of(SERTRALINE, "order e: {drug: escitalopram 10, take: 1, authored: -40d, days: 90d}"), "overlap")
    assert (fact["weakest_confidence"], fact["strongest_confidence"]) == ("medium", "high")


def test_two_list_entries_are_low_on_both_sides() -> None:
    fact = the(
        facts_of(
            "order s: {drug: sertraline 50, take: 1, authored: -40d}",
            "order e: {drug: escitalopram 10, take: 1, authored: -40d}",
        ),
        "overlap",
    )
    assert (fact["weakest_confidence"], fact["strongest_confidence"]) == ("low", "low")


def test_days_at_a_low_dose_are_no_overlap_of_the_antidepressant() -> None:
    assert runs(
        "fills v: {drug: venlafaxine XR 75, take: 1, from: -60d, days_supply: 60d}",
        "fills t: {drug: trazodone 100, take: 1, from: -60d, days_supply: 40d}",
        "fills u: {drug: trazodone 100, take: 2, from: -20d, days_supply: 20d}",
    ) == [(20, -20, -1)]


def test_old_drug_stopped_when_the_new_began_is_no_overlap_although_its_supply_was_larger() -> None:
    assert (
        runs(
            "order s: {drug: sertraline 50, take: 1, authored: -60d, status: stopped, updated: -32d}",
            "fills s: {drug: sertraline 50, take: 1, from: -60d, days_supply: 90d, order: s}",
            "fills e: {drug: escitalopram 10, take: 1, from: -31d, days_supply: 60d}",
        )
        == []
    )
