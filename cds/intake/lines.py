"""One resource of an export: its type, the patients it is about, and its record.

The only place that decides whose a line is, for `psychmed check`, the audit and every other reader of exports.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from cds.fhir import envelope
from cds.fhir.decode import (
    MAX_RESOURCE_BYTES,
    UNREADABLE,
    Ignored,
    Raw,
    Repaired,
    patient_element,
    read_resource,
    strict,
    type_name,
)
from cds.fhir.reading import normalize_reference
from cds.fhir.records import RESOURCE_TYPES, Appointment, NotOfOnePatient, Patient, Record, Reference, Resource
from cds.fhir.references import id_of
from cds.findings import BadResource

Problem = Literal["not-json", "no-resource-type", "no-patient"]
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """What a line holds.

    patients: bare ids of those it is about, several for an appointment of a group; none for a product or a clinician.
    record: None for a type no rule reads, and for a resource that cannot be read (`bad` says why).
    problem: why the line is of no use to anybody; its content is never in here.
    """

    resource_type: str
    patients: tuple[str, ...] = ()
    record: Resource | None = None
    bad: BadResource | None = None
    problem: Problem | None = None


class _Whose(msgspec.Struct, gc=False, rename="camel"):
    """What a type no rule reads is asked for."""

    resource_type: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None


_whose: Final = msgspec.json.Decoder(_Whose)


def read_line(raw: Raw, where: str) -> Line:
    """Read one resource; never raises. where: file and line, for a resource that cannot be read."""
    if len(raw) <= MAX_RESOURCE_BYTES:
        try:
            return _of_record(strict.decode(raw), raw)
        except UNREADABLE:
            pass
    whose = _peek(raw)
    if whose is not None and whose.resource_type is not None and whose.resource_type not in RESOURCE_TYPES:
        named = next((r.reference for r in (whose.subject, whose.patient) if r is not None and r.reference), None)
        return Line(type_name(whose.resource_type), _patients([named] if named else []))
    found = read_resource(raw, where)
    if isinstance(found, Repaired):
        return _of_record(found.record, raw)
    if isinstance(found, Record):
        return _of_record(found, raw)
    return _unread(raw, found)


def _of_record(record: Resource, raw: Raw) -> Line:
    kind = type(record).__name__
    if isinstance(record, Patient):
        own = id_of(record.id, "Patient") if record.id else ""
        return Line(kind, (own,), record) if own else Line(kind, problem="no-patient")
    if isinstance(record, NotOfOnePatient):
        return Line(kind, record=record)
    subjects = record.patients if isinstance(record, Appointment) else [record.subject]
    references = [subject.reference for subject in subjects if subject is not None and subject.reference]
    if not references and (named := patient_element(raw)):
        # DSTU2 has `patient` where R4 says `subject`: the record goes on with the reference in R4's place.
        references = [named]
        if "subject" in type(record).__struct_fields__:
            record = msgspec.structs.replace(record, subject=Reference(reference=named))
    return Line(kind, _patients(references), record, problem=None if references else "no-patient")


def _unread(raw: Raw, found: Ignored | BadResource) -> Line:
    """A line that is no record of ours: somebody's all the same, if it says so anywhere."""
    try:
        parts = envelope.parts_of(raw)
    except UNREADABLE:
        return Line("", problem="not-json")
    resource_type = envelope.text_of(parts.get("resourceType"))
    if resource_type is None:
        return Line("", problem="no-resource-type")
    kind = type_name(resource_type)
    if resource_type == "Patient":
        own = envelope.text_of(parts.get("id"))
        patients: tuple[str, ...] = (id_of(own, "Patient"),) if own else ()
    else:
        patients = _patients([text for name in ("subject", "patient", "for") if (text := _reference(parts.get(name)))])
    if isinstance(found, Ignored):
        return Line(kind, patients)
    known = RESOURCE_TYPES.get(resource_type)
    of_nobody = known is not None and issubclass(known, NotOfOnePatient) and known is not Patient
    return Line(kind, patients, bad=found, problem=None if patients or of_nobody else "no-patient")


def _reference(raw: msgspec.Raw | None) -> str | None:
    try:
        return envelope.text_of(envelope.parts_of(raw).get("reference")) if raw is not None else None
    except UNREADABLE:
        return None


def _peek(raw: Raw) -> _Whose | None:
    try:
        return _whose.decode(raw)
    except UNREADABLE:
        return None


def _patients(references: list[str]) -> tuple[str, ...]:
    if len(references) == 1:
        own = patient_id(references[0])
        return (own,) if own else ()
    return tuple(dict.fromkeys(own for text in references if (own := patient_id(text))))


def types_lost(file_name: str, seen: set[str]) -> set[str]:
    """Types of which records may be missing when a file was not read to its end: by its name, and by what was in it.

    "Condition.ndjson.gz" and "2.Condition-001.ndjson" say it; any type may be missing from a file that does not.
    """
    named = {word for word in re.split(r"[^A-Za-z]+", file_name) if word in RESOURCE_TYPES}
    return named | seen if named else {*RESOURCE_TYPES, *seen}


@functools.lru_cache(maxsize=4096)
def patient_id(reference: str) -> str:
    """The bare patient id of a reference; "" for one that names something else (a Group) or is a search."""
    text = normalize_reference(reference)
    kind, slash, own = text.partition("/")
    if slash and "://" not in text:
        return own if kind == "Patient" else ""
    return "" if "?" in text or text.startswith("#") else text.removeprefix("urn:uuid:")
