"""What the commands print and with which code they end."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "fixtures/bundles/follow_up_gap.json"


def psychmed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")}
    return subprocess.run(
        [sys.executable, "-m", "cds.cli.main", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


ZONE = {"PSYCHMED_TIME_ZONE": "America/New_York"}


def test_check_of_a_bundle_finds_the_gap_and_ends_with_1() -> None:
    done = psychmed("check", str(BUNDLE), "--today", "2026-03-02", **ZONE)
    assert done.returncode == 1
    assert "warning  D-01" in done.stdout


def test_check_the_day_after_the_start_finds_nothing_and_ends_with_0() -> None:
    done = psychmed("check", str(BUNDLE), "--today", "2026-01-29", **ZONE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no finding" in done.stdout


def test_check_on_the_last_day_of_a_chart_asks_on_its_last_dated_record() -> None:
    done = psychmed("check", str(BUNDLE), "--today", "last", "--format", "json", **ZONE)
    (row,) = json.loads(done.stdout)
    assert row["evaluation"]["today"] == "2026-01-28", "the day the drug was handed over, the last thing recorded"


def test_check_without_a_time_zone_says_what_to_set() -> None:
    done = psychmed("check", str(BUNDLE))
    assert done.returncode == 2
    assert "time_zone" in done.stderr


def test_check_of_an_export_groups_the_lines_by_patient(tmp_path: Path) -> None:
    resources = [entry["resource"] for entry in json.loads(BUNDLE.read_text())["entry"]]
    for kind in {r["resourceType"] for r in resources}:
        rows = [orjson.dumps(r) for r in resources if r["resourceType"] == kind]
        other = orjson.dumps({"resourceType": kind, "id": "x", "subject": {"reference": "Patient/somebody-else"}})
        (tmp_path / f"{kind}.ndjson").write_bytes(b"\n".join(rows if kind == "Patient" else [*rows, other]) + b"\n")
    done = psychmed("check", str(tmp_path), "--today", "2026-03-02", "--format", "json", **ZONE)
    by_chart = {row["chart"]: row["evaluation"] for row in json.loads(done.stdout)}
    assert set(by_chart) == {"case-patient", "somebody-else"}
    assert [f["spec"] for f in by_chart["case-patient"]["findings"]] == ["D-01"]
    assert by_chart["somebody-else"]["findings"] == []


@pytest.mark.parametrize("text", ["[]", "{}", "not json", '{"resourceType": "Patient"}'])
def test_check_of_something_else_ends_with_2_and_does_not_echo_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(text)
    done = psychmed("check", str(tmp_path / "odd.json"), **ZONE)
    assert done.returncode == 2
    assert "odd.json: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failing_case_shows_what_came_and_the_near_miss_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(
        "rule: benzodiazepine-new-order\nspec: B-01\ntoday: 2026-03-02\nhook: order-sign\n"
        "cases:\n  - name: four weeks\n    add:\n      - patient: {age: 45}\n"
        "      - draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 28d}\n    expect: warning\n"
    )
    done = psychmed("test", str(tmp_path / "wrong.yaml"))
    assert done.returncode == 1
    assert "FAIL  four weeks" in done.stdout
    assert "expected warning, got silent" in done.stdout
    assert "authorised_days is more than" in done.stdout
    assert "-> was 28 (1 d short)   [rules/benzodiazepine_new_order.yaml:" in done.stdout


def test_a_case_that_cannot_be_read_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(
        "rule: benzodiazepine-new-order\nspec: B-01\ntoday: 2026-03-02\nhook: order-sign\n"
        "cases:\n  - name: odd\n    add: [draft d1: {drug: lorazepan 0.5}]\n    expect: silent\n"
    )
    done = psychmed("test", str(tmp_path / "odd.yaml"))
    assert done.returncode == 2
    assert "odd.yaml:6:5: R202" in done.stderr


def test_lint_in_json_has_place_code_and_hint(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("schema: cds-rule/1\nid: bad\n")
    done = psychmed("lint", str(tmp_path / "bad.yaml"), "--format", "json")
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert {"path", "line", "column", "code", "message", "hint"} == set(rows[0])


def test_engines_names_both_and_the_default() -> None:
    done = psychmed("engines", "--format", "json")
    states = json.loads(done.stdout)
    assert states["direct"] == "works"
    assert states["default"] == ("verified" if states["durable"] == "works" else "direct")


PATIENT_LINE = b'{"resourceType":"Patient","id":"p1","birthDate":"1980-01-01"}\n'
SECRET = "Zebulon-Quux"


def check(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`psychmed check`, which prints no traceback and nothing of the patient to stderr, whatever it meets."""
    done = psychmed("check", str(path), "--today", "2026-03-02", *arguments, **ZONE)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Aborted" not in done.stderr
    assert SECRET not in done.stderr
    return done


def test_check_of_a_folder_without_charts_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    done = check(tmp_path)
    assert done.returncode == 2
    assert "no .json, .ndjson or .ndjson.gz file" in done.stderr


def test_one_unreadable_bundle_of_a_folder_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f'{{"{SECRET}')
    (tmp_path / "b.json").write_bytes(BUNDLE.read_bytes())
    (tmp_path / "c.json").write_text('{"hook": "order-sign", "context": {}}')
    done = check(tmp_path)
    assert done.returncode == 2
    assert "D-01" in done.stdout
    assert done.stderr.splitlines() == [
        "psychmed: a.json: not a JSON object",
        "psychmed: c.json: 400: hookInstance is missing",
    ]


def test_unreadable_lines_of_an_export_are_named_by_file_and_line(tmp_path: Path) -> None:
    lines = [PATIENT_LINE, SECRET.encode() + b"\n", b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"resourceType":"Condition"}\n']
    (tmp_path / "x.ndjson").write_bytes(b"".join(lines))
    done = check(tmp_path)
    assert done.returncode == 2
    assert "p1" in done.stdout
    assert [line.removeprefix("psychmed: ").partition(": ")[0] for line in done.stderr.splitlines()] == [
        "x.ndjson:2", "x.ndjson:3", "x.ndjson:4", "x.ndjson:5", "x.ndjson:6",
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "not gzip"])
def test_a_damaged_export_file_is_said_and_its_type_counts_as_not_read(tmp_path: Path, damage: str) -> None:
    resources = [entry["resource"] for entry in json.loads(BUNDLE.read_text())["entry"]]
    for kind in sorted({r["resourceType"] for r in resources}):
        rows = b"".join(orjson.dumps(r) + b"\n" for r in resources if r["resourceType"] == kind)
        (tmp_path / f"{kind}.ndjson").write_bytes(rows)
    packed = gzip.compress(b'{"resourceType":"Encounter","id":"e1","subject":{"reference":"Patient/x"}}\n' * 500)
    (tmp_path / "Encounter.ndjson.gz").write_bytes(packed[:60] if damage == "cut" else b"plain text")
    done = check(tmp_path)
    assert done.returncode == 2
    assert "Encounter.ndjson.gz: not read to its end" in done.stderr
    assert "not evaluated  D-01: encounters: search not read to its end" in done.stdout
    assert "warning  D-01" not in done.stdout, "an absent visit may stand in what was not read"


def test_a_chart_file_beside_an_export_is_not_left_out_silently(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_bytes(PATIENT_LINE)
    (tmp_path / "b.json").write_bytes(BUNDLE.read_bytes())
    done = check(tmp_path)
    assert done.returncode == 2
    assert "b.json: left out" in done.stderr


def test_a_broken_visit_in_a_bundle_is_no_evidence_of_no_contact(tmp_path: Path) -> None:
    chart = json.loads(BUNDLE.read_text())
    chart["entry"].append({"resource": {"resourceType": "Encounter", "id": "broken", "status": {"text": SECRET}}})
    (tmp_path / "b.json").write_text(json.dumps(chart))
    done = check(tmp_path / "b.json")
    assert done.returncode == 0
    assert "not evaluated  D-01: encounters: some records could not be read" in done.stdout


@pytest.mark.parametrize("made", ["nothing", "empty"])
def test_lint_of_a_folder_without_rules_ends_with_2(tmp_path: Path, made: str) -> None:
    folder = tmp_path / "rules"
    if made == "empty":
        folder.mkdir()
    done = psychmed("lint", str(folder))
    assert done.returncode == 2
    assert "no problems" not in done.stdout


def test_test_of_an_empty_case_file_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text("")
    done = psychmed("test", str(tmp_path / "cases.yaml"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
