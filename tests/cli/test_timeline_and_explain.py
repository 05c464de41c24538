"""`psychmed timeline` and `psychmed explain` as an author uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = "fixtures/bundles/follow_up_gap.json"
DRAFT = "fixtures/requests/long_first_lorazepam.json"
DAY = ("--today", "2026-03-02")


def psychmed(*arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")}
    return subprocess.run(
        [sys.executable, "-m", "cds.cli.main", *arguments],
        cwd=ROOT,
        env={**inherited, "PSYCHMED_TIME_ZONE": "America/New_York", "PSYCHMED_ENGINE": "direct", "COLUMNS": "90"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_timeline_draws_the_windows_of_a_rule_named_by_its_specification_id() -> None:
    done = psychmed("timeline", DRAFT, "--rule", "b-01", *DAY)
    assert done.returncode == 0
    assert "B-01 benzodiazepine-new-order, level too-long: fires today" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 90


def test_timeline_in_json_has_the_days_of_the_draft() -> None:
    done = psychmed("timeline", DRAFT, "--rule", "benzodiazepine-new-order", "--format", "json", *DAY)
    picture = json.loads(done.stdout)
    (draft,) = [lane for lane in picture["lanes"] if lane["kind"] == "draft"]
    # 30 days and two refills, from today: 90 days.
    assert [(b["from"], b["to"]) for b in draft["bars"]] == [("2026-03-02", "2026-05-30")]
    (limit,) = [w for w in picture["windows"] if w["name"] == "max_days"]
    assert limit["fires"] == ["2026-03-30", "2026-05-30"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_timeline_draws_the_first_and_the_last_day_of_the_calendar(day: str) -> None:
    done = psychmed("timeline", BUNDLE, "--today", day)
    assert (done.returncode, done.stderr) == (0, "")
    assert day in done.stdout


def test_timeline_writes_an_svg_file(tmp_path: Path) -> None:
    out = tmp_path / "chart.svg"
    done = psychmed("timeline", BUNDLE, "--format", "svg", "--out", str(out), *DAY)
    assert (done.returncode, done.stdout) == (0, "")
    assert ET.parse(out).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_explain_says_the_near_miss_with_its_line() -> None:
    done = psychmed("explain", "D-01", BUNDLE, "--today", "2026-02-10")
    assert done.returncode == 0
    assert "does not fire: would have fired at level adult-target" in done.stdout
    assert "was 2026-01-28 (-13 d) (2 d too late)" in " ".join(done.stdout.split())
    assert "[rules/antidepressant_follow_up.yaml:" in done.stdout


def test_explain_in_json_has_the_verdict_and_the_records() -> None:
    told = json.loads(psychmed("explain", "B-01", DRAFT, "--format", "json", *DAY).stdout)
    assert told["verdict"] == "fires"
    level = next(lv for lv in told["levels"] if lv["level"] == "too-long")
    assert level["facts"][0]["records"][0]["reference"] == "MedicationRequest/long-lorazepam"


def test_a_chart_of_a_folder_is_chosen_by_its_patient(tmp_path: Path) -> None:
    bundle = json.loads((ROOT / BUNDLE).read_text(encoding="utf-8"))
    for name in ("anna", "bert"):
        text = json.dumps(bundle).replace(_patient_of(bundle), name)
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    assert psychmed("explain", "D-01", str(tmp_path), "--patient", "bert", *DAY).returncode == 0
    several = psychmed("explain", "D-01", str(tmp_path), *DAY)
    assert several.returncode == 2
    assert "more than one chart in this folder (add --patient ID)" in several.stderr
    nobody = psychmed("timeline", str(tmp_path), "--patient", "carla", *DAY)
    assert nobody.returncode == 2
    assert "no chart of the patient that --patient names here" in nobody.stderr
    assert "carla" not in nobody.stderr


def _patient_of(bundle: dict[str, list[dict[str, dict[str, str]]]]) -> str:
    return next(e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "B-99", BUNDLE), 'there is no rule "B-99" (one of A-01, A-02, '),
        (("explain", "benzodiazepine-new-ordr", BUNDLE), 'did you mean "benzodiazepine-new-order"?'),
        (("timeline", BUNDLE, "--today", "2026-02-30"), '"2026-02-30" is not a date'),
        (("timeline", BUNDLE, "--rule", "nonsense"), 'there is no rule "nonsense"'),
        (("timeline", "pyproject.toml"), "not a JSON object"),
        (("explain", "D-01", "tests"), "no .json, .ndjson"),
        (("timeline", BUNDLE, "--out", "no/such/folder/x.svg"), "cannot be written"),
    ],
)
def test_bad_usage_is_said_in_a_line_and_ends_with_2(arguments: tuple[str, ...], said: str) -> None:
    done = psychmed(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failing_case_is_drawn_below_its_failure(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(
        "rule: benzodiazepine-new-order\nspec: B-01\ntoday: 2026-03-02\nhook: order-sign\n"
        "cases:\n  - name: four weeks\n    add:\n      - patient: {age: 45}\n"
        "      - draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 28d}\n    expect: warning\n"
    )
    done = psychmed("test", str(tmp_path / "wrong.yaml"))
    assert "* draft: lorazepam" in done.stdout
    assert "B-01 benzodiazepine-new-order, level too-long: does not fire today" in done.stdout
    assert "max_days 28 d" in done.stdout
