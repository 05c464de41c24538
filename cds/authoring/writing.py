"""What case lines write into: the resources of one case, its relative dates, and the hook request that comes out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

PATIENT = "case-patient"
ENCOUNTER = "case-encounter"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
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
Resource = dict[str, Any]
Body = Mapping[str, Any]


class NotationError(Exception):
    """A case line that cannot be read: what, and what to write."""


class Keys(Mapping[str, Any]):
    """The body of a case line, and which of its keys were read: one that nothing reads is a slip of the pen."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._body[key]

    def __iter__(self) -> Iterator[str]:
        self.read.update(self._body)
        return iter(self._body)

    def __len__(self) -> int:
        return len(self._body)


class Written:
    """Writes the resources of one case. today: what `-28d` counts from. refs: of each line, what it wrote."""

    def __init__(self, today: dt.date) -> None:
        self.today = today
        self.refs: dict[str, tuple[str, ...]] = {}
        self.charted: list[Resource] = []
        self.drafts: list[Resource] = []
        self.unavailable: dict[str, str] = {}
        self.memory: list[Resource] = []

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
