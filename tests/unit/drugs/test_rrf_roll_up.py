"""What a site's RxNorm release is rolled up to."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from cds.drugs.model import Medication
from cds.drugs.product_names import plain
from cds.drugs.release import SiteDrugTable, site_drug_table
from cds.drugs.release_load import Conditions, load_release
from cds.drugs.resolver import Resolver
from cds.drugs.table import drug_table
from tests.unit.drugs import rrf_release as codes
from tests.unit.drugs.rrf_release import Release, load, table_of, tiny

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SiteDrugTable:
    return table_of(tiny(), tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def resolver(table: SiteDrugTable) -> Resolver:
    return Resolver(table)


def code(resolver: Resolver, rxcui: int, display: str | None = None) -> Medication:
    return resolver.resolve([(RXNORM, str(rxcui), display)], None)


def parts(medication: Medication) -> list[tuple[str, Decimal | None, str | None]]:
    return [(p.ingredient.key, p.strength, p.unit) for p in medication.parts]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ZZPRAMINE", [("zzpramine", None, None)]),
        ("ZZPRAMINE_HCL", [("zzpramine", None, None)]),
        ("ZZPRAM", [("zzpramine", None, None)]),
        ("COMPONENT_25", [("zzpramine", Decimal(25), "mg")]),
        ("TABLET_25", [("zzpramine", Decimal(25), "mg")]),
        ("ZZPRAM_25", [("zzpramine", Decimal(25), "mg")]),
        ("SOLUTION", [("zzpramine", Decimal(10), "mg/mL")]),
        ("FORM_ONLY", [("zzpramine", None, None)]),
        ("BOTH", [("qqsprin", Decimal("2.5"), "mg"), ("zzpramine", Decimal(50), "mg")]),
        ("BRAND_PACK", [("zzpramine", Decimal(25), "mg")]),
        # Two strengths in one pack: the pack has none.
        ("PACK", [("zzpramine", None, None), ("qqsprin", Decimal("2.5"), "mg")]),
        # Obsolete and without relations: its name says what was in it.
        ("OBSOLETE", [("zzpramine", Decimal(10), "mg"), ("qqsprin", Decimal(5), "mg")]),
    ],
)
def test_every_term_type_rolls_up_to_its_ingredients(
    resolver: Resolver, name: str, expected: list[tuple[str, Decimal | None, str | None]]
) -> None:
    found = code(resolver, getattr(codes, name))
    assert (found.status, found.step) == ("identified", "rxnorm")
    assert sorted(parts(found), key=str) == sorted(expected, key=str)


def test_form_route_and_release_come_from_the_dose_form_and_the_words_before_the_name(resolver: Resolver) -> None:
    tablet = code(resolver, codes.TABLET_25)
    assert (tablet.form, tablet.route, tablet.extended) == ("Oral Tablet", "oral", False)
    extended = code(resolver, codes.ER_TABLET)
    assert (extended.form, extended.extended) == ("12 HR Extended Release Oral Tablet", True)
    assert extended.purpose == {"smoking-cessation"}
    assert (code(resolver, codes.SOLUTION).form, code(resolver, codes.SOLUTION).route) == (
        "Injection",
        "injection",
    )
    assert code(resolver, codes.PACK).pack


def test_a_new_ingredient_has_its_code_and_no_class(resolver: Resolver) -> None:
    (part,) = code(resolver, codes.TABLET_25).parts
    assert part.ingredient.rxcui == str(codes.ZZPRAMINE)
    assert part.ingredient.therapeutic_class == "OTHER"


def test_a_drug_that_the_shipped_table_knows_by_name_alone_gets_the_code_of_the_release(
    table: SiteDrugTable, resolver: Resolver
) -> None:
    assert drug_table().ingredient("agomelatine").rxcui is None
    assert table.ingredient("agomelatine").rxcui == str(codes.AGOMELATINE)
    (part,) = code(resolver, codes.AGOMELATINE).parts
    assert (part.ingredient.key, part.ingredient.therapeutic_class) == ("agomelatine", "AD-OTHER")


def test_a_shipped_code_keeps_its_shipped_answer(table: SiteDrugTable) -> None:
    assert table.by_code(str(codes.SERTRALINE)) == drug_table().by_code(str(codes.SERTRALINE))


@pytest.mark.parametrize("old", ["RETIRED", "RETIRED_TWICE"])
def test_a_retired_code_stands_for_what_replaced_it(resolver: Resolver, table: SiteDrugTable, old: str) -> None:
    found = code(resolver, getattr(codes, old))
    assert found.product == str(codes.TABLET_25)
    assert parts(found) == [("zzpramine", Decimal(25), "mg")]
    assert table.release.current(str(getattr(codes, old))) == str(codes.TABLET_25)


@pytest.mark.parametrize("old", ["SPLIT", "LOST"])
def test_a_code_that_was_split_or_has_no_successor_is_not_guessed(resolver: Resolver, old: str) -> None:
    assert code(resolver, getattr(codes, old)).status == "not-listed"


def test_a_brand_with_several_sets_of_ingredients_stands_for_none(resolver: Resolver, table: SiteDrugTable) -> None:
    assert code(resolver, codes.FAMILY_BRAND).status == "not-listed"
    assert table.by_name("Zzfamily") is None
    assert parts(code(resolver, codes.FAMILY_QQ)) == parts(code(resolver, codes.BOTH))


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("zzpramine", "name-ingredient"),
        ("Zzpramine  Hydrochloride", "name-ingredient"),
        ("ZZPRAM", "name-brand"),
        ("zzpramine hydrochloride 25 MG oral tablet", "name-product"),
        ("zzpramine HCl 25 MG Oral Tablet", "name-product"),
    ],
)
def test_exact_names_of_the_release_are_found(resolver: Resolver, name: str, step: str) -> None:
    found = resolver.resolve([], name)
    assert (found.status, found.step, found.label) == ("identified", step, "zzpramine")


def test_a_display_of_another_drug_contradicts_a_code_of_the_release(resolver: Resolver) -> None:
    assert code(resolver, codes.TABLET_25, "sertraline 25 MG Oral Tablet").status == "conflict"
    assert code(resolver, codes.TABLET_25, "zzpramine 50 MG Oral Tablet").status == "conflict"


def test_an_ndc_is_looked_up_exactly_and_an_obsolete_one_is_not_there(table: SiteDrugTable) -> None:
    found = table.release.by_ndc("00000000202")
    assert found is not None
    assert found.rxcui == str(codes.ZZPRAM_25)
    for other in ("00000000404", "0000000202", "202", "", "0000000020x", "٠٠٠٠٠٠٠٠٢٠٢"):
        assert table.release.by_ndc(other) is None


def test_an_ndc_of_the_release_resolves_with_or_without_hyphens(resolver: Resolver) -> None:
    for ndc in ("00000000202", "00000-0002-02"):
        found = resolver.resolve([("http://hl7.org/fhir/sid/ndc", ndc, None)], None)
        assert (found.step, found.product) == ("ndc", str(codes.ZZPRAM_25))


def test_an_ndc_of_two_different_products_is_no_answer(tmp_path: Path) -> None:
    release = tiny()
    release.attribute(codes.BOTH, "NDC", "00000000101")
    # One in a few is more than a real release has; the limit is held in the tests of refusals.
    for number in range(200):
        release.attribute(codes.BOTH, "NDC", f"{number:011d}9"[-11:])
    assert table_of(release, tmp_path).release.by_ndc("00000000101") is None


def test_a_product_of_which_one_component_is_unknown_is_left_out(tmp_path: Path) -> None:
    release = tiny()
    release.concept(9900050, "SCD", "zzpramine 10 MG/ML / sertraline 50 MG Oral Tablet", "O")
    release.relate(9900050, "consists_of", codes.ZZ_PER_ML)
    release.concept(9900051, "SCD", "zzpramine 10 MG/ML / unheardofin 50 MG Oral Tablet", "O")
    release.relate(9900051, "consists_of", codes.ZZ_PER_ML)
    table = table_of(release, tmp_path)
    both = table.by_code("9900050")
    # Its relations tell half of it; its name tells all.
    assert both is not None
    assert both.keys == ("zzpramine", "sertraline")
    assert table.by_code("9900051") is None


def test_a_pack_of_which_one_content_is_unknown_is_left_out(tmp_path: Path) -> None:
    release = tiny()
    release.concept(9900051, "SCD", "unheardofin 50 MG Oral Tablet", "O")
    release.concept(9900052, "GPCK", "{ } Pack", "O")
    release.relate(9900052, "contains", codes.TABLET_25, 9900051)
    assert table_of(release, tmp_path).by_code("9900052") is None


def test_a_current_name_wins_over_an_obsolete_one_wherever_it_stands(tmp_path: Path) -> None:
    release = tiny()
    release.conso.insert(0, release.conso[0].replace("|zzpramine|", "|oldpramine|").replace("||N|", "||O|"))
    release.concept(codes.ZZPRAMINE, "IN", "olderpramine", "O")
    entry = table_of(release, tmp_path).by_code(str(codes.ZZPRAMINE))
    assert entry is not None
    assert entry.keys == ("zzpramine",)


def test_strengths_of_one_ingredient_add_up_and_combinations_are_an_ingredient_of_their_own(tmp_path: Path) -> None:
    release = tiny()
    names = {9900060: "amphetamine aspartate 1.25 MG", 9900061: "amphetamine sulfate 1.25 MG"}
    names |= {9900062: "dextroamphetamine saccharate 1.25 MG", 9900063: "dextroamphetamine sulfate 1.25 MG"}
    release.concept(725, "IN", "amphetamine")
    release.concept(3288, "IN", "dextroamphetamine")
    for number, name in names.items():
        release.concept(number, "SCDC", name)
        release.relate(number, "has_ingredient", 725 if name.startswith("amph") else 3288)
    release.concept(9900064, "SCD", " / ".join(names.values()) + " Oral Tablet")
    release.relate(9900064, "consists_of", *names)
    (part,) = Resolver(table_of(release, tmp_path)).resolve([(RXNORM, "9900064", None)], None).parts
    assert (part.ingredient.key, part.strength, part.unit) == ("amphetamine mixed salts", Decimal(5), "mg")


def boss(release: Release, product: int, component: int, value: str, denominator: str = "1") -> None:
    """The strength attributes as releases since 2021 write them: on the product, with the component in brackets."""
    for what, text in (
        ("NUM_VALUE", value), ("NUM_UNIT", "MG"), ("DENOM_VALUE", denominator), ("DENOM_UNIT", "EACH"),
    ):  # fmt: skip
        release.attribute(product, f"RXN_BOSS_STRENGTH_{what}", f"{{{component}}} {text}")


@pytest.mark.parametrize(
    ("value", "expected"), [("25", (Decimal(25), "mg")), ("25.1", (Decimal(25), "mg")), ("250", (None, None))]
)
def test_a_strength_that_name_and_attributes_state_differently_is_not_known(
    tmp_path: Path, value: str, expected: tuple[Decimal | None, str | None]
) -> None:
    release = tiny()
    boss(release, codes.TABLET_25, codes.COMPONENT_25, value)
    for number in range(9900100, 9900250):
        release.concept(number, "SCDC", f"zzpramine {number} MG")
        release.relate(number, "has_ingredient", codes.ZZPRAMINE)
    (part,) = Resolver(table_of(release, tmp_path)).resolve([(RXNORM, str(codes.TABLET_25), None)], None).parts
    assert (part.ingredient.key, part.strength, part.unit) == ("zzpramine", *expected)


def test_a_salt_whose_milligrams_differ_keeps_its_factor(tmp_path: Path) -> None:
    release = tiny()
    release.concept(42347, "IN", "bupropion")
    release.concept(9900070, "SCDC", "bupropion hydrobromide 522 MG")
    release.relate(9900070, "has_ingredient", 42347)
    (part,) = Resolver(table_of(release, tmp_path)).resolve([(RXNORM, "9900070", None)], None).parts
    assert part.strength is not None
    assert part.strength * part.mg_factor == Decimal(450)


def test_a_new_long_acting_injection_is_known_by_its_salt(tmp_path: Path) -> None:
    release = tiny()
    release.concept(5093, "IN", "haloperidol")
    release.concept(9900080, "SCDC", "haloperidol decanoate 200 MG/ML")
    release.concept(9900081, "SCD", "haloperidol decanoate 200 MG/ML Injection")
    release.relate(9900080, "has_ingredient", 5093)
    release.relate(9900081, "consists_of", 9900080)
    release.relate(9900081, "has_dose_form", codes.INJECTION)
    found = Resolver(table_of(release, tmp_path)).resolve([(RXNORM, "9900081", None)], None)
    assert found.long_acting_injection
    assert not found.parts[0].daily


def test_the_manifest_says_what_was_loaded(tmp_path: Path) -> None:
    folder = tiny().write(tmp_path / "RxNorm_full_11032025" / "rrf")
    loaded = load_release(folder, tmp_path / "rxnorm.sqlite", conditions=Conditions(small=True))
    assert (loaded.name, loaded.date) == ("RxNorm_full_11032025", "2025-11-03")
    manifest = site_drug_table(loaded.path).release.manifest
    assert manifest["counts"]["SCDC"] == 4
    assert manifest["files"]["RXNSAT.RRF"]["lines"] == 4
    assert len(manifest["files"]["RXNCONSO.RRF"]["sha256"]) == 64


def test_the_same_files_in_another_order_compile_to_the_same_table(tmp_path: Path) -> None:
    turned = tiny()
    for lines in (turned.conso, turned.rel, turned.sat, turned.cui):
        lines.reverse()
    first, second = (table_of(r, tmp_path / str(n)).release for n, r in enumerate((tiny(), turned)))
    for number in range(9900000, 9900100):
        assert first.by_code(str(number)) == second.by_code(str(number))


def test_the_shared_sample_release_loads(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "rxnorm.sqlite"
    load_release(shared_data / "drugs" / "rrf_sample", path, conditions=Conditions(small=True))
    resolver = Resolver(site_drug_table(path))
    for number in (*range(9900001, 9900007), *range(9900008, 9900011)):
        assert [p.ingredient.rxcui for p in code(resolver, number).parts] == ["9900001"], number
    strengths = {n: code(resolver, n).parts[0].strength for n in (9900004, 9900005, 9900006, 9900008, 9900009, 9900010)}
    assert set(strengths.values()) == {Decimal(25)}
    assert code(resolver, 9900010).product == "9900005"


def release_of_products(rows: list[dict[str, str]]) -> Release:
    """The products of the shared data as a release: components as their strengths say, packs by their contents."""
    release = Release()
    made: dict[tuple[str, str], int] = {}

    def concept(tty: str, name: str, rxcui: int | None = None) -> int:
        if (tty, name) not in made:
            made[tty, name] = rxcui or 9_900_000 + len(made)
            release.concept(made[tty, name], tty, name)
        return made[tty, name]

    for row in rows:
        if row["ingredient_rxcuis"]:
            names = row["ingredients"].split("|")
            for rxcui, name in zip(row["ingredient_rxcuis"].split("|"), names, strict=True):
                concept("IN", name, int(rxcui))
    ingredients = {number: name for (tty, name), number in made.items() if tty == "IN"}
    for row in rows:
        strengths = json.loads(row["strengths"], parse_float=Decimal, parse_int=Decimal)
        if row["tty"] not in {"SCD", "SBD"} or not all(int(s["in_rxcui"] or 0) in ingredients for s in strengths):
            continue
        components = []
        for s in strengths:
            component = concept("SCDC", f"{s['as_written']} {plain(s['value'])} {s['unit']}")
            release.relate(component, "has_ingredient", int(s["in_rxcui"]))
            components.append(component)
        if len(components) != row["name"].partition(" [")[0].count(" / ") + 1:
            continue
        product = int(row["rxcui"])
        release.concept(product, row["tty"], row["name"])
        release.relate(product, "consists_of", *dict.fromkeys(components))
        release.relate(product, "has_dose_form", concept("DF", row["dose_form"]))
    release.attribute(int(rows[0]["rxcui"]), "NDC", "00000000001")
    return release


def test_a_release_made_of_the_shared_products_agrees_with_the_shipped_table(shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "drugs" / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    loaded = load(release_of_products(rows), tmp_path)
    assert loaded.shipped["other"] == 0
    assert loaded.shipped["the same"] > 3500
    site, shipped = site_drug_table(loaded.path).release, drug_table()
    compared = 0
    for row in rows:
        ours, theirs = shipped.by_code(row["rxcui"]), site.by_code(row["rxcui"])
        if ours is None or theirs is None or row["tty"] not in {"SCD", "SBD"}:
            continue
        compared += 1
        assert (theirs.form, theirs.route, theirs.modifier) == (ours.form, ours.route, ours.modifier), row["name"]
        assert sorted(theirs.parts) == sorted(ours.parts), row["name"]
        # Some long-acting injections can be told by their brand alone: the shipped row answers for those.
        assert theirs.flags in (ours.flags, ours.flags - {"depot"}), row["name"]
    assert compared > 3500
