"""Reads from a FHIR server by others: @medplum/fhir-router answers, behind HTTP, paging and `_include` of our own.

What is ours is said in `medplum/server.mjs`. Set up once with `npm ci --prefix tests/hooks/medplum` (Node 20).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from hooks.discovery import PREFETCH
from tests.conftest import missing
from tests.hooks.invariants import EVALUATION, check_response
from tests.hooks.service import RunningService, running

FOLDER = Path(__file__).parent / "medplum"
TOKEN = "token-of-this-test"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def of_patient(resource_type: str, own: str, patient: str = "p1", **fields: Any) -> dict[str, Any]:
    return {"resourceType": resource_type, "id": own, "subject": {"reference": f"Patient/{patient}"}, **fields}


def order(own: str, reference: str, patient: str = "p1", **fields: Any) -> dict[str, Any]:
    made = of_patient("MedicationRequest", own, patient, status="active", intent="order", authoredOn="2025-08-14")
    return made | {
        "medicationReference": {"reference": reference},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            }
        ],
        "dispenseRequest": {"numberOfRepeatsAllowed": 11, "expectedSupplyDuration": {"value": 30, "code": "d"}},
        **fields,
    }


def medication(own: str, code: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": own, "code": {"coding": [{"system": RXNORM, "code": code}]}}


# Four pages of three orders; sertraline stands on the last, and another patient's between.
HELD: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05"},
    {"resourceType": "Patient", "id": "p2", "birthDate": "1990-05-05"},
    *(order(f"o{n}", "Medication/metformin", status="completed") for n in range(9)),
    order("theirs", "Medication/sertraline", "p2"),
    order("s1", "Medication/sertraline"),
    medication("sertraline", "312941"),
    medication("metformin", "861007"),
    medication("escitalopram", "349332"),
    of_patient("Condition", "c1", code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]}),
    of_patient(
        "Encounter",
        "e1",
        status="finished",
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
        period={"start": "2025-08-14T10:00:00Z", "end": "2025-08-14T10:30:00Z"},
    ),
    of_patient(
        "Observation",
        "q1",
        status="final",
        code={"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        valueInteger=14,
        effectiveDateTime="2025-08-14",
    ),
    of_patient(
        "Observation", "bp", status="final", code={"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}
    ),
]


@dataclass
class Site:
    """The service and the foreign server that it may read."""

    service: RunningService
    fhir: str

    def asked(self) -> list[str]:
        """Addresses below the base since the last question, in order."""
        found: list[str] = requests.get(f"{self.fhir.removesuffix('/fhir')}/asked", timeout=5).json()
        return found

    def ask(self, token: str = TOKEN, **prefetch: Any) -> dict[str, Any]:
        """order-sign of escitalopram, known by reference only."""
        request = {
            "hook": "order-sign",
            "hookInstance": "x",
            "context": {
                "userId": "Practitioner/u1",
                "patientId": "p1",
                "draftOrders": {
                    "resourceType": "Bundle",
                    "entry": [{"resource": order("d1", "Medication/escitalopram", status="draft")}],
                },
            },
            "prefetch": prefetch,
            "fhirServer": self.fhir,
            "fhirAuthorization": {"access_token": token, "token_type": "Bearer", "scope": "user/*.read"},
        }
        response = self.service.post("psychmed-order-sign", request)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        check_response(answer, drafts=["MedicationRequest/d1"])
        return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "@medplum" / "fhir-router").is_dir():
        missing("needs Node 20 and `npm ci --prefix tests/hooks/medplum`")
    assert node is not None
    held = tmp_path_factory.mktemp("medplum") / "held.json"
    held.write_text(json.dumps(HELD), encoding="utf-8")
    with subprocess.Popen(
        [node, "server.mjs", str(held), "3", TOKEN],
        cwd=FOLDER,
        stdin=subprocess.PIPE,  # closed by the `with` block: the server then ends
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdecimal(), "the foreign server did not start"
        servers = [{"host": f"127.0.0.1:{port}", "plain_http": True, "private": True}]
        with running(PSYCHMED_FHIR=json.dumps({"servers": servers, "deadline_ms": 5000})) as service:
            yield Site(service, f"http://127.0.0.1:{port}/fhir")


def test_everything_is_read_from_a_foreign_server_and_the_rules_find_it(site: Site) -> None:
    before = len(site.asked())
    answer = site.ask()
    evaluation = answer["extension"][EVALUATION]
    assert "A-02" in [finding["spec"] for finding in evaluation["findings"]]
    assert evaluation["medications"]["identified"] == 2, "sertraline and the draft; metformin is of no class here"
    assert evaluation["medications"]["unidentified"] == 0
    assert evaluation["bad_resources"] == []
    assert evaluation["ignored_resources"] == {}, "the server answered with this patient's records only"
    asked = site.asked()[before:]
    assert asked.count("MedicationRequest") == 4, "ten orders in pages of three"
    assert sorted(a for a in asked if a.startswith("Medication/")) == [
        "Medication/escitalopram",
        "Medication/metformin",
        "Medication/sertraline",
    ]
    assert {a for a in asked if "/" not in a} == {kind for kind, _ in PREFETCH.values()} - {"Patient"}


def test_the_answer_is_that_of_a_full_prefetch(site: Site) -> None:
    def bundle(resource_type: str) -> dict[str, Any]:
        mine = [r for r in HELD if r["resourceType"] == resource_type and r["id"] not in ("theirs", "bp")]
        return {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in mine]}

    prefetch: dict[str, Any] = {key: bundle(kind) for key, (kind, _) in PREFETCH.items() if kind != "Patient"}
    prefetch |= {"patient": HELD[0], "item1": bundle("Medication")}
    assert site.ask()["extension"] == site.ask(**prefetch)["extension"]


def test_a_prefetched_first_page_with_its_medicines_is_read_on_with_them(site: Site) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{site.fhir}/MedicationRequest?patient=p1&_include=MedicationRequest:medication"
    page = requests.get(url, headers=headers, timeout=5).json()
    others = dict.fromkeys(PREFETCH) | {"patient": HELD[0], "medication_requests": page}
    before = len(site.asked())
    evaluation = site.ask(**others)["extension"][EVALUATION]
    assert "A-02" in [finding["spec"] for finding in evaluation["findings"]]
    assert sorted(site.asked()[before:]) == ["Medication/escitalopram", *["MedicationRequest"] * 3]


def test_a_token_that_the_foreign_server_refuses_is_told(site: Site) -> None:
    others = {key: None for key in PREFETCH if key != "medication_requests"} | {"patient": HELD[0]}
    evaluation = site.ask(token="another", **others)["extension"][EVALUATION]
    assert {"spec": "A-02", "reason": "medication history: search failed"} in evaluation["not_evaluated"]
