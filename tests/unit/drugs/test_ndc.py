"""National Drug Codes: which writings have one reading, and what the table knows of a package."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.ndc import eleven_digits, is_ndc
from cds.drugs.resolver import Resolver

NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@pytest.fixture(scope="module")
def resolver() -> Resolver:
    return Resolver()


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("00002323030", "00002323030"),
        ("00002-3230-30", "00002323030"),
        ("0002-3230-30", "00002323030"),
        ("12345-678-90", "12345067890"),
        ("12345-6789-0", "12345678900"),
        (" 0002-3230-30 ", "00002323030"),
    ],
)
def test_hyphens_say_where_the_zero_belongs(written: str, digits: str) -> None:
    assert eleven_digits(written) == digits


@pytest.mark.parametrize(
    "written",
    ["0002323030", "", "0002-3230", "1234-567-89", "123456-789-0", "0002-3230-3x", "００００２３２３０３０", "1" * 12],
)
def test_what_has_no_one_reading_is_not_an_ndc(written: str) -> None:
    assert eleven_digits(written) is None


@given(st.text(max_size=20))
def test_any_text_gives_eleven_digits_or_nothing(text: str) -> None:
    found = eleven_digits(text)
    assert found is None or (len(found) == 11 and found.isascii() and found.isdigit())


def test_spellings_of_the_system() -> None:
    assert is_ndc(NDC)
    assert is_ndc("urn:oid:2.16.840.1.113883.6.69")
    assert not is_ndc(RXNORM)
    assert not is_ndc(None)


@pytest.mark.parametrize("written", ["00002323030", "0002-3230-30"])
def test_a_package_is_its_product(resolver: Resolver, written: str) -> None:
    found = resolver.resolve([(NDC, written, None)], None)
    assert (found.status, found.step, found.product) == ("identified", "ndc", "725080")
    assert {p.ingredient.key: p.strength for p in found.parts} == {"fluoxetine": Decimal(25), "olanzapine": Decimal(3)}


def test_a_package_that_was_matched_by_its_facts_says_so(resolver: Resolver) -> None:
    found = resolver.resolve([(NDC, "00002322730", None)], None)
    assert (found.label, found.parts[0].strength) == ("atomoxetine", Decimal(10))
    assert "ingredient, strength and form" in found.reason


def test_a_package_known_by_its_ingredients_has_no_strength(resolver: Resolver) -> None:
    # Duloxetine 60 mg in the FDA directory, without an RxNorm code in the source.
    found = resolver.resolve([(NDC, "00002327004", None)], None)
    assert (found.status, found.step, found.label) == ("identified", "ndc", "duloxetine")
    assert found.parts[0].strength is None
    assert found.product is None


def test_an_ndc_and_an_rxnorm_code_must_agree(resolver: Resolver) -> None:
    agreed = resolver.resolve([(NDC, "00002323030", None), (RXNORM, "725080", None)], None)
    assert (agreed.status, agreed.step) == ("identified", "rxnorm")
    assert resolver.resolve([(NDC, "00002323030", None), (RXNORM, "312941", None)], None).status == "conflict"


def test_a_display_that_contradicts_an_ndc_is_a_conflict(resolver: Resolver) -> None:
    assert resolver.resolve([(NDC, "00002322730", "sertraline 50 mg tablet")], None).status == "conflict"
    assert resolver.resolve([(NDC, "00002322730", "atomoxetine 40 mg capsule")], None).status == "conflict"


def test_an_unknown_ndc_leaves_the_name_to_decide(resolver: Resolver) -> None:
    assert resolver.resolve([(NDC, "99999999999", None)], None).status == "unidentified"
    named = resolver.resolve([(NDC, "99999999999", None)], "sertraline 50 mg tablet")
    assert (named.status, named.step) == ("identified", "name-strength")
