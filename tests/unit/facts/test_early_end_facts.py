"""Antidepressants that ended, and what was used beside or after them (C-04, 10.28)."""

from __future__ import annotations

import pytest

from cds.model import Fact, Hook
from tests.unit.charts import Line, facts_of, the, those

MDD = "condition mdd: {code: F33.1, onset: -300d}"
FILL = "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 20d}"


def ends(*lines: Line, hook: Hook = "patient-view") -> list[Fact]:
    return those(facts_of("patient: {age: 45}", MDD, *lines, hook=hook), "early_end")


def test_a_lapsed_trial_ended_on_its_last_covered_day() -> None:
    fact = the(facts_of("patient: {age: 45}", MDD, FILL), "early_end")
    wanted = {"how": "lapsed", "day": -21, "start": -40, "covered_days": 20, "confidence": "high"}
    assert {k: fact[k] for k in wanted} == wanted


@pytest.mark.parametrize(("start", "ended"), [(-33, False), (-34, True)])
def test_a_supply_that_ran_out_has_lapsed_after_the_grace_period(start: int, ended: bool) -> None:
    assert bool(ends(f"fills f: {{drug: sertraline 50, take: 1, from: {start}d, days_supply: 20d}}")) is ended


def test_days_in_hospital_are_no_lapse() -> None:
    fill = "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 20d}"
    assert ends(fill, "visit stay: {date: -20d, end: -5d, class: IMP}") == []


def test_an_end_in_the_middle_is_an_end_when_the_drug_is_taken_again_later() -> None:
    again = "fills g: {drug: sertraline 50, take: 1, from: -5d, days_supply: 30d}"
    (fact,) = ends(FILL, again)
    assert (fact.fields["day"], fact.fields["how"]) == (-21, "lapsed")


def test_a_stop_on_record_ends_at_once() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -20d, days: 30d, status: stopped, end: -1d}"
    (fact,) = ends(order)
    assert (fact.fields["how"], fact.fields["day"], fact.fields["covered_days"]) == ("stopped", -1, 20)
    assert "MedicationRequest/s" in fact.evidence


def test_a_stop_of_today_is_not_yet_an_end() -> None:
    assert ends("order s: {drug: sertraline 50, take: 1, authored: -20d, days: 30d, status: stopped, end: +0d}") == []


@pytest.mark.parametrize(
    ("stop", "days", "confidence"),
    [("end: -5d", 60, "high"), ("updated: -5d", 60, "low"), ("updated: -5d", 20, "high")],
)
def test_a_stop_known_only_by_the_last_change_is_of_low_confidence_where_it_cut_the_supply(
    stop: str, days: int, confidence: str
) -> None:
    order = f"order s: {{drug: sertraline 50, take: 1, authored: -40d, status: stopped, {stop}}}"
    fill = f"fills f: {{drug: sertraline 50, take: 1, from: -40d, days_supply: {days}d, order: s}}"
    (fact,) = ends(order, fill)
    assert fact.fields["confidence"] == confidence


def test_a_later_order_in_force_is_no_stop() -> None:
    stopped = "order s: {drug: sertraline 50, take: 1, authored: -20d, days: 30d, status: stopped, end: -3d}"
    going_on = "order t: {drug: sertraline 100, take: 1, authored: -2d, days: 30d}"
    assert ends(stopped, going_on) == []


def test_a_stop_of_the_call_counts_at_signing_only() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -20d, days: 30d}"
    (fact,) = ends(order, "stop x: {order: s}", hook="order-sign")
    assert (fact.fields["how"], fact.fields["day"]) == ("stop-order", 0)
    assert ends(FILL, hook="order-sign") == []


def test_uses_are_named_like_the_ends_they_belong_to() -> None:
    facts = facts_of(
        "patient: {age: 45}", MDD, FILL, "fills e: {drug: escitalopram 10, take: 1, from: -10d, days_supply: 30d}"
    )
    end = the(facts, "early_end")
    uses = {f.fields["episode"]: (f.fields["begun"], f.fields["last"]) for f in those(facts, "antidepressant_use")}
    assert uses == {end["episode"]: (-40, -21), "escitalopram:-10": (-10, 19)}


def test_refills_left_and_low_doses_are_no_use() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -40d, days: 20d, refills: 3}"
    fill = "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 20d, order: s}"
    low = "fills t: {drug: trazodone 50, take: 1, from: -10d, days_supply: 30d}"
    facts = facts_of("patient: {age: 45}", MDD, order, fill, low)
    assert [f.fields["episode"] for f in those(facts, "antidepressant_use")] == ["sertraline:-40"]


def test_what_it_was_for_is_not_known_without_a_problem_list() -> None:
    (fact,) = those(facts_of("patient: {age: 45}", "absent: [Condition]", FILL), "early_end")
    assert "treated_for" not in fact.fields
