"""The function that both runners call, and the shuffle beneath it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from cds.audit.asking import Asker
from cds.audit.compact import decode_record, record_row
from cds.audit.partition import OrderBrokenError, audit_partition
from cds.audit.schema import OUTCOMES, ROWS
from cds.audit.shuffle import Extracted, PieceWriter, Shuffled, piece_name, write_index
from cds.fhir.records import Patient
from cds.intake.calls import SEARCHED
from cds.intake.lines import patient_id, read_line, types_lost
from cds.intake.shared import InMemory
from hooks.discovery import PREFETCH
from tests.audit.runs import job, rows, run


def batch(*patients: str) -> pa.RecordBatch:
    records = [record_row(Patient(id=patient, birth_date="1980-01-01")) for patient in patients]
    return pa.record_batch([pa.array(patients, pa.string()), pa.array(records, pa.binary())], schema=ROWS)


def asker() -> Asker:
    asked = job()
    return Asker(asked, asked.evaluator(), shared=InMemory(), cut=frozenset())


def test_each_patient_of_sorted_rows_is_one_row_of_outcomes() -> None:
    # The rows of b stand in two batches.
    outcomes = pa.Table.from_batches(
        audit_partition([batch("a", "b"), batch("b", "c")], asker=asker()), schema=OUTCOMES
    )
    assert outcomes.column("patient").to_pylist() == ["a", "b", "c"]
    assert [len(rows) for rows in outcomes.column("patients").to_pylist()] == [1, 1, 1]


@pytest.mark.parametrize("batches", [[("b", "a")], [("a", "c"), ("b",)], [("a", "b", "a")]])
def test_rows_out_of_order_are_refused(batches: list[tuple[str, ...]]) -> None:
    with pytest.raises(OrderBrokenError):
        list(audit_partition([batch(*patients) for patients in batches], asker=asker()))


@pytest.mark.parametrize("at_once", [1, 500, 1 << 20])
def test_a_partition_larger_than_memory_is_read_in_ranges_of_patients(at_once: int, tmp_path: Path) -> None:
    (tmp_path / "pieces").mkdir()
    patients = [f"p{n:02}" for n in range(30)]
    for number, order in enumerate((patients, patients[::-1])):
        with PieceWriter(tmp_path / "pieces" / piece_name(number), parts=1, flush_bytes=400) as writer:
            for patient in order:
                writer.add(patient, f"{patient} of {number}".encode())
                if writer.full:
                    writer.flush()
            writer.finish(Extracted())
    write_index(tmp_path / "index.sqlite", tmp_path / "pieces", [0, 1])
    shuffled = Shuffled(tmp_path)
    found = list(shuffled.patients(0, at_once=at_once))
    shuffled.close()
    assert found == [(p, [f"{p} of 0".encode(), f"{p} of 1".encode()]) for p in patients]


@pytest.mark.parametrize(
    ("line", "patients"),
    [
        (b'{"resourceType": "Task", "for": {"reference": "Patient/a"}}', ("a",)),
        (b'{"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/a"}}', ("a",)),
        (b'{"resourceType": "Claim", "patient": {"reference": "Patient/a"}}', ("a",)),
        (
            b'{"resourceType": "Appointment", "participant": [{"actor": {"reference": "Patient/a"}},'
            b' {"actor": {"reference": "Practitioner/p"}}, {"actor": {"reference": "Patient/b"}}]}',
            ("a", "b"),
        ),
        (b'{"resourceType": "Observation", "subject": {"reference": "Group/g"}}', ()),
        (b'{"resourceType": "Medication", "id": "m"}', ()),
    ],
)
def test_a_line_belongs_to_the_patients_it_names(line: bytes, patients: tuple[str, ...]) -> None:
    assert read_line(line, "x:1").patients == patients


def test_a_reference_that_is_no_patient_names_none() -> None:
    assert [patient_id(r) for r in ("Patient?identifier=7", "#p", "Group/1", "https://x/fhir/Device/2")] == [""] * 4


def test_a_whole_chart_counts_as_searched_for_what_the_service_asks_for() -> None:
    assert set(SEARCHED) == {resource_type for resource_type, _ in PREFETCH.values()}


def test_a_file_that_does_not_say_what_is_in_it_may_lack_anything() -> None:
    assert types_lost("2.Condition-001.ndjson.gz", {"Condition"}) == {"Condition"}
    assert {"Condition", "Encounter", "Task"} <= types_lost("export.ndjson.gz", {"Patient"})


def test_a_record_goes_through_the_shuffle_unchanged() -> None:
    order = rb"""{
      "resourceType": "MedicationRequest", "id": "o", "status": "active", "subject": {"reference": "Patient/a"},
      "text": {"div": "<div>narrative</div>"}, "medicationCodeableConcept": {"text": "sertraline \u00b5"},
      "dosageInstruction": [{
        "timing": {"repeat": {"period": 1.50, "frequency": 2, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 0.1, "unit": "mg"}}]}],
      "contained": [{"resourceType": "Medication"}]}"""
    read = read_line(order, "x:1").record
    assert read is not None
    assert decode_record(record_row(read)) == read


@pytest.mark.parametrize("patient", ["a\ud800", "\u00e9\u4e2d", "x" * 10_000, "a'b\"c;--"])
def test_no_text_of_an_id_stops_an_audit(patient: str, tmp_path: Path) -> None:
    lines = [{"resourceType": "Patient", "id": patient}, {"resourceType": "Patient", "id": "anna"}]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = run(tmp_path / "in.ndjson", tmp_path / "out")
    assert report["failed_parts"] == []
    assert "anna" in {row["patient"] for row in rows(tmp_path / "out", "patients")}
