"""The files of an audit, from datasets small enough to count by hand."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import stat
from pathlib import Path
from typing import Any

import fhirkit
import pyarrow.parquet as pq
import pytest
from fhir.resources.R4B.detectedissue import DetectedIssue
from fhir.resources.R4B.measurereport import MeasureReport

from cds.audit.folder import OUTPUTS
from cds.audit.outputs.write import write_outputs
from cds.errors import CdsError
from cds.fhir.codes import REQUIRED_CODES
from tests.audit.datasets import DAY, MEMORY, finding, not_evaluated, patient, rule, write_audit

NAMES_PATIENTS = ("findings.parquet", "findings.csv", "worklist.csv", "detected_issues.ndjson")
SHOWS_NO_PATIENT = (
    "summary.json", "report.html", "measure_reports.ndjson", "not_evaluated.csv", "data_quality.csv",
)  # fmt: skip


def written(out: Path, **options: Any) -> Path:
    write_outputs(out, **({"min_cell": 11, "memory": MEMORY} | options))
    return out


def rows(path: Path) -> list[dict[str, str]]:
    lines = [line for line in path.read_text("utf-8").splitlines(keepends=True) if not line.startswith("#")]
    return list(csv.DictReader(lines))


def resources(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text("utf-8"))
    return found


def of_rule(out: Path, spec: str) -> dict[str, Any]:
    return next(r for r in summary(out)["rules"] if r["spec"] == spec)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 patients. B-02: 60 in scope, 24 found (6 critical and 18 warning); D-01: 50 not evaluated; A-02: 3 found."""
    names = [f"secret-{n:03}" for n in range(200)]
    found = [
        finding(
            n,
            "B-02",
            indicator="critical" if i < 6 else "warning",
            unit="Organization/north" if i % 2 else "",
            prescriber="" if i % 2 else "Practitioner/p2",
        )
        for i, n in enumerate(names[:24])
    ]
    return written(
        write_audit(
            tmp_path_factory.mktemp("audit") / "out",
            patients=[
                patient(
                    n,
                    in_scope=["B-02"] if i < 60 else ["A-02"] if i < 160 else [],
                    unit="Organization/north" if i % 2 else "Organization/south",
                    unidentified=["http://hospital.example/drugs|77"] if i < 30 else ["text"] if i < 32 else [],
                )
                for i, n in enumerate(names)
            ],
            findings=[
                *found,
                *(finding(n, "A-02", indicator="critical", unit="Organization/north") for n in names[100:103]),
            ],
            missed=[not_evaluated(n, "D-01") for n in names[150:]],
            problems=[
                {"file": "Encounter.ndjson", "line": 7, "kind": "not-json", "resource_type": ""},
                {"file": "Encounter.ndjson", "line": 3, "kind": "not-json", "resource_type": ""},
            ],
            units={"Organization/north": "North clinic", "Organization/south": "South clinic"},
        )
    )


def test_the_rate_of_a_rule_is_what_was_found_over_who_was_in_scope(clinic: Path) -> None:
    told = of_rule(clinic, "B-02")
    # 24 of 60; the score interval: (24 + 1.9207 ± 1.96 * sqrt(24 * 36 / 60 + 0.9604)) / 63.8415.
    assert (told["found"], told["in_scope"], told["rate"]) == (24, 60, 0.4)
    assert told["rate_95"] == pytest.approx([0.2857, 0.5263], abs=0.0001)
    assert (told["not_evaluated"], told["not_applicable"], told["asked"]) == (0, 140, 200)


def test_units_share_the_patients_in_scope_under_their_names(clinic: Path) -> None:
    assert of_rule(clinic, "B-02")["by_unit"] == [
        {"name": "North clinic", "in_scope": 30, "found": 12},
        {"name": "South clinic", "in_scope": 30, "found": 12},
    ]


def test_a_small_number_and_what_would_tell_it_are_hidden(clinic: Path) -> None:
    told = of_rule(clinic, "A-02")
    assert (told["found"], told["in_scope"], told["rate"]) == ("1 to 10", 100, None)
    assert {unit["found"] for unit in told["by_unit"]} == {"hidden"}
    assert summary(clinic)["with_any_finding"] == "hidden"  # 27 less the 24 of B-02 would tell the 3


def test_a_small_part_hides_the_other_part(clinic: Path) -> None:
    assert of_rule(clinic, "B-02")["indicators"] == {"critical": "hidden", "warning": "hidden"}


def test_not_evaluated_is_no_denominator_and_has_its_reason(clinic: Path) -> None:
    told = of_rule(clinic, "D-01")
    assert (told["not_evaluated"], told["in_scope"], told["found"], told["rate"]) == (50, 0, 0, None)
    assert rows(clinic / "not_evaluated.csv") == [
        {
            "spec": "D-01", "rule": "antidepressant-follow-up", "reason": "encounters: not available",
            "patients": "50", "patients_of_rule": "50",
        }
    ]  # fmt: skip


def test_the_quality_of_the_data_names_codes_files_and_lines(clinic: Path) -> None:
    found = rows(clinic / "data_quality.csv")
    codes = {r["code"] or r["system_or_type"]: r["count"] for r in found if r["what"] == "medication not identified"}
    assert codes == {"77": "30", "text": "1 to 10"}
    assert [(r["file"], r["line"]) for r in found if r["file"]] == [
        ("Encounter.ndjson", "3"),
        ("Encounter.ndjson", "7"),
    ]


def test_findings_are_sorted_and_told_once_each(clinic: Path) -> None:
    found = rows(clinic / "findings.csv")
    assert [r["patient"] for r in found] == sorted(r["patient"] for r in found)
    assert len({r["id"] for r in found}) == len(found) == 27
    assert pq.read_table(clinic / "findings.parquet").column("id").to_pylist() == [r["id"] for r in found]


def test_the_worklist_goes_by_clinic_and_prescriber_the_most_severe_first(clinic: Path) -> None:
    found = rows(clinic / "worklist.csv")
    groups = list(dict.fromkeys((r["clinic"], r["prescriber"]) for r in found))
    assert groups == [
        ("North clinic", "Practitioner/p1"),
        ("North clinic", "not recorded"),
        ("not recorded", "Practitioner/p2"),
    ]
    first = [r["indicator"] for r in found if r["prescriber"] == "not recorded"]
    assert first == ["critical"] * 3 + ["warning"] * 9
    assert (clinic / "worklist.csv").read_text("utf-8").startswith("# names patients")


def test_the_worklist_tells_who_a_patient_of_the_report_is(clinic: Path) -> None:
    found = rows(clinic / "worklist.csv")
    # One of A-02 (its number is hidden) and three of B-02.
    assert sorted({int(r["patient_in_report"]) for r in found if r["patient_in_report"]}) == [1, 2, 3, 4]


def test_every_output_is_known_to_who_clears_the_folder(clinic: Path) -> None:
    assert sorted(OUTPUTS) == sorted((*NAMES_PATIENTS, *SHOWS_NO_PATIENT))
    assert {path.name for path in clinic.iterdir() if path.is_file()} == {*OUTPUTS, "run.json"}


def test_files_are_for_their_owner_alone(clinic: Path) -> None:
    for name in (*NAMES_PATIENTS, *SHOWS_NO_PATIENT):
        assert stat.S_IMODE(os.stat(clinic / name).st_mode) == 0o600, name


def test_no_patient_is_named_where_none_may_be(clinic: Path) -> None:
    for name in SHOWS_NO_PATIENT:
        text = (clinic / name).read_text("utf-8")
        assert "secret-" not in text, name
        assert "MedicationRequest/m1" not in text, name


def test_detected_issues_are_valid_for_two_validators(clinic: Path) -> None:
    found = resources(clinic / "detected_issues.ndjson")
    assert len(found) == 27
    for resource in found:
        DetectedIssue.model_validate(resource)
        assert fhirkit.validate(json.dumps(resource)) == []
        for element in ("status", "severity"):
            assert resource[element] in REQUIRED_CODES["DetectedIssue"][element]


def test_a_detected_issue_says_whose_what_how_grave_and_since_which_orders(clinic: Path) -> None:
    resource = next(r for r in resources(clinic / "detected_issues.ndjson") if r["severity"] == "high")
    assert resource["patient"] == {"reference": "Patient/secret-000"}
    assert resource["code"]["coding"][0]["code"] == "benzodiazepine-continuous-use"
    assert resource["implicated"] == [{"reference": "MedicationRequest/m1"}]
    assert resource["evidence"] == [{"detail": [{"reference": "Encounter/e1"}]}]
    assert (resource["status"], resource["identifiedDateTime"]) == ("preliminary", DAY.isoformat())
    assert resource["reference"] == "https://guideline.example/page"


def test_measure_reports_are_valid_and_leave_out_what_is_hidden(clinic: Path) -> None:
    reports = {r["id"]: r for r in resources(clinic / "measure_reports.ndjson")}
    for resource in reports.values():
        MeasureReport.model_validate(resource)
        assert fhirkit.validate(json.dumps(resource)) == []
    counted = {
        p["code"]["coding"][0]["code"]: p.get("count", "masked" if "_count" in p else None)
        for p in reports["same-class-pair"]["group"][0]["population"]
    }
    assert counted == {
        "initial-population": 200, "denominator": 100, "numerator": "masked", "not-evaluated": 0, "not-applicable": 100,
    }  # fmt: skip
    assert "measureScore" not in reports["same-class-pair"]["group"][0]
    group = reports["benzodiazepine-continuous-use"]["group"][0]
    assert group["measureScore"] == {"value": 0.4}
    assert [s["value"]["text"] for s in group["stratifier"][0]["stratum"]] == ["North clinic", "South clinic"]


def test_a_cell_that_a_spreadsheet_would_run_is_defused(tmp_path: Path) -> None:
    hostile = ["=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", " =1"]
    found = [finding(f"p{n}", "B-02", summary=text, unit=text, prescriber=text) for n, text in enumerate(hostile)]
    out = written(write_audit(tmp_path, patients=[patient(f"p{n}") for n in range(6)], findings=found))
    for name, columns in (("findings.csv", ("summary",)), ("worklist.csv", ("clinic", "prescriber", "summary"))):
        cells = [r[column] for r in rows(out / name) for column in columns]
        assert len(cells) == 6 * len(columns)
        assert all(cell.startswith("'") for cell in cells), cells


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    patients = [patient(f"p{n:02}", in_scope=["B-02"], unit=f"u{n % 3}") for n in range(60)]
    found = [finding(f"p{n:02}", "B-02", since=dt.date(2026, 1 + n % 3, 1)) for n in range(40)]
    contents = []
    for name in ("one", "two"):
        # The same rows in other files, written in another order.
        out = tmp_path / name
        parts, order = (1, 1) if name == "one" else (5, -1)
        write_audit(out, patients=patients[::order], findings=found[::order], parts=parts)
        written(out)
        contents.append({n: (out / n).read_bytes() for n in (*NAMES_PATIENTS, *SHOWS_NO_PATIENT)})
    assert contents[0] == contents[1]


def test_an_audit_without_patients_has_all_its_files(tmp_path: Path) -> None:
    out = written(write_audit(tmp_path))
    assert rows(out / "findings.csv") == []
    assert pq.read_table(out / "findings.parquet").num_rows == 0
    assert summary(out)["patients"] == 0
    assert [r["group"][0]["population"][0]["count"] for r in resources(out / "measure_reports.ndjson")] == [0, 0, 0]
    assert "no patients in the data" in (out / "report.html").read_text("utf-8")


def test_where_nothing_could_be_evaluated_no_rate_is_given(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(40)]
    missed = [not_evaluated(n, spec, "chart: could not be read") for n in names for spec in ("A-02", "B-02", "D-01")]
    out = written(write_audit(tmp_path, patients=[patient(n) for n in names], missed=missed))
    assert [(r["not_evaluated"], r["in_scope"], r["rate"]) for r in summary(out)["rules"]] == [(40, 0, None)] * 3
    assert "could not be evaluated for 40 patients" in (out / "report.html").read_text("utf-8")


def test_a_finding_counts_whatever_became_of_its_card_and_once_a_patient(tmp_path: Path) -> None:
    names = [f"p{n:02}" for n in range(50)]
    found = [finding(n, "B-02", disposition="silent", subject=s) for n in names[:20] for s in ("s1", "s2")]
    out = written(write_audit(tmp_path, patients=[patient(n, in_scope=["B-02"]) for n in names], findings=found))
    assert (of_rule(out, "B-02")["found"], len(rows(out / "findings.csv"))) == (20, 40)


def test_a_patient_found_and_not_evaluated_is_found(tmp_path: Path) -> None:
    names = [f"p{n:02}" for n in range(50)]
    out = write_audit(
        tmp_path,
        patients=[patient(n, in_scope=["B-02"]) for n in names],
        findings=[finding(n, "B-02") for n in names[:20]],
        missed=[not_evaluated(n, "B-02") for n in names[:20]],
    )
    told = of_rule(written(out), "B-02")
    assert (told["found"], told["not_evaluated"], told["in_scope"]) == (20, 0, 50)


def test_a_replay_counts_orders_and_hides_those_of_few_people(tmp_path: Path) -> None:
    orders = [(f"p{n % 30:02}", f"MedicationRequest/{n:03}", dt.date(2026, 1 + n // 45, 5)) for n in range(90)]
    out = write_audit(
        tmp_path,
        patients=[
            *(patient(p, order=o, day=d, hook="order-sign", in_scope=["A-02", "B-02"]) for p, o, d in orders),
            *(patient(f"none-{n}", hook="order-sign") for n in range(20)),
        ],
        findings=[
            # 45 orders of 15 people, and 18 orders of 6 people.
            *(finding(p, "B-02", order=o, day=d, hook="order-sign") for p, o, d in orders if int(p[1:]) < 15),
            *(finding(p, "A-02", order=o, day=d, hook="order-sign") for p, o, d in orders if int(p[1:]) < 6),
        ],
        **{"as": "replay", "from": "2026-01-01", "to": "2026-02-28"},
    )
    told = summary(written(out))
    assert (told["counted"], told["asked"], told["patients"]) == ("orders", 90, 30)
    assert (of_rule(out, "B-02")["found"], of_rule(out, "B-02")["in_scope"]) == (45, 90)
    assert of_rule(out, "A-02")["found"] == "hidden"
    assert [m["name"] for m in of_rule(out, "B-02")["over_time"]] == ["2026-01", "2026-02"]
    report = resources(out / "measure_reports.ndjson")[0]
    assert report["period"] == {"start": "2026-01-01", "end": "2026-02-28"}


def test_what_began_in_thin_months_is_told_by_year(tmp_path: Path) -> None:
    names = [f"p{n:02}" for n in range(48)]
    found = [finding(n, "B-02", since=dt.date(2024 + i % 2, 1 + i % 12, 1)) for i, n in enumerate(names[:36])]
    out = written(write_audit(tmp_path, patients=[patient(n, in_scope=["B-02"]) for n in names], findings=found))
    told = of_rule(out, "B-02")
    assert (told["over_time_by"], [(m["name"], m["found"]) for m in told["over_time"]]) == (
        "year",
        [("2024", 18), ("2025", 18)],
    )


def test_a_folder_without_a_finished_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CdsError, match="no finished audit"):
        write_outputs(tmp_path)


def test_nothing_is_left_half_written_when_a_dataset_cannot_be_read(tmp_path: Path) -> None:
    out = write_audit(tmp_path, patients=[patient("p")], findings=[finding("p", "B-02")])
    (out / "findings" / "part-00000.parquet").write_bytes(b"no parquet")
    with pytest.raises(CdsError, match=r"findings: .*--restart"):
        write_outputs(out)
    assert [path.name for path in out.iterdir() if path.name.endswith((".csv", ".part"))] == []


def test_rules_whose_review_is_overdue_on_the_day_asked_about_are_named(tmp_path: Path) -> None:
    told = [rule("A-02", review_by="2026-03-01"), rule("B-02", review_by="2026-03-02")]
    out = written(write_audit(tmp_path, patients=[patient("p")], rules=told))
    assert summary(out)["reviews_overdue"] == ["same-class-pair"]
