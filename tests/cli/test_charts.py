"""Reading charts of files and folders: one of several, and what belongs to no patient in particular."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from cds.cli.charts import NotAChart, read_one, read_path


def resource(kind: str, own: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": own, **elements}


def export(folder: Path, *resources: dict[str, Any]) -> Path:
    """The resources as NDJSON, one file for each type."""
    for kind in {one["resourceType"] for one in resources}:
        lines = [orjson.dumps(one) for one in resources if one["resourceType"] == kind]
        (folder / f"{kind}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    return folder


TWO = (resource("Patient", "a"), resource("Patient", "b"))


def test_one_patient_of_a_folder_is_chosen_by_id(tmp_path: Path) -> None:
    folder = export(tmp_path, *TWO)
    for wanted in ("b", "Patient/b"):
        name, call = read_one(folder, hook=None, problems=[], patient=wanted)
        assert (name, call.patient_id) == ("b", "b")


def test_of_several_charts_one_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(NotAChart, match="several charts: name one with --patient ID"):
        read_one(export(tmp_path, *TWO), hook=None, problems=[])


def test_a_patient_who_is_not_there_is_said_without_repeating_the_id(tmp_path: Path) -> None:
    with pytest.raises(NotAChart, match="no chart of this patient") as raised:
        read_one(export(tmp_path, *TWO), hook=None, problems=[], patient="somebody")
    assert "somebody" not in str(raised.value)


def test_a_folder_of_one_patient_needs_no_name(tmp_path: Path) -> None:
    assert read_one(export(tmp_path, TWO[0]), hook=None, problems=[])[0] == "a"


def test_products_and_prescribers_of_an_export_reach_the_charts_that_name_them(tmp_path: Path) -> None:
    of_a = {"subject": {"reference": "Patient/a"}}
    folder = export(
        tmp_path,
        *TWO,
        resource(
            "MedicationRequest", "o", **of_a, medicationReference={"reference": "Medication/m"},
            requester={"reference": "Practitioner/p"},
        ),
        resource("Medication", "m", code={"text": "sertraline"}),
        resource("Medication", "other", code={"text": "lisinopril"}),
        resource("Practitioner", "p"),
        resource("PractitionerRole", "r", practitioner={"reference": "Practitioner/p"}),
        resource("PractitionerRole", "q", practitioner={"reference": "Practitioner/else"}),
    )  # fmt: skip
    problems: list[str] = []
    charts = {
        name: {f"{kind}/{record.id}" for kind, rows in call.reading.records.items() for record in rows}
        for name, call in read_path(folder, hook=None, problems=problems)
    }
    assert charts == {
        "a": {"Patient/a", "MedicationRequest/o", "Medication/m", "Practitioner/p", "PractitionerRole/r"},
        "b": {"Patient/b"},
    }
    assert problems == []
