"""Releases that are refused, with the table in use untouched; the swap, and the way back."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cds.drugs import release_load
from cds.drugs.release import SiteRelease, site_drug_table
from cds.drugs.release_checks import Conditions
from cds.drugs.release_load import load_release, previous_path, roll_back
from cds.drugs.rrf import FILES, ReleaseError
from tests.unit.drugs import rrf_release as codes
from tests.unit.drugs.rrf_release import SAMPLE, Release, load, tiny

Change = Callable[[Path], None]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def swapped(name: str, one: int, other: int) -> Change:
    """Two columns of one file change places."""

    def change(folder: Path) -> None:
        out = []
        for line in lines_of(folder / name):
            f = line.rstrip("\n").split("|")
            f[one], f[other] = f[other], f[one]
            out.append("|".join(f) + "\n")
        (folder / name).write_text("".join(out), encoding="utf-8")

    return change


def cut(name: str, *, within_line: bool) -> Change:
    """The second half of a file is missing."""

    def change(folder: Path) -> None:
        lines = lines_of(folder / name)
        kept = "".join(lines[: len(lines) // 2])
        (folder / name).write_text(kept[:-7] if within_line else kept, encoding="utf-8")

    return change


def replaced(name: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "concepts cut within a line": (cut("RXNCONSO.RRF", within_line=True), r"RXNCONSO\.RRF:\d+: the last line is not"),
    "relations cut within a line": (cut("RXNREL.RRF", within_line=True), r"RXNREL\.RRF:\d+: the last line is not"),
    "attributes cut within a line": (cut("RXNSAT.RRF", within_line=True), r"RXNSAT\.RRF:\d+: the last line is not"),
    "concepts cut between lines": (cut("RXNCONSO.RRF", within_line=False), "RXNCONSO.RRF does not have|in use has"),
    "relations cut between lines": (cut("RXNREL.RRF", within_line=False), "reach no ingredient"),
    "attributes cut between lines": (cut("RXNSAT.RRF", within_line=False), "NDC where the release in use has"),
    "relations turned round": (swapped("RXNREL.RRF", 0, 4), "the wrong way round: RXCUI2"),
    "no relations of RxNorm": (replaced("RXNREL.RRF", "|RXNORM|", "|MMSL|"), "in the order of RxNorm"),
    "relation type for relation": (swapped("RXNREL.RRF", 3, 7), "STYPE2 and RELA"),
    "type for source": (swapped("RXNCONSO.RRF", 11, 12), "in the order of RxNorm"),
    "code for name": (swapped("RXNCONSO.RRF", 13, 14), "CODE"),
    "language for code": (swapped("RXNCONSO.RRF", 0, 1), "LAT"),
    "suppress for name": (swapped("RXNCONSO.RRF", 14, 16), "TTY and SUPPRESS"),
    "attribute name for value": (swapped("RXNSAT.RRF", 8, 10), "ATN and SUPPRESS"),
    "source for value": (swapped("RXNSAT.RRF", 9, 10), "in the order of RxNorm"),
    "suppress for value": (swapped("RXNSAT.RRF", 10, 11), "ATN and SUPPRESS"),
    "blank for code": (swapped("RXNSAT.RRF", 0, 1), "RXCUI"),
    "retired for current": (swapped("RXNCUI.RRF", 0, 4), "calls retired"),
    "cardinality for code": (swapped("RXNCUI.RRF", 3, 4), "column 4 is not CARDINALITY"),
    "a column too few": (replaced("RXNREL.RRF", "||||N|4096|", "|||N|4096|"), r"RXNREL\.RRF:1: 15 columns where"),
    "an empty file": (lambda folder: (folder / "RXNREL.RRF").write_text("", encoding="utf-8") and None, "is empty"),
    "a missing file": (lambda folder: (folder / "RXNSAT.RRF").unlink(), "there is no such file"),
    "another encoding": (
        lambda folder: (folder / "RXNCONSO.RRF").write_bytes(
            (folder / "RXNCONSO.RRF").read_bytes().replace(b"Qqsprin", b"Qqspr\xefn")
        )
        and None,
        "not UTF-8",
    ),
}  # fmt: skip


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(folder: Path, path: Path, *, conditions: Conditions = SAMPLE) -> str:
    """Load, expecting a refusal; the folder of the table must be as it was."""
    before = {p.name: digest(p) for p in path.parent.iterdir() if p.is_file()}
    with pytest.raises(ReleaseError) as caught:
        load_release(folder, path, conditions=conditions)
    assert {p.name: digest(p) for p in path.parent.iterdir() if p.is_file()} == before
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_damaged_release_is_refused_and_the_table_in_use_stays(tmp_path: Path, name: str) -> None:
    path = load(tiny(), tmp_path).path
    change, expected = CHANGES[name]
    change(tmp_path / "rrf")
    message = refused(tmp_path / "rrf", path)
    assert re.search(expected, message), message
    assert site_drug_table(path).by_code(str(codes.TABLET_25)) is not None


@pytest.mark.parametrize(
    "name",
    [
        "concepts cut within a line", "concepts cut between lines", "relations cut between lines",
        "attributes cut between lines", "relations turned round", "type for source", "code for name",
        "attribute name for value", "cardinality for code", "retired for current",
    ],
)  # fmt: skip
def test_a_damaged_copy_of_the_shared_sample_is_refused(shared_data: Path, tmp_path: Path, name: str) -> None:
    folder, path = tmp_path / "rrf", tmp_path / "rxnorm.sqlite"
    folder.mkdir()
    for file in FILES:
        (folder / file).write_bytes((shared_data / "drugs" / "rrf_sample" / file).read_bytes())
    load_release(folder, path, conditions=SAMPLE)
    CHANGES[name][0](folder)
    refused(folder, path)


def test_turned_relations_are_refused_on_a_first_load_too(tmp_path: Path) -> None:
    folder = tiny().write(tmp_path / "rrf")
    CHANGES["relations turned round"][0](folder)
    message = refused(folder, tmp_path / "rxnorm.sqlite")
    assert "IN has_ingredient SCDC" in message


def test_a_sample_is_not_taken_for_a_whole_release(tmp_path: Path) -> None:
    message = refused(tiny().write(tmp_path / "rrf"), tmp_path / "rxnorm.sqlite", conditions=Conditions())
    assert "4 SCDC (8000 to 200000)" in message
    assert "2556 citalopram" in message
    assert "--allow-small" in message


def test_a_component_without_ingredient_is_named(tmp_path: Path) -> None:
    release = tiny()
    release.concept(9900090, "SCDC", "lostamine 5 MG")
    message = refused(release.write(tmp_path / "rrf"), tmp_path / "rxnorm.sqlite")
    assert "1 of 5 SCDC reach no ingredient: 9900090" in message


def test_an_ndc_and_a_relation_of_concepts_that_are_not_there_are_told(tmp_path: Path) -> None:
    release = tiny()
    release.attribute(9900091, "NDC", "00000000505")
    release.relate(codes.TABLET_25, "has_dose_form", 9900092)
    message = refused(release.write(tmp_path / "rrf"), tmp_path / "rxnorm.sqlite")
    assert "RXNSAT.RRF: 1 of 4 NDCs are of concepts that RXNCONSO.RRF does not have" in message
    assert "RXNREL.RRF: 1 of " in message


@pytest.mark.parametrize(
    ("tty", "name", "expected"),
    [
        ("IN", "escitalopram", "RxNorm 2556 is IN citalopram, and this release calls it IN escitalopram"),
        ("PIN", "citalopram", "RxNorm 2556 is IN citalopram, and this release calls it PIN citalopram"),
    ],
)
def test_a_verified_code_that_means_something_else_is_told(tmp_path: Path, tty: str, name: str, expected: str) -> None:
    release = tiny()
    release.concept(2556, tty, name)
    assert expected in refused(release.write(tmp_path / "rrf"), tmp_path / "rxnorm.sqlite")


def with_wrong_sertraline() -> Release:
    """A shipped product whose component is another drug's."""
    release = tiny()
    release.concept(codes.SERTRALINE_50, "SCD", "sertraline 50 MG Oral Tablet")
    release.relate(codes.SERTRALINE_50, "consists_of", codes.COMPONENT_50)
    return release


def test_a_shipped_product_with_other_ingredients_is_refused_unless_it_was_looked_at(tmp_path: Path) -> None:
    folder = with_wrong_sertraline().write(tmp_path / "rrf")
    path = tmp_path / "rxnorm.sqlite"
    message = refused(folder, path)
    assert "1 products of the shipped table have other ingredients here: 312941" in message
    accepted = Conditions(small=True, accepted=frozenset({"312941"}))
    loaded = load_release(folder, path, conditions=accepted)
    assert loaded.shipped["other"] == 0
    # The shipped row was reviewed: it answers whatever the release says.
    entry = site_drug_table(path).by_code("312941")
    assert entry is not None
    assert entry.keys == ("sertraline",)


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    release = with_wrong_sertraline()
    release.concept(2556, "IN", "escitalopram")
    release.concept(9900090, "SCDC", "lostamine 5 MG")
    message = refused(release.write(tmp_path / "rrf"), tmp_path / "rxnorm.sqlite")
    assert len(message.splitlines()) == 3


def test_a_much_smaller_release_needs_a_word(tmp_path: Path) -> None:
    path = load(tiny(), tmp_path).path
    smaller = tiny()
    del smaller.sat[1:]
    message = refused(smaller.write(tmp_path / "rrf"), path)
    assert "1 NDC where the release in use has 3" in message
    load_release(tmp_path / "rrf", path, conditions=Conditions(small=True, shrink=True))


def test_the_release_before_is_kept_and_can_be_taken_back(tmp_path: Path) -> None:
    path = load(tiny(), tmp_path).path
    newer = tiny()
    newer.concept(9900095, "IN", "newamine")
    load(newer, tmp_path)
    assert SiteRelease(path).by_code("9900095") is not None
    assert SiteRelease(previous_path(path)).by_code("9900095") is None
    roll_back(path)
    assert SiteRelease(path).by_code("9900095") is None
    assert SiteRelease(previous_path(path)).by_code("9900095") is not None
    roll_back(path)
    assert SiteRelease(path).by_code("9900095") is not None


def test_there_is_no_way_back_from_the_first_release(tmp_path: Path) -> None:
    path = load(tiny(), tmp_path).path
    before = digest(path)
    with pytest.raises(ReleaseError, match="no previous release"):
        roll_back(path)
    assert digest(path) == before


def test_a_service_that_has_the_old_table_open_goes_on_with_it(tmp_path: Path) -> None:
    path = load(tiny(), tmp_path).path
    running = site_drug_table(path)
    newer = tiny()
    newer.concept(9900095, "IN", "newamine")
    load(newer, tmp_path)
    assert running.by_code("9900095") is None
    assert running.by_code(str(codes.TABLET_25)) is not None


@pytest.mark.parametrize("step", ["_seal", "_prove", "_swap"])
def test_a_failure_at_the_last_moment_leaves_the_old_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = load(tiny(), tmp_path).path

    def fail(*_: object) -> None:
        raise ReleaseError("the disk is full")

    monkeypatch.setattr(release_load, step, fail)
    assert "the disk is full" in refused(tmp_path / "rrf", path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tiny().write(tmp_path / "rrf")
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "taken", tmp_path / "file" / "rxnorm.sqlite"):
        with pytest.raises(ReleaseError, match=r"could not be replaced|cannot be written"):
            load_release(folder, path, conditions=SAMPLE)
    assert (tmp_path / "taken").is_dir()


def test_without_links_the_release_before_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = load(tiny(), tmp_path).path
    first = digest(path)

    def no_links(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(release_load.os, "link", no_links)
    load(tiny(), tmp_path)
    assert digest(previous_path(path)) == first


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\x00" + bytes(2000)])
def test_a_file_that_is_no_release_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rxnorm.sqlite"
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match="not a compiled RxNorm release"):
        SiteRelease(path)


def test_a_missing_release_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="psychmed drugs load --rrf DIR"):
        SiteRelease(tmp_path / "nothing")


def test_a_release_compiled_with_other_drug_tables_is_not_used(tmp_path: Path) -> None:
    from cds.drugs.release import SiteDrugTable
    from cds.shipped import shipped

    path = load(tiny(), tmp_path).path
    other = tmp_path / "drugs"
    shutil.copytree(shipped("rules/drugs"), other)
    with (other / "names.csv").open("a", encoding="utf-8") as file:
        file.write("zoloftine,sertraline,synonym,\n")
    with pytest.raises(ReleaseError, match="load the release again"):
        SiteDrugTable(other, SiteRelease(path))
