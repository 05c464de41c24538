"""An audit finds of every patient what the service answers over HTTP for the same chart on the same day."""

from __future__ import annotations

import datetime as dt
import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from hooks.discovery import PREFETCH
from tests.audit.runs import rows, run
from tests.hooks.service import RunningService, running

TODAY = "2019-05-01"
SETS = ("smart_bulk_10", "pysynthea_60", "smart_generated_r4_615")


@pytest.fixture(scope="module")
def service() -> Any:
    with running(PSYCHMED_TIME_ZONE="America/New_York", PSYCHMED_TODAY=TODAY) as started:
        yield started


def charts(folder: Path) -> dict[str, dict[str, list[Any]]]:
    """Resources by patient and type, read without any of our own code."""
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for file in folder.glob("*.ndjson.gz"):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            resource = orjson.loads(line)
            subject = resource.get("subject") or resource.get("patient") or {}
            reference = subject.get("reference", resource["id"])
            found[reference.rpartition("/")[2].removeprefix("urn:uuid:")][resource["resourceType"]].append(resource)
    return found


def request(patient: str, chart: dict[str, list[Any]]) -> dict[str, Any]:
    """A patient-view with everything that the chart holds of the types that the service asks for."""
    prefetch: dict[str, Any] = {}
    for key, (resource_type, _) in PREFETCH.items():
        resources = chart.get(resource_type, [])
        entries = [{"resource": resource} for resource in resources]
        whole = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
        prefetch[key] = resources[0] if resource_type == "Patient" else whole
    return {
        "hook": "patient-view",
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": {"userId": "Practitioner/p", "patientId": patient},
        "prefetch": prefetch,
    }


@pytest.mark.parametrize("name", SETS)
def test_every_patient_of_a_public_set_gets_the_same_answer(
    name: str, service: RunningService, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "fhir" / name
    run(folder, tmp_path / "out", today=dt.date.fromisoformat(TODAY), hook="patient-view")
    audited: dict[str, dict[str, Any]] = {}
    for row in rows(tmp_path / "out", "patients"):
        audited[row["patient"]] = {"evaluated": row["evaluated"], "findings": [], "not_evaluated": []}
    assert len(audited) == len(rows(tmp_path / "out", "patients")), "every patient counts once"
    for row in rows(tmp_path / "out", "findings"):
        audited[row["patient"]]["findings"].append(row["canonical"])
    for row in rows(tmp_path / "out", "not_evaluated"):
        audited[row["patient"]]["not_evaluated"].append([row["spec"], row["reason"]])
    there = charts(folder)
    assert audited.keys() == there.keys()
    for patient, chart in there.items():
        answer = service.post("psychmed-patient-view", orjson.dumps(request(patient, chart))).json()
        evaluation = answer["extension"]["org.psychmed.evaluation"]
        found = audited[patient]
        assert found["findings"] == sorted(_canonical(f) for f in evaluation["findings"]), name
        assert found["evaluated"] == evaluation["evaluated"], name
        assert sorted(found["not_evaluated"]) == [[n["spec"], n["reason"]] for n in evaluation["not_evaluated"]], name


def _canonical(finding: Any) -> str:
    return orjson.dumps(finding, option=orjson.OPT_SORT_KEYS).decode()
