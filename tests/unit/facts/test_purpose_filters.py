"""Low-dose adjuncts and smoking cessation (1.3.5, 10.15, A-02 missing data)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cds.drugs.model import DrugPart
from cds.facts.context import Context
from tests.unit.charts import context_of, evaluator, facts_of, the, those


def part(name: str) -> DrugPart:
    (found,) = evaluator().resolver.resolve([], name).parts
    return found


def is_low(name: str, mg: str | None) -> bool:
    c: Context = context_of()
    return c.low_dose_adjunct(part(name), None if mg is None else Decimal(mg))


@pytest.mark.parametrize(
    ("drug", "limit", "above"),
    [
        ("trazodone", "150", "150.1"),
        ("doxepin", "6", "6.1"),
        ("amitriptyline", "50", "50.1"),
        ("nortriptyline", "50", "50.1"),
        ("imipramine", "50", "50.1"),
        ("quetiapine", "100", "100.1"),
        ("mirtazapine", "7.5", "7.6"),
    ],
)
def test_a_dose_at_the_limit_is_an_adjunct_and_above_it_is_not(drug: str, limit: str, above: str) -> None:
    assert is_low(drug, limit)
    assert not is_low(drug, above)


@pytest.mark.parametrize("drug", ["sertraline", "clomipramine", "desipramine", "bupropion", "olanzapine"])
def test_other_drugs_are_no_adjuncts_at_any_dose(drug: str) -> None:
    assert not is_low(drug, "1")


@pytest.mark.parametrize("drug", ["trazodone", "doxepin", "amitriptyline", "clomipramine", "quetiapine"])
def test_an_unknown_dose_of_trazodone_doxepin_tricyclics_and_quetiapine_is_taken_as_low(drug: str) -> None:
    assert is_low(drug, None)


@pytest.mark.parametrize("drug", ["mirtazapine", "sertraline"])
def test_an_unknown_dose_of_another_antidepressant_is_not_taken_as_low(drug: str) -> None:
    assert not is_low(drug, None)


def adjuncts(c: Context, drug: str) -> list[bool]:
    return [c.is_adjunct(s) for s in c.stretches[drug]]


def test_what_counts_is_the_dose_of_all_strengths_together() -> None:
    c = context_of(
        "order a: {drug: trazodone 150, take: 1, authored: -10d, days: 5d}",
        "order b: {drug: trazodone 50, take: 1, authored: -10d, days: 5d}",
    )
    assert adjuncts(c, "trazodone") == [False]


def test_a_rise_above_the_limit_makes_it_an_antidepressant_from_that_day() -> None:
    c = context_of(
        "fills a: {drug: trazodone 100, take: 1, from: -60d, days_supply: 30d}",
        "fills b: {drug: trazodone 100, take: 2, from: -30d, days_supply: 30d}",
    )
    assert adjuncts(c, "trazodone") == [True, False]


def test_bupropion_ordered_for_tobacco_dependence_is_smoking_cessation_whatever_the_problem_list_says() -> None:
    c = context_of(
        "condition mdd: {code: F32.1, onset: -300d}",
        "order b: {drug: bupropion XL 150, take: 1, authored: -10d, days: 60d, reason: F17.210}",
    )
    assert set(adjuncts(c, "bupropion")) == {True}


def test_a_dispense_of_such_an_order_is_smoking_cessation_too() -> None:
    c = context_of(
        "order b: {drug: bupropion XL 150, take: 1, authored: -10d, reason: F17.210}",
        "fills f: {drug: bupropion XL 150, take: 1, from: -10d, days_supply: 60d, order: b}",
    )
    assert set(adjuncts(c, "bupropion")) == {True}


def test_tobacco_on_the_problem_list_alone_does_not_make_bupropion_smoking_cessation() -> None:
    c = context_of(
        "condition t: {code: F17.210, onset: -300d}",
        "order b: {drug: bupropion XL 150, take: 1, authored: -10d, days: 60d}",
    )
    assert set(adjuncts(c, "bupropion")) == {False}


def test_the_name_of_the_product_alone_makes_it_smoking_cessation() -> None:
    product = {
        "fhir b": {
            "resourceType": "MedicationDispense",
            "id": "b",
            "status": "completed",
            "medicationCodeableConcept": {
                "text": "Smoking Cessation 12 HR bupropion hydrochloride 150 MG Extended Release Oral Tablet"
            },
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-10d",
            "daysSupply": {"value": 30},
        }
    }
    assert set(adjuncts(context_of(product), "bupropion")) == {True}


@pytest.mark.parametrize(("dose", "pairs"), [("take: 3", 0), ("take: 4", 1)])
def test_trazodone_above_150_mg_beside_an_ssri_is_a_pair(dose: str, pairs: int) -> None:
    facts = facts_of(
        "order s: {drug: sertraline 50, take: 1, authored: -100d, days: 365d}",
        f"draft d: {{drug: trazodone 50, {dose}, days: 30d}}",
        hook="order-sign",
    )
    assert len(those(facts, "pair")) == pairs


def test_a_drug_whose_supply_ran_out_yesterday_is_judged_by_its_last_dose() -> None:
    facts = facts_of(
        "fills t: {drug: trazodone 100, take: 2, from: -31d, days_supply: 30d}",
        "draft d: {drug: sertraline 50, take: 1, days: 30d}",
        hook="order-sign",
    )
    assert the(facts, "pair")["old_dose"] == 200
