"""A synthetic patient as published, with a duplicate SSRI draft laid over the chart, through the service."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

from tests.hooks.invariants import check_response
from tests.hooks.service import running

SERTRALINE = {"312938", "312940", "312941"}  # RxNorm: sertraline 100, 25, 50 MG Oral Tablet
SSRI = SERTRALINE | {"310384", "310385", "200371", "309314", "349332", "351250", "314111", "312242", "312244"}


def load(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.ndjson.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def patient_of(resource: dict[str, Any]) -> str:
    named = resource.get("subject") or resource.get("patient") or {}
    return str(named.get("reference", "")).rpartition("/")[2].rpartition(":")[2]


def codes(order: dict[str, Any]) -> set[str]:
    return {c.get("code", "") for c in order.get("medicationCodeableConcept", {}).get("coding", [])}


def test_a_second_ssri_for_a_synthetic_patient_brings_the_card(shared_data: Path) -> None:
    folder = shared_data / "fhir" / "pysynthea_60"
    orders = load(folder, "MedicationRequest")
    on_ssri = sorted((o for o in orders if codes(o) & SSRI and o["status"] == "active"), key=lambda o: o["authoredOn"])
    assert on_ssri, "no patient of the set takes an SSRI"
    order = on_ssri[-1]
    patient = patient_of(order)
    today = dt.date.fromisoformat(order["authoredOn"][:10]) + dt.timedelta(days=60)

    empty: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}

    def searched(name: str) -> dict[str, Any]:
        found = [r for r in load(folder, name) if patient_of(r) == patient]
        return {**empty, "total": len(found), "entry": [{"resource": r} for r in found]}

    other = (
        ("312941", "sertraline 50 MG Oral Tablet")
        if not codes(order) & SERTRALINE
        else ("349332", "escitalopram 10 MG Oral Tablet")
    )
    draft = {
        "resourceType": "MedicationRequest",
        "id": "laid-over",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": other[0], "display": other[1]}]
        },
        "subject": {"reference": f"Patient/{patient}"},
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 2,
            "expectedSupplyDuration": {"value": 30, "unit": "d", "code": "d"},
        },
    }
    request = {
        "hook": "order-sign",
        "hookInstance": "00000000-0000-4000-8000-000000000001",
        "context": {
            "userId": "Practitioner/p",
            "patientId": patient,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]},
        },
        "prefetch": {
            "patient": next(p for p in load(folder, "Patient") if p["id"] == patient),
            "medication_requests": searched("MedicationRequest"),
            "medication_dispenses": empty,
            "medication_statements": empty,
            "medication_administrations": searched("MedicationAdministration"),
            "conditions": searched("Condition"),
            "encounters": searched("Encounter"),
            "service_requests": empty,
            "allergies": searched("AllergyIntolerance"),
            "observations": searched("Observation"),
            "appointments": empty,
        },
    }
    with running(PSYCHMED_TODAY=today.isoformat(), PSYCHMED_TIME_ZONE="America/New_York") as service:
        answer = service.post("psychmed-order-sign", request)
    assert answer.status_code == 200
    body = answer.json()
    check_response(body, drafts=["MedicationRequest/laid-over"])
    evaluation = body["extension"]["org.psychmed.evaluation"]
    pairs = [f for f in evaluation["findings"] if f["spec"] == "A-02"]
    # One finding for each other SSRI that the patient takes, and the newest order is among their evidence.
    assert pairs, evaluation
    assert all("MedicationRequest/laid-over" in f["evidence"] for f in pairs)
    assert any(f"MedicationRequest/{order['id']}" in f["evidence"] for f in pairs)
    assert body["cards"], "nothing is shown"
    assert evaluation["bad_resources"] == []
