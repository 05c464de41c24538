"""What editors and YAML do to files: read as meant, or named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.rules.lint import lint_paths

RULE = (Path(__file__).parent / "seeded/rule.yaml").read_text("utf-8")


def lint(tmp_path: Path, text: str | bytes) -> list[tuple[int, int, str]]:
    file = tmp_path / "rule.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(p.line, p.column, p.code) for p in lint_paths([file])]


def messages(tmp_path: Path, text: str) -> str:
    (tmp_path / "rule.yaml").write_text(text, "utf-8")
    return "\n".join(str(p) for p in lint_paths([tmp_path / "rule.yaml"]))


@pytest.mark.parametrize(
    "text",
    [
        RULE.replace("\n", "\r\n"),
        "\ufeff" + RULE,
        RULE.replace("review_by: 2027-01-01", 'review_by: "2027-01-01"'),
        RULE.replace("version: 1.0.0", 'version: "1.0.0"'),
        RULE.replace("title: Example", "title: no"),
        RULE.replace("audit: true", "audit: yes"),
        RULE.replace("ns: [specialist-advice]", "ns: &o [specialist-advice]\n  options: *o"),
        "---\n" + RULE,
    ],
    ids=["windows", "bom", "date in quotes", "version in quotes", "norway", "yes", "alias", "one document mark"],
)  # fmt: skip
def test_what_means_the_same_is_accepted(tmp_path: Path, text: str) -> None:
    assert lint(tmp_path, text) == []


def test_a_merge_key_takes_over_the_keys_it_names(tmp_path: Path) -> None:
    anchor = 'source: somewhere, why: "because"}'
    more = "\n  other: {<<: *p, value: 7 d, range: 1 d to 9 d}"
    text = RULE.replace("max_days: {value", "max_days: &p {value").replace(anchor, anchor + more)
    assert lint(tmp_path, text.replace("habit_forming is true", "fill_days is at most other")) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("rank: 10", "rank: 10\n\tx: 1", (8, 1, "R000")),
        ("rank: 10", "rank: 10\n---\nrank: 11", (8, 1, "R000")),
        ("rank: 10", "rank: *nowhere", (7, 7, "R000")),
        ("title: Example", "title: Ex\x07ample", (6, 10, "R000")),
        ("title: Example", "title: 2026-13-45", (6, 8, "R000")),
        ("schema: cds-rule/1", "%YAML 1.1\n---\nschema: cds-rule/1", (1, 1, "R000")),
        ("version: 1.0.0", "version: 1.10", (4, 10, "R010")),
        ("value: 28 d", "value: 0o34", (17, 21, "R005")),
        ("rank: 10", "rank: 1_0", (7, 7, "R005")),
        ("rank: 10", "rank: 1:10", (7, 7, "R004")),
        ("value: 28 d", "value: no", (17, 21, "R132")),
        ("title: Example", "title: 2026-01-01", (6, 8, "R004")),
    ],
)
def test_a_trap_is_named_where_it_stands(tmp_path: Path, old: str, new: str, place: tuple[int, int, str]) -> None:
    assert RULE.count(old) == 1
    assert place in lint(tmp_path, RULE.replace(old, new))


def test_a_word_that_is_no_truth_value_any_more_says_what_to_write(tmp_path: Path) -> None:
    assert "write true or false" in messages(tmp_path, RULE.replace("value: 28 d", "value: no"))


def test_a_tab_is_called_a_tab(tmp_path: Path) -> None:
    assert "a tab stands where spaces belong" in messages(tmp_path, RULE.replace("  source: some", "\tsource: some"))


def test_several_documents_are_called_that(tmp_path: Path) -> None:
    assert "more than one document" in messages(tmp_path, RULE + "---\n" + RULE)


def test_a_version_read_as_a_number_is_shown_as_it_was_written(tmp_path: Path) -> None:
    assert 'version "1.10" is not MAJOR.MINOR.PATCH (quote it: "1.10.0")' in messages(
        tmp_path, RULE.replace("version: 1.0.0", "version: 1.10")
    )


def test_every_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    text = RULE.replace("rank: 10", "rank: 10\nrank: 20").replace("value: 28 d", "value: 28 d, value: 29 d")
    assert lint(tmp_path, text) == [(8, 1, "R002"), (18, 27, "R002")]


def test_what_is_wrong_below_a_key_that_cannot_be_read_is_found_as_well(tmp_path: Path) -> None:
    text = RULE.replace("title: Example", 'title: "Example').replace("indicator: warning", "indicator: warn")
    assert lint(tmp_path, text) == [(6, 8, "R000"), (25, 16, "R011")]


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    assert "the file is empty" in messages(tmp_path, "")
    assert "the file is empty" in messages(tmp_path, "# only a comment\n")


def test_bytes_that_are_not_utf8_are_named_where_they_stand(tmp_path: Path) -> None:
    assert lint(tmp_path, RULE.replace("Example", "Ex\xe9mple").encode("latin-1")) == [(6, 10, "R000")]
    assert [code for _, _, code in lint(tmp_path, RULE.encode("utf-16"))] == ["R000"]


def test_a_huge_file_is_refused_and_not_read(tmp_path: Path) -> None:
    assert lint(tmp_path, RULE + "# long\n" * 200_000) == [(1, 1, "R000")]


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert lint(tmp_path, laughs) == [(1, 1, "R000")]


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    assert lint(tmp_path, RULE.replace("known_false_alerts: []", "known_false_alerts: &a [*a]")) == [(15, 21, "R004")]


def test_a_zero_byte_is_named_as_what_it_is(tmp_path: Path) -> None:
    assert "(U+0000)" in messages(tmp_path, RULE.replace("title: Example", "title: Ex\x00ample"))
