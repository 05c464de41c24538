"""Drug labels with strength and form: what is understood, and what is left alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.model import Medication
from cds.drugs.resolver import Resolver

RESOLVER = Resolver()


def label(text: str) -> Medication:
    return RESOLVER.resolve([], text)


def strengths(found: Medication) -> dict[str, str]:
    return {p.ingredient.key: f"{p.strength} {p.unit}" for p in found.parts}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sertraline 100 mg tab", {"sertraline": "100 mg"}),
        ("Zoloft 50mg tablet", {"sertraline": "50 mg"}),
        ("ZOLOFT   50 MG TABLETS", {"sertraline": "50 mg"}),
        ("Zoloft (sertraline) 50 mg tab", {"sertraline": "50 mg"}),
        ("sertraline HCl 50 mg oral tablet", {"sertraline": "50 mg"}),
        ("lithium carbonate ER 300 mg", {"lithium carbonate": "300 mg"}),
        ("lithium 300 mg cap", {"lithium carbonate": "300 mg"}),
        ("oxycodone-acetaminophen 5-325 mg tab", {"oxycodone": "5 mg", "acetaminophen": "325 mg"}),
        ("hydrocodone/APAP 5/325 mg tab", {"hydrocodone": "5 mg", "acetaminophen": "325 mg"}),
        ("olanzapine 6 mg / fluoxetine 25 mg capsule", {"olanzapine": "6 mg", "fluoxetine": "25 mg"}),
        ("dextroamphetamine-amphetamine 20 mg tablet", {"amphetamine mixed salts": "20 mg"}),
        ("fentanyl 25 mcg/hr patch", {"fentanyl": "0.025 mg/h"}),
        ("lithium citrate 300 mg/5 mL solution", {"lithium citrate": "60 mg/mL"}),
        ("lisinopril 40 mg tablet", {"lisinopril": "40 mg"}),
        ("amlodipine/benazepril 5-10 mg capsule", {"amlodipine": "5 mg", "benazepril": "10 mg"}),
    ],
)
def test_a_label_gives_ingredients_and_strengths(text: str, expected: dict[str, str]) -> None:
    found = label(text)
    assert (found.status, found.step) == ("identified", "name-strength")
    assert strengths(found) == expected


@pytest.mark.parametrize(
    ("text", "form", "extended"),
    [
        ("bupropion XL 150 mg", "24 HR Extended Release Oral Tablet", True),
        ("Wellbutrin XL 150 mg", "24 HR Extended Release Oral Tablet", True),
        ("bupropion SR 150 mg tablet", "12 HR Extended Release Oral Tablet", True),
        ("venlafaxine XR 75 mg cap", "24 HR Extended Release Oral Capsule", True),
        ("quetiapine 100mg", "Oral Tablet", False),
        ("clozapine 12.5 mg ODT", "Disintegrating Oral Tablet", False),
        ("lamotrigine 25 mg tablet", None, False),
    ],
)
def test_form_and_release_are_what_all_fitting_products_share(text: str, form: str | None, extended: bool) -> None:
    found = label(text)
    assert (found.form, found.extended) == (form, extended)


def test_a_strength_that_no_product_has_is_not_believed() -> None:
    found = label("sertraline 37 mg tablet")
    assert found.status == "identified"
    assert found.parts[0].strength is None


def test_a_depot_is_known_by_its_salt_its_brand_or_its_strength() -> None:
    for text in ("haloperidol decanoate 100 mg/mL injection", "Abilify Maintena 400 mg", "olanzapine 210 mg injection"):
        found = label(text)
        assert found.long_acting_injection, text
        assert not found.parts[0].daily, text
    assert not label("Haldol 5 mg tablet").long_acting_injection


@pytest.mark.parametrize(
    "text",
    [
        "sertraline 100 mg daily",
        "sertraline 100 mg tab for sleep",
        "sertralin 100 mg tab",
        "sertraline 100",
        "100 mg tablet",
        "Zoloft (fluoxetine) 20 mg",
        "sertraline 50 mg and something else",
        "sertraline 50 mg tablets, 30",
        "sertraline 5 mg/0 mL",
    ],
)
def test_a_label_with_anything_that_is_not_understood_is_no_label(text: str) -> None:
    assert label(text).status in {"unidentified", "conflict"}


def test_two_labels_of_one_drug_with_two_strengths_keep_the_drug_only() -> None:
    found = RESOLVER.resolve([(None, None, "sertraline 50 mg tab")], "sertraline 100 mg tab")
    assert (found.status, found.parts[0].strength) == ("identified", None)


def test_units_of_activity_are_no_milligrams() -> None:
    found = label("heparin sodium 5000 UNT/ML injection")
    assert found.status == "identified"
    assert found.parts[0].strength is None


def test_a_vaginal_ring_is_systemic_and_a_gel_is_not() -> None:
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    ring = RESOLVER.resolve([(rxnorm, "1367439", None)], None)
    assert {"CONTRACEPTIVE-ESTROGEN", "CONTRACEPTIVE-PROGESTIN"} <= {t for p in ring.parts for t in p.ingredient.tags}
    assert ring.systemic
    assert not RESOLVER.resolve([(rxnorm, "855635", None)], None).systemic


@given(st.sampled_from(["sertraline", "lorazepam", "Zoloft"]), st.text(max_size=30))
def test_whatever_follows_a_name_nothing_raises_and_the_drug_is_that_drug_or_none(name: str, rest: str) -> None:
    found = label(f"{name} {rest}")
    expected = {"sertraline": "sertraline", "lorazepam": "lorazepam", "Zoloft": "sertraline"}[name]
    if found.status == "identified":
        assert expected in {p.ingredient.key for p in found.parts}


@given(st.decimals(min_value=1, max_value=400, places=1))
def test_a_strength_is_an_exact_decimal_or_not_known(value: Decimal) -> None:
    found = label(f"sertraline {value} mg tablet")
    strength = found.parts[0].strength
    assert strength is None or (isinstance(strength, Decimal) and abs(strength - value) <= strength / 100)
