"""What real traffic gets wrong in a resource, put right where only one reading is possible.

The shapes come from the records themselves: a list where R4 has one element and the reverse, numbers as text and text
as numbers, nulls, a plain text where a CodeableConcept, Coding or Reference belongs, an Encounter class as
CodeableConcept. What cannot be put right is left out only where its absence is safe (`_MAY_GO`); a broken status,
intent, code, subject, date or amount makes the whole resource bad.
"""

from __future__ import annotations

import functools
import re
import types
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from cds.fhir.datatypes import OUT_OF_RANGE, CodeableConcept, Coding, Dosage, Quantity, Reference, check_number
from cds.fhir.records import (
    AdverseEvent,
    AllergyIntolerance,
    Condition,
    Encounter,
    Medication,
    Patient,
    Procedure,
    Resource,
    ServiceRequest,
)

# Bound codes, which older FHIR versions send as a plain text ("active").
_CODES: Final = frozenset({"clinicalStatus", "verificationStatus", "category", "class", "use", "intent", "status"})

# Without these a rule sees less about the order or visit, never something else.
_MAY_GO: Final = frozenset(
    {
        "meta", "identifier", "contained", "priority", "supportingInformation", "supportingInfo", "groupIdentifier",
        "courseOfTherapyType", "requester", "performer", "performerType", "informationSource", "location",
        "serviceProvider", "serviceType", "serviceCategory", "specialty", "appointmentType", "type", "encounter",
        "context", "basedOn", "derivedFrom", "partOf", "appointment", "reasonCode", "reasonReference", "statusReason",
        "severity", "diagnosis", "hospitalization", "reaction", "qualification", "practitioner", "organization",
        "owner",
    }
)  # fmt: skip
# `category` tells inpatient from discharge on a medication, `participant` the patient of an appointment: not there.
_MAY_GO_HERE: Final[dict[type, frozenset[str]]] = {
    Encounter: frozenset({"participant"}),
    Condition: frozenset({"category"}),
    AllergyIntolerance: frozenset({"category"}),
    AdverseEvent: frozenset({"category"}),
    Procedure: frozenset({"category"}),
    ServiceRequest: frozenset({"category"}),
    Patient: frozenset({"active"}),
}
# Dropped as a whole: half of a regimen would be a wrong dose, no dosage at all is an unknown one.
_MAY_GO_WHOLE: Final = frozenset({"dosageInstruction", "dosage"})

_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?")
_MAX_TEXT_NUMBER: Final = 64


class Broken(Exception):
    """An element that cannot be read. path: names and positions of R4 elements, no content."""

    def __init__(self, path: str, reason: str, *, fatal: bool = False) -> None:
        super().__init__(path, reason)
        self.path, self.reason, self.fatal = path, reason, fatal


@dataclass(frozen=True, slots=True)
class _Shape:
    name: str
    of: Any
    many: bool


@functools.cache
def _shapes(cls: type[msgspec.Struct]) -> tuple[_Shape, ...]:
    return tuple(_shape(f.encode_name, f.type) for f in msgspec.structs.fields(cls) if f.type is not types.NoneType)


def _shape(name: str, annotation: Any) -> _Shape:
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    if get_origin(annotation) is tuple:
        return _Shape(name, _plain(get_args(annotation)[0]), True)
    return _Shape(name, _plain(annotation), False)


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


@dataclass(slots=True)
class Repair:
    """One resource under repair; `dropped` fills with the elements left out, as "$.reasonCode[0]: expected ..."."""

    dropped: list[str] = field(default_factory=list)

    def resource(self, tree: Any, cls: type[Resource]) -> dict[str, Any]:
        """Return the tree in the shape of `cls`; raises Broken where the meaning would be lost."""
        if not isinstance(tree, dict):
            raise Broken("$", "expected an object")
        fixed: dict[str, Any] = {"resourceType": cls.__name__}
        may_go = _MAY_GO | _MAY_GO_HERE.get(cls, frozenset())
        for shape in _shapes(cls):
            value = tree.get(shape.name)
            if _is_absent(value):
                continue
            path = f"$.{shape.name}"
            try:
                fixed[shape.name] = self._element(value, shape, path, may_lose_members=shape.name in may_go)
            except Broken as broken:
                if broken.fatal or shape.name not in may_go | _MAY_GO_WHOLE:
                    raise
                self._drop(broken)
        return fixed

    def _drop(self, broken: Broken) -> None:
        self.dropped.append(f"{broken.path}: {broken.reason}")

    def _element(self, value: Any, shape: _Shape, path: str, *, may_lose_members: bool = False) -> Any:
        if shape.of is CodeableConcept and _is_list_of_codings(value):
            value = {"coding": value}
        if not shape.many:
            return self._one(_only(value, shape, path), shape, path)
        values = value if isinstance(value, list) else [value]
        if shape.of is Medication:  # `contained` holds any resource; only Medication is read
            values = [v for v in values if isinstance(v, dict) and v.get("resourceType") == "Medication"]
        fixed = []
        for index, item in enumerate(values):
            if item is None:
                continue
            try:
                fixed.append(self._one(item, shape, f"{path}[{index}]"))
            except Broken as broken:
                if broken.fatal or not may_lose_members:
                    raise
                self._drop(broken)
        return fixed

    def _one(self, value: Any, shape: _Shape, path: str) -> Any:
        if isinstance(shape.of, type) and issubclass(shape.of, msgspec.Struct):
            return self._struct(_as_object(value, shape, path), shape.of, path)
        return _SCALARS[shape.of](value, path)

    def _struct(self, tree: dict[str, Any], cls: type[msgspec.Struct], path: str) -> dict[str, Any]:
        fixed = {}
        if cls is Medication:
            fixed["resourceType"] = "Medication"
        for shape in _shapes(cls):
            value = tree.get(shape.name)
            if not _is_absent(value):
                fixed[shape.name] = self._element(value, shape, f"{path}.{shape.name}")
        return fixed


def _is_absent(value: Any) -> bool:
    return value is None or value == []


def _is_list_of_codings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and _looks_like_coding(v) for v in value)


def _looks_like_coding(tree: dict[str, Any]) -> bool:
    return isinstance(tree.get("code"), str) and "coding" not in tree and "text" not in tree


def _only(value: Any, shape: _Shape, path: str) -> Any:
    """Take the one member of a list where R4 has no list; several categories are one concept with all their codes."""
    if not isinstance(value, list):
        return value
    members = [v for v in value if v is not None]
    if shape.name == "category" and all(isinstance(m, dict) and isinstance(m.get("coding"), list) for m in members):
        return {"coding": [coding for m in members for coding in m["coding"]]}
    if len(members) != 1:
        raise Broken(path, "expected one element, not a list")
    return members[0]


def _as_object(value: Any, shape: _Shape, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        if shape.of is CodeableConcept and _looks_like_coding(value):
            return {"coding": [value]}
        if shape.of is Coding and "coding" in value:  # R5 and many senders: Encounter.class as CodeableConcept
            first = _first_of(value["coding"])
            return first if isinstance(first, dict) else {}
        return value
    if isinstance(value, str):
        if shape.of is CodeableConcept:
            return {"coding": [{"code": value}], "text": value} if shape.name in _CODES else {"text": value}
        if shape.of is Coding:
            return {"code": value}
        if shape.of is Reference:
            return {"reference": value}
        if shape.of is Dosage:
            return {"text": value}
    if shape.of is Quantity and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return {"value": value}
    raise Broken(path, "expected an object")


def _first_of(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        text = str(value)
        if len(text) <= _MAX_TEXT_NUMBER:
            return text
    raise Broken(path, "expected text")


def _truth(value: Any, path: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise Broken(path, "expected true or false")


def _decimal(value: Any, path: str) -> Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Broken(path, "expected a number", fatal=True)
    number = Decimal(value)
    try:
        check_number(number)
    except ValueError:
        raise Broken(path, OUT_OF_RANGE, fatal=True) from None
    return number


def _float(value: Any, path: str) -> float:
    return float(_decimal(value, path))


def _whole(value: Any, path: str) -> int:
    number = _decimal(value, path)
    if number != number.to_integral_value():
        raise Broken(path, "expected a whole number", fatal=True)
    if not -(2**31) <= number < 2**31:
        raise Broken(path, OUT_OF_RANGE, fatal=True)
    return int(number)


_SCALARS: Final[dict[Any, Any]] = {str: _text, bool: _truth, Decimal: _decimal, float: _float, int: _whole}
