"""Codes and names to drugs: what is identified, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.model import Medication
from cds.drugs.resolver import Resolver, is_rxnorm

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SERTRALINE_50, SERTRALINE_100 = "312941", "312938"


@pytest.fixture(scope="module")
def resolver() -> Resolver:
    return Resolver()


def code(resolver: Resolver, rxcui: str, display: str | None = None, text: str | None = None) -> Medication:
    return resolver.resolve([(RXNORM, rxcui, display)], text)


def keys(medication: Medication) -> list[str]:
    return [part.ingredient.key for part in medication.parts]


def test_a_product_code_gives_ingredient_strength_form_and_route(resolver: Resolver) -> None:
    found = code(resolver, SERTRALINE_50)
    assert found.status == "identified"
    assert found.step == "rxnorm"
    assert found.label == "sertraline"
    assert found.product == SERTRALINE_50
    (part,) = found.parts
    assert (part.ingredient.key, part.strength, part.unit) == ("sertraline", Decimal(50), "mg")
    assert part.ingredient.rxcui == "36437"
    assert (part.ingredient.therapeutic_class, part.ingredient.class_group) == ("SSRI", "SRI")
    assert (found.form, found.route, found.extended, found.systemic) == ("Oral Tablet", "oral", False, True)


@pytest.mark.parametrize(
    "system",
    [
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "http://www.nlm.nih.gov/research/umls/rxnorm/",
        "http://www.nlm.nih.gov/research/umls/RxNorm",
        "urn:oid:2.16.840.1.113883.6.88",
    ],
)
def test_every_spelling_of_the_rxnorm_system_is_read(resolver: Resolver, system: str) -> None:
    assert is_rxnorm(system)
    assert resolver.resolve([(system, SERTRALINE_50, None)], None).label == "sertraline"


def test_a_code_of_another_system_is_not_taken_for_rxnorm(resolver: Resolver) -> None:
    found = resolver.resolve([("http://hl7.org/fhir/sid/ndc", SERTRALINE_50, None)], None)
    assert found.status == "unidentified"


def test_a_code_outside_the_table_is_not_listed_rather_than_unidentified(resolver: Resolver) -> None:
    found = code(resolver, "312961", "Simvastatin 20 MG Oral Tablet")
    assert found.status == "not-listed"
    assert found.parts == ()


@pytest.mark.parametrize("bad", ["", "  ", "sertraline", "312941.0", "-1", "1" * 9, "３１２９４１"])
def test_what_is_no_rxnorm_code_is_ignored(resolver: Resolver, bad: str) -> None:
    assert code(resolver, bad).status == "unidentified"


def test_a_brand_product_and_its_generic_agree(resolver: Resolver) -> None:
    found = resolver.resolve([(RXNORM, SERTRALINE_50, None), (RXNORM, "36437", "sertraline")], "Zoloft")
    assert found.status == "identified"
    assert found.product == SERTRALINE_50


def test_codes_of_different_drugs_are_a_conflict(resolver: Resolver) -> None:
    found = resolver.resolve([(RXNORM, SERTRALINE_50, None), (RXNORM, "310385", None)], None)
    assert found.status == "conflict"
    assert found.parts == ()


def test_codes_of_two_strengths_keep_the_drug_and_drop_the_strength(resolver: Resolver) -> None:
    found = resolver.resolve([(RXNORM, SERTRALINE_50, None), (RXNORM, SERTRALINE_100, None)], None)
    assert found.status == "identified"
    assert found.parts[0].strength is None
    assert found.product is None


def test_citalopram_named_on_an_escitalopram_code_is_a_conflict(resolver: Resolver) -> None:
    assert code(resolver, "349332", "citalopram 10 MG Oral Tablet").status == "conflict"


def test_a_text_that_names_another_drug_is_a_conflict(resolver: Resolver) -> None:
    assert code(resolver, SERTRALINE_50, None, text="Prozac capsules").status == "conflict"


def test_a_display_that_adds_a_drug_the_code_does_not_hold_is_a_conflict(resolver: Resolver) -> None:
    # 197446 would be perphenazine/amitriptyline; the ingredient code alone is amitriptyline.
    assert code(resolver, "704", "amitriptyline / perphenazine").status == "conflict"


def test_a_text_that_states_the_dose_to_take_is_no_conflict_of_strength(resolver: Resolver) -> None:
    assert code(resolver, SERTRALINE_50, None, text="sertraline 100 mg daily (two tablets)").status == "identified"


def test_strength_wording_within_one_percent_is_the_same_product(resolver: Resolver) -> None:
    found = code(resolver, "1650966", "0.875 ML paliperidone palmitate 312 MG/ML Prefilled Syringe")
    assert found.status == "identified"


def test_a_drug_of_a_brand_the_table_has_no_codes_for_is_not_vouched_for_by_an_unknown_code(resolver: Resolver) -> None:
    assert code(resolver, "99999999", "Sertraline 50 MG Oral Tablet").status == "conflict"
    # Clarithromycin is known by name only: no code in the table can contradict it.
    named = code(resolver, "99999999", "clarithromycin")
    assert (named.status, named.step) == ("identified", "name-ingredient")
    labelled = code(resolver, "99999999", "clarithromycin 500 MG Oral Tablet")
    assert (labelled.status, labelled.step) == ("identified", "name-strength")
    assert code(resolver, "99999999", "clarithromycin and more 500 MG Oral Tablet").status == "not-listed"


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [
        ("  LORazepam ", "name-ingredient", ["lorazepam"]),
        ("Ativan", "name-brand", ["lorazepam"]),
        ("divalproex sodium", "name-ingredient", ["valproate"]),
        ("Olanzapine / Fluoxetine", "name-ingredient", ["olanzapine", "fluoxetine"]),
        ("olanzapine/fluoxetine", "name-ingredient", ["olanzapine", "fluoxetine"]),
        ("buprenorphine-naloxone", "name-ingredient", ["buprenorphine", "naloxone"]),
        ("sertraline 50 mg oral tablet", "name-product", ["sertraline"]),
        ("Symbyax", "name-brand", ["fluoxetine", "olanzapine"]),
        ("St. John's Wort", "name-ingredient", ["st john's wort"]),
        ("Adderall XR", "name-brand", ["amphetamine mixed salts"]),
    ],
)
def test_exact_names_are_identified_without_a_code(
    resolver: Resolver, name: str, step: str, expected: list[str]
) -> None:
    found = resolver.resolve([], name)
    assert (found.status, found.step, keys(found)) == ("identified", step, expected)


@pytest.mark.parametrize(
    "name",
    [
        "lorazepan",
        "lorazepam 1 mg daily",
        "lorazepam 1 mg tabs for sleep",
        "take lorazepam at night",
        "Xanaz",
        "aspirin81",
        "?",
    ],
)
def test_a_name_that_is_not_exact_is_unidentified(resolver: Resolver, name: str) -> None:
    assert resolver.resolve([], name).status == "unidentified"


def test_two_exact_names_of_different_drugs_are_a_conflict(resolver: Resolver) -> None:
    assert resolver.resolve([(None, None, "lorazepam")], "Zoloft").status == "conflict"


def test_an_exact_name_beside_free_text_about_another_drug_is_a_conflict(resolver: Resolver) -> None:
    assert resolver.resolve([(None, None, "lorazepam")], "instead of Zoloft").status == "conflict"


def test_nothing_at_all_is_unidentified(resolver: Resolver) -> None:
    assert resolver.resolve([], None).status == "unidentified"
    assert resolver.resolve([(None, None, None)], "").status == "unidentified"


def test_lithium_salts_are_one_moiety_and_three_ingredients(resolver: Resolver) -> None:
    found = [code(resolver, rxcui).parts[0].ingredient for rxcui in ("6448", "42351", "52105")]
    assert [i.key for i in found] == ["lithium", "lithium carbonate", "lithium citrate"]
    assert {i.moiety for i in found} == {"lithium"}
    assert code(resolver, "42351", "Lithium").status == "identified"


@pytest.mark.parametrize("rxcui", ["40254", "11118", "266856"])
def test_valproic_acid_and_divalproex_roll_up_to_valproate(resolver: Resolver, rxcui: str) -> None:
    assert keys(code(resolver, rxcui)) == ["valproate"]


def test_aripiprazole_lauroxil_is_its_own_ingredient_and_the_same_substance(resolver: Resolver) -> None:
    found = code(resolver, "1673265").parts[0].ingredient
    assert (found.key, found.moiety, found.therapeutic_class) == ("aripiprazole lauroxil", "aripiprazole", "AP")


@pytest.mark.parametrize(
    ("name", "depot"),
    [
        ("olanzapine 210 MG Injection", True),
        ("olanzapine 10 MG Injection", False),
        ("haloperidol decanoate 100 MG/ML Injectable Solution", True),
        ("risperidone 25 MG Injection [Risperdal]", True),
        ("Invega Sustenna", True),
        ("haloperidol decanoate", True),
        ("risperidone", False),
    ],
)
def test_long_acting_injections_are_flagged_even_where_the_name_does_not_say_so(
    resolver: Resolver, name: str, depot: bool
) -> None:
    found = resolver.resolve([], name)
    assert found.status == "identified"
    assert found.long_acting_injection is depot
    assert all(part.daily is not depot for part in found.parts)


def test_a_depot_salt_code_is_a_long_acting_injection(resolver: Resolver) -> None:
    assert code(resolver, "26420").long_acting_injection is True


def test_transdermal_selegiline_is_an_maoi_and_the_capsule_an_maob(resolver: Resolver) -> None:
    patch = resolver.resolve([], "Emsam")
    capsule = resolver.resolve([], "selegiline hydrochloride 5 MG Oral Capsule")
    assert patch.parts[0].ingredient.therapeutic_class == "MAOI"
    assert capsule.parts[0].ingredient.therapeutic_class == "MAOB"


def test_guanfacine_is_an_adhd_drug_only_in_extended_release(resolver: Resolver) -> None:
    assert resolver.resolve([], "Intuniv").parts[0].ingredient.therapeutic_class == "ADHD-NS"
    assert resolver.resolve([], "guanfacine 1 MG Oral Tablet").parts[0].ingredient.therapeutic_class == "ALPHA2"


def test_components_of_mixed_amphetamine_salts_add_up_to_one_ingredient(resolver: Resolver) -> None:
    found = code(resolver, "541894")
    assert [(p.ingredient.key, p.strength) for p in found.parts] == [("amphetamine mixed salts", Decimal(10))]
    assert found.parts[0].ingredient.moiety == "amphetamine"


def test_own_entries_do_not_count_as_bupropion(resolver: Resolver) -> None:
    (auvelity,) = resolver.resolve([], "Auvelity").parts
    assert auvelity.ingredient.key == "dextromethorphan-bupropion"
    assert auvelity.ingredient.moiety == "bupropion"
    (tablet,) = resolver.resolve(
        [], "bupropion hydrochloride 105 MG / dextromethorphan hydrobromide 45 MG Extended Release Oral Tablet"
    ).parts
    assert tablet.strength == 105
    (contrave,) = resolver.resolve([], "Contrave").parts
    assert contrave.ingredient.key == "naltrexone-bupropion"
    assert {"INH-2D6", "OPIOID-ANTAGONIST"} <= contrave.ingredient.tags


def test_each_ingredient_of_a_combination_keeps_its_own_strength(resolver: Resolver) -> None:
    found = code(resolver, "1049221")
    assert {p.ingredient.key: p.strength for p in found.parts} == {"acetaminophen": 325, "oxycodone": 5}
    assert not any(p.sole for p in found.parts)


def test_bupropion_hydrobromide_carries_its_factor(resolver: Resolver) -> None:
    (part,) = code(resolver, "993550").parts
    assert part.strength == 174
    assert part.strength * part.mg_factor == 150


def test_a_pack_of_several_strengths_has_no_strength(resolver: Resolver) -> None:
    found = code(resolver, "1741746")
    assert found.pack
    assert found.parts[0].strength is None


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("Smoking Cessation 12 HR bupropion hydrochloride 150 MG Extended Release Oral Tablet", {"smoking-cessation"}),
        ("PMDD fluoxetine 20 MG Oral Tablet", {"pmdd"}),
        ("fluoxetine 20 MG Oral Tablet", set()),
    ],
)
def test_a_product_name_can_state_its_purpose(resolver: Resolver, name: str, purpose: set[str]) -> None:
    assert resolver.resolve([], name).purpose == purpose


def test_the_hours_of_release_stay_with_the_form(resolver: Resolver) -> None:
    found = resolver.resolve([], "24 HR bupropion hydrochloride 150 MG Extended Release Oral Tablet")
    assert found.form == "24 HR Extended Release Oral Tablet"
    assert found.extended


def test_delayed_release_is_not_extended_release(resolver: Resolver) -> None:
    assert not resolver.resolve([], "divalproex sodium 250 MG Delayed Release Oral Tablet").extended


@pytest.mark.parametrize(
    ("name", "route", "rescue"),
    [
        ("Diastat", None, True),
        ("Valtoco", None, True),
        ("Libervant", None, True),
        ("midazolam 1 MG/ML Injectable Solution", "intranasal", True),
        ("midazolam 1 MG/ML Injectable Solution", "Intravenous route", False),
        ("midazolam", "buccal", True),
        ("Valium", None, False),
        ("Sympazan", None, False),
        ("lorazepam 1 MG Oral Tablet", "rectal", False),
    ],
)
def test_rectal_nasal_and_buccal_benzodiazepines_are_rescue(
    resolver: Resolver, name: str, route: str | None, rescue: bool
) -> None:
    assert resolver.resolve([], name, route_text=route).rescue is rescue


@pytest.mark.parametrize(
    ("name", "route", "systemic"),
    [
        ("72 HR fentanyl 0.075 MG/HR Transdermal System", "Topical", True),
        ("doxepin hydrochloride 50 MG/ML Topical Cream", None, False),
        ("Spravato", None, True),
        ("Adasuve", None, True),
        ("Saphris", None, True),
        ("clonidine", "ophthalmic", False),
        ("sertraline", None, True),
    ],
)
def test_only_local_forms_are_not_systemic(resolver: Resolver, name: str, route: str | None, systemic: bool) -> None:
    found = resolver.resolve([], name, route_text=route)
    assert found.status == "identified"
    assert found.systemic is systemic


def test_the_stated_route_makes_an_injection_precise(resolver: Resolver) -> None:
    assert resolver.resolve([], "olanzapine 10 MG Injection", route_text="IM").route == "intramuscular"


def test_no_reason_repeats_what_the_chart_said(resolver: Resolver) -> None:
    secret = "for Jane Roe, DOB 1961-05-04"
    for found in (
        resolver.resolve([(RXNORM, SERTRALINE_50, secret)], f"Prozac {secret}"),
        resolver.resolve([("x", "y", secret)], secret),
        resolver.resolve([(RXNORM, "99999999", secret)], secret),
    ):
        assert "Jane" not in repr(found)


@given(
    st.lists(
        st.tuples(
            st.none() | st.just(RXNORM) | st.text(max_size=10),
            st.none() | st.sampled_from([SERTRALINE_50, "704", "1741746"]) | st.text(max_size=12),
            st.none() | st.text(max_size=40) | st.sampled_from(["sertraline 0 MG/0 ML", "9.9.9 mg", "1,000 mg/ hr"]),
        ),
        max_size=3,
    ),
    st.none() | st.text(max_size=60),
    st.none() | st.text(max_size=20),
)
def test_no_text_whatever_raises(
    codings: list[tuple[str | None, str | None, str | None]], text: str | None, route: str | None
) -> None:
    found = RESOLVER.resolve(codings, text, route_text=route)
    assert found.status in {"identified", "not-listed", "unidentified", "conflict"}
    assert bool(found.parts) is (found.status == "identified")


RESOLVER = Resolver()
