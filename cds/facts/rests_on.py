"""Which FHIR resources a fact kind rests on: for authors, who ask where a fact comes from."""

from __future__ import annotations

_USE = ("MedicationRequest", "MedicationDispense", "MedicationStatement", "MedicationAdministration", "Encounter")
_SEEN = ("Encounter", "Practitioner", "PractitionerRole", "Condition")
_OF_USE = (
    "antidepressant_use", "class_stop", "continuous_use", "dose_fall", "double_supply", "drugs_planned",
    "drugs_together", "duplicate", "exposure", "long_course", "overlap", "pair", "planned_end", "prescribers",
    "renewal", "run_out", "sedative_renewal", "short_courses", "unknown_frequency",
)  # fmt: skip
# An indication, a score or an intolerance says how long a trial has to be, or whether it helped.
_OF_TRIALS = (
    "adhd_start",
    "antipsychotic_record",
    "antipsychotic_switch",
    "augmentation",
    "early_end",
    "switch",
    "trial",
)

RESTS_ON: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_USE, _USE),
    **dict.fromkeys(_OF_TRIALS, (*_USE, "Condition", "Observation")),
    "drugs_together": (*_USE, "Observation"),
    "drugs_planned": (*_USE, "Observation"),
    "patient": ("Patient",),
    "gate": ("Patient", "Encounter", "Condition", "ServiceRequest"),
    "diagnosis": ("Condition",),
    "risk": ("Condition", "Observation"),
    "intolerance": ("AllergyIntolerance", "AdverseEvent"),
    "order": ("MedicationRequest", "Condition", "Encounter"),
    "as_needed": ("MedicationRequest",),
    "stop_reason": ("MedicationRequest", "MedicationStatement"),
    "treatment_start": (*_USE, "Condition"),
    "contact": _SEEN,
    "emergency_visit": ("Encounter",),
    "last_seen": (*_USE, *_SEEN[1:]),
    "discharge": _SEEN,
    "return_to_care": _SEEN,
    "booking": ("Appointment", "Encounter", "ServiceRequest", "Task"),
    "safety_gap": ("MedicationRequest",),
    "memory": (),
    "review": ("Task",),
    "hospital_antipsychotic": ("MedicationRequest", "MedicationAdministration", "Encounter", "Condition"),
}
