"""`psychmed new-rule`: what is written, what the linter says of it, and that nothing is ever overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.chart_folders import as_json, psychmed


def test_the_files_are_written_and_the_linter_reports_the_two_todos_that_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    done = psychmed("new-rule", "long-supply", "--into", folder, "--today", "2026-03-02")
    assert done.exit_code == 0, done.output
    assert (folder / "long_supply.yaml").is_file()
    assert (folder / "cases/long_supply.yaml").is_file()
    assert "R021" in done.stdout
    assert "R101" in done.stdout
    linted = psychmed("lint", folder, "--format", "json")
    assert sorted({row["code"] for row in as_json(linted) if "TODO" in row["message"] or row["code"] == "R021"}) == [
        "R021", "R101",
    ]  # fmt: skip


def test_with_the_todos_filled_in_the_rule_is_clean(tmp_path: Path) -> None:
    psychmed("new-rule", "long-supply", "--into", tmp_path, "--today", "2026-03-02")
    file = tmp_path / "long_supply.yaml"
    file.write_text(file.read_text().replace("[TODO]", "[class_group is SRI]").replace("source: TODO", "source: P"))
    linted = psychmed("lint", file)
    assert linted.exit_code == 0, linted.output


def test_both_cases_fail_until_the_rule_can_be_read(tmp_path: Path) -> None:
    from cds.authoring.cases import read_cases

    psychmed("new-rule", "long-supply", "--into", tmp_path, "--today", "2026-03-02")
    cases = read_cases(tmp_path / "cases/long_supply.yaml", sweep=False)
    assert [case.expect for case in cases] == ["info", "silent"]
    done = psychmed("test", tmp_path / "cases/long_supply.yaml")
    assert done.exit_code == 1
    assert "0 passed" in done.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    mine = tmp_path / "cases/long_supply.yaml"
    mine.write_text("mine")
    done = psychmed("new-rule", "long-supply", "--into", tmp_path)
    assert done.exit_code == 2
    assert "is there already; nothing was written" in done.stderr
    assert mine.read_text() == "mine"
    assert not (tmp_path / "long_supply.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Long Supply"], "is no id"),
        (["../elsewhere"], "is no id"),
        (["benzodiazepine-new-order"], "there is a rule"),
        (["long-supply", "--spec", "B-01"], "is the specification id of benzodiazepine-new-order"),
        (["long-supply", "--spec", "own"], "is no specification id"),
        (["long-supply", "--today", "tomorrow"], "is not a date"),
    ],
)
def test_what_cannot_be_begun_ends_with_2_and_writes_nothing(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = psychmed("new-rule", *arguments, "--into", tmp_path / "own")
    assert done.exit_code == 2
    assert words in done.stderr
    assert not (tmp_path / "own").exists()


def test_the_next_free_specification_id_is_taken(tmp_path: Path) -> None:
    from tests.cli.chart_folders import own_rule

    own_rule(tmp_path)
    done = psychmed("new-rule", "another", "--into", tmp_path, "--format", "json")
    assert as_json(done)["spec"] == "X-NEW-02"


def test_the_commands_to_run_next_can_be_pasted_where_the_folder_has_a_space_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "my rules"
    done = psychmed("new-rule", "long-supply", "--into", folder, "--today", "2026-03-02")
    assert f"psychmed lint '{folder}'\n" in done.stdout
    assert f"psychmed test '{folder}/cases/long_supply.yaml' --rules '{folder}'\n" in done.stdout
    assert f"psychmed forecast '{folder}/long_supply.yaml' CHARTS\n" in done.stdout
