"""The drug tables against the clinical specification, and against the source data where that is at hand."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from cds.drugs.model import Ingredient
from cds.drugs.resolver import Resolver
from cds.drugs.table import DrugTable, rows
from cds.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DRUGS = shipped("rules/drugs")

# Clinical specification 1.3, member for member.
CLASSES = {
    "SSRI": "citalopram, escitalopram, fluoxetine, fluvoxamine, paroxetine, sertraline",
    "SNRI": "venlafaxine, desvenlafaxine, duloxetine, levomilnacipran, milnacipran",
    "SRI-OTHER": "vilazodone, vortioxetine",
    "TCA": "amitriptyline, amoxapine, clomipramine, desipramine, dosulepin, doxepin, imipramine, lofepramine, "
    "maprotiline, nortriptyline, protriptyline, trimipramine",
    "MAOI": "isocarboxazid, phenelzine, tranylcypromine",
    "MAOI-like": "linezolid, methylene blue, moclobemide, procarbazine",
    "MAOB": "selegiline, rasagiline, safinamide",
    "AD-OTHER": "bupropion, mirtazapine, mianserin, nefazodone, reboxetine, trazodone, dextromethorphan-bupropion, "
    "esketamine, gepirone, zuranolone, agomelatine",
    "AP": "amisulpride, aripiprazole, asenapine, brexpiprazole, cariprazine, chlorpromazine, clozapine, flupentixol, "
    "fluphenazine, haloperidol, iloperidone, loxapine, lumateperone, lurasidone, molindone, olanzapine, paliperidone, "
    "perphenazine, pimozide, quetiapine, risperidone, sulpiride, thioridazine, thiothixene, trifluoperazine, "
    "xanomeline-trospium, ziprasidone, zuclopenthixol, aripiprazole lauroxil",
    "MOOD": "lithium, lithium carbonate, lithium citrate, valproate, carbamazepine, oxcarbazepine, lamotrigine, "
    "topiramate",
    "GABAP": "gabapentin, pregabalin",
    "BZD": "alprazolam, chlordiazepoxide, clobazam, clonazepam, clorazepate, diazepam, estazolam, flurazepam, "
    "lorazepam, midazolam, oxazepam, quazepam, temazepam, triazolam, bromazepam, lormetazepam, nitrazepam",
    "ZDRUG": "eszopiclone, zaleplon, zolpidem, zopiclone",
    "DORA": "daridorexant, lemborexant, suvorexant",
    "STIM-MPH": "methylphenidate, dexmethylphenidate, serdexmethylphenidate",
    "STIM-AMP": "amphetamine, amphetamine mixed salts, dextroamphetamine, lisdexamfetamine, methamphetamine",
    "VMAT2": "tetrabenazine, deutetrabenazine, valbenazine",
}
TAGS = {
    "FGA": "chlorpromazine, flupentixol, fluphenazine, haloperidol, loxapine, molindone, perphenazine, pimozide, "
    "sulpiride, thioridazine, thiothixene, trifluoperazine, zuclopenthixol",
    "STABILISER": "lithium, lithium carbonate, lithium citrate, valproate, carbamazepine, lamotrigine",
    "AED": "valproate, carbamazepine, oxcarbazepine, eslicarbazepine, lamotrigine, phenytoin, phenobarbital, "
    "primidone, topiramate, levetiracetam, lacosamide, zonisamide",
    "ANTICHOL": CLASSES["TCA"]
    + ", paroxetine, benztropine, trihexyphenidyl, diphenhydramine, hydroxyzine, oxybutynin, "
    "clozapine",
    "IND-3A4": "carbamazepine, phenytoin, phenobarbital, primidone, rifampicin, st john's wort, enzalutamide, "
    "apalutamide",
    "INH-3A4": "ketoconazole, itraconazole, posaconazole, voriconazole, clarithromycin, ritonavir, cobicistat, "
    "nefazodone",
    "INH-2D6-STRONG": "fluoxetine, paroxetine, bupropion, dextromethorphan-bupropion, naltrexone-bupropion, quinidine",
    "INH-2D6-MODERATE": "duloxetine, terbinafine, cinacalcet",
    "OUD-MED": "buprenorphine, methadone",
}
MOIETIES = (
    "citalopram, escitalopram",
    "risperidone, paliperidone",
    "venlafaxine, desvenlafaxine",
    "methylphenidate, dexmethylphenidate, serdexmethylphenidate",
    "amphetamine mixed salts, dextroamphetamine, lisdexamfetamine",
    "bupropion, dextromethorphan-bupropion, naltrexone-bupropion",
    "oxcarbazepine, eslicarbazepine",
    "lithium, lithium carbonate, lithium citrate",
)
# Clinical specification 1.12: ingredient codes verified in a public source.
VERIFIED = (
    "amitriptyline 704, aripiprazole 89013, aripiprazole lauroxil 1673265, atomoxetine 38400, brexpiprazole 1658314, "
    "bupropion 42347, carbamazepine 2002, citalopram 2556, clobazam 21241, clomipramine 2597, clozapine 2626, "
    "codeine 2670, desipramine 3247, diazepam 3322, doxepin 3638, duloxetine 72625, escitalopram 321988, "
    "fentanyl 4337, fluoxetine 4493, fluvoxamine 42355, haloperidol 5093, iloperidone 73178, imipramine 5691, "
    "lamotrigine 28439, "
    "lithium 6448, lithium carbonate 42351, lithium citrate 52105, methadone 6813, methylene blue 6878, "
    "methylphenidate 6901, midazolam 6960, mirtazapine 15996, modafinil 30125, morphine 7052, nortriptyline 7531, "
    "olanzapine 61381, oxazepam 7781, oxcarbazepine 32624, oxycodone 7804, paroxetine 32937, perphenazine 8076, "
    "pimozide 8331, protriptyline 8886, risperidone 35636, sertraline 36437, thioridazine 10502, tramadol 10689, "
    "trimipramine 10834, valproate 40254, venlafaxine 39786, vortioxetine 1455099, serdexmethylphenidate 2562176"
)


GENERATED = (
    "ingredients.csv",
    "products.csv",
    "brands.csv",
    "other_products.csv",
    "ndc.txt",
    "ndc_ingredients.csv",
)
# The description of the product names these; each is one drug.
NAMED = {
    "Prozac": "fluoxetine",
    "Zoloft": "sertraline",
    "Lexapro": "escitalopram",
    "Cymbalta": "duloxetine",
    "Effexor": "venlafaxine",
    "Wellbutrin": "bupropion",
    "Remeron": "mirtazapine",
    "Lithium": "lithium",
    "Lamictal": "lamotrigine",
    "Abilify": "aripiprazole",
    "Seroquel": "quetiapine",
    "Risperdal": "risperidone",
    "Zyprexa": "olanzapine",
    "Haldol": "haloperidol",
    "Depakote": "valproate",
    "Tegretol": "carbamazepine",
    "Ativan": "lorazepam",
    "Xanax": "alprazolam",
    "BuSpar": "buspirone",
    "Ritalin": "methylphenidate",
    "Concerta": "methylphenidate",
    "Adderall": "amphetamine mixed salts",
    "Vyvanse": "lisdexamfetamine",
    "buspirone": "buspirone",
    "ketamine": "ketamine",
    "esketamine": "esketamine",
}
# Clinical specification 3.1 speaks of these groups.
SOMATIC = {
    "NSAID", "ACEI", "ARB", "THIAZIDE", "LOOP-DIURETIC", "ANTICOAGULANT", "DOAC", "ANTIPLATELET",
    "CONTRACEPTIVE-ESTROGEN", "CONTRACEPTIVE-PROGESTIN", "PPI", "MACROLIDE", "AZOLE", "PROTEASE-INHIBITOR",
    "TRIPTAN", "TRIPTAN-MAO", "FLUOROQUINOLONE", "ANTIARRHYTHMIC-IA", "ANTIARRHYTHMIC-III", "5HT3-ANTAGONIST",
    "BETA-BLOCKER", "GLP1", "SYMPATHOMIMETIC", "MUSCLE-RELAXANT", "INH-2C19",
}  # fmt: skip


def members(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")}


@pytest.fixture(scope="module")
def table() -> DrugTable:
    return DrugTable(DRUGS)


@pytest.fixture(scope="module")
def resolver(table: DrugTable) -> Resolver:
    return Resolver(table)


def everything(table: DrugTable) -> Iterator[Ingredient]:
    for key in table.ingredient_keys():
        yield table.ingredient(key)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_exactly_the_members_of_the_specification(table: DrugTable, name: str) -> None:
    assert {i.key for i in everything(table) if i.therapeutic_class == name} == members(CLASSES[name])


@pytest.mark.parametrize("name", sorted(TAGS))
def test_a_tag_has_exactly_the_members_of_the_specification(table: DrugTable, name: str) -> None:
    assert {i.key for i in everything(table) if name in i.tags} == members(TAGS[name])


def test_never_an_antipsychotic(table: DrugTable) -> None:
    for key in ("prochlorperazine", "metoclopramide", "promethazine", "droperidol", "pimavanserin"):
        assert table.ingredient(key).therapeutic_class != "AP"


def test_class_groups_join_the_serotonergic_antidepressants_and_the_stimulants(table: DrugTable) -> None:
    joined = {"SSRI": "SRI", "SNRI": "SRI", "SRI-OTHER": "SRI", "STIM-MPH": "STIM", "STIM-AMP": "STIM"}
    for ingredient in everything(table):
        expected = joined.get(ingredient.therapeutic_class, ingredient.therapeutic_class)
        assert ingredient.class_group == expected


def test_moieties_are_those_of_the_specification(table: DrugTable) -> None:
    for group in MOIETIES:
        assert len({table.ingredient(key).moiety for key in members(group)}) == 1, group
    assert table.ingredient("carbamazepine").moiety != table.ingredient("oxcarbazepine").moiety


def test_ingredient_codes_are_those_verified_in_the_specification(resolver: Resolver) -> None:
    for item in VERIFIED.split(", "):
        name, code = item.rsplit(" ", 1)
        found = resolver.resolve([(RXNORM, code, None)], None)
        assert [p.ingredient.key for p in found.parts] == [name]
        assert found.parts[0].ingredient.rxcui == code


def test_every_drug_of_the_specification_resolves_by_name(resolver: Resolver) -> None:
    for names in (*CLASSES.values(), *TAGS.values(), *MOIETIES):
        for name in members(names):
            found = resolver.resolve([], name)
            assert [p.ingredient.key for p in found.parts] == [name]


@pytest.mark.parametrize("name", ["moieties", "doses", "benzodiazepine_equivalents"])
def test_every_ingredient_of_a_hand_kept_table_has_a_class(table: DrugTable, name: str) -> None:
    for row in rows(DRUGS / f"{name}.csv"):
        assert table.classified(row["ingredient"]), row["ingredient"]


def test_every_ingredient_of_a_name_is_in_the_table(table: DrugTable) -> None:
    known = set(table.ingredient_keys())
    for name, entry in table.names():
        assert set(entry.keys) <= known, name


def test_no_class_is_given_twice_for_one_form() -> None:
    given = [(row["ingredient"], row["when"]) for row in rows(DRUGS / "classes.csv")]
    assert len(given) == len(set(given))


def test_every_dose_row_has_a_mark_a_source_and_a_readable_value() -> None:
    for row in rows(DRUGS / "doses.csv"):
        assert row["limit"] in {"MED", "MAX", "INFO"}
        assert row["mark"] in {"V", "U", "P"}
        assert row["source"], row
        assert row["unit"] in {"mg/d", "mg/24 h"}
        assert row["form"] in {"", "immediate", "extended", "12 h", "24 h", "patch"}
        assert Decimal(row["value"]) > 0


def test_the_tables_name_their_source() -> None:
    for name in GENERATED:
        head = (DRUGS / name).read_text(encoding="utf-8")[:600].replace("\n# ", " ")
        assert "U.S. National Library of Medicine" in head, name
        assert "October 2025" in head or name == "other_products.csv"


def test_the_page_lists_exactly_what_has_no_code(table: DrugTable) -> None:
    script = build_script()
    page = (ROOT / "docs" / "drugs.md").read_text(encoding="utf-8")
    assert page.partition(script.BEGIN)[2].partition(script.END)[0] == "\n" + script.missing_codes(table)


def test_every_line_of_the_ndc_table_has_the_same_length_and_its_place() -> None:
    lines = [line for line in (DRUGS / "ndc.txt").read_text("ascii").splitlines() if not line.startswith("#")]
    assert {len(line) for line in lines} == {20}
    assert lines == sorted(set(lines))
    assert {line[19] for line in lines} == {"R", "T", "I"}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_drugs_and_brands_that_the_product_is_described_with_resolve_by_name_and_by_code(
    table: DrugTable, resolver: Resolver, name: str
) -> None:
    by_name = resolver.resolve([], name)
    assert by_name.status == "identified"
    assert [p.ingredient.key for p in by_name.parts] == [NAMED[name]]
    family = table.family(NAMED[name])
    products = [e for e in table.products_of(frozenset({family})) if e.tty in {"SCD", "SBD"}]
    assert products
    for product in products:
        found = resolver.resolve([(RXNORM, product.rxcui, None)], None)
        assert {table.family(p.ingredient.key) for p in found.parts} == {family}


def test_every_somatic_group_of_the_interaction_rules_has_members(table: DrugTable) -> None:
    tags = {tag for i in everything(table) for tag in i.tags}
    assert tags >= SOMATIC


def read_source(shared_data: Path, name: str) -> list[dict[str, str]]:
    with (shared_data / "drugs" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def build_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_drug_tables", ROOT / "scripts" / "build_drug_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_compiled_tables_are_what_the_source_data_compiles_to(shared_data: Path, tmp_path: Path) -> None:
    for path in DRUGS.glob("*.csv"):
        if path.name not in GENERATED:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    build_script().build(shared_data, tmp_path)
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (DRUGS / name).read_bytes(), name


def expected_keys(names: str) -> set[str]:
    """Ingredient keys of the source's ingredient names: respelled, and joined where they are one of our own entries."""
    spelling = {"dothiepin": "dosulepin", "flupenthixol": "flupentixol", "St. John's wort extract": "st john's wort"}
    spelling |= {"methotrimeprazine": "levomepromazine", "valproic acid": "valproate"}
    found = {spelling.get(name, name.lower()) for name in names.split("|")}
    own = {
        frozenset({"amphetamine", "dextroamphetamine"}): "amphetamine mixed salts",
        frozenset({"bupropion", "dextromethorphan"}): "dextromethorphan-bupropion",
        frozenset({"bupropion", "naltrexone"}): "naltrexone-bupropion",
        frozenset({"trospium", "xanomeline"}): "xanomeline-trospium",
    }
    return {own[frozenset(found)]} if frozenset(found) in own else found


def test_every_product_resolves_to_the_ingredients_the_source_names(shared_data: Path, resolver: Resolver) -> None:
    for row in read_source(shared_data, "products"):
        found = resolver.resolve([(RXNORM, row["rxcui"], row["name"])], row["name"])
        assert found.status == "identified", row["name"]
        keys = {p.ingredient.key for p in found.parts}
        named = expected_keys(row["ingredients"] or row["psych_ingredients"])
        uncoded = any(not item["in_rxcui"] for item in json.loads(row["strengths"]))
        # A companion without a code (tilidine, cyclizine) is missing from the source's list, not from the product.
        assert named <= keys if uncoded else named == keys, row["name"]


def test_no_wording_or_brand_of_a_product_contradicts_its_code(shared_data: Path, resolver: Resolver) -> None:
    for row in read_source(shared_data, "products"):
        for name in (*row["name_variants"].split(" || "), row["brand"]):
            found = resolver.resolve([(RXNORM, row["rxcui"], name)], None)
            assert found.status == "identified", (row["rxcui"], name, found.reason)


def test_every_product_name_is_found_without_its_code(shared_data: Path, resolver: Resolver) -> None:
    for row in read_source(shared_data, "products"):
        found = resolver.resolve([], row["name"])
        assert (found.status, found.step) == ("identified", "name-product"), row["name"]


def test_the_strength_of_a_product_is_the_one_the_source_gives(shared_data: Path, resolver: Resolver) -> None:
    checked = 0
    for row in read_source(shared_data, "products"):
        given = json.loads(row["strengths"], parse_float=Decimal)
        if row["dose_form"] == "Pack" or len(given) != 1 or given[0]["unit"] != "MG":
            continue
        (part,) = resolver.resolve([(RXNORM, row["rxcui"], None)], None).parts
        assert (part.strength, part.unit) == (given[0]["value"], "mg"), row["name"]
        checked += 1
    assert checked > 2000


def test_every_brand_resolves_to_the_ingredients_the_source_names(shared_data: Path, resolver: Resolver) -> None:
    for row in read_source(shared_data, "brands"):
        found = resolver.resolve([], row["brand"])
        assert (found.status, found.step) == ("identified", "name-brand"), row["brand"]
        assert {p.ingredient.key for p in found.parts} == expected_keys(row["ingredients"]), row["brand"]


def test_codes_published_with_a_wrong_name_are_conflicts(shared_data: Path, resolver: Resolver) -> None:
    wrong = read_source(shared_data, "wrong_codes_in_the_wild")
    assert len(wrong) == 14
    for row in wrong:
        found = resolver.resolve([(RXNORM, row["rxcui"], row["claimed_display"])], None)
        assert found.status == "conflict", row["claimed_display"]


def test_products_that_were_renamed_are_not_conflicts(shared_data: Path, resolver: Resolver) -> None:
    renamed = read_source(shared_data, "name_mismatches")
    assert len(renamed) == 42
    for row in renamed:
        for name in (row["name_used"], row["other_name"]):
            found = resolver.resolve([(RXNORM, row["rxcui"], name)], name)
            assert found.status == "identified", (name, found.reason)


def test_a_sample_of_ndcs_resolves_to_the_ingredients_the_source_names(shared_data: Path, resolver: Resolver) -> None:
    products = {row["rxcui"]: row for row in read_source(shared_data, "products")}
    sample = random.Random(5000).sample(read_source(shared_data, "ndc"), 5000)
    for row in sample:
        found = resolver.resolve([("http://hl7.org/fhir/sid/ndc", row["ndc11"], None)], None)
        assert (found.status, found.step) == ("identified", "ndc"), row
        keys = {p.ingredient.key for p in found.parts}
        if not row["rxcui"]:
            assert keys == expected_keys(row["psych_ingredients"]), row
            assert all(p.strength is None for p in found.parts)
            continue
        product = products[row["rxcui"]]
        named = expected_keys(product["ingredients"] or product["psych_ingredients"])
        uncoded = any(not item["in_rxcui"] for item in json.loads(product["strengths"]))
        assert named <= keys if uncoded else named == keys, row
        assert found.product == row["rxcui"]


def test_every_brand_code_is_its_ingredients(shared_data: Path, resolver: Resolver) -> None:
    coded = [row for row in read_source(shared_data, "brands") if row["rxcui_bn"]]
    assert len(coded) == 453
    for row in coded:
        found = resolver.resolve([(RXNORM, row["rxcui_bn"], row["brand"])], row["brand"])
        assert (found.status, found.step) == ("identified", "rxnorm"), row["brand"]
        assert {p.ingredient.key for p in found.parts} == expected_keys(row["ingredients"]), row["brand"]


def test_the_only_conflict_of_charts_and_requests_is_a_code_with_two_published_names(
    shared_data: Path, resolver: Resolver
) -> None:
    asked = set(build_script().chart_codings(shared_data))
    assert len(asked) > 200
    found = {(code, name): resolver.resolve([(RXNORM, code, name)], None) for code, name in asked}
    # 833036 is hydrocodone with acetaminophen in the value sets and captopril in the charts.
    assert {code for (code, _), m in found.items() if m.status == "conflict"} == {"833036"}
    assert {m.status for m in found.values()} == {"identified", "not-listed", "conflict"}


def test_long_acting_injections_are_flagged_where_the_source_flags_them(shared_data: Path, resolver: Resolver) -> None:
    for row in read_source(shared_data, "products"):
        if row["tty"] in {"SCD", "SBD"}:
            found = resolver.resolve([(RXNORM, row["rxcui"], None)], None)
            assert found.long_acting_injection is (row["lai"] == "Y"), row["name"]
