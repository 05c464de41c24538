"""Site overlay tables: what is read, what is refused with its line, and what a code of the site resolves to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.drugs.overlay import OverlayError, read_overlays
from cds.drugs.resolver import Resolver
from cds.drugs.systems import normalize_system
from cds.drugs.table import DrugTable, drug_table
from cds.errors import CdsError
from cds.evaluate import Evaluator
from cds.settings import SettingsError, load_settings
from tests.unit.drugs import rrf_release as codes
from tests.unit.drugs.rrf_release import load, tiny

SNOMED, ATC, LOCAL = "http://snomed.info/sct", "http://www.whocc.no/atc", "urn:example:pharmacy"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SERTRALINE_50 = "312941"


@pytest.fixture(scope="module")
def table() -> DrugTable:
    return drug_table()


def write(folder: Path, text: str, name: str = "site.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(table: DrugTable, *paths: Path) -> list[str]:
    with pytest.raises(OverlayError) as caught:
        read_overlays(paths, table)
    return [f"{p.line} {p.code} {p.message} ({p.hint})" for p in caught.value.problems]


def test_codes_are_read_by_rxcui_and_by_ingredient(tmp_path: Path, table: DrugTable) -> None:
    by_code = write(tmp_path, f"# our pharmacy\nsystem,code,rxcui\n\n{LOCAL},SERT50,{SERTRALINE_50}\n", "a.csv")
    by_name = write(
        tmp_path, "System,Code,Ingredient\r\nsnomed,11,Sertraline\r\nATC,N06CA03,fluoxetine | olanzapine\r\n"
    )
    assert read_overlays([by_code, by_name], table) == {
        (LOCAL, "SERT50"): SERTRALINE_50,
        (SNOMED, "11"): "sertraline",
        (ATC, "N06CA03"): "fluoxetine|olanzapine",
    }


def test_a_synonym_is_written_as_the_table_calls_the_drug(tmp_path: Path, table: DrugTable) -> None:
    path = write(tmp_path, "system,code,ingredient\nsnomed,1,divalproex sodium\n")
    assert read_overlays([path], table) == {(SNOMED, "1"): "valproate"}


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("http://SNOMED.info/sct/", SNOMED),
        ("SNOMED", SNOMED),
        ("urn:oid:2.16.840.1.113883.6.96", SNOMED),
        (" atc ", ATC),
        ("http://www.whocc.no/atc", ATC),
        ("urn:Example:Pharmacy", LOCAL),
    ],
)
def test_a_system_is_one_system_however_it_is_spelled(system: str, expected: str) -> None:
    assert normalize_system(system) == expected


def test_every_problem_of_every_file_is_told_with_its_line(tmp_path: Path, table: DrugTable) -> None:
    first = write(
        tmp_path,
        f"# note\nsystem,code,rxcui\n{LOCAL},A,99999999\n{LOCAL},B,sertraline\n{LOCAL},C\n{LOCAL},D,{SERTRALINE_50}\n"
        f"{LOCAL},D,312938\n{RXNORM},1,{SERTRALINE_50}\n",
        "first.csv",
    )
    second = write(tmp_path, f"system,code,ingredient\n{LOCAL},E,sertralin\n{LOCAL},F,Zoloft\n", "second.csv")
    assert problems(table, first, second) == [
        "3 OVL004 RxNorm 99999999 is not in the drug table (check the code, or load your RxNorm release)",
        "4 OVL004 sertraline is not an RxNorm code (write the RXCUI, a number of at most 8 digits)",
        "5 OVL003 a row has three values (write system,code,rxcui, none of them empty)",
        f"7 OVL006 {LOCAL} D is 312938 here and {SERTRALINE_50} in {first}:6 (keep the one that is right)",
        "8 OVL003 RxNorm codes are not remapped here "
        "(leave the row out; load a newer release with psychmed drugs load --rrf DIR)",
        "2 OVL005 sertralin is not an ingredient of the drug table (did you mean sertraline?)",
        "3 OVL005 Zoloft is not an ingredient of the drug table "
        "(write the ingredient as psychmed drugs why NAME prints it)",
    ]


def test_the_message_names_the_file_and_the_line(tmp_path: Path, table: DrugTable) -> None:
    path = write(tmp_path, "system,code,rxcui\nlocal,A,1x\n")
    with pytest.raises(OverlayError, match=r"site\.csv:2:1: OVL004 1x is not an RxNorm code"):
        read_overlays([path], table)


def test_the_same_row_twice_is_no_problem_and_another_one_in_another_file_is(tmp_path: Path, table: DrugTable) -> None:
    row = f"system,code,rxcui\nsnomed,11,{SERTRALINE_50}\n"
    one, same = write(tmp_path, row, "a.csv"), write(tmp_path, row, "b.csv")
    assert read_overlays([one, same], table) == {(SNOMED, "11"): SERTRALINE_50}
    other = write(tmp_path, "system,code,ingredient\nhttp://snomed.info/sct,11,fluoxetine\n", "c.csv")
    assert problems(table, one, other) == [
        f"2 OVL006 {SNOMED} 11 is fluoxetine here and {SERTRALINE_50} in {one}:2 (keep the one that is right)"
    ]


def test_a_row_that_disagrees_is_told_where_the_code_stood_first(tmp_path: Path, table: DrugTable) -> None:
    path = write(tmp_path, "system,code,ingredient\natc,1,sertraline\natc,1,sertraline\natc,1,fluoxetine\n")
    (found,) = problems(table, path)
    assert found.startswith(f"4 OVL006 atc 1 is fluoxetine here and sertraline in {path}:2 ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1 OVL002 the file has no header"),
        ("# only a note\n", "1 OVL002 the file has no header"),
        ("code,system,rxcui\na,b,1\n", "1 OVL002 the header is code,system,rxcui"),
        (f"{LOCAL},A,{SERTRALINE_50}\n", f"1 OVL002 the header is {LOCAL},a,{SERTRALINE_50}"),
        ("system,code,rxcui,name\n", "1 OVL002 the header is system,code,rxcui,name"),
        ('system,code,rxcui\nlocal,"A,1\n', "OVL001 not CSV"),
    ],
)
def test_a_file_that_is_no_overlay_says_what_to_write(
    tmp_path: Path, table: DrugTable, text: str, expected: str
) -> None:
    (found,) = problems(table, write(tmp_path, text))
    assert expected in found


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, table: DrugTable) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("system,code,rxcui\nlocal,é,1\n".encode("latin-1"))
    found = problems(table, tmp_path / "nothing.csv", latin)
    assert "OVL001 the file cannot be read: No such file or directory" in found[0]
    assert "OVL001 the file is not UTF-8 (save it as CSV UTF-8)" in found[1]


@pytest.fixture
def resolver(table: DrugTable) -> Resolver:
    overlay = {
        (LOCAL, "SERT50"): SERTRALINE_50,
        (LOCAL, "SERT100"): "312938",
        (SNOMED, "11"): "sertraline",
        (ATC, "N06AB03"): "fluoxetine",
    }
    return Resolver(table, overlay=overlay)


def test_a_local_code_gives_the_product_it_stands_for(resolver: Resolver) -> None:
    found = resolver.resolve([("urn:example:pharmacy/", " SERT50 ", "Sertraline 50")], "sertraline 50 mg")
    assert (found.status, found.step, found.product) == ("identified", "site-table", SERTRALINE_50)


def test_an_ingredient_row_gives_the_ingredient_without_a_strength(resolver: Resolver) -> None:
    found = resolver.resolve([("http://snomed.info/sct", "11", None)], None)
    assert (found.step, found.label) == ("site-table", "sertraline")
    assert found.parts[0].strength is None


def test_rxnorm_comes_before_the_site_table(resolver: Resolver) -> None:
    found = resolver.resolve([(LOCAL, "SERT100", None), (RXNORM, "312938", None)], None)
    assert (found.step, found.product) == ("rxnorm", "312938")


def test_a_site_code_of_another_strength_keeps_the_drug_and_drops_the_strength(resolver: Resolver) -> None:
    found = resolver.resolve([(LOCAL, "SERT50", None), (RXNORM, "312938", None)], None)
    assert (found.status, found.label, found.product) == ("identified", "sertraline", None)
    assert found.parts[0].strength is None


def test_site_codes_that_disagree_are_a_conflict(resolver: Resolver) -> None:
    assert resolver.resolve([(LOCAL, "SERT50", None), (ATC, "N06AB03", None)], None).status == "conflict"
    assert resolver.resolve([(LOCAL, "SERT50", "Prozac")], None).status == "conflict"


def test_site_codes_of_two_strengths_give_the_drug_without_one(resolver: Resolver) -> None:
    found = resolver.resolve([(LOCAL, "SERT50", None), (LOCAL, "SERT100", None)], None)
    assert (found.label, found.parts[0].strength) == ("sertraline", None)


def test_an_rxnorm_code_outside_the_table_beside_a_site_code_is_noted(resolver: Resolver) -> None:
    # What a code outside the table means is not known: it cannot disagree.
    found = resolver.resolve([(RXNORM, "99999999", None), (LOCAL, "SERT50", None)], None)
    assert (found.status, found.step, found.product) == ("identified", "site-table", SERTRALINE_50)
    assert "not in the table" in found.reason


def test_a_code_that_is_not_in_the_site_table_is_left_to_the_name(resolver: Resolver) -> None:
    assert resolver.resolve([(LOCAL, "OTHER", None)], "fluoxetine").step == "name-ingredient"


SETTINGS = "time_zone: UTC\nengine: direct\n"


def test_the_settings_bring_release_and_overlays_into_the_evaluator(tmp_path: Path) -> None:
    release = load(tiny(), tmp_path).path
    overlay = write(tmp_path, f"system,code,rxcui\nlocal,ZZ,{codes.TABLET_25}\n")
    site = write(tmp_path, f"{SETTINGS}drugs:\n  release: {release}\n  overlays: [{overlay}]\n", "site.yaml")
    evaluator = Evaluator(load_settings(site))
    try:
        found = evaluator.resolver.resolve([("local", "ZZ", None)], None)
    finally:
        evaluator.close()
    assert (found.label, found.step) == ("zzpramine", "site-table")


@pytest.mark.parametrize("line", ["release: {0}/nothing", "overlays: [{0}/nothing.csv]"])
def test_a_service_does_not_start_without_the_drug_tables_of_its_settings(tmp_path: Path, line: str) -> None:
    site = write(tmp_path, f"{SETTINGS}drugs:\n  {line.format(tmp_path)}\n", "site.yaml")
    with pytest.raises(CdsError, match="nothing"):
        Evaluator(load_settings(site))


def test_a_setting_of_the_drugs_that_does_not_exist_is_told_with_its_line(tmp_path: Path) -> None:
    site = write(tmp_path, f"{SETTINGS}drugs:\n  relaese: here\n", "site.yaml")
    with pytest.raises(SettingsError, match=r"site\.yaml:4:3: .*drugs\.relaese is not a setting"):
        load_settings(site)
