"""A patient's whole chart from FHIR resources as dicts, for tests of replay."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import orjson

from cds.dates import day_of
from cds.evaluate import HookCall
from cds.fhir.reading import Reading
from cds.replay.known import Past
from cds.replay.moment import Moment, moment_of

NEW_YORK = ZoneInfo("America/New_York")
SEARCHED = (
    "Patient", "MedicationRequest", "MedicationDispense", "MedicationStatement", "Condition", "Encounter",
    "Appointment", "Observation", "AllergyIntolerance", "ServiceRequest", "Task",
)  # fmt: skip
SERTRALINE = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "36437"}]}
LORAZEPAM = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "6470"}]}
LISINOPRIL = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "29046"}]}


def resource(kind: str, own: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": own, "subject": {"reference": "Patient/p"}, **elements}


def order(own: str, authored: str | None, *, drug: dict[str, Any] = SERTRALINE, **elements: Any) -> dict[str, Any]:
    dated = {} if authored is None else {"authoredOn": authored}
    body = {"status": "active", "intent": "order", "medicationCodeableConcept": drug, **dated, **elements}
    return resource("MedicationRequest", own, **body)


def past(*resources: dict[str, Any]) -> Past:
    reading = Reading("p")
    for one in ({"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01"}, *resources):
        reading.add(orjson.dumps(one), "chart", source="chart")
    assert reading.bad == []
    searches = dict.fromkeys(SEARCHED, "complete")
    return Past(HookCall("patient-view", "p", None, None, reading, searches), tz=NEW_YORK)  # type: ignore[arg-type]


def on(text: str) -> Moment:
    found = moment_of(text, NEW_YORK)
    assert found is not None
    assert found.day == day_of(text, NEW_YORK, partial="start")
    return found


def refs(call: HookCall) -> list[str]:
    """Every record of the chart but the patient."""
    return sorted(f"{kind}/{r.id}" for kind, rows in call.reading.records.items() for r in rows if kind != "Patient")


def statuses(call: HookCall, kind: str) -> dict[str, str | None]:
    return {str(r.id): getattr(r, "status", None) for r in call.reading.records.get(kind, [])}
