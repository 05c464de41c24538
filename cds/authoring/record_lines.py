"""Case lines of everything but medicines: patient, visits, bookings, conditions, results, memory, failed searches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cds.authoring.medicine_lines import medication
from cds.authoring.writing import ENCOUNTER, ICD10, KEYS, PATIENT, UCUM, Body, NotationError, Resource, Written

_DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_SCALES = {"phq9": "44261-6", "phq9-item9": "44260-8", "cssrs": "93373-9"}


def patient(w: Written, _ident: str, body: Body) -> None:
    resource: Resource = {"resourceType": "Patient", "id": PATIENT}
    if "age" in body:
        # A birthday 100 days ago: the age is the same on every nearby day.
        born = w.today - dt.timedelta(days=100)
        resource["birthDate"] = dt.date(born.year - int(body["age"]), born.month, min(born.day, 28)).isoformat()
    if "birth" in body:
        resource["birthDate"] = str(body["birth"])
    if "gender" in body:
        resource["gender"] = str(body["gender"])
    if body.get("deceased"):
        resource["deceasedBoolean"] = True
    w.charted = [r for r in w.charted if r["resourceType"] != "Patient"]
    w.charted.append(resource)


def visit(w: Written, ident: str, body: Body) -> None:
    resource: Resource = {
        "resourceType": "Encounter",
        "id": ENCOUNTER if body.get("this") else ident,
        "status": str(body.get("status", "finished")),
        "subject": {"reference": f"Patient/{PATIENT}"},
        "period": {"start": w.date(body["date"])},
    }
    if body.get("class", "AMB") != "none":
        resource["class"] = {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": str(body.get("class", "AMB")),
        }
    if resource["status"] == "finished":
        resource["period"]["end"] = w.date(body.get("end", body["date"]))
    if "by" in body:
        resource["participant"] = [{"individual": {"reference": str(body["by"])}}]
    if "diagnosis" in body:
        resource["reasonCode"] = [{"coding": [{"system": ICD10, "code": str(body["diagnosis"])}]}]
    if "service" in body:
        resource["serviceType"] = {"text": str(body["service"])}
    if "cpt" in body:
        resource["type"] = [{"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": str(body["cpt"])}]}]
    if body.get("disposition") == "hospice":
        resource["hospitalization"] = {
            "dischargeDisposition": {"coding": [{"system": "http://snomed.info/sct", "code": "428361000124107"}]}
        }
    elif "disposition" in body:
        coding = {"system": _DISPOSITION, "code": str(body["disposition"])}
        resource["hospitalization"] = {"dischargeDisposition": {"coding": [coding]}}
    w.charted.append(resource)


def booking(w: Written, ident: str, body: Body) -> None:
    resource: Resource = {
        "resourceType": "Appointment",
        "id": ident,
        "status": str(body.get("status", "booked")),
        "participant": [{"actor": {"reference": f"Patient/{PATIENT}"}, "status": "accepted"}],
    }
    if "date" in body:
        resource["start"] = w.date(body["date"]) + "T10:00:00Z"
    if "created" in body:
        resource["created"] = w.date(body["created"])
    if "service" in body:
        resource["serviceType"] = [{"text": str(body["service"])}]
    w.charted.append(resource)


def follow_up_request(w: Written, ident: str, body: Body) -> None:
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "id": ident,
        "status": "active",
        "intent": "order",
        "code": {"text": "Follow-up visit"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "encounter": {"reference": f"Encounter/{ENCOUNTER}"},
    }
    if "date" in body:
        resource["occurrenceDateTime"] = w.date(body["date"])
    w.charted.append(resource)


def condition(w: Written, ident: str, body: Body) -> None:
    resource: Resource = {
        "resourceType": "Condition",
        "id": ident,
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": str(body.get("status", "active")),
                }
            ]
        },
        "verificationStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                    "code": str(body.get("verification", "confirmed")),
                }
            ]
        },
        "code": {"coding": [{"system": ICD10, "code": str(body["code"])}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    if "onset" in body:
        resource["onsetDateTime"] = w.date(body["onset"])
    if "recorded" in body:
        resource["recordedDate"] = w.date(body["recorded"])
    w.charted.append(resource)


def result(w: Written, ident: str, body: Body) -> None:
    w.charted.append(
        {
            "resourceType": "Observation",
            "id": ident,
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": _SCALES[str(body["scale"])]}]},
            "subject": {"reference": f"Patient/{PATIENT}"},
            "effectiveDateTime": w.date(body["date"]),
            "valueQuantity": {"value": body["value"], "unit": "{score}", "system": UCUM, "code": "{score}"},
        }
    )


def allergy(w: Written, ident: str, body: Body) -> None:
    concept, _ = medication(str(body["drug"]))
    w.charted.append(
        {
            "resourceType": "AllergyIntolerance",
            "id": ident,
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": str(body.get("verification", "confirmed"))}]},
            "code": concept,
            "patient": {"reference": f"Patient/{PATIENT}"},
            "recordedDate": w.date(body.get("date", "+0d")),
        }
    )


def remembered(kind: str) -> Callable[[Written, str, Body], None]:
    """`shown s: {rule: B-02, key: ZDRUG, date: -100d}`; `override o: {rule, key, reason, date}`."""

    def write(w: Written, _ident: str, body: Body) -> None:
        entry = {"spec": str(body["rule"]), "key": str(body.get("key", "")), "kind": kind, "date": w.date(body["date"])}
        w.memory.append(entry | ({"reason": str(body["reason"])} if "reason" in body else {}))

    return write


def raw(w: Written, _ident: str, body: Body) -> None:
    """A FHIR resource as it stands; `@-28d` in its texts becomes a date."""
    w.charted.append(_relative_dates(w, body))


def _relative_dates(w: Written, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _relative_dates(w, v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_relative_dates(w, v) for v in value]
    if isinstance(value, float):
        return float(value)  # ruamel's own kind of float is not JSON
    return w.date(value[1:]) if isinstance(value, str) and value.startswith("@") else value


def unavailable(state: str) -> Callable[[Written, str, Any], None]:
    def write(w: Written, _ident: str, body: Any) -> None:
        for resource_type in body:
            if resource_type not in KEYS:
                raise NotationError(f'"{resource_type}" is not searched (one of {", ".join(KEYS)})')
            w.unavailable[str(resource_type)] = state

    return write
