"""Charts of a given size for the benchmarks: an order-sign request with a realistic mix of resources."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from cds.authoring.notation import PATIENT, Writer

TODAY = dt.date(2026, 3, 2)


def request_of(resources: int) -> bytes:
    """An order-sign request whose prefetch holds about this many resources, most of which no rule needs."""
    writer = Writer(TODAY)
    writer.line("patient", {"age": 45})
    writer.line("condition mdd", {"code": "F33.1", "onset": "-300d"})
    writer.line("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-200d", "days": "30d", "refills": 11})
    writer.line(
        "fills s",
        {"drug": "sertraline 50", "take": 1, "from": "-200d", "days_supply": "30d", "fills": 6, "order": "s1"},
    )
    writer.line(
        "fills l", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "from": "-60d", "days_supply": "20d", "fills": 3}
    )
    for n in range(6):
        writer.line(f"visit v{n}", {"date": f"-{30 * n + 1}d"})
    for resource in list(filling(resources - len(writer.charted))):
        writer.charted.append(resource)
    writer.line("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d", "refills": 2})
    return json.dumps(writer.request("order-sign")).encode()


LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
# Of ten resources: five results, two visits, one resolved problem, one somatic order, one result.
MIX = (0, 0, 0, 0, 0, 1, 1, 2, 3, 0)


def coded(system: str, code: str, display: str | None = None) -> dict[str, Any]:
    """A CodeableConcept as servers send it."""
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": display} if display else {})


def filling(n: int) -> Iterator[dict[str, Any]]:
    """The rest of a chart: results, somatic orders, problems, visits."""
    subject = {"reference": f"Patient/{PATIENT}"}
    for i in range(max(0, n)):
        day = (TODAY - dt.timedelta(days=i % 700)).isoformat()
        common = {"id": f"r{i}", "subject": subject, "meta": {"lastUpdated": f"{day}T10:00:00Z", "versionId": "1"}}
        yield (_result, _visit, _problem, _somatic_order)[MIX[i % 10]](common, day)


def _result(common: dict[str, Any], day: str) -> dict[str, Any]:
    unit = {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    return {
        "resourceType": "Observation",
        **common,
        "status": "final",
        "category": [coded(f"{TERMINOLOGY}/observation-category", "laboratory")],
        "code": coded(LOINC, "2345-7", "Glucose [Mass/volume] in Serum or Plasma"),
        "effectiveDateTime": f"{day}T09:30:00-05:00",
        "valueQuantity": {"value": 97, **unit},
        "referenceRange": [{"low": {"value": 70, **unit}, "high": {"value": 99, **unit}}],
    }


def _visit(common: dict[str, Any], day: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        **common,
        "status": "finished",
        "class": {"system": f"{TERMINOLOGY}/v3-ActCode", "code": "AMB"},
        "type": [coded(SNOMED, "185345009", "Encounter for symptom")],
        "participant": [{"individual": {"reference": "Practitioner/p1", "display": "Dr. Example"}}],
        "period": {"start": f"{day}T09:00:00-05:00", "end": f"{day}T09:30:00-05:00"},
        "serviceProvider": {"reference": "Organization/o1"},
    }


def _problem(common: dict[str, Any], day: str) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        **common,
        "clinicalStatus": coded(f"{TERMINOLOGY}/condition-clinical", "resolved"),
        "verificationStatus": coded(f"{TERMINOLOGY}/condition-ver-status", "confirmed"),
        "code": coded(SNOMED, "444814009", "Viral sinusitis (disorder)"),
        "onsetDateTime": f"{day}T09:30:00-05:00",
        "recordedDate": f"{day}T09:30:00-05:00",
    }


def _somatic_order(common: dict[str, Any], day: str) -> dict[str, Any]:
    repeat = {"frequency": 1, "period": 1.0, "periodUnit": "d"}
    return {
        "resourceType": "MedicationRequest",
        **common,
        "status": "stopped",
        "intent": "order",
        "medicationCodeableConcept": coded(RXNORM, "314076", "lisinopril 10 MG Oral Tablet"),
        "authoredOn": f"{day}T09:30:00-05:00",
        "requester": {"reference": "Practitioner/p1"},
        "dosageInstruction": [
            {
                "sequence": 1,
                "timing": {"repeat": repeat},
                "asNeededBoolean": False,
                "doseAndRate": [{"doseQuantity": {"value": 1.0}}],
            }
        ],
    }
