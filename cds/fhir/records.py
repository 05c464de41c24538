"""FHIR R4 resources as lean records: only what decision support reads, everything optional.

Attribute names are the R4 element names in snake_case (`class_` and `for_` where Python keeps the word to itself);
choices keep their type (`effective_date_time`, `effective_period`). No name, address or other identity of a patient is
read. The shapes are R4's own: `category` is one CodeableConcept on a dispense, a statement and an administration, a
list elsewhere.

`subject` of every record is the Reference to the patient it is about, whatever the element is called there.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from cds.fhir.datatypes import (
    CodeableConcept,
    Coding,
    Datatype,
    Dosage,
    DoseAndRate,
    Identifier,
    Meta,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    Timing,
    TimingRepeat,
    Whole,
)
from cds.fhir.medicines import (
    AdministrationDosage,
    DispenseRequest,
    InitialFill,
    Medication,
    MedicationAdministration,
    MedicationDispense,
    MedicationIngredient,
    MedicationRequest,
    MedicationStatement,
    Performer,
)
from cds.fhir.resource import NotOfOnePatient, Record

__all__ = [
    "RESOURCE_TYPES", "AdministrationDosage", "AdverseEvent", "AllergyIntolerance", "AllergyReaction",
    "Appointment", "AppointmentParticipant", "CodeableConcept", "Coding", "Condition", "Datatype",
    "DispenseRequest", "Dosage", "DoseAndRate", "Encounter", "EncounterDiagnosis", "EncounterHospitalization",
    "EncounterLocation", "EncounterParticipant", "Identifier", "InitialFill", "Medication",
    "MedicationAdministration", "MedicationDispense", "MedicationIngredient", "MedicationRequest",
    "MedicationStatement", "Meta", "NotOfOnePatient", "Observation", "ObservationComponent", "Patient", "Performer",
    "Period", "Practitioner", "PractitionerQualification", "PractitionerRole", "Procedure", "Quantity",
    "QuestionnaireAnswer", "QuestionnaireItem", "QuestionnaireResponse", "Range", "Ratio", "Record", "Reference",
    "Resource", "ServiceRequest", "SuspectEntity", "Task", "TaskRestriction", "Timing", "TimingRepeat",
]  # fmt: skip


class Patient(NotOfOnePatient, frozen=True, gc=False):
    active: bool | None = None
    gender: str | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None


class PractitionerQualification(Datatype, frozen=True, gc=False):
    code: CodeableConcept | None = None


class Practitioner(NotOfOnePatient, frozen=True, gc=False):
    qualification: tuple[PractitionerQualification, ...] = ()


class PractitionerRole(NotOfOnePatient, frozen=True, gc=False):
    active: bool | None = None
    practitioner: Reference | None = None
    organization: Reference | None = None
    code: tuple[CodeableConcept, ...] = ()
    specialty: tuple[CodeableConcept, ...] = ()


class Condition(Record, frozen=True, gc=False):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    severity: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    recorded_date: str | None = None


class EncounterParticipant(Datatype, frozen=True, gc=False):
    type: tuple[CodeableConcept, ...] = ()
    individual: Reference | None = None


class EncounterDiagnosis(Datatype, frozen=True, gc=False):
    condition: Reference | None = None
    use: CodeableConcept | None = None
    rank: Whole | None = None


class EncounterHospitalization(Datatype, frozen=True, gc=False):
    admit_source: CodeableConcept | None = None
    discharge_disposition: CodeableConcept | None = None


class EncounterLocation(Datatype, frozen=True, gc=False):
    location: Reference | None = None
    status: str | None = None
    physical_type: CodeableConcept | None = None


class Encounter(Record, frozen=True, gc=False):
    identifier: tuple[Identifier, ...] = ()
    status: str | None = None
    class_: Coding | None = msgspec.field(default=None, name="class")
    type: tuple[CodeableConcept, ...] = ()
    service_type: CodeableConcept | None = None
    priority: CodeableConcept | None = None
    subject: Reference | None = None
    participant: tuple[EncounterParticipant, ...] = ()
    appointment: tuple[Reference, ...] = ()
    period: Period | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    diagnosis: tuple[EncounterDiagnosis, ...] = ()
    hospitalization: EncounterHospitalization | None = None
    location: tuple[EncounterLocation, ...] = ()
    service_provider: Reference | None = None
    part_of: Reference | None = None


class AppointmentParticipant(Datatype, frozen=True, gc=False):
    type: tuple[CodeableConcept, ...] = ()
    actor: Reference | None = None
    status: str | None = None


class Appointment(Record, frozen=True, gc=False):
    status: str | None = None
    cancelation_reason: CodeableConcept | None = None
    service_category: tuple[CodeableConcept, ...] = ()
    service_type: tuple[CodeableConcept, ...] = ()
    specialty: tuple[CodeableConcept, ...] = ()
    appointment_type: CodeableConcept | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    supporting_information: tuple[Reference, ...] = ()
    start: str | None = None
    end: str | None = None
    created: str | None = None
    based_on: tuple[Reference, ...] = ()
    participant: tuple[AppointmentParticipant, ...] = ()
    requested_period: tuple[Period, ...] = ()

    @property
    def patients(self) -> list[Reference]:
        """The participants that are patients: several for a group."""
        actors = [participant.actor for participant in self.participant if participant.actor is not None]
        return [actor for actor in actors if actor.type == "Patient" or "Patient/" in (actor.reference or "")]

    @property
    def subject(self) -> Reference | None:
        """The first of them; an appointment has no subject element."""
        return next(iter(self.patients), None)


class ObservationComponent(Datatype, frozen=True, gc=False):
    code: CodeableConcept | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: Whole | None = None
    data_absent_reason: CodeableConcept | None = None


class ObservationReferenceRange(Datatype, frozen=True, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


class Observation(Record, frozen=True, gc=False):
    """Most of a chart is these: category and encounter, which no rule reads, are left unread."""

    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    issued: str | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: Whole | None = None
    value_range: Range | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    reference_range: tuple[ObservationReferenceRange, ...] = ()
    component: tuple[ObservationComponent, ...] = ()


class AllergyReaction(Datatype, frozen=True, gc=False):
    substance: CodeableConcept | None = None
    manifestation: tuple[CodeableConcept, ...] = ()
    onset: str | None = None
    severity: str | None = None


class AllergyIntolerance(Record, frozen=True, gc=False):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    type: str | None = None
    category: tuple[str, ...] = ()
    criticality: str | None = None
    code: CodeableConcept | None = None
    patient: Reference | None = None
    encounter: Reference | None = None
    onset_date_time: str | None = None
    recorded_date: str | None = None
    last_occurrence: str | None = None
    reaction: tuple[AllergyReaction, ...] = ()

    @property
    def subject(self) -> Reference | None:
        return self.patient


class SuspectEntity(Datatype, frozen=True, gc=False):
    instance: Reference | None = None


class AdverseEvent(Record, frozen=True, gc=False):
    actuality: str | None = None
    category: tuple[CodeableConcept, ...] = ()
    event: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    date: str | None = None
    detected: str | None = None
    recorded_date: str | None = None
    resulting_condition: tuple[Reference, ...] = ()
    seriousness: CodeableConcept | None = None
    severity: CodeableConcept | None = None
    outcome: CodeableConcept | None = None
    suspect_entity: tuple[SuspectEntity, ...] = ()


class Procedure(Record, frozen=True, gc=False):
    status: str | None = None
    status_reason: CodeableConcept | None = None
    category: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performer: tuple[Performer, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    outcome: CodeableConcept | None = None


class ServiceRequest(Record, frozen=True, gc=False):
    identifier: tuple[Identifier, ...] = ()
    status: str | None = None
    intent: str | None = None
    category: tuple[CodeableConcept, ...] = ()
    priority: str | None = None
    do_not_perform: bool | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Timing | None = None
    authored_on: str | None = None
    requester: Reference | None = None
    performer_type: CodeableConcept | None = None
    performer: tuple[Reference, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    based_on: tuple[Reference, ...] = ()
    supporting_info: tuple[Reference, ...] = ()


class TaskRestriction(Datatype, frozen=True, gc=False):
    repetitions: Whole | None = None
    period: Period | None = None


class Task(Record, frozen=True, gc=False):
    identifier: tuple[Identifier, ...] = ()
    based_on: tuple[Reference, ...] = ()
    group_identifier: Identifier | None = None
    status: str | None = None
    status_reason: CodeableConcept | None = None
    intent: str | None = None
    priority: str | None = None
    code: CodeableConcept | None = None
    focus: Reference | None = None
    for_: Reference | None = msgspec.field(default=None, name="for")
    encounter: Reference | None = None
    execution_period: Period | None = None
    authored_on: str | None = None
    last_modified: str | None = None
    requester: Reference | None = None
    owner: Reference | None = None
    reason_code: CodeableConcept | None = None
    reason_reference: Reference | None = None
    restriction: TaskRestriction | None = None

    @property
    def subject(self) -> Reference | None:
        return self.for_


class QuestionnaireAnswer(Datatype, frozen=True, gc=False):
    value_boolean: bool | None = None
    value_integer: Whole | None = None
    value_quantity: Quantity | None = None
    value_string: str | None = None
    value_coding: Coding | None = None
    value_date: str | None = None
    item: tuple[QuestionnaireItem, ...] = ()


class QuestionnaireItem(Datatype, frozen=True, gc=False):
    link_id: str | None = None
    definition: str | None = None
    answer: tuple[QuestionnaireAnswer, ...] = ()
    item: tuple[QuestionnaireItem, ...] = ()


class QuestionnaireResponse(Record, frozen=True, gc=False):
    status: str | None = None
    questionnaire: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored: str | None = None
    item: tuple[QuestionnaireItem, ...] = ()


Resource: TypeAlias = (
    Patient
    | MedicationRequest
    | MedicationDispense
    | MedicationStatement
    | MedicationAdministration
    | Medication
    | Condition
    | Encounter
    | Appointment
    | Observation
    | AllergyIntolerance
    | AdverseEvent
    | Procedure
    | ServiceRequest
    | Task
    | QuestionnaireResponse
    | Practitioner
    | PractitionerRole
)

RESOURCE_TYPES: dict[str, type[Resource]] = {
    cls.__name__: cls
    for cls in (
        Patient, MedicationRequest, MedicationDispense, MedicationStatement, MedicationAdministration, Medication,
        Condition, Encounter, Appointment, Observation, AllergyIntolerance, AdverseEvent, Procedure, ServiceRequest,
        Task, QuestionnaireResponse, Practitioner, PractitionerRole,
    )
}  # fmt: skip
