"""Case lines of medicines: orders, drafts, stops, fills, statements, by the short names of `fixtures/drugs.yaml`."""

from __future__ import annotations

from functools import cache

from cds.authoring.writing import ENCOUNTER, ICD10, PATIENT, RXNORM, UCUM, Body, NotationError, Resource, Written, days
from cds.rules.source import read_source
from cds.shipped import shipped

_UNIT_CODES = {"tablet": "{tbl}", "capsule": "{capsule}", "spray": "{spray}"}


@cache
def _drugs() -> dict[str, tuple[int, str, str]]:
    data = read_source(shipped("fixtures/drugs.yaml")).data
    return {str(name): (int(row[0]), str(row[1]), str(row[2])) for name, row in data.items()}


def medication(name: str) -> tuple[Resource, str]:
    """(CodeableConcept, unit of a dose); a name that is not in the drug list stays text only."""
    known = _drugs().get(name)
    if known is None:
        if name.startswith("text:"):
            return {"text": name.removeprefix("text:").strip()}, "tablet"
        raise NotationError(f'there is no drug "{name}" in fixtures/drugs.yaml (write "text: ..." for free text)')
    code, display, unit = known
    return {"coding": [{"system": RXNORM, "code": str(code), "display": display}]}, unit


def _dosage(w: Written, body: Body, unit: str) -> list[Resource]:
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


def _order(w: Written, ident: str, body: Body, *, draft: bool) -> Resource:
    concept, unit = medication(str(body["drug"]))
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


def charted_order(w: Written, ident: str, body: Body) -> None:
    w.charted.append(_order(w, ident, body, draft=False))


def draft(w: Written, ident: str, body: Body) -> None:
    w.drafts.append(_order(w, ident, body, draft=True))


def stop(w: Written, _ident: str, body: Body) -> None:
    """`stop x: {order: o1}`: the same call ends a charted order."""
    charted = next((r for r in w.charted if r["id"] == body["order"]), None)
    if charted is None:
        raise NotationError(f'stop names the order "{body["order"]}", which stands nowhere above')
    stopped = {**charted, "status": "stopped"}
    if "status_reason" in body:
        stopped["statusReason"] = {"text": str(body["status_reason"])}
    w.drafts.append(stopped)


def fills(w: Written, ident: str, body: Body) -> None:
    """`fills l: {drug, from: -84d, every: 28d, fills: 3, days_supply: 28, take, times, order}`.

    Beside `take`, `times` is how often a day; without it, how many fills there are (`times: 3` for `fills: 3`).
    """
    concept, unit = medication(str(body["drug"]))
    count = int(body.get("fills", 1))
    if "times" in body and "take" not in body and "steps" not in body:
        if "fills" in body:
            raise NotationError("times without take is the number of fills, which fills says too: leave one out")
        count = int(body["times"])
    if count < 1:
        raise NotationError(f"{count} fills: at least 1")
    if "every" in body and count == 1:
        raise NotationError("every says nothing of a single fill (write fills: 3)")
    step, length = days(body.get("every", body["days_supply"])), days(body["days_supply"])
    for n in range(count):
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


def statement(w: Written, ident: str, body: Body) -> None:
    concept, unit = medication(str(body["drug"]))
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
