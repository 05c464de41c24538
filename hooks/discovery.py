"""What the service offers: its hooks, and the data it asks for in advance.

Templates stay in the subset every 2.0 client understands and name no date: a client that does not know
`{{today()}}` leaves such a template unsatisfied, so the windows are applied here, after the data have arrived.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cds.needs import types_of
from hooks.kinds import KINDS, WireHook

if TYPE_CHECKING:
    from cds.rules.model import RuleSet

# Scales: PHQ-9 total, item 9, C-SSRS screener, PHQ-2, GAD-7, PHQ-9 modified for teens.
SCALE_CODES = ("44261-6", "44260-8", "93373-9", "55758-7", "70274-6", "89204-2")
# Measures: prolactin, body weight, QTc (three codes), clozapine level. What is not asked for is never "none found".
MEASURE_CODES = ("2842-3", "29463-7", "8636-3", "76635-2", "76634-5", "6896-2")

_OF_PATIENT = "patient={{context.patientId}}"
_RESULTS = ",".join(f"http://loinc.org|{code}" for code in (*SCALE_CODES, *MEASURE_CODES))

# Prefetch key -> (resource type whose search it is, template). `_count` asks for one page where the server allows it.
PREFETCH: dict[str, tuple[str, str]] = {
    "patient": ("Patient", "Patient/{{context.patientId}}"),
    # No status and no date: a standing order may be years old, and what was stopped is the history.
    "medication_requests": ("MedicationRequest", f"MedicationRequest?{_OF_PATIENT}&_count=500"),
    "medication_dispenses": ("MedicationDispense", f"MedicationDispense?{_OF_PATIENT}&_count=500"),
    "medication_statements": ("MedicationStatement", f"MedicationStatement?{_OF_PATIENT}&_count=500"),
    "medication_administrations": ("MedicationAdministration", f"MedicationAdministration?{_OF_PATIENT}&_count=500"),
    "conditions": ("Condition", f"Condition?{_OF_PATIENT}&_count=500"),
    "encounters": ("Encounter", f"Encounter?{_OF_PATIENT}&_count=500"),
    "service_requests": ("ServiceRequest", f"ServiceRequest?{_OF_PATIENT}&_count=500"),
    "allergies": ("AllergyIntolerance", f"AllergyIntolerance?{_OF_PATIENT}&_count=500"),
    "observations": ("Observation", f"Observation?{_OF_PATIENT}&code={_RESULTS}&_count=500"),
    "appointments": ("Appointment", f"Appointment?{_OF_PATIENT}&_count=500"),
    "tasks": ("Task", f"Task?{_OF_PATIENT}&_count=500"),
}


def _all_but(*keys: str) -> tuple[str, ...]:
    return tuple(key for key in PREFETCH if key not in keys)


# A service asks only for what the rules of its hook read.
_SELECT_KEYS = _all_but("allergies", "observations", "appointments", "tasks")
_DISCHARGE_KEYS = _all_but("allergies", "observations")
_BOOKING_KEYS = _all_but("allergies")

USAGE_REQUIREMENTS = (
    "FHIR R4. Answers from the prefetched data and the hook's context; with fhirServer and fhirAuthorization it reads "
    "what is missing, from servers on its site's list only. "
    "Medicines need an RxNorm code or an exact ingredient or brand name. "
    "The clinical content is a draft that no clinician has signed off."
)


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the discovery document."""

    id: str
    hook: WireHook
    title: str
    description: str
    prefetch_keys: tuple[str, ...]


SERVICES: tuple[Service, ...] = (
    Service(
        "psychmed-patient-view",
        "patient-view",
        "Psychiatric medicines: chart check",
        "When a chart is opened: duplicate psychiatric therapy in use, and missing follow-up after a new medicine.",
        tuple(PREFETCH),
    ),
    Service(
        "psychmed-order-select",
        "order-select",
        "Psychiatric medicines: while ordering",
        "While an order is being chosen: only combinations that must not be started.",
        _SELECT_KEYS,
    ),
    Service(
        "psychmed-order-sign",
        "order-sign",
        "Psychiatric medicines: before signing",
        "Before orders are signed: duplicate therapy, benzodiazepines for longer than short-term use, "
        "antidepressants switched before an adequate trial, planned follow-up.",
        tuple(PREFETCH),
    ),
    Service(
        "psychmed-encounter-discharge",
        "encounter-discharge",
        "Psychiatric medicines: at discharge",
        "When a stay ends: duplicates and open-ended medicines on the discharge list, planned follow-up.",
        _DISCHARGE_KEYS,
    ),
    Service(
        "psychmed-encounter-start",
        "encounter-start",
        "Psychiatric medicines: at the start of a visit",
        "When a visit or stay begins: what a chart check finds.",
        tuple(PREFETCH),
    ),
    Service(
        "psychmed-medication-refill",
        "medication-refill",
        "Psychiatric medicines: refills",
        "Before a refill is approved: what is checked before signing.",
        tuple(PREFETCH),
    ),
    Service(
        "psychmed-appointment-book",
        "appointment-book",
        "Psychiatric medicines: follow-up when booking",
        "While an appointment is booked: follow-up that is missing after a new medicine, a stay or a long while.",
        _BOOKING_KEYS,
    ),
    Service(
        "psychmed-medication-prescribe",
        "medication-prescribe",
        "Psychiatric medicines: prescribing (older clients)",
        "For clients without order-sign: what is checked before signing.",
        tuple(PREFETCH),
    ),
    Service(
        "psychmed-order-review",
        "order-review",
        "Psychiatric medicines: order review (older clients)",
        "For clients without order-sign: what is checked before signing.",
        tuple(PREFETCH),
    ),
)

BY_ID: dict[str, Service] = {service.id: service for service in SERVICES}


def keys_for(service: Service, rules: RuleSet) -> tuple[str, ...]:
    """The prefetch keys of a service, and those that rules of the site at its hook need besides."""
    kind = KINDS[service.hook]
    types: set[str] = set()
    for rule in (rules if kind.families is None else rules.of(kind.families)).rules:
        for level in rule.levels:
            if kind.answers in rule.hooks & level.hooks:
                needs = (rule.needs.to_fire, rule.needs.to_suppress, level.needs.to_fire, level.needs.to_suppress)
                types.update(name for need in itertools.chain(*needs) for name in types_of(need))
    return tuple(key for key in PREFETCH if key in service.prefetch_keys or PREFETCH[key][0] in types)


def discovery_document(keys: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """The body of `GET /cds-services`. keys: prefetch keys by service id; those of the shipped rules without it."""
    return {
        "services": [
            {
                "id": service.id,
                "hook": service.hook,
                "title": service.title,
                "description": service.description,
                "usageRequirements": USAGE_REQUIREMENTS,
                "prefetch": {key: PREFETCH[key][1] for key in (keys or {}).get(service.id, service.prefetch_keys)},
            }
            for service in SERVICES
        ]
    }


def searched_type(key: str) -> str | None:
    """The resource type whose search a prefetch key is; None when the key does not say.

    Besides our own keys, a key that is a resource type's name counts ("Condition", "conditions").
    """
    return _TYPE_BY_KEY.get(key) or _TYPE_BY_NAME.get(key.lower())


_TYPE_BY_KEY = {key: resource_type for key, (resource_type, _) in PREFETCH.items()}
_TYPE_BY_NAME = {
    name: resource_type
    for resource_type in _TYPE_BY_KEY.values()
    for name in (resource_type.lower(), resource_type.lower() + "s")
}
