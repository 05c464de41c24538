"""`lint --fix`: what is safe is mended, everything else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.authoring.fix import mend, mended
from cds.shipped import shipped

HERE = Path(__file__).parent / "seeded"
RULE = (HERE / "rule.yaml").read_text("utf-8").replace("rank: 10", "rank: 10   # a comment\n# and another")
CASES = (HERE / "cases.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("title: Example", "titel: Example"),
        ("status: active", "status: actve"),
        ("indicator: warning", "indicator: waring"),
        ("hooks: [order-sign]", "hooks: [order-sing]"),
        ("habit_forming is true", "habit_formng is true"),
        ("draft: order\n", "draft: ordr\n"),
        ("    where:\n", "    wher:\n"),
        ("[specialist-advice]", "[specialist-advise]"),
        ('title: "2026"', "title: 2026"),
    ],
)
def test_a_slip_of_a_known_word_is_mended_and_nothing_else(good: str, bad: str) -> None:
    rule = RULE.replace("title: Example", good) if good.startswith('title: "') else RULE
    assert rule.count(good) == 1
    text, changes = mended(rule.replace(good, bad).encode(), "rule.yaml")
    assert text == rule
    assert len(changes) == 1


@pytest.mark.parametrize(
    ("good", "bad"),
    [("spec: B-99", "spce: B-99"), ("age: 45", "agee: 45"), ("- patient: {age", "- patiennt: {age")],
)
def test_a_slip_in_a_case_file_is_mended(good: str, bad: str) -> None:
    assert CASES.count(good) == 1
    text, changes = mended(CASES.replace(good, bad).encode(), "cases.yaml")
    assert text == CASES
    assert len(changes) == 1


def test_what_a_case_expects_is_never_chosen_for_its_author() -> None:
    wrong = CASES.replace("expect: silent", "expect: silnt")
    assert mended(wrong.encode(), "cases.yaml") == (wrong, [])


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (("\ufeff" + RULE).encode(), RULE),
        (RULE.replace("\n", "\r\n").encode(), RULE),
        (RULE.replace("audit: true\n", "audit: true  \n").encode(), RULE),
        (RULE.rstrip("\n").encode(), RULE),
        (RULE.replace("  source: somewhere\n", "\tsource: somewhere\n")
         .replace("  evidence: ", "\tevidence: ").replace("  override_reasons", "\toverride_reasons")
         .replace("  suggestions:\n    - {use", "\tsuggestions:\n\t\t- {use").encode(), RULE),
    ],
    ids=["byte order mark", "windows", "trailing space", "last line", "tabs"],
)  # fmt: skip
def test_white_space_is_made_plain(was: bytes, is_now: str) -> None:
    text, changes = mended(was, "rule.yaml")
    assert text == is_now
    assert changes


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("value: 28 d", "value: 28"),
        ("value: 28 d", "value: 28 days"),
        ("value: 28 d", "value: 40 d"),
        ("version: 1.0.0", "version: 1.10"),
        ("more than max_days", "more than max_day"),
        ("habit_forming is true", "role is drft"),
        ("habit_forming is true", "fill_days is at leat 3 d"),
        ("review_by: 2027-01-01", "review_by: soon"),
        ("status: active", "status: live"),
    ],
)
def test_numbers_units_bounds_and_meaning_are_left_alone(good: str, bad: str) -> None:
    assert RULE.count(good) == 1
    wrong = RULE.replace(good, bad)
    assert mended(wrong.encode(), "rule.yaml") == (wrong, [])


def test_a_tab_whose_width_decides_the_meaning_is_left_alone() -> None:
    wrong = RULE.replace("  - draft: order\n    where:\n", "  - draft: order\n\twhere:\n")
    text, _ = mended(wrong.encode(), "rule.yaml")
    assert "\twhere:" in text


def test_a_text_that_keeps_its_trailing_space_is_left_alone() -> None:
    text = RULE.replace('    why: "too long"\n', "    why: |\n      too long  \n      indeed\n")
    assert mended(text.encode(), "rule.yaml") == (text, [])


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    file.write_bytes(("\ufeff" + RULE.replace("title:", "titel:").replace("\n", "\r\n")).encode())
    assert {what for _, what in mend(file)} == {
        "byte order mark removed", "line endings of Windows made plain", '"titel" made "title"'
    }  # fmt: skip
    once = file.read_bytes()
    assert once == RULE.encode()
    assert mend(file) == []
    assert file.read_bytes() == once


def test_a_file_that_is_not_utf8_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    file.write_bytes(RULE.replace("Example", "Ex\xe9mple").encode("latin-1"))
    before = file.read_bytes()
    assert mend(file) == []
    assert file.read_bytes() == before


def test_the_shipped_files_need_no_mending() -> None:
    for path in [*shipped("rules").glob("[a-z]*.yaml"), shipped("fixtures/cases") / "same_substance_twice.yaml"]:
        assert mended(path.read_bytes(), path.name)[1] == [], path.name
