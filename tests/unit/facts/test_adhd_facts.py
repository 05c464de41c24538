"""Starts of an ADHD medicine (D-02, 10.30)."""

from __future__ import annotations

from cds.model import Scalar
from tests.unit.charts import Line, facts_of, the, those

MPH = "fills m: {drug: methylphenidate ER 36, take: 1, from: -31d, days_supply: 60d}"


def starts(*lines: Line) -> list[tuple[Scalar, Scalar]]:
    """(day, days without) of the starts that happened, by day."""
    found = those(facts_of(*lines), "adhd_start", planned=False)
    return sorted((f.fields["day"], f.fields["days_without"]) for f in found)


def test_the_first_use_has_no_earlier_use() -> None:
    assert starts(MPH) == [(-31, 36500)]


def test_days_without_are_whole_days_between() -> None:
    earlier = "fills e: {drug: atomoxetine 40, take: 1, from: -181d, days_supply: 30d}"
    assert starts(earlier, MPH) == [(-181, 36500), (-31, 120)]


def test_a_drug_holiday_within_grace_is_no_start() -> None:
    earlier = "fills e: {drug: methylphenidate ER 36, take: 1, from: -91d, days_supply: 30d}"
    assert starts(earlier, MPH) == [(-91, 36500)]


def test_guanfacine_counts_as_extended_release_only() -> None:
    assert starts("fills g: {drug: guanfacine ER 2, take: 1, from: -31d, days_supply: 30d}") == [(-31, 36500)]
    assert starts("fills g: {drug: guanfacine 1, take: 1, from: -31d, days_supply: 30d}") == []


def test_covered_days_count_the_class_and_not_the_gaps() -> None:
    lines = (
        "fills m: {drug: methylphenidate ER 36, take: 1, from: -100d, days_supply: 30d}",
        "fills a: {drug: atomoxetine 40, take: 1, from: -50d, days_supply: 20d}",
    )
    fact = the(facts_of(*lines), "adhd_start")
    assert (fact["covered_days"], fact["covered_percent"]) == (50, 50)


def test_days_after_the_three_hundredth_are_not_counted_as_treatment() -> None:
    fact = the(
        facts_of("fills m: {drug: methylphenidate ER 36, take: 1, from: -320d, days_supply: 320d}"), "adhd_start"
    )
    assert (fact["covered_days"], fact["covered_percent"]) == (301, 100)


def test_a_statement_makes_no_start_but_uses_up_the_days_without() -> None:
    stated = "statement s: {drug: methylphenidate ER 36, take: 1, from: -120d, to: -80d}"
    assert starts(stated) == []
    assert starts(stated, MPH) == [(-31, 48)]


def test_a_list_entry_is_of_low_confidence() -> None:
    fact = the(facts_of("order o: {drug: methylphenidate ER 36, take: 1, authored: -31d}"), "adhd_start")
    assert fact["confidence"] == "low"


def test_an_order_being_signed_is_planned() -> None:
    draft = "draft d: {drug: methylphenidate ER 36, take: 1, days: 30d, valid_from: +3d}"
    fact = the(facts_of(draft, hook="order-sign"), "adhd_start", planned=True)
    assert (fact["days_without"], "covered_days" in fact) == (36500, False)
    running = the(facts_of(MPH, draft, hook="order-sign"), "adhd_start", planned=True)
    assert running["days_without"] == 0


def test_days_in_hospital_are_no_days_without() -> None:
    earlier = "fills e: {drug: methylphenidate ER 36, take: 1, from: -181d, days_supply: 30d}"
    stay = "visit s: {class: IMP, date: -100d, end: -99d, diagnosis: J18.9}"
    assert (-31, 118) in starts(earlier, MPH, stay)
