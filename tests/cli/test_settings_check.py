"""`psychmed settings check`: every problem of a settings file at once, each with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cds.site import problems_of
from tests.hooks.service import ROOT

BROKEN = """\
time_zone: UTC
rules:
  no-such-rule:
    status: off
  benzodiazepine-new-order:
    parameters: {max_days: 2100, nope: 3}
  _shared:
    parameters: {zzz: 3}
rules_dir: [/nowhere/rules]
drugs:
  release: /nowhere/release.db
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PSYCHMED_TIME_ZONE", "PSYCHMED_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


def check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cds.cli.main", "settings", "check", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_in_order_has_no_problems() -> None:
    done = check(ROOT / "fixtures/requests/demo_settings.yaml")
    assert (done.returncode, done.stdout) == (0, "no problems\n")


def test_values_rules_and_files_are_each_told_at_their_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(BROKEN)
    found = {(problem.line, problem.code) for problem in problems_of(file)}
    assert found == {(3, "R031"), (6, "R133"), (6, "R032"), (8, "R032"), (9, "SET004"), (11, "SET004")}


def test_the_command_prints_file_line_and_column_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("time_zone: UTC\nport: x\nrulez: {}\n")
    done = check(file)
    assert done.returncode == 1
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [f"{file}:2:1", f"{file}:3:1"]
    assert "did you mean rules?" in done.stdout


def test_a_parameter_of_another_rule_of_that_name_is_told_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    text = "time_zone: UTC\nrules:\n  same-class-pair:\n    parameters: {max_days: 21}\n"
    file.write_text(text + "  benzodiazepine-new-order:\n    parameters:\n      max_days: 1\n")
    assert [(p.line, p.code) for p in problems_of(file)] == [(4, "R032"), (7, "R133")]


def test_an_overlay_is_told_at_its_own_line(tmp_path: Path) -> None:
    overlay = tmp_path / "codes.csv"
    overlay.write_text("system,code,target\nhttp://x,1,rxcui:0\n")
    file = tmp_path / "site.yaml"
    file.write_text(f"time_zone: UTC\ndrugs:\n  overlays: [{overlay}]\n")
    assert {(p.path, p.line > 0) for p in problems_of(file)} == {(str(overlay), True)}


def test_a_file_that_is_not_there_is_bad_usage() -> None:
    assert check(Path("/nowhere/site.yaml")).returncode == 2
