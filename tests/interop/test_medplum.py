"""@medplum/core, a CDS client that others wrote, discovers the service, reads our prefetch, and calls three hooks."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.discovery import PREFETCH, discovery_document
from tests.hooks.invariants import check_response
from tests.hooks.service import RunningService
from tests.interop.conftest import INTEROP, without_ids
from tests.interop.fhir_server import serving

HERE = Path(__file__).parent
USER = {"resourceType": "Practitioner", "id": "u1"}


def resources(value: Any) -> Iterator[dict[str, Any]]:
    """The resources of a prefetch, out of their Bundles."""
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        for entry in value.get("entry", []):
            yield from resources(entry["resource"])
    elif isinstance(value, dict) and "resourceType" in value:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from resources(inner)


@pytest.fixture(scope="module")
def heard(
    cds: RunningService, node: str, scenes: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the client saw: the services, and of each of three hooks its request, our answer and what it read."""
    select = copy.deepcopy(scenes["duplicate_ssri.json"])
    select["hook"] = "order-select"
    draft = select["context"]["draftOrders"]["entry"][0]["resource"]
    select["context"]["selections"] = [f"{draft['resourceType']}/{draft['id']}"]
    chosen = [scenes["start_without_follow_up.json"], select, scenes["duplicate_ssri.json"]]
    questions = [{"service": f"psychmed-{r['hook']}", "user": USER, "context": r["context"]} for r in chosen]
    # Two scenes have one patient's id each; what the server holds of all of them is searched by patient.
    assert len({r["context"]["patientId"] for r in chosen}) == 2
    charts = {(r["resourceType"], r["id"]): r for request in chosen for r in resources(request["prefetch"])}
    file = tmp_path_factory.mktemp("medplum") / "questions.json"
    file.write_text(json.dumps(questions))
    with serving(list(charts.values())) as fhir:
        script = [node, str(HERE / "medplum_client.cjs"), str(INTEROP / "node")]
        command = [*script, f"{cds.url}/cds-services", fhir.url, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        told["read"] = fhir.asked
    return told


def test_discovery_reaches_the_client_whole(heard: dict[str, Any]) -> None:
    assert {"services": heard["services"]} == discovery_document()


def test_the_client_understands_every_prefetch_template(heard: dict[str, Any]) -> None:
    for said in heard["asked"]:
        assert set(said["request"]["prefetch"]) <= set(PREFETCH)
        assert said["request"]["prefetch"]["patient"]["resourceType"] == "Patient"
        assert None not in said["request"]["prefetch"].values()
    assert not [path for path in heard["read"] if "{{" in path or "%7B" in path]
    assert len([path for path in heard["read"] if path.startswith("/fhir/MedicationRequest?")]) == 3


def test_three_hooks_are_answered_with_the_cards_they_should_bring(heard: dict[str, Any]) -> None:
    answers = [said["answer"] for said in heard["asked"]]
    specs = [[c["extension"]["org.psychmed.finding"]["spec"] for c in answer["cards"]] for answer in answers]
    assert [said["request"]["hook"] for said in heard["asked"]] == ["patient-view", "order-select", "order-sign"]
    assert "D-01" in specs[0]
    assert "A-02" in specs[2]
    drafts = heard["asked"][2]["request"]["context"]["draftOrders"]["entry"]
    for answer in answers:
        check_response(answer, drafts={f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in drafts})


def test_the_client_is_answered_as_anybody_who_sends_the_same(cds: RunningService, heard: dict[str, Any]) -> None:
    for said in heard["asked"]:
        direct = cds.post(f"psychmed-{said['request']['hook']}", said["request"])
        assert without_ids(direct.json()) == without_ids(said["answer"])
