"""`psychmed test`: what it prints, writes, and with which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, psychmed
from tests.unit.authoring.small_rule import CASES, COMPLETE, RULE, written


def run(folder: Path, *arguments: str, cases: str = CASES, rule: str = RULE) -> subprocess.CompletedProcess[str]:
    written(folder, cases, rule=rule)
    return psychmed("test", str(folder / "cases.yaml"), "--rules", str(folder / "rules"), *arguments)


def test_survivors_of_an_active_rule_are_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "--mutate")
    assert done.returncode == 1, done.stderr
    assert "1 of 12 changes caught" in done.stdout
    assert 'survived  line 24: drop "class_group is BZD"   (use)' in done.stdout
    assert "mutants: 12, 11 survived, 0 equivalent" in done.stdout


@pytest.mark.parametrize("status", ["silent", "draft"])
def test_survivors_of_a_rule_that_is_not_active_are_only_listed(tmp_path: Path, status: str) -> None:
    done = run(tmp_path, "--mutate", rule=RULE.replace("status: active", f"status: {status}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 survived" in done.stdout


def test_a_rule_without_survivors_ends_with_0(tmp_path: Path) -> None:
    done = run(tmp_path, "--mutate", "--coverage", cases=COMPLETE)
    assert done.returncode == 0, done.stdout
    assert "coverage: 8 of 8 comparison outcomes" in done.stdout
    assert "mutants: 12, 0 survived, 0 equivalent" in done.stdout


def test_coverage_names_the_line_and_what_was_never_seen(tmp_path: Path) -> None:
    done = run(tmp_path, "--coverage")
    assert done.returncode == 0
    assert "coverage: 4 of 8 comparison outcomes" in done.stdout
    assert "never false: line 24: class_group is BZD   (use)" in done.stdout


def test_boundaries_are_printed_as_yaml_and_what_was_not_found_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "--write-boundaries")
    assert "- name: 'TODO (line 16: max_days: 28 d -> 27 d;" in done.stdout
    assert 'no single change found for: drop silenced_by "hospice"' in done.stdout


def test_everything_is_there_as_json(tmp_path: Path) -> None:
    done = run(tmp_path, "--mutate", "--coverage", "--format", "json")
    document = json.loads(done.stdout)
    assert [c["state"] for c in document["cases"]] == ["pass"] * 4, "two cases on two days"
    (rule,) = document["rules"]
    assert (rule["mutants"], len(rule["survivors"]), len(rule["coverage"])) == (12, 11, 4)
    assert document["shared_survivors"] is None, "only the whole of the shipped cases can say"


def test_no_sweep_runs_on_the_day_of_the_file_alone(tmp_path: Path) -> None:
    assert "2 passed, 0 failed" in run(tmp_path, "--no-sweep").stdout


def test_junit_has_one_testcase_for_each_run_with_its_place(tmp_path: Path) -> None:
    failing = CASES.replace("expect: warning", "expect: critical") + (
        "  - name: a known gap\n    patient: on_lorazepam\n    expect: silent\n    known_gap: not agreed\n"
    )
    done = run(tmp_path, "--junit", str(tmp_path / "out.xml"), "--no-sweep", cases=failing)
    assert done.returncode == 1
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    first = root.find("testsuite/testcase")
    assert first is not None
    assert first.get("file") == str(tmp_path / "cases.yaml")
    assert first.get("line") == "12"
    failure = first.find("failure")
    assert failure is not None
    assert "expected critical, got warning (long)" in str(failure.get("message"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.yaml"], "no such file or folder"),
        (["--rules", "nowhere"], "no such folder"),
        (["-k", "no such rule"], "no case was run"),
    ],
)
def test_what_cannot_be_run_ends_with_2(arguments: list[str], told: str) -> None:
    done = psychmed("test", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shipped_fact_cases_pass() -> None:
    done = psychmed("test", "fixtures/facts")
    assert done.returncode == 0, done.stdout
    assert "facts: supply" in done.stdout


def test_a_fact_that_is_another_is_shown_as_the_file_writes_it(tmp_path: Path) -> None:
    (tmp_path / "facts.yaml").write_text(
        "facts: supply\nspec: '1.4'\ntoday: 2026-03-02\nhook: patient-view\ncases:\n"
        "  - name: a fill\n    add: [fills l: {drug: lorazepam 0.5, from: -28d, days_supply: 28d}]\n"
        "    facts: {exposure: [{start: -27d, covered_days: 28 d}]}\n"
    )
    done = psychmed("test", str(tmp_path / "facts.yaml"))
    assert done.returncode == 1
    expected = "expected exposure {start: -27d, covered_days: 28 d}, got exposure {start: -28d, covered_days: 28 d}"
    assert expected in done.stdout


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("exposures: []", "did you mean"),
        ("exposure: [{begin: -1d}]", 'has no field "begin"'),
        ("exposure: [{start: 28 d}]", "is not a day from today"),
        ("exposure: [{covered_days: 28}]", "is in plain numbers, the field in d"),
        ("exposure: [{latest: 1}]", "is not a truth value"),
    ],
)
def test_an_expected_fact_that_cannot_be_read_is_named(tmp_path: Path, fact: str, told: str) -> None:
    (tmp_path / "facts.yaml").write_text(
        f"facts: x\nspec: '1.4'\ntoday: 2026-03-02\nhook: batch\ncases:\n  - name: n\n    facts: {{{fact}}}\n"
    )
    done = psychmed("test", str(tmp_path / "facts.yaml"))
    assert done.returncode == 2
    assert told in done.stderr


def test_watching_runs_what_a_change_touches_and_ends_cleanly(tmp_path: Path) -> None:
    written(tmp_path, CASES)
    command = [sys.executable, "-m", "cds.cli.main", "test", str(tmp_path / "cases.yaml"), "--rules"]
    watching = subprocess.Popen(
        [*command, str(tmp_path / "rules"), "--watch", "--no-sweep"],
        cwd=ROOT, stdout=(tmp_path / "out").open("w"), stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell that runs the tests in the background makes them, and all that they start, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    try:
        _until(tmp_path / "out", "Ctrl-C ends it")
        time.sleep(1)  # the watch begins just after it says so
        (tmp_path / "rules/long_use.yaml").write_text(RULE.replace("28 d, range", "50 d, range"))
        _until(tmp_path / "out", "1 passed, 1 failed")
    finally:
        watching.send_signal(signal.SIGINT)
        try:
            code = watching.wait(20)
        except subprocess.TimeoutExpired:
            watching.kill()
            raise
    assert code == 0
    told = (tmp_path / "out").read_text()
    assert "changed: long_use.yaml" in told
    assert "Traceback" not in told


def _until(file: Path, text: str) -> None:
    for _ in range(600):
        if text in file.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"never said: {text}\n{file.read_text()}")
