"""Several case files of one rule: what the cases of one notice, the rule's cases notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.chart_folders import as_json, psychmed

HEAD = """\
rule: benzodiazepine-new-order
spec: B-01
today: 2026-03-02
time_zone: America/New_York
hook: order-sign
patients:
  naive:
    - patient: {age: 45}
    - visit v1: {date: -400d}
cases:
"""
LONG = """\
  - name: long
    patient: naive
    add: [draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 29d, refills: 0}]
    expect: warning
"""
SHORT = """\
  - name: short
    patient: naive
    add: [draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 28d, refills: 0}]
    expect: silent
"""


def _missed(folder: Path, option: str) -> list[dict[str, object]]:
    return list(as_json(psychmed("test", folder, "--no-sweep", option, "--format", "json"))["rules"])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The same two cases in one file, and in two."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "all.yaml").write_text(HEAD + LONG + SHORT)
    (two / "long.yaml").write_text(HEAD + LONG)
    (two / "short.yaml").write_text(HEAD + SHORT)
    return one, two


def test_a_change_that_the_cases_of_one_file_notice_is_no_survivor_of_another(folders: tuple[Path, Path]) -> None:
    (whole,) = _missed(folders[0], "--mutate")
    first, second = _missed(folders[1], "--mutate")
    assert first["survivors"] == whole["survivors"]
    assert second["survivors"] is None


def test_a_comparison_seen_true_in_one_file_and_false_in_another_is_covered(folders: tuple[Path, Path]) -> None:
    (whole,) = _missed(folders[0], "--coverage")
    first, second = _missed(folders[1], "--coverage")
    assert first["coverage"] == whole["coverage"]
    assert second["coverage"] is None
