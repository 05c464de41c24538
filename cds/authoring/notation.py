"""Case notation to FHIR: a patient in a few readable lines becomes the hook request an EHR would send.

Every line is `<kind> <id>: {...}`; dates are relative to the case's today (`-28d`, `+0d`), lengths are `28d` or `4wk`.
What comes out is plain R4 JSON, so that a case goes through each door as real traffic does.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from cds.errors import RuleError
from cds.rules.source import read_source
from cds.shipped import shipped

PATIENT = "case-patient"
ENCOUNTER = "case-encounter"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
_DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_RELATIVE = re.compile(r"^([+-])(\d+)d$")
_LENGTH = re.compile(r"^(\d+) ?(d|wk)$")
# Prefetch key of the service by resource type.
KEYS = {
    "Patient": "patient",
    "MedicationRequest": "medication_requests",
    "MedicationDispense": "medication_dispenses",
    "MedicationStatement": "medication_statements",
    "MedicationAdministration": "medication_administrations",
    "Condition": "conditions",
    "Encounter": "encounters",
    "ServiceRequest": "service_requests",
    "AllergyIntolerance": "allergies",
    "Observation": "observations",
    "Appointment": "appointments",
    "Task": "tasks",
}
_UNIT_CODES = {"tablet": "{tbl}", "capsule": "{capsule}", "spray": "{spray}"}
_SCALES = {"phq9": "44261-6", "phq9-item9": "44260-8", "cssrs": "93373-9"}
Resource = dict[str, Any]
Body = Mapping[str, Any]


class NotationError(Exception):
    """A case line that cannot be read: what, and what to write."""


@cache
def _drugs() -> dict[str, tuple[int, str, str]]:
    data = read_source(shipped("fixtures/drugs.yaml")).data
    return {str(name): (int(row[0]), str(row[1]), str(row[2])) for name, row in data.items()}


class Writer:
    """Writes the resources of one case. today: what `-28d` counts from."""

    def __init__(self, today: dt.date) -> None:
        self.today = today
        self.charted: list[Resource] = []
        self.drafts: list[Resource] = []
        self.unavailable: dict[str, str] = {}
        self.memory: list[Resource] = []

    def line(self, name: str, body: Any) -> None:
        """Add one line. name: "<kind> <id>"."""
        kind, _, ident = name.partition(" ")
        writer = _KINDS.get(kind)
        if writer is None:
            raise NotationError(f'there is no line "{kind}" (one of {", ".join(sorted(_KINDS))})')
        try:
            writer(self, ident or kind, body)
        except KeyError as error:
            raise NotationError(f'"{name}" lacks {error}') from None

    def date(self, text: Any) -> str:
        """`-28d` or an ISO date, as ISO."""
        match = _RELATIVE.match(str(text))
        if match is None:
            return str(text)
        days = int(match[2]) * (1 if match[1] == "+" else -1)
        return (self.today + dt.timedelta(days=days)).isoformat()

    def shifted(self, text: Any, days: int) -> str:
        return (dt.date.fromisoformat(self.date(text)) + dt.timedelta(days=days)).isoformat()

    def request(self, hook: str) -> Resource:
        """The hook request: context with the drafts, prefetch with everything that was searched."""
        found: dict[str, list[Resource]] = {}
        for resource in self.charted:
            found.setdefault(resource["resourceType"], []).append(resource)
        prefetch: Resource = {}
        for resource_type, key in KEYS.items():
            state = self.unavailable.get(resource_type, "complete")
            if state == "absent":
                continue
            if state == "failed":
                prefetch[key] = {
                    "resourceType": "OperationOutcome",
                    "issue": [{"severity": "error", "code": "exception"}],
                }
            elif resource_type == "Patient":
                prefetch[key] = next(iter(found.get("Patient", [])), None)
            else:
                entries = [{"resource": r} for r in found.pop(resource_type, [])]
                prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
        if others := [r for t, rs in found.items() for r in rs if t not in KEYS]:
            prefetch["others"] = {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": r} for r in others],
            }
        context: Resource = {"userId": "Practitioner/case-user", "patientId": PATIENT, "encounterId": ENCOUNTER}
        if hook in {"order-sign", "order-select"}:
            context["draftOrders"] = {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": d} for d in self.drafts],
            }
        if hook == "order-select":
            context["selections"] = [f"{d['resourceType']}/{d['id']}" for d in self.drafts]
        request = {
            "hook": hook,
            "hookInstance": "00000000-0000-4000-8000-000000000000",
            "context": context,
            "prefetch": prefetch,
        }
        return request | ({"extension": {"org.psychmed.memory": self.memory}} if self.memory else {})


def days(text: Any) -> int:
    """`28d`, `28 d`, `4 wk` or a plain number, in days."""
    match = _LENGTH.match(str(text))
    if match is None:
        if str(text).isdigit():
            return int(text)
        raise NotationError(f'"{text}" is not a length (write 28d or 4wk)')
    return int(match[1]) * (7 if match[2] == "wk" else 1)


def _medication(name: str) -> tuple[Resource, str]:
    """(CodeableConcept, unit of a dose); a name that is not in the drug list stays text only."""
    known = _drugs().get(name)
    if known is None:
        if name.startswith("text:"):
            return {"text": name.removeprefix("text:").strip()}, "tablet"
        raise NotationError(f'there is no drug "{name}" in fixtures/drugs.yaml (write "text: ..." for free text)')
    code, display, unit = known
    return {"coding": [{"system": RXNORM, "code": str(code), "display": display}]}, unit


def _dosage(w: Writer, body: Body, unit: str) -> list[Resource]:
    """`take: 1, times: 2 (or none), per: 1d, prn: true` or `steps: [{take, times, from, to}]`. No take: unknown."""
    if "steps" in body:
        lines = [_dosage(w, {**step, "prn": body.get("prn", False)}, unit)[0] for step in body["steps"]]
        return [{**line, "sequence": n + 1} for n, line in enumerate(lines)]
    if "take" not in body:
        return []
    repeat: Resource = {}
    if body.get("times", 1) != "none":
        repeat = {"frequency": int(body.get("times", 1)), "period": days(body.get("per", "1d")), "periodUnit": "d"}
    bounds = {k: w.date(body[name]) for k, name in (("start", "from"), ("end", "to")) if name in body}
    if bounds:
        repeat["boundsPeriod"] = bounds
    quantity = {
        "value": float(body["take"]),
        "unit": unit,
        "system": UCUM,
        "code": _UNIT_CODES.get(unit, unit),
    }
    line: Resource = {"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": quantity}]}
    if "prn" in body:
        line["asNeededBoolean"] = bool(body["prn"])
    return [line]


def _order(w: Writer, ident: str, body: Body, *, draft: bool) -> Resource:
    concept, unit = _medication(str(body["drug"]))
    category = body.get("category", "community")
    dosage = _dosage(w, body, unit)
    if "end" in body:
        if not dosage:
            dosage = [{"timing": {"repeat": {}}}]
        for line in dosage:
            line["timing"]["repeat"].setdefault("boundsPeriod", {})["end"] = w.date(body["end"])
    dispense: Resource = {}
    if "days" in body:
        dispense["expectedSupplyDuration"] = {"value": days(body["days"]), "unit": "d", "system": UCUM, "code": "d"}
    if "quantity" in body:
        dispense["quantity"] = {"value": float(body["quantity"]), "unit": unit}
    if "refills" in body:
        dispense["numberOfRepeatsAllowed"] = int(body["refills"])
    if "valid_from" in body:
        dispense["validityPeriod"] = {"start": w.date(body["valid_from"])}
    resource: Resource = {
        "resourceType": "MedicationRequest",
        "id": ident,
        "status": str(body.get("status", "draft" if draft else "active")),
        "intent": str(body.get("intent", "order")),
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category", "code": category}
                ]
            }
        ],
        "medicationCodeableConcept": concept,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "authoredOn": w.date(body.get("authored", "+0d")),
        "requester": {"reference": f"Practitioner/{body.get('requester', 'case-user')}"},
    }
    if category == "discharge" or "encounter" in body:
        resource["encounter"] = {"reference": f"Encounter/{body.get('encounter', ENCOUNTER)}"}
    if dosage:
        resource["dosageInstruction"] = dosage
    if dispense:
        resource["dispenseRequest"] = dispense
    if "replaces" in body:
        resource["priorPrescription"] = {"reference": f"MedicationRequest/{body['replaces']}"}
    if "reason" in body:
        resource["reasonCode"] = [{"coding": [{"system": ICD10, "code": str(body["reason"])}]}]
    if "status_reason" in body:
        resource["statusReason"] = {"text": str(body["status_reason"])}
    if "priority" in body:
        resource["priority"] = str(body["priority"])
    if "updated" in body:
        resource["meta"] = {"lastUpdated": w.date(body["updated"]) + "T12:00:00Z"}
    return resource


def _charted_order(w: Writer, ident: str, body: Body) -> None:
    w.charted.append(_order(w, ident, body, draft=False))


def _draft(w: Writer, ident: str, body: Body) -> None:
    w.drafts.append(_order(w, ident, body, draft=True))


def _stop(w: Writer, _ident: str, body: Body) -> None:
    """`stop x: {order: o1}`: the same call ends a charted order."""
    charted = next((r for r in w.charted if r["id"] == body["order"]), None)
    if charted is None:
        raise NotationError(f'stop names the order "{body["order"]}", which stands nowhere above')
    stopped = {**charted, "status": "stopped"}
    if "status_reason" in body:
        stopped["statusReason"] = {"text": str(body["status_reason"])}
    w.drafts.append(stopped)


def _fills(w: Writer, ident: str, body: Body) -> None:
    """`fills l: {drug, from: -84d, every: 28d, times: 3, days_supply: 28, take, order}`."""
    concept, unit = _medication(str(body["drug"]))
    step, length = days(body.get("every", body["days_supply"])), days(body["days_supply"])
    for n in range(int(body.get("fills", 1))):
        resource: Resource = {
            "resourceType": "MedicationDispense",
            "id": f"{ident}-{n + 1}",
            "status": str(body.get("status", "completed")),
            "medicationCodeableConcept": concept,
            "subject": {"reference": f"Patient/{PATIENT}"},
            "whenHandedOver": w.shifted(body["from"], n * step),
            "daysSupply": {"value": length, "unit": "d", "system": UCUM, "code": "d"},
        }
        if "quantity" in body:
            resource["quantity"] = {"value": float(body["quantity"]), "unit": unit}
        if dosage := _dosage(w, body, unit):
            resource["dosageInstruction"] = dosage
        if "order" in body:
            resource["authorizingPrescription"] = [{"reference": f"MedicationRequest/{body['order']}"}]
        w.charted.append(resource)


def _statement(w: Writer, ident: str, body: Body) -> None:
    concept, unit = _medication(str(body["drug"]))
    period = {k: w.date(body[name]) for k, name in (("start", "from"), ("end", "to")) if name in body}
    resource: Resource = {
        "resourceType": "MedicationStatement",
        "id": ident,
        "status": str(body.get("status", "active")),
        "medicationCodeableConcept": concept,
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    if period:
        resource["effectivePeriod"] = period
    if dosage := _dosage(w, body, unit):
        resource["dosage"] = dosage
    w.charted.append(resource)


def _patient(w: Writer, _ident: str, body: Body) -> None:
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


def _visit(w: Writer, ident: str, body: Body) -> None:
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


def _booking(w: Writer, ident: str, body: Body) -> None:
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


def _follow_up_request(w: Writer, ident: str, body: Body) -> None:
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


def _condition(w: Writer, ident: str, body: Body) -> None:
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


def _result(w: Writer, ident: str, body: Body) -> None:
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


def _allergy(w: Writer, ident: str, body: Body) -> None:
    concept, _ = _medication(str(body["drug"]))
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


def _remembered(kind: str) -> Callable[[Writer, str, Body], None]:
    """`shown s: {rule: B-02, key: ZDRUG, date: -100d}`; `override o: {rule, key, reason, date}`."""

    def write(w: Writer, _ident: str, body: Body) -> None:
        entry = {"spec": str(body["rule"]), "key": str(body.get("key", "")), "kind": kind, "date": w.date(body["date"])}
        w.memory.append(entry | ({"reason": str(body["reason"])} if "reason" in body else {}))

    return write


def _raw(w: Writer, _ident: str, body: Body) -> None:
    """A FHIR resource as it stands; `@-28d` in its texts becomes a date."""
    w.charted.append(_relative_dates(w, body))


def _relative_dates(w: Writer, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _relative_dates(w, v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_relative_dates(w, v) for v in value]
    if isinstance(value, float):
        return float(value)  # ruamel's own kind of float is not JSON
    return w.date(value[1:]) if isinstance(value, str) and value.startswith("@") else value


def _unavailable(state: str) -> Callable[[Writer, str, Any], None]:
    def write(w: Writer, _ident: str, body: Any) -> None:
        for resource_type in body:
            if resource_type not in KEYS:
                raise NotationError(f'"{resource_type}" is not searched (one of {", ".join(KEYS)})')
            w.unavailable[str(resource_type)] = state

    return write


_KINDS: dict[str, Callable[[Writer, str, Any], None]] = {
    "patient": _patient,
    "order": _charted_order,
    "draft": _draft,
    "stop": _stop,
    "fills": _fills,
    "statement": _statement,
    "visit": _visit,
    "booking": _booking,
    "follow_up_request": _follow_up_request,
    "condition": _condition,
    "result": _result,
    "allergy": _allergy,
    "shown": _remembered("shown"),
    "override": _remembered("override"),
    "fhir": _raw,
    "failed": _unavailable("failed"),
    "absent": _unavailable("absent"),
}
__all__ = ["ENCOUNTER", "PATIENT", "NotationError", "RuleError", "Writer", "days"]
