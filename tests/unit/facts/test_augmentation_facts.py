"""What an order adds to an antidepressant, and how far that has come (C-02, 10.28)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cds.model import Fact, Scalar
from tests.unit.charts import Line, facts_of, the, those

ORDER = "order s: {drug: sertraline 50, take: 1, authored: -21d, refills: 5}"
FILL = "fills f: {drug: sertraline 50, take: 1, from: -21d, days_supply: 30d, order: s}"
MDD = "condition mdd: {code: F33.1, onset: -300d}"
ARIPIPRAZOLE = "draft d: {drug: aripiprazole 2, take: 1, days: 30d}"


def found(*lines: Line) -> list[Fact]:
    return those(facts_of("patient: {age: 45}", *lines, hook="order-sign"), "augmentation")


def added(*lines: Line) -> Mapping[str, Scalar]:
    return the(facts_of("patient: {age: 45}", *lines, hook="order-sign"), "augmentation")


def test_an_addition_knows_the_trial_of_the_drug_it_is_added_to() -> None:
    fact = added(MDD, ORDER, FILL, ARIPIPRAZOLE)
    wanted = {"current_drug": "sertraline", "adequate_days": 21, "covered_days": 21, "minimum_dose": 50}
    assert {k: fact[k] for k in wanted} == wanted
    assert fact["current_order"] == "MedicationRequest/s"
    assert "dose_to_reach" not in fact


def test_a_dose_below_the_minimum_names_the_one_to_reach() -> None:
    low = "fills f: {drug: sertraline 25, take: 1, from: -21d, days_supply: 30d}"
    assert added(MDD, low, ARIPIPRAZOLE)["dose_to_reach"] == 50


@pytest.mark.parametrize(
    ("drug", "kind"),
    [
        ("lithium 300", "lithium"),
        ("esketamine spray", "esketamine"),
        ("bupropion XL 150", "antidepressant"),
        ("text: liothyronine 25 mcg tablet", "liothyronine"),
        ("text: Cytomel", "liothyronine"),
    ],
)
def test_augmenters_by_kind(drug: str, kind: str) -> None:
    draft = f'draft d: {{drug: "{drug}", take: 1, days: 30d}}'
    assert added(MDD, ORDER, FILL, draft)["augmenter"] == kind


@pytest.mark.parametrize(
    "drug", ["lorazepam 1", "haloperidol 5", "paliperidone ER 6", "zuranolone 25", "aripiprazole injection 400"]
)
def test_other_drugs_fixed_courses_and_injections_add_nothing(drug: str) -> None:
    assert found(MDD, ORDER, FILL, f"draft d: {{drug: {drug}, take: 1, days: 30d}}") == []


def test_bupropion_for_smoking_adds_nothing() -> None:
    assert found(MDD, ORDER, FILL, "draft d: {drug: bupropion XL 150, take: 2, days: 30d, reason: F17.210}") == []


def test_a_switch_is_no_addition_while_the_old_drug_ended_of_late() -> None:
    ended = "fills f: {drug: sertraline 50, take: 1, from: -45d, days_supply: 20d}"
    draft = "draft d: {drug: mirtazapine 15, take: 1, days: 30d}"
    assert found(MDD, ended, draft) == []


def test_a_drug_that_ended_long_ago_is_neither_switched_nor_added_to() -> None:
    ended = "fills f: {drug: sertraline 50, take: 1, from: -120d, days_supply: 20d}"
    assert "current_drug" not in added(MDD, ended, "draft d: {drug: mirtazapine 15, take: 1, days: 30d}")


def test_a_drug_on_hold_is_not_added_to() -> None:
    held = "order s: {drug: sertraline 50, take: 1, authored: -21d, status: on-hold, updated: -2d}"
    assert "current_drug" not in added(MDD, held, FILL, ARIPIPRAZOLE)


def test_a_renewal_at_another_dose_in_the_same_call_goes_on() -> None:
    renewal = "draft r: {drug: sertraline 100, take: 1, days: 30d, replaces: s}"
    assert added(MDD, ORDER, FILL, renewal, ARIPIPRAZOLE)["current_drug"] == "sertraline"


def test_of_two_antidepressants_the_longer_trial_counts_whatever_its_dose() -> None:
    unknown = "fills m: {drug: mirtazapine 15, from: -60d, days_supply: 90d}"
    fact = added(MDD, ORDER, FILL, unknown, ARIPIPRAZOLE)
    assert (fact["current_drug"], fact["dose_known"]) == ("mirtazapine", False)


def test_days_in_hospital_neither_end_nor_lengthen_the_trial() -> None:
    fact = added(
        MDD,
        "fills f: {drug: sertraline 50, take: 1, from: -40d, days_supply: 10d}",
        "fills g: {drug: sertraline 50, take: 1, from: -10d, days_supply: 30d}",
        "visit stay: {date: -30d, end: -11d, class: IMP}",
        ARIPIPRAZOLE,
    )
    assert fact["adequate_days"] == 20


def test_full_trials_are_counted_once_for_each_drug() -> None:
    fact = added(
        MDD,
        "fills a: {drug: sertraline 50, take: 1, from: -300d, days_supply: 42d}",
        "fills b: {drug: sertraline 50, take: 1, from: -200d, days_supply: 42d}",
        "fills e: {drug: escitalopram 10, take: 1, from: -120d, days_supply: 41d}",
        ORDER,
        FILL,
        ARIPIPRAZOLE,
    )
    assert fact["full_trials"] == 1


def test_the_purpose_is_the_reason_of_the_order_before_the_problem_list() -> None:
    draft = {"draft d": {"drug": "aripiprazole 2", "take": 1, "days": "30d", "reason": "F33.1"}}
    assert added("condition a: {code: F41.1, onset: -9d}", ORDER, FILL, draft)["purpose"] == "depression"
    other = {"draft d": {**draft["draft d"], "reason": "F95.2"}}
    assert added(MDD, ORDER, FILL, other)["purpose"] == "other"


def test_the_purpose_is_not_known_without_a_reason_and_a_problem_list() -> None:
    assert "purpose" not in added("absent: [Condition]", ORDER, FILL, ARIPIPRAZOLE)


def test_undated_use_on_the_patients_own_list_is_use() -> None:
    assert added(MDD, ORDER, FILL, "statement a: {drug: aripiprazole 2, take: 1}", ARIPIPRAZOLE)["new_unused_days"] == 0


def test_additions_are_looked_at_when_orders_are_signed_only() -> None:
    assert those(facts_of("patient: {age: 45}", MDD, ORDER, FILL, hook="patient-view"), "augmentation") == []
