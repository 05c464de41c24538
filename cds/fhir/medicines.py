"""The resources about medicines: what was ordered, dispensed, given, and said to be taken. Exported by `records`."""

from __future__ import annotations

from cds.fhir.datatypes import (
    CodeableConcept,
    Datatype,
    Dosage,
    Identifier,
    Period,
    Quantity,
    Ratio,
    Reference,
    Whole,
)
from cds.fhir.resource import NotOfOnePatient, Record


class MedicationIngredient(Datatype, frozen=True, gc=False):
    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None
    is_active: bool | None = None
    strength: Ratio | None = None


class Medication(NotOfOnePatient, frozen=True, gc=False):
    code: CodeableConcept | None = None
    status: str | None = None
    form: CodeableConcept | None = None
    amount: Ratio | None = None
    ingredient: tuple[MedicationIngredient, ...] = ()


class Performer(Datatype, frozen=True, gc=False):
    """`performer` of a dispense, an administration, a procedure."""

    function: CodeableConcept | None = None
    actor: Reference | None = None


class InitialFill(Datatype, frozen=True, gc=False):
    quantity: Quantity | None = None
    duration: Quantity | None = None


class DispenseRequest(Datatype, frozen=True, gc=False):
    initial_fill: InitialFill | None = None
    dispense_interval: Quantity | None = None
    validity_period: Period | None = None
    number_of_repeats_allowed: Whole | None = None
    quantity: Quantity | None = None
    expected_supply_duration: Quantity | None = None
    performer: Reference | None = None


class MedicationRequest(Record, frozen=True, gc=False):
    identifier: tuple[Identifier, ...] = ()
    contained: tuple[Medication, ...] = ()
    status: str | None = None
    status_reason: CodeableConcept | None = None
    intent: str | None = None
    category: tuple[CodeableConcept, ...] = ()
    priority: str | None = None
    do_not_perform: bool | None = None
    reported_boolean: bool | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    supporting_information: tuple[Reference, ...] = ()
    authored_on: str | None = None
    requester: Reference | None = None
    performer: Reference | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    based_on: tuple[Reference, ...] = ()
    group_identifier: Identifier | None = None
    course_of_therapy_type: CodeableConcept | None = None
    dosage_instruction: tuple[Dosage, ...] = ()
    dispense_request: DispenseRequest | None = None
    prior_prescription: Reference | None = None


class MedicationDispense(Record, frozen=True, gc=False):
    identifier: tuple[Identifier, ...] = ()
    contained: tuple[Medication, ...] = ()
    status: str | None = None
    status_reason_codeable_concept: CodeableConcept | None = None
    category: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    context: Reference | None = None
    performer: tuple[Performer, ...] = ()
    location: Reference | None = None
    authorizing_prescription: tuple[Reference, ...] = ()
    type: CodeableConcept | None = None
    quantity: Quantity | None = None
    days_supply: Quantity | None = None
    when_prepared: str | None = None
    when_handed_over: str | None = None
    dosage_instruction: tuple[Dosage, ...] = ()


class MedicationStatement(Record, frozen=True, gc=False):
    contained: tuple[Medication, ...] = ()
    status: str | None = None
    status_reason: tuple[CodeableConcept, ...] = ()
    category: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    context: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None
    information_source: Reference | None = None
    based_on: tuple[Reference, ...] = ()
    derived_from: tuple[Reference, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    dosage: tuple[Dosage, ...] = ()


class AdministrationDosage(Datatype, frozen=True, gc=False):
    text: str | None = None
    site: CodeableConcept | None = None
    route: CodeableConcept | None = None
    method: CodeableConcept | None = None
    dose: Quantity | None = None
    rate_ratio: Ratio | None = None
    rate_quantity: Quantity | None = None


class MedicationAdministration(Record, frozen=True, gc=False):
    contained: tuple[Medication, ...] = ()
    status: str | None = None
    status_reason: tuple[CodeableConcept, ...] = ()
    category: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    context: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performer: tuple[Performer, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    request: Reference | None = None
    dosage: AdministrationDosage | None = None
