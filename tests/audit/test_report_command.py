"""`psychmed audit` with its outputs, and `psychmed report`, as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cds.cli.main import app
from tests.audit.datasets import finding, patient, write_audit
from tests.audit.runs import TODAY, ZONE, chart, two_patients, write_ndjson

SETTINGS = {"PSYCHMED_TIME_ZONE": ZONE}


def psychmed(*arguments: str, **environment: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, list(arguments), env={"PSYCHMED_TIME_ZONE": None, **environment})


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    export = write_ndjson(folder / "export", two_patients())
    done = psychmed("audit", str(export), "--out", str(folder / "out"), "--today", TODAY.isoformat(), **SETTINGS)
    assert done.exit_code == 1, done.stderr
    return folder / "out"


def test_an_audit_ends_with_its_report_and_a_picture_of_what_it_found(audited: Path) -> None:
    page = (audited / "report.html").read_text("utf-8")
    assert "A-02" in page
    assert re.search(r"<svg[^>]*role=\"img\"[^>]*aria-labelledby=\"tl0title", page)
    assert "sertraline" in page
    assert "http://www.w3.org" not in page


def test_a_report_of_a_real_run_names_nobody(audited: Path) -> None:
    for name in ("report.html", "summary.json", "measure_reports.ndjson", "not_evaluated.csv", "data_quality.csv"):
        text = (audited / name).read_text("utf-8")
        assert "anna" not in text, name
        assert "bela" not in text, name
    assert "anna" in (audited / "worklist.csv").read_text("utf-8")


def test_the_report_can_be_written_anew_with_other_options_and_without_settings(audited: Path) -> None:
    before = (audited / "report.html").read_bytes()
    done = psychmed("report", str(audited), "--identified", "--min-cell", "1", "--format", "json")
    assert done.exit_code == 0, done.stderr
    found = {rule["spec"]: rule["found"] for rule in json.loads(done.stdout)["rules"]}
    assert found["A-02"] == 1
    assert "Patient anna" in (audited / "report.html").read_text("utf-8")
    assert psychmed("report", str(audited)).exit_code == 0
    assert (audited / "report.html").read_bytes() == before


def test_with_other_rules_than_the_run_had_no_chart_is_drawn(audited: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"time_zone: {ZONE}\nrules: {{same-class-pair: {{status: silent, why: test}}}}\n", "utf-8")
    done = psychmed("report", str(audited), "--settings", str(site))
    assert done.exit_code == 0, done.stderr
    assert "No picture: the rules or settings are not those of the run" in (audited / "report.html").read_text("utf-8")
    assert psychmed("report", str(audited)).exit_code == 0


def test_a_replayed_order_has_a_picture_of_the_day_it_was_written(tmp_path: Path) -> None:
    lines = (
        ("visit v1", {"date": "-400d"}),
        ("order a", {"drug": "sertraline 50", "take": 1, "authored": "-60d", "days": "90d"}),
        ("order b", {"drug": "escitalopram 10", "take": 1, "authored": "-20d", "days": "60d"}),
    )
    export = write_ndjson(tmp_path / "export", chart("anna", *lines))
    days = ("--as", "replay", "--from", "2025-12-01", "--to", TODAY.isoformat(), "--today", TODAY.isoformat())
    done = psychmed("audit", str(export), "--out", str(tmp_path / "out"), *days, **SETTINGS)
    assert done.exit_code == 1, done.stdout + done.stderr
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    # 20 days before 2 March.
    assert "as of 10 February 2026" in page
    assert 'aria-labelledby="tl0title' in page


def test_without_a_report_everything_else_is_written(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "export", two_patients())
    options = ("--out", str(tmp_path / "out"), "--today", TODAY.isoformat(), "--no-report")
    assert psychmed("audit", str(export), *options, **SETTINGS).exit_code == 1
    assert not (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "summary.json").exists()


def test_a_threshold_that_is_refused_is_refused_before_the_run(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "export", two_patients())
    options = ("--out", str(tmp_path / "out"), "--today", TODAY.isoformat(), "--min-cell", "3")
    done = psychmed("audit", str(export), *options, **SETTINGS)
    assert done.exit_code == 2
    assert "5 or more" in done.stderr
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_report_that_cannot_be_made_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = write_ndjson(tmp_path / "export", two_patients())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = psychmed("audit", str(export), "--out", str(tmp_path / "out"), "--today", TODAY.isoformat(), **SETTINGS)
    assert done.exit_code == 2
    assert "psychmed-cds[report]" in done.stderr
    assert "--no-report" in done.stderr
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_folder_that_holds_no_audit_is_bad_usage(tmp_path: Path) -> None:
    done = psychmed("report", str(tmp_path))
    assert done.exit_code == 2
    assert "no finished audit" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_terminal_says_what_each_rule_found_and_hides_what_the_report_hides(tmp_path: Path) -> None:
    names = [f"p{n:02}" for n in range(60)]
    out = write_audit(
        tmp_path / "out",
        patients=[patient(n, in_scope=["B-02", "A-02"]) for n in names],
        findings=[*(finding(n, "B-02") for n in names[:30]), finding("p00", "A-02", indicator="critical")],
    )
    done = psychmed("report", str(out), **SETTINGS)
    assert done.exit_code == 0, done.stderr
    lines = [line.strip() for line in done.stdout.replace("\u00a0", " ").splitlines()]
    assert lines[0] == "critical A-02     1 to 10 of 60 patients"
    assert lines[1] == "warning  B-02     30 of 60 patients (50 %)"


def test_a_part_file_that_was_lost_is_named_and_not_counted_around(audited: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(audited, copy)
    for part in (copy / "patients").glob("*.parquet"):
        part.unlink()
    done = psychmed("report", str(copy))
    assert done.exit_code == 2
    assert "the datasets hold 0 patients, run.json says 2: a part file is missing" in done.stderr
    assert "--restart" in done.stderr
