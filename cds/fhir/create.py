"""New resources for suggestions: complete, valid R4, never signed: drafts, proposals and requested tasks only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cds.errors import FactError
from cds.fhir.codes import LABORATORY_TESTS, LOINC, QUESTIONNAIRES, RXNORM, TASK
from cds.fhir.update import quantity
from cds.findings import Action

if TYPE_CHECKING:
    from cds.fhir.out import OutContext

_FOLLOW_UP_SLACK_DAYS: Final = 3


def _task(action: Action, context: OutContext, code: str, text: str, focus: str | None) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": context.new_id(),
        "status": "requested",
        "intent": "proposal",
        "code": {"coding": [{"system": TASK, "code": code, "display": text}], "text": text},
        "description": action.description,
        "focus": _reference(focus),
        "for": _reference(context.patient_ref),
        "encounter": _reference(context.encounter_ref),
        "authoredOn": context.today.isoformat(),
        "requester": _reference(context.user_ref),
    }


def stop_old(action: Action, context: OutContext) -> dict[str, Any]:
    """S-STOP-OLD: ask for the old order to be discontinued."""
    task = _task(action, context, "discontinue", "Discontinue", action.changes["old"])
    return task | {"reasonCode": {"text": action.changes.get("reason") or "replaced"}}


def ask_questionnaire(action: Action, context: OutContext) -> dict[str, Any]:
    """S-PHQ: have a questionnaire completed."""
    name = action.changes["questionnaire"]
    if name not in QUESTIONNAIRES:
        raise FactError(action.kind, "no such questionnaire")
    asked = {"coding": [{"system": LOINC, "code": QUESTIONNAIRES[name], "display": name}], "text": name}
    task = _task(action, context, "complete-questionnaire", f"Complete {name}", action.target)
    return task | {"input": [{"type": {"text": "questionnaire"}, "valueCodeableConcept": asked}]}


def review(action: Action, context: OutContext) -> dict[str, Any]:
    """S-REVIEW: document that risk and benefit were weighed."""
    return _task(action, context, "risk-benefit-review", "Risk-benefit review", action.target)


def _medication_request(context: OutContext, intent: str, medication: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": context.new_id(),
        "status": "draft",
        "intent": intent,
        "medicationCodeableConcept": _concept(medication),
        "subject": _reference(context.patient_ref),
        "encounter": _reference(context.encounter_ref),
        "authoredOn": context.today.isoformat(),
        "requester": _reference(context.user_ref),
    }


def cross_taper(action: Action, context: OutContext) -> dict[str, Any]:
    """S-XTAPER: the old drug once more, with an end."""
    until = {"end": _date(context, action.changes["end_day"])}
    return _medication_request(context, "order", action.changes["medication"]) | {
        "dosageInstruction": [{"patientInstruction": "cross-taper", "timing": {"repeat": {"boundsPeriod": until}}}],
        "priorPrescription": _reference(action.changes["old"]),
    }


def taper(action: Action, context: OutContext) -> dict[str, Any]:
    """S-TAPER: a dose for each step, in sequence; without steps they are the prescriber's to enter."""
    steps = [_step(n, step, context) for n, step in enumerate(action.changes["steps"], start=1)]
    return _medication_request(context, "proposal", action.changes["medication"]) | {
        "dosageInstruction": steps or [{"sequence": 1, "patientInstruction": "taper: steps to be entered"}],
        "priorPrescription": _reference(action.changes.get("old")),
    }


def _step(number: int, step: Mapping[str, Any], context: OutContext) -> dict[str, Any]:
    period = {"start": _date(context, step["start_day"]), "end": _date(context, step["end_day"])}
    repeat = {"boundsPeriod": period, "frequency": step.get("times_per_day", 1), "period": 1, "periodUnit": "d"}
    return {
        "sequence": number,
        "timing": {"repeat": repeat},
        "doseAndRate": [{"doseQuantity": quantity(step["dose_mg"], "mg")}],
    }


def dose(action: Action, context: OutContext) -> dict[str, Any]:
    """S-DOSE: the charted drug at another dose, in place of its order, which itself is never changed."""
    changes = action.changes
    repeat = {"frequency": changes["times"], "period": 1, "periodUnit": "d"}
    amount = quantity(changes["dose_value"], changes["dose_unit"])
    return _medication_request(context, "order", changes["medication"]) | {
        "dosageInstruction": [{"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": amount}]}],
        "priorPrescription": _reference(changes["old"]),
    }


def laboratory(action: Action, context: OutContext) -> dict[str, Any]:
    """S-LAB: a laboratory test by the day; one without a LOINC code in our table is named in words."""
    name = action.changes["test"]
    if name not in LABORATORY_TESTS:
        raise FactError(action.kind, "no such test")
    code, text = LABORATORY_TESTS[name]
    coding = [{"system": LOINC, "code": code, "display": text}] if code else []
    return {
        "resourceType": "ServiceRequest",
        "id": context.new_id(),
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": coding, "text": text},
        "subject": _reference(context.patient_ref),
        "encounter": _reference(context.encounter_ref),
        "occurrenceDateTime": _date(context, action.changes["day"]),
        "authoredOn": context.today.isoformat(),
        "requester": _reference(context.user_ref),
    }


def alternative(action: Action, context: OutContext) -> dict[str, Any]:
    """S-ALT: another drug; its dose is for the prescriber to enter."""
    return _medication_request(context, "order", action.changes["medication"])


def follow_up(action: Action, context: OutContext) -> dict[str, Any]:
    """S-FU: a visit around the day, never before tomorrow."""
    day: int = action.changes["day"]
    first = max(1, day - _FOLLOW_UP_SLACK_DAYS)
    last = max(first, day + _FOLLOW_UP_SLACK_DAYS)
    return {
        "resourceType": "Appointment",
        "id": context.new_id(),
        "status": "proposed",
        "description": action.description,
        "created": context.today.isoformat(),
        "participant": [{"actor": _reference(context.patient_ref), "status": "needs-action"}],
        "requestedPeriod": [{"start": _date(context, first), "end": _date(context, last)}],
    }


def call(action: Action, context: OutContext) -> dict[str, Any]:
    """S-CALL: get in touch with the patient."""
    return {
        "resourceType": "CommunicationRequest",
        "id": context.new_id(),
        "status": "draft",
        "subject": _reference(context.patient_ref),
        "encounter": _reference(context.encounter_ref),
        "payload": [{"contentString": action.description}],
        "occurrenceDateTime": _date(context, action.changes["day"]),
        "authoredOn": context.today.isoformat(),
        "requester": _reference(context.user_ref),
        "recipient": [_reference(context.patient_ref)],
    }


def therapy(action: Action, context: OutContext) -> dict[str, Any]:
    """S-THER: a referral for psychotherapy."""
    return {
        "resourceType": "ServiceRequest",
        "id": context.new_id(),
        "status": "draft",
        "intent": "proposal",
        "code": {"text": action.changes["therapy"]},
        "subject": _reference(context.patient_ref),
        "encounter": _reference(context.encounter_ref),
        "authoredOn": context.today.isoformat(),
        "requester": _reference(context.user_ref),
    }


def _reference(text: str | None) -> dict[str, str] | None:
    return {"reference": text} if text else None


def _concept(medication: Mapping[str, Any]) -> dict[str, Any]:
    text, rxcui = medication["text"], medication.get("rxcui")
    coding = [{"system": RXNORM, "code": str(rxcui), "display": text}] if rxcui else []
    return {"coding": coding, "text": text}


def _date(context: OutContext, day: int) -> str:
    return (context.today + dt.timedelta(days=int(day))).isoformat()


CREATORS: Final[dict[str, Callable[[Action, OutContext], dict[str, Any]]]] = {
    "S-STOP-OLD": stop_old,
    "S-XTAPER": cross_taper,
    "S-TAPER": taper,
    "S-FU": follow_up,
    "S-CALL": call,
    "S-PHQ": ask_questionnaire,
    "S-ALT": alternative,
    "S-THER": therapy,
    "S-REVIEW": review,
    "S-DOSE": dose,
    "S-LAB": laboratory,
}
