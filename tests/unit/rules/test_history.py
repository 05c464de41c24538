"""`lint --against`: what changed since a revision has to stand in the version and in the changelog."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cds.authoring.history import changed_since
from cds.errors import CdsError
from tests.conftest import missing

RULE = (Path(__file__).parent / "seeded/rule.yaml").read_text("utf-8")
LOG = "# Changelog\n\n- B-99 example-rule 1.0.0: an example.\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A repository whose first commit has one rule, its changelog and a shared parameter."""
    if shutil.which("git") is None:
        missing("needs git")
    folder = tmp_path / "site/rules"
    folder.mkdir(parents=True)
    (folder / "example_rule.yaml").write_text(RULE, "utf-8")
    (folder / "CHANGELOG.md").write_text(LOG, "utf-8")
    (folder / "_parameters.yaml").write_text(
        "schema: cds-parameters/1\nparameters:\n  grace: {value: 14 d, range: 7 d to 30 d, source: P, why: x}\n",
        "utf-8",
    )
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path), *command], check=True
        )
    return folder


def found(rules: Path) -> list[tuple[str, int, int, str]]:
    return [(Path(p.path).name, p.line, p.column, p.code) for p in changed_since("HEAD", [rules])]


def change(rules: Path, *pairs: tuple[str, str], log: str = "") -> None:
    text = (rules / "example_rule.yaml").read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    (rules / "example_rule.yaml").write_text(text, "utf-8")
    (rules / "CHANGELOG.md").write_text(LOG + log, "utf-8")


WHO = ("habit_forming is true", "habit_forming is false")
BOUND = ("value: 28 d", "value: 27 d")
TEXT = ('why: "too long"', 'why: "much too long"')
OWNER = ('owner: ""', "owner: pharmacy")


def test_nothing_changed_is_nothing_to_say(rules: Path) -> None:
    assert found(rules) == []


def test_comments_and_the_order_of_keys_are_no_change(rules: Path) -> None:
    change(rules, ("rank: 10\nhooks: [order-sign]\n", "hooks: [order-sign]   # at signing\nrank: 10\n"))
    assert found(rules) == []


@pytest.mark.parametrize("what", [WHO, BOUND, TEXT, OWNER])
def test_a_change_under_the_same_version_is_named_at_the_version(rules: Path, what: tuple[str, str]) -> None:
    change(rules, what)
    assert found(rules) == [("example_rule.yaml", 4, 10, "R040")]


@pytest.mark.parametrize(
    ("what", "enough", "too_little"),
    [(WHO, "2.0.0", "1.9.9"), (BOUND, "1.1.0", "1.0.1"), (TEXT, "1.1.0", "1.0.1"), (OWNER, "1.0.1", "0.9.0")],
)
def test_the_version_rises_by_what_changed(rules: Path, what: tuple[str, str], enough: str, too_little: str) -> None:
    change(rules, what, ("1.0.0", too_little), log=f"- B-99 example-rule {too_little}: less.\n")
    assert found(rules) == [("example_rule.yaml", 4, 10, "R041")]
    change(rules, (too_little, enough), log=f"- B-99 example-rule {enough}: enough.\n")
    assert found(rules) == []


def test_a_version_without_a_line_in_the_changelog_is_named(rules: Path) -> None:
    change(rules, BOUND, ("1.0.0", "1.1.0"))
    (problem,) = changed_since("HEAD", [rules])
    assert (problem.line, problem.column, problem.code) == (4, 10, "R042")
    assert '"- B-99 example-rule 1.1.0: ' in problem.hint


def test_what_to_write_is_said(rules: Path) -> None:
    change(rules, WHO)
    (problem,) = changed_since("HEAD", [rules])
    assert "write version: 2.0.0 (major: who fires may change)" in problem.hint


def test_a_removed_rule_is_named(rules: Path) -> None:
    (rules / "example_rule.yaml").unlink()
    assert found(rules) == [("example_rule.yaml", 1, 1, "R043")]


def test_a_renamed_id_is_a_removed_one_and_a_new_one(rules: Path) -> None:
    change(rules, ("id: example-rule", "id: sample-rule"))
    assert found(rules) == [("example_rule.yaml", 2, 5, "R042"), ("example_rule.yaml", 2, 5, "R043")]


def test_an_id_that_is_used_for_another_rule_is_named(rules: Path) -> None:
    change(rules, ("spec: B-99", "spec: B-98"), ("1.0.0", "2.0.0"))
    assert found(rules) == [("example_rule.yaml", 2, 5, "R043")]


def test_a_file_that_only_moved_is_no_change(rules: Path) -> None:
    (rules / "example_rule.yaml").rename(rules / "moved.yaml")
    assert found(rules) == []


def test_a_shared_parameter_that_changed_is_told_by_name(rules: Path) -> None:
    shared = rules / "_parameters.yaml"
    shared.write_text(shared.read_text("utf-8").replace("value: 14 d", "value: 15 d"), "utf-8")
    assert found(rules) == [("_parameters.yaml", 3, 3, "R042")]
    (rules / "CHANGELOG.md").write_text(LOG + "- grace: 15 d for all.\n", "utf-8")
    assert found(rules) == []


@pytest.mark.parametrize("revision", ["no-such-tag", "--help", "-1", "HEAD:rules", ""])
def test_a_revision_that_is_not_there_is_said(rules: Path, revision: str) -> None:
    with pytest.raises(CdsError, match="git knows no revision"):
        changed_since(revision, [rules])


def test_a_folder_without_a_repository_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(CdsError, match="is in no git repository"):
        changed_since("HEAD", [tmp_path])


def test_a_machine_without_git_is_said(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(rules))
    with pytest.raises(CdsError, match="git is not installed"):
        changed_since("HEAD", [rules])
