"""The order of the steps, the site's own codes, and what `explain` tells."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cds.drugs.resolver import Resolver

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
SNOMED, LOCAL = "http://snomed.info/sct", "urn:oid:1.2.3.4"


@pytest.fixture(scope="module")
def site() -> Resolver:
    return Resolver(
        overlay={
            (SNOMED, "111"): "36437",
            (LOCAL + "/", " S50 "): "312941",
            (LOCAL, "OLZFLX"): "olanzapine|fluoxetine",
            (LOCAL, "TYPO"): "sertralin",
            (LOCAL, "GONE"): "99999999",
            (RXNORM, "99999998"): "312941",
        }
    )


def test_a_local_code_is_what_the_site_says(site: Resolver) -> None:
    found = site.resolve([(LOCAL, "S50", "SERT 50")], None)
    assert (found.status, found.step, found.product) == ("identified", "site-table", "312941")
    assert found.parts[0].strength == Decimal(50)
    assert site.resolve([("urn:oid:2.16.840.1.113883.6.96", "111", None)], None).label == "sertraline"
    assert site.resolve([(LOCAL, "OLZFLX", None)], None).label == "olanzapine/fluoxetine"


def test_a_site_may_map_a_code_that_the_table_lacks(site: Resolver) -> None:
    assert site.resolve([(RXNORM, "99999998", "sertraline 50 MG Oral Tablet")], None).step == "site-table"


@pytest.mark.parametrize("code", ["TYPO", "GONE", "NEVER"])
def test_a_row_that_means_nothing_leaves_the_code_unknown(site: Resolver, code: str) -> None:
    assert site.resolve([(LOCAL, code, None)], None).status == "unidentified"


def test_a_local_code_cannot_contradict_name_or_code(site: Resolver) -> None:
    assert site.resolve([(LOCAL, "S50", "Prozac")], None).status == "conflict"
    assert site.resolve([(LOCAL, "S50", None), (RXNORM, "310385", None)], None).status == "conflict"
    both = site.resolve([(LOCAL, "S50", None), (RXNORM, "36437", None)], None)
    assert (both.step, both.product) == ("rxnorm", "312941")


def test_without_site_tables_a_local_code_leaves_the_name_to_decide() -> None:
    found = Resolver().resolve([(LOCAL, "S50", "sertraline")], None)
    assert (found.status, found.step) == ("identified", "name-ingredient")


def test_a_brand_code_is_its_ingredients() -> None:
    # 202996 is the brand Lioresal.
    found = Resolver().resolve([(RXNORM, "202996", "Lioresal")], None)
    assert (found.status, found.step, found.label) == ("identified", "rxnorm", "baclofen")
    assert Resolver().resolve([(RXNORM, "202996", "Lioresal 10 MG")], None).status == "conflict"


def test_a_somatic_drug_with_an_unknown_code_is_known_by_its_name() -> None:
    found = Resolver().resolve([(RXNORM, "99999999", "lisinopril 40 MG Oral Tablet")], None)
    assert (found.status, found.step, found.label) == ("identified", "name-strength", "lisinopril")
    assert found.parts[0].ingredient.therapeutic_class == "ACEI"


def test_explain_gives_the_answer_of_resolve_and_what_each_step_said(site: Resolver) -> None:
    asked = [(NDC, "0002-3230-30", None), (LOCAL, "NEVER", None)]
    found, told = site.explain(asked, None)
    assert found == site.resolve(asked, None)
    assert told[0].startswith("ndc: 00002323030 is fluoxetine 25 MG / olanzapine 3 MG Oral Capsule [Symbyax]")
    assert told[1] == "site-table: the site's tables do not hold the code"
    assert told[-1] == "answered by ndc"
    conflict, told = site.explain([(RXNORM, "312941", None)], "Prozac")
    assert conflict.status == "conflict"
    assert told[-1] == f"conflict: {conflict.reason}"
