"""One resource: strict and fast decode first, one repair pass only for what fails.

A resource that stays unreadable is a BadResource: where it stood and which element, never what it said. No input
raises, however malformed, or takes more than time in proportion to its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from cds.fhir.datatypes import OUT_OF_RANGE
from cds.fhir.records import RESOURCE_TYPES, Reference, Resource
from cds.fhir.repair import Broken, Repair
from cds.findings import BadResource

Raw = bytes | msgspec.Raw

# What msgspec raises for hostile input: its own errors, UnicodeDecodeError (a ValueError), and the recursion limit.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)

# A resource of ours is a few kB. A limit keeps the cost of Python objects (about 25 bytes per byte of JSON) in hand.
MAX_RESOURCE_BYTES: Final = 1 << 20

strict: Final[msgspec.json.Decoder[Resource]] = msgspec.json.Decoder(Resource)


class _Peek(msgspec.Struct, gc=False, rename="camel"):
    resource_type: str | None = None


class _PatientElement(msgspec.Struct, gc=False):
    patient: Reference | None = None


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond Decimal's own limit
        return Decimal("Infinity")


_peek: Final = msgspec.json.Decoder(_Peek)
_patient_element: Final = msgspec.json.Decoder(_PatientElement)
_tree: Final = msgspec.json.Decoder(float_hook=_number)
_TYPE_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")


@dataclass(frozen=True, slots=True)
class Ignored:
    """A resource of a type no rule reads."""

    resource_type: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """A resource that needed repair, and the places of the elements that had to be left out."""

    record: Resource
    dropped: tuple[str, ...]


def type_of(raw: Raw) -> str | None:
    """Return `resourceType`, None when there is none; raises one of UNREADABLE when this is no JSON object."""
    return _peek.decode(raw).resource_type


def type_name(text: str) -> str:
    """Return the text if it can be the name of a resource type, else "unknown": counters must not carry content."""
    return text if _TYPE_NAME.fullmatch(text) else "unknown"


def read_resource(raw: Raw, where: str) -> Resource | Repaired | Ignored | BadResource:
    """Decode one resource; never raises."""
    if len(raw) <= MAX_RESOURCE_BYTES:
        try:
            return strict.decode(raw)
        except UNREADABLE:
            pass
    try:
        resource_type = type_of(raw)
    except UNREADABLE as error:
        return BadResource(where, _why(error))
    if resource_type is None:
        return BadResource(where, "no resourceType")
    cls = RESOURCE_TYPES.get(resource_type)
    if cls is None:
        return Ignored(type_name(resource_type))
    if len(raw) > MAX_RESOURCE_BYTES:
        return BadResource(where, "larger than 1 MiB")
    return _repair(raw, cls, where)


def patient_element(raw: Raw) -> str | None:
    """Return the reference under `patient`, where DSTU2 has it and R4 says `subject`."""
    try:
        found = _patient_element.decode(raw).patient
    except UNREADABLE:
        return None
    return found.reference if found is not None else None


def _repair(raw: Raw, cls: type[Resource], where: str) -> Resource | Repaired | BadResource:
    try:
        tree: Any = _tree.decode(raw)
        repair = Repair()
        fixed = repair.resource(tree, cls)
        record = msgspec.convert(fixed, cls)
    except Broken as broken:
        return BadResource(where, f"{broken.path}: {broken.reason}")
    except UNREADABLE as error:
        return BadResource(where, _why(error))
    return Repaired(record, tuple(repair.dropped))


def _why(error: Exception) -> str:
    """Words about the format only: the text of a decoder's error can quote the content."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    if "out of range" in str(error):
        return OUT_OF_RANGE
    return "an element has the wrong type" if isinstance(error, msgspec.ValidationError) else "not readable as JSON"
