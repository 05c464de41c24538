"""Dose limits and diazepam equivalents, against the rows of clinical specification 1.6."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cds.drugs.dose_tables import diazepam_equivalents, information_above, maximum, minimum_effective

TABLET, EXTENDED = "Oral Tablet", "24 HR Extended Release Oral Tablet"


def value(limit: object) -> Decimal | None:
    return None if limit is None else limit.value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ingredient", "form", "age", "inpatient", "expected"),
    [
        ("citalopram", TABLET, 60, False, "40"),
        ("citalopram", TABLET, 61, False, "20"),
        ("citalopram", TABLET, None, False, "40"),
        ("paroxetine", TABLET, 40, False, "50"),
        ("paroxetine", EXTENDED, 40, False, "62.5"),
        ("paroxetine", None, 40, False, "62.5"),
        ("bupropion", EXTENDED, 40, False, "450"),
        ("bupropion", "12 HR Extended Release Oral Tablet", 40, False, "400"),
        ("bupropion", None, 40, False, "450"),
        ("amitriptyline", TABLET, 50, False, "150"),
        ("amitriptyline", TABLET, 50, True, "300"),
        ("amitriptyline", TABLET, 65, False, "100"),
        ("amitriptyline", TABLET, 65, True, "100"),
        ("trazodone", TABLET, 50, True, "600"),
        ("zolpidem", TABLET, 65, False, "5"),
        ("zolpidem", EXTENDED, 64, False, "12.5"),
        ("zolpidem", EXTENDED, 65, False, "6.25"),
        ("viloxazine", "24 HR Extended Release Oral Capsule", 17, False, "400"),
        ("viloxazine", "24 HR Extended Release Oral Capsule", 18, False, "600"),
        ("clonidine", EXTENDED, 30, False, "0.4"),
        ("selegiline", "24 HR Transdermal System", 40, False, "12"),
        ("selegiline", "Oral Capsule", 40, False, None),
        ("clonidine", TABLET, 30, False, None),
        ("dexmethylphenidate", TABLET, 30, False, None),
        ("sertraline", TABLET, 15, False, None),
        ("lithium carbonate", TABLET, 40, False, None),
        ("valproate", TABLET, 40, False, None),
        ("no such drug", None, None, False, None),
    ],
)
def test_maximum_by_form_age_and_setting(
    ingredient: str, form: str | None, age: int | None, inpatient: bool, expected: str | None
) -> None:
    found = value(maximum(ingredient, form=form, age=age, inpatient=inpatient))
    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("ingredient", "form", "age", "expected"),
    [
        ("sertraline", TABLET, 40, "50"),
        ("paroxetine", EXTENDED, 40, "25"),
        ("paroxetine", None, 40, "20"),
        ("imipramine", TABLET, 64, "150"),
        ("imipramine", TABLET, 65, "75"),
        ("selegiline", "24 HR Transdermal System", 40, "6"),
        ("dextromethorphan-bupropion", EXTENDED, 40, "210"),
        ("olanzapine", TABLET, 40, "7.5"),
        ("sertraline", TABLET, 17, None),
        ("gepirone", EXTENDED, 40, None),
        ("zuranolone", "Oral Capsule", 40, None),
        ("amisulpride", TABLET, 40, None),
        ("naltrexone-bupropion", EXTENDED, 40, None),
    ],
)
def test_minimum_effective_dose(ingredient: str, form: str | None, age: int, expected: str | None) -> None:
    found = value(minimum_effective(ingredient, form=form, age=age))
    assert found == (None if expected is None else Decimal(expected))


def test_limits_carry_their_mark_and_source() -> None:
    sertraline = maximum("sertraline", form=TABLET, age=40)
    quetiapine = maximum("quetiapine", form=TABLET, age=40)
    assert sertraline is not None
    assert quetiapine is not None
    assert (sertraline.mark, quetiapine.mark) == ("V", "U")
    assert sertraline.source
    fluvoxamine = minimum_effective("fluvoxamine", form=TABLET, age=40)
    assert fluvoxamine is not None
    assert (fluvoxamine.param_low, fluvoxamine.param_high) == (Decimal(50), Decimal(100))


@pytest.mark.parametrize(
    ("ingredient", "form", "age", "expected"),
    [
        ("escitalopram", TABLET, 64, None),
        ("escitalopram", TABLET, 65, "10"),
        ("venlafaxine", EXTENDED, 40, "225"),
        ("venlafaxine", TABLET, 40, None),
        ("venlafaxine", None, 40, None),
        ("risperidone", TABLET, 40, "8"),
    ],
)
def test_doses_above_which_only_information_is_wanted(
    ingredient: str, form: str | None, age: int, expected: str | None
) -> None:
    found = value(information_above(ingredient, form=form, age=age))
    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("ingredient", "mg", "va_dod", "ashton"),
    [
        ("diazepam", "10", "10", "10"),
        ("lorazepam", "1", "5", "10"),
        ("alprazolam", "2", "20", "40"),
        ("clonazepam", "0.5", "5", "10"),
        ("temazepam", "30", "20", "15"),
        ("triazolam", "0.25", "10", "5"),
    ],
)
def test_diazepam_equivalents_in_both_columns(ingredient: str, mg: str, va_dod: str, ashton: str) -> None:
    assert diazepam_equivalents(ingredient, Decimal(mg)) == {"va_dod": Decimal(va_dod), "ashton": Decimal(ashton)}


@pytest.mark.parametrize(
    "ingredient", ["zolpidem", "midazolam", "bromazepam", "lormetazepam", "nitrazepam", "sertraline"]
)
def test_drugs_without_an_equivalent_have_none(ingredient: str) -> None:
    assert diazepam_equivalents(ingredient, Decimal(1)) is None
