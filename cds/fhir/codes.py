"""The codes that stand in the resources this project writes.

Validators check that a required code is a text, not that it is one of the value set: this table does, in the tests.
"""

from __future__ import annotations

from typing import Final

RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM: Final = "http://unitsofmeasure.org"
LOINC: Final = "http://loinc.org"
TASK: Final = "urn:psychmed:task"
RULE: Final = "urn:psychmed:rule"
FINDING: Final = "urn:psychmed:finding"
MEASURE: Final = "urn:psychmed:measure"
POPULATION: Final = "urn:psychmed:population"
MEASURE_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
IMPROVEMENT_NOTATION: Final = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
DATA_ABSENT_REASON: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

_REQUEST_STATUS: Final = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)  # fmt: skip
_REQUEST_INTENT: Final = frozenset(
    {
        "proposal", "plan", "directive", "order", "original-order", "reflex-order", "filler-order", "instance-order",
        "option",
    }
)  # fmt: skip

# R4 4.0.1, bindings of strength "required", by resource type and element.
REQUIRED_CODES: Final[dict[str, dict[str, frozenset[str]]]] = {
    "MedicationRequest": {
        "status": frozenset(
            {"active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"}
        ),
        "intent": _REQUEST_INTENT - {"directive"},
    },
    "Task": {
        "status": frozenset(
            {
                "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress",
                "on-hold", "failed", "completed", "entered-in-error",
            }
        ),
        "intent": frozenset({"unknown"}) | _REQUEST_INTENT - {"directive"},
    },
    "Appointment": {
        "status": frozenset(
            {
                "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error",
                "checked-in", "waitlist",
            }
        ),
        "participant.status": frozenset({"accepted", "declined", "tentative", "needs-action"}),
    },
    "CommunicationRequest": {"status": _REQUEST_STATUS},
    "DetectedIssue": {
        "status": frozenset(
            {
                "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error",
                "unknown",
            }
        ),
        "severity": frozenset({"high", "moderate", "low"}),
    },
    "MeasureReport": {
        "status": frozenset({"complete", "pending", "error"}),
        "type": frozenset({"individual", "subject-list", "summary", "data-collection"}),
    },
    "ServiceRequest": {"status": _REQUEST_STATUS, "intent": _REQUEST_INTENT},
}  # fmt: skip

# The questionnaires a Task can ask for, by LOINC panel.
QUESTIONNAIRES: Final[dict[str, str]] = {"PHQ-9": "44249-1", "GAD-7": "69737-5"}

# The tests an order can be drafted for: LOINC code (clinical specification 1.12; none where it lists none) and text.
LABORATORY_TESTS: Final[dict[str, tuple[str | None, str]]] = {
    "HbA1c": ("4548-4", "Hemoglobin A1c"),
    "lipids": (None, "Lipids (total cholesterol, HDL, LDL, triglycerides)"),
    "clozapine level": (None, "Clozapine level (trough)"),
}

# The units a dose is written in, as UCUM has them.
UCUM_UNITS: Final[dict[str, str]] = {
    "mg": "mg", "g": "g", "mcg": "ug", "ug": "ug", "mL": "mL", "ml": "mL", "meq": "meq", "d": "d",
}  # fmt: skip
