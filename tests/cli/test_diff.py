"""`psychmed diff`: two sets of rules over the same charts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cds.shipped import shipped
from tests.cli.chart_folders import as_json, chart, first_supplies, lorazepam, own_rule, psychmed

B01, D01 = "benzodiazepine_new_order.yaml", "antidepressant_follow_up.yaml"


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    return first_supplies(tmp_path / "charts")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A folder of two of the shipped rules, and the parameters that rules share."""
    folder = tmp_path / "before"
    folder.mkdir()
    for name in (B01, D01, "_parameters.yaml"):
        shutil.copy(shipped("rules") / name, folder / name)
    return folder


def changed(before: Path, old: str, new: str, file: str = B01) -> Path:
    """A copy of the rules with one text of one file changed."""
    folder = before.parent / "rules"
    shutil.copytree(before, folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def differences(done: object) -> list[tuple[str, str, str]]:
    return [(d["chart"], d["rule"], d["change"]) for d in as_json(done)["differences"]]  # type: ignore[arg-type]


def test_equal_rules_make_no_difference_and_end_with_0(before: Path, charts: Path) -> None:
    same = changed(before, "rank: 60", "rank: 60  # the same")
    done = psychmed("diff", before, same, charts, "--replay")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "3 orders of 3 charts: no difference"


def test_a_higher_limit_stops_the_order_that_lies_below_it(before: Path, charts: Path) -> None:
    higher = changed(before, "max_days: {value: 28 d", "max_days: {value: 30 d")
    done = psychmed("diff", before, higher, charts, "--replay", "--format", "json")
    assert done.exit_code == 1
    assert differences(done) == [("for-29-days.json", "B-01", "stops")]
    assert as_json(done)["counts"] == {"B-01": {"stops": 1}}
    (row,) = as_json(done)["differences"]
    assert (row["old"], row["new"], row["day"]) == ("warning (too-long)", "", "2025-11-22")  # 100 days before 2 March


def test_the_other_way_round_it_newly_fires(before: Path, charts: Path) -> None:
    higher = changed(before, "max_days: {value: 28 d", "max_days: {value: 30 d")
    done = psychmed("diff", higher, before, charts, "--replay", "--format", "json")
    assert differences(done) == [("for-29-days.json", "B-01", "fires")]


def test_another_indicator_is_another_level_and_no_other_text(before: Path, charts: Path) -> None:
    milder = changed(before, "name: too-long\n    indicator: warning", "name: too-long\n    indicator: info")
    done = psychmed("diff", before, milder, charts, "--replay")
    assert "other level or indicator: 2" in done.stdout
    assert "for-29-days.json 2025-11-22  warning (too-long) -> info (too-long)" in done.stdout
    assert "other text" not in done.stdout


def test_another_summary_is_another_text(before: Path, charts: Path) -> None:
    worded = changed(before, "4 weeks is the usual limit. Shorten", "4 weeks is usual. Shorten")
    done = psychmed("diff", before, worded, charts, "--replay", "--format", "json")
    assert {change for _, _, change in differences(done)} == {"text"}


def test_another_version_alone_is_no_difference(before: Path, charts: Path) -> None:
    found = re.search(r"^version: .*$", (before / B01).read_text("utf-8"), re.MULTILINE)
    assert found
    newer = changed(before, found[0], "version: 9.9.9")
    assert psychmed("diff", before, newer, charts, "--replay").exit_code == 0


def test_a_new_need_that_is_not_met_is_newly_not_evaluated(tmp_path: Path, before: Path) -> None:
    needy = changed(before, "to_fire: [discharge-list]", "to_fire: [discharge-list, birth-date]")
    one = chart(tmp_path / "one", "no-birth-date", "patient: {}", lorazepam(29))
    text = one.read_text().replace('"birthDate"', '"x-birthDate"')
    one.write_text(text)
    done = psychmed("diff", before, needy, one, "--replay", "--format", "json")
    assert as_json(done)["counts"]["B-01"] == {"stops": 1, "not evaluated": 1}


def test_a_silent_rule_is_withheld_otherwise(before: Path, charts: Path) -> None:
    silent = changed(before, "status: active", "status: silent")
    done = psychmed("diff", before, silent, charts, "--replay", "--format", "json")
    assert as_json(done)["counts"] == {"B-01": {"withheld": 2}}


def test_shared_parameters_of_a_folder_are_its_own(tmp_path: Path, before: Path) -> None:
    # 30 days of sertraline from day -170 end on day -141; 100 days without; again from day -40, and nobody was seen.
    # A start is new after 105 days without, and here after 90.
    folder = chart(
        tmp_path / "c", "again",
        "fills a: {drug: sertraline 50, take: 1, from: -170d, days_supply: 30d}",
        "fills b: {drug: sertraline 50, take: 1, from: -40d, days_supply: 30d}",
    ).parent  # fmt: skip
    shorter = changed(before, "follow_up_washout: {value: 105 d", "follow_up_washout: {value: 90 d", "_parameters.yaml")
    done = psychmed("diff", before, shorter, folder, "--today", "2026-03-02", "--format", "json")
    assert differences(done) == [("again.json", "D-01", "fires")]


def test_only_the_named_rule_is_told_and_rules_of_one_side_are_named(tmp_path: Path, charts: Path) -> None:
    own_rule(tmp_path / "own", status="active")
    done = psychmed("diff", "shipped", tmp_path / "own", charts, "--replay", "--rule", "X-NEW-01")
    assert done.exit_code == 1
    assert f"only in {tmp_path / 'own'}: X-NEW-01" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 orders of 3 charts: 1 difference, in 1 chart"


def test_at_most_limit_charts_are_named(before: Path, charts: Path) -> None:
    silent = changed(before, "status: active", "status: silent")
    done = psychmed("diff", before, silent, charts, "--replay", "--limit", "1")
    assert "and 1 more" in done.stdout


def test_the_rules_of_a_revision_are_compared(
    tmp_path: Path, before: Path, charts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = changed(before, "rank: 60", "rank: 60")
    for words in (
        ["init", "-q"],
        ["add", "rules"],
        ["-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "rules"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    text = (folder / B01).read_text(encoding="utf-8")
    (folder / B01).write_text(text.replace("max_days: {value: 28 d", "max_days: {value: 30 d"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = psychmed("diff", "git:HEAD", "rules", charts, "--replay", "--format", "json")
    assert differences(done) == [("for-29-days.json", "B-01", "stops")]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "no such folder"),
        ("git:no-such-revision", "no revision"),
        ("git:", "name a revision"),
        ("git:--output=x", "name a revision"),
    ],
)
def test_a_place_without_rules_ends_with_2(place: str, told: str, charts: Path) -> None:
    done = psychmed("diff", place, "shipped", charts)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rule_that_does_not_compile_ends_with_2_and_its_place(before: Path, charts: Path) -> None:
    broken = changed(before, "habit_forming is true", "habit_forming is treu")
    done = psychmed("diff", before, broken, charts)
    assert done.exit_code == 2
    assert f"{B01}:" in done.stderr
    assert "R122" in done.stderr


def test_without_replay_charts_are_asked_on_a_day(tmp_path: Path, before: Path) -> None:
    folder = chart(
        tmp_path / "c", "start", "fills s: {drug: sertraline 50, take: 1, from: -60d, days_supply: 30d}"
    ).parent
    quiet = changed(before, "status: active", "status: retired", "antidepressant_follow_up.yaml")
    done = psychmed("diff", before, quiet, folder, "--today", "2026-03-02", "--format", "json")
    assert differences(done) == [("start.json", "D-01", "stops")]
