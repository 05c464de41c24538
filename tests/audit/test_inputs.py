"""Every shape in which an export comes gives the same findings; what cannot be read is counted where it stands."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cds.audit.charts import charts_of
from cds.audit.inputs import InputFile, lines_of
from cds.audit.job import AuditError
from tests.audit.runs import (
    OVERLAP,
    QUIET,
    TODAY,
    Resource,
    chart,
    found,
    job,
    psychmed,
    rows,
    run,
    two_patients,
    write_ndjson,
)
from tests.conftest import missing

BOTH = {"anna": ["A-02"], "bela": []}
Shape = Callable[[Path, list[Resource]], Path]


def as_bundles(folder: Path, resources: list[Resource]) -> Path:
    folder.mkdir()
    for patient in ("anna", "bela"):
        entries = [{"resource": r} for r in resources if patient in json.dumps(r)]
        (folder / f"{patient}.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    return folder


def as_one_bundle(folder: Path, resources: list[Resource]) -> Path:
    folder.mkdir()
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    (folder / "all.json").write_text(json.dumps(bundle))
    return folder / "all.json"


def as_one_file(folder: Path, resources: list[Resource]) -> Path:
    write_ndjson(folder, resources)
    whole = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    (folder / "all.ndjson").write_bytes(whole)
    return folder / "all.ndjson"


def as_subfolders(folder: Path, resources: list[Resource]) -> Path:
    write_ndjson(folder / "one", [r for r in resources if "anna" in json.dumps(r)])
    write_ndjson(folder / "two", [r for r in resources if "bela" in json.dumps(r)])
    return folder


def renamed(change: Callable[[str], str]) -> Shape:
    """References to patients written in another way."""

    def shape(folder: Path, resources: list[Resource]) -> Path:
        text = json.dumps(resources)
        for patient in ("anna", "bela"):
            text = text.replace(f'"Patient/{patient}"', f'"{change(patient)}"')
        return write_ndjson(folder, json.loads(text))

    return shape


def rewritten(change: Callable[[bytes], bytes]) -> Shape:
    """The bytes of each file changed."""

    def shape(folder: Path, resources: list[Resource]) -> Path:
        write_ndjson(folder, resources)
        for file in folder.iterdir():
            file.write_bytes(change(file.read_bytes()))
        return folder

    return shape


SHAPES: dict[str, Shape] = {
    "files by type": write_ndjson,
    "compressed": lambda folder, resources: write_ndjson(folder, resources, compress=True),
    "one file of all types": as_one_file,
    "folders of files": as_subfolders,
    "a Bundle for each patient": as_bundles,
    "a Bundle of several patients": as_one_bundle,
    "references by urn:uuid": renamed(lambda own: f"urn:uuid:{own}"),
    "absolute references": renamed(lambda own: f"https://ehr.example.org/fhir/Patient/{own}"),
    "versioned references": renamed(lambda own: f"Patient/{own}/_history/3"),
    "lines that end with CRLF": rewritten(lambda data: data.replace(b"\n", b"\r\n")),
    "a mark of byte order": rewritten(lambda data: b"\xef\xbb\xbf" + data),
    "blank lines": rewritten(lambda data: b"\n  \n" + data.replace(b"\n", b"\n\n")),
    "no newline at the end": rewritten(lambda data: data.rstrip(b"\n")),
    "two copies of each line": rewritten(lambda data: data + data),
}


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_of_an_export_gives_the_same_findings(name: str, tmp_path: Path) -> None:
    export = SHAPES[name](tmp_path / "in", two_patients())
    report = run(export, tmp_path / "out")
    assert found(tmp_path / "out") == BOTH
    assert rows(tmp_path / "out", "problems") == []
    assert report["patients"] == 2


def test_references_by_urn_to_the_entries_of_a_bundle_of_several_patients_are_followed(tmp_path: Path) -> None:
    urls = {
        "anna": "urn:uuid:11111111-1111-4111-8111-111111111111",
        "bela": "urn:uuid:22222222-2222-4222-8222-222222222222",
    }
    entries = []
    for resource in two_patients():
        text = json.dumps(resource)
        for patient, url in urls.items():
            text = text.replace(f"Patient/{patient}", url)
        own = {"fullUrl": urls[resource["id"]]} if resource["resourceType"] == "Patient" else {}
        entries.append({**own, "resource": json.loads(text)})
    (tmp_path / "all.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    run(tmp_path / "all.json", tmp_path / "out")
    assert found(tmp_path / "out") == BOTH


def test_the_lines_of_all_ranges_together_are_the_lines_of_the_file(tmp_path: Path) -> None:
    data = b'{"a": 1}\n\n{"b": 22}\r\n{"c": 333}'
    (tmp_path / "x.ndjson").write_bytes(data)
    file = InputFile(str(tmp_path / "x.ndjson"), "x.ndjson", len(data), "lines", False, "")
    whole = list(lines_of(file, 0, None))
    assert whole == [b'{"a": 1}\n', b"\n", b'{"b": 22}\r\n', b'{"c": 333}']
    for at in range(1, len(data)):
        assert [*lines_of(file, 0, at), *lines_of(file, at, len(data))] == whole, f"divided at {at}"


def test_a_line_too_long_to_read_is_passed_over_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds.audit.inputs.LONGEST_LINE", 16)
    data = b'{"a": 1}\n{"b": "' + b"x" * 50 + b'"}\n{"c": 3}\n'
    (tmp_path / "x.ndjson").write_bytes(data)
    file = InputFile(str(tmp_path / "x.ndjson"), "x.ndjson", len(data), "lines", False, "")
    assert list(lines_of(file, 0, None)) == [b'{"a": 1}\n', None, b'{"c": 3}\n']


def test_bad_lines_are_counted_with_file_and_line_and_never_shown(tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in", two_patients())
    file = tmp_path / "in" / "Condition.ndjson"
    odd = [b"SECRET", b'{"id": "SECRET"}', b'{"resourceType": "Condition", "note": "SECRET"}']
    broken = b'{"resourceType": "Condition", "id": "SECRET", "subject": {"reference": "Patient/bela"}, "code": 7}'
    file.write_bytes(b"\n".join([*odd, file.read_bytes().strip(), broken]) + b"\n")
    done = psychmed("audit", str(tmp_path / "in"), "--today", TODAY.isoformat(), "--out", str(tmp_path / "out"))
    assert "SECRET" not in done.stdout + done.stderr
    assert "2 patients, 9 resources, 1 finding, 4 bad lines" in done.stdout
    assert done.returncode == 1, "a finding, and every file read to its end"
    assert [(p["file"], p["line"], p["kind"], p["resource_type"]) for p in rows(tmp_path / "out", "problems")] == [
        ("Condition.ndjson", 1, "not-json", ""),
        ("Condition.ndjson", 2, "no-resource-type", ""),
        ("Condition.ndjson", 3, "no-patient", "Condition"),
        ("Condition.ndjson", 5, "unreadable-resource", "Condition"),
    ]
    inputs = {
        row["file"]: (row["lines"], row["bad_lines"])
        for row in json.loads((tmp_path / "out/run.json").read_text())["inputs"]
    }
    assert inputs["Condition.ndjson"] == (5, 4)
    assert found(tmp_path / "out") == BOTH, "a bad line costs nobody else anything"


def test_a_file_cut_off_marks_its_type_as_not_read_to_its_end_for_everybody(tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in", two_patients(), compress=True)
    file = tmp_path / "in" / "MedicationDispense.ndjson.gz"
    file.write_bytes(file.read_bytes()[:-12])
    report = run(tmp_path / "in", tmp_path / "out")
    assert report["unread_files"] == ["MedicationDispense.ndjson.gz"]
    assert [(p["kind"], p["line"]) for p in rows(tmp_path / "out", "problems")] == [("truncated-file", 0)]
    reasons = {(row["patient"], row["reason"]) for row in rows(tmp_path / "out", "not_evaluated")}
    for patient in ("anna", "bela"):
        assert (patient, "medication history: search not read to its end") in reasons


def test_json_files_beside_ndjson_are_left_out_and_named(tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in", two_patients())
    (tmp_path / "in" / "log.json").write_text("{}")
    assert run(tmp_path / "in", tmp_path / "out")["left_out"] == ["log.json"]


def test_a_chart_that_is_no_chart_is_named_and_costs_only_itself(tmp_path: Path) -> None:
    as_bundles(tmp_path / "in", two_patients())
    (tmp_path / "in" / "bela.json").write_text('{"resourceType": "Bundle", "entry": [')
    report = run(tmp_path / "in", tmp_path / "out")
    assert report["unread_files"] == ["bela.json"]
    assert found(tmp_path / "out") == {"anna": ["A-02"]}


@pytest.mark.parametrize("name", ["nothing", "empty", "nobody"])
def test_nothing_to_audit_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "Medication.ndjson").write_text('{"resourceType": "Medication", "id": "m"}\n')
    with pytest.raises(AuditError, match=name):
        run(tmp_path / name, tmp_path / "out")


def test_a_link_that_leads_nowhere_is_named_with_what_to_do(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    (export / "Gone.ndjson").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AuditError, match=r"Gone\.ndjson cannot be opened .*take it out of the folder"):
        run(export, tmp_path / "out")


@pytest.mark.parametrize("name", [b"Patient\xff.ndjson", b"two\nlines.ndjson"])
def test_a_file_whose_name_cannot_be_written_down_is_to_be_renamed(name: bytes, tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    try:
        (export / os.fsdecode(name)).write_bytes(b"{}\n")
    except OSError:
        missing("needs a file system that takes such a name")
    with pytest.raises(AuditError, match="rename"):
        run(export, tmp_path / "out")


def test_products_in_a_file_of_their_own_reach_the_orders_that_name_them(tmp_path: Path) -> None:
    resources = chart("anna", *OVERLAP)
    products = []
    for resource in resources:
        if resource["resourceType"] == "MedicationDispense":
            own = f"m-{resource['id']}"
            products.append(
                {"resourceType": "Medication", "id": own, "code": resource.pop("medicationCodeableConcept")}
            )
            resource["medicationReference"] = {"reference": f"Medication/{own}"}
    write_ndjson(tmp_path / "in", [*resources, *products])
    run(tmp_path / "in", tmp_path / "out")
    assert found(tmp_path / "out") == {"anna": ["A-02"]}


def test_a_product_that_nobody_sent_is_a_problem_of_its_own(tmp_path: Path) -> None:
    resources = chart(
        "anna", *QUIET, ("order o", {"drug": "sertraline 50", "take": 1, "authored": "-9d", "days": "30d"})
    )
    for resource in resources:
        if resource.pop("medicationCodeableConcept", None):
            resource["medicationReference"] = {"reference": "Medication/nowhere"}
    write_ndjson(tmp_path / "in", resources)
    run(tmp_path / "in", tmp_path / "out")
    (problem,) = rows(tmp_path / "out", "problems")
    assert (problem["file"], problem["kind"], problem["resource_type"]) == (
        "",
        "unknown-reference",
        "MedicationRequest",
    )
    (patient,) = rows(tmp_path / "out", "patients")
    assert (patient["drugs_unidentified"], patient["unidentified"]) == (1, ["text"])


def test_the_length_of_the_record_counts_results_that_no_rule_reads(tmp_path: Path) -> None:
    height = {
        "resourceType": "Observation", "id": "h", "status": "final", "subject": {"reference": "Patient/anna"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}, "effectiveDateTime": "2019-05-01",
    }  # fmt: skip
    later = height | {"id": "h2", "effectiveDateTime": "2026-02-01T10:00:00-05:00"}
    write_ndjson(tmp_path / "in", [*chart("anna"), height, later])
    report = run(tmp_path / "in", tmp_path / "out")
    assert report["data_date"] == "2026-02-01"
    ((_, call),) = charts_of(tmp_path / "out", ["anna"])
    assert job().evaluator().chart(call, today=TODAY).earliest == dt.date(2019, 5, 1).toordinal()
