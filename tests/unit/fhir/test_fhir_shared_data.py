"""Charts and requests made by others are read without a bad resource that is not explained here."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds.errors import HookRequestError
from cds.fhir.decode import Repaired, read_resource
from cds.fhir.reading import Reading
from cds.findings import BadResource

NOT_READ = {"CarePlan", "CareTeam"}


@pytest.mark.parametrize("folder", ["pysynthea_60", "smart_bulk_10", "smart_generated_r4_615"])
def test_every_resource_of_the_synthetic_charts_is_read_as_it_stands(folder: str, shared_data: Path) -> None:
    files = sorted((shared_data / "fhir" / folder).glob("*.ndjson.gz"))
    assert files
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for file in files:
        expected = "Ignored" if file.name.split(".")[0] in NOT_READ else file.name.split(".")[0]
        with gzip.open(file) as lines:
            for line in lines:
                found = read_resource(line, file.name)
                kinds[type(found).__name__] += 1
                if isinstance(found, BadResource):
                    reasons[f"{file.name}: {found.reason}"] += 1
                elif not isinstance(found, Repaired):
                    assert type(found).__name__ == expected
    assert reasons == {}
    assert kinds["Repaired"] == 0


def other_patients(tree: Any, patient: str, *, draft: bool) -> list[str]:
    """Ids of patients, and in drafts of subjects, that are not the patient of the request; found by plain walking."""
    if isinstance(tree, list):
        return [found for item in tree for found in other_patients(item, patient, draft=draft)]
    if not isinstance(tree, dict):
        return []
    named = [tree["id"]] if tree.get("resourceType") == "Patient" else []
    if draft and isinstance(tree.get("subject"), dict):
        named.append(tree["subject"].get("reference", patient))
    found = [name for name in named if name.split("/")[-1] != patient]
    return found + [other for value in tree.values() for other in other_patients(value, patient, draft=draft)]


def test_every_request_made_by_others_is_read_or_refused_for_its_patient(shared_data: Path) -> None:
    requests = [p for p in sorted((shared_data / "cds-hooks").rglob("*.json")) if "responses" not in p.parts]
    assert len(requests) > 100
    bad: Counter[str] = Counter()
    for path in requests:
        body = json.loads(path.read_bytes())
        context, prefetch = body.get("context") or {}, body.get("prefetch") or {}
        drafts = {name: context[name] for name in ("draftOrders", "medications") if name in context}
        reading = Reading(context.get("patientId"))
        refused = False
        try:
            for key, value in prefetch.items():
                reading.add(msgspec.json.encode(value), f"prefetch.{key}", source="prefetch")
            for key, value in drafts.items():
                reading.add(msgspec.json.encode(value), f"context.{key}", source="context")
        except HookRequestError:
            refused = True
        patient = str(context.get("patientId", "")).split("/")[-1]
        others = other_patients(prefetch, patient, draft=False) + other_patients(drafts, patient, draft=True)
        assert refused == bool(others and patient), path.name
        assert reading.records is not None
        bad.update(b.reason for b in reading.bad)
    assert bad == {}
