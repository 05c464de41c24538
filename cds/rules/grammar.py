"""The comparisons of the rule language: `<field> is [not|at least|...] <value> [plus|minus <duration>]`.

Ten comparisons, one optional plus or minus, no nesting, no functions. A month is an error: it has 28 to 31 days.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cds.model import Comparison, FieldRef, Operator
from cds.rules.model import Parameter
from cds.rules.vocabulary import UNITS, Field, Vocabulary, nearest

_SHAPE = re.compile(
    r"^(?P<field>[a-z][a-z0-9_]*) is "
    r"(?P<op>not |at least |at most |more than |less than |on or after |on or before |after |before )?"
    r"(?P<value>\S.*)$"
)
_SUM = re.compile(r"^(?P<base>\S+)(?: (?P<sign>plus|minus) (?P<offset>\S.*))?$")
_NUMBER = re.compile(r"^(?P<number>\d+(?:\.\d+)?)(?: ?(?P<unit>[A-Za-z%]+))?$")
_REFERENCE = re.compile(r"^(?P<binding>[a-z][a-z0-9_]*)\.(?P<field>[a-z][a-z0-9_]*)$")
_QUANTITY: dict[str, Operator] = {
    "at least": "at least",
    "at most": "at most",
    "more than": "more than",
    "less than": "less than",
}
_DATE: dict[str, Operator] = {
    "after": "more than",
    "before": "less than",
    "on or after": "at least",
    "on or before": "at most",
}
_DAYS = {"d": 1, "wk": 7}
WRITE = "write: <field> is [not|at least|at most|more than|less than|after|before|on or after|on or before] <value>"


class GrammarError(Exception):
    """What is wrong with one comparison: code, message, hint, and the part of the text it is about."""

    def __init__(self, code: str, message: str, hint: str = "", part: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.part = code, message, hint, part


class AlreadySaid(GrammarError):
    """The comparison names something whose own problem is reported where it stands."""

    def __init__(self) -> None:
        super().__init__("", "")


@dataclass(frozen=True, slots=True)
class Folded:
    """A comparison of a parameter with a constant: decided when the rule is compiled."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What a comparison may speak of: its own fact kind, the bindings above it, and the parameters.

    bound: kind by name, "" for a kind that does not exist. unread: parameters that could not be read.
    """

    vocabulary: Vocabulary
    kind: str
    binding: str
    bound: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    used: set[str]
    unread: Collection[str] = ()


def quantity(text: str) -> tuple[float, str]:
    """A number and its unit: days for d and wk. Raises GrammarError R130 or R132."""
    match = _NUMBER.match(text.strip())
    if match is None:
        raise GrammarError(
            "R132", f'"{text}" is not a number with a unit', "write 28 d, 4 wk, 75 mg, 25 % or a plain number", text
        )
    number, unit = float(match["number"]), match["unit"] or ""
    if unit in _DAYS:
        return number * _DAYS[unit], "d"
    if unit in {"", "mg", "%"}:
        return number, unit
    if unit.startswith("mo") or unit.startswith("y"):
        raise GrammarError(
            "R130",
            f'"{text}" is not a number of days (a month has 28 to 31 days)',
            "write 28 d, 30 d or 31 d, as the guideline says",
            text,
        )
    raise GrammarError("R131", f'unknown unit "{unit}"', _unit_hint(match["number"], unit), unit)


def _unit_hint(number: str, unit: str) -> str:
    meant = {"day": "d", "week": "wk", "percent": "%"}.get(unit.rstrip("s").lower())
    meant = meant or {"wks": "wk", "w": "wk", "milligram": "mg"}.get(unit.lower())
    return f"write {number} {meant}" if meant else "d, wk, mg, % or none"


def read_comparison(text: str, scope: Scope, line: int) -> Comparison | Folded:
    """Read one comparison. Raises GrammarError."""
    match = _SHAPE.match(text.strip())
    if match is None:
        raise GrammarError("R101", f'cannot read the comparison "{text}"', WRITE, text)
    name, op, value = match["field"], (match["op"] or "").strip(), match["value"].strip()
    field = scope.vocabulary.field(scope.kind, name)
    if field is None:
        if name in scope.unread:
            scope.used.add(name)
            raise AlreadySaid
        parameter = scope.parameters.get(name)
        if parameter is not None and isinstance(parameter.value, bool):
            scope.used.add(name)
            return Folded(parameter.value == _boolean(value))
        known = scope.vocabulary.kinds.get(scope.kind, {})
        raise GrammarError("R110", f'"{scope.kind}" has no field "{name}"', nearest(name, known), name)
    operator = _operator(op, field)
    return Comparison(name, operator, _value(value, field, scope), line, text.strip(), _parameter(value, scope))


def _parameter(text: str, scope: Scope) -> str:
    """The parameter that a value, or what it adds or takes away, is; "" where it is none."""
    match = _SUM.match(text)
    named = text if match is None else match["offset"] or match["base"]
    return named if named in scope.parameters else ""


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise GrammarError("R122", f'"{text}" is not a truth value', "write true or false", text)
    return text == "true"


def _operator(op: str, field: Field) -> Operator:
    if op in {"", "not"}:
        return "is not" if op else "is"
    if op in _QUANTITY and field.type in UNITS:
        return _QUANTITY[op]
    if op in _DATE and field.type == "date":
        return _DATE[op]
    wanted = (
        "is after / before / on or after / on or before"
        if field.type == "date"
        else "is at least / at most / more than / less than"
    )
    if field.type in {"text", "code", "boolean"}:
        wanted = "is / is not"
    raise GrammarError("R120", f'"is {op}" does not go with a {field.type} field', wanted, op)


def _value(text: str, field: Field, scope: Scope) -> str | bool | float | FieldRef:
    if field.type == "boolean":
        return _boolean(text)
    match = _SUM.match(text)
    reference = _REFERENCE.match(match["base"]) if match else None
    if match and reference:
        return _reference(reference["binding"], reference["field"], _offset(match, field, scope), field, scope)
    if field.type == "date":
        if match is None or match["base"] != "today":
            raise GrammarError(
                "R123",
                f'"{text}" is not a date',
                "a date is today, or <binding>.<date field>, optionally plus or minus a duration",
                text,
            )
        return _offset(match, field, scope)
    if field.type in UNITS:
        return _number(text, UNITS[field.type], scope)
    if field.type == "code" and text not in field.values:
        raise GrammarError("R125", f'"{text}" is not a value of this field', nearest(text, field.values), text)
    return text


def _number(text: str, unit: str, scope: Scope) -> float:
    parameter = scope.parameters.get(text)
    if parameter is not None:
        scope.used.add(text)
        if isinstance(parameter.value, bool) or parameter.unit != unit:
            raise GrammarError(
                "R121",
                f"parameter {text} is in {parameter.unit or 'plain numbers'}, the field in {unit or 'plain numbers'}",
                "",
                text,
            )
        return float(parameter.value)
    if text in scope.unread:
        scope.used.add(text)
        raise AlreadySaid
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise GrammarError("R113", f'there is no parameter "{text}"', nearest(text, scope.parameters), text)
    number, found = quantity(text)
    if found != unit:
        raise GrammarError(
            "R132",
            f'"{text}" is in {found or "plain numbers"}, the field in {unit or "plain numbers"}',
            f"write {number:g} d or {number:g} wk" if unit == "d" and not found else f"write {number:g} {unit}".strip(),
            text,
        )
    return number


def _offset(match: re.Match[str], field: Field, scope: Scope) -> float:
    if match["offset"] is None:
        return 0.0
    unit = "d" if field.type == "date" else UNITS.get(field.type)
    if unit is None:
        raise GrammarError("R120", "plus and minus go with dates and quantities only", "", match["offset"])
    size = _number(match["offset"], unit, scope)
    return size if match["sign"] == "plus" else -size


def _reference(binding: str, name: str, offset: float, field: Field, scope: Scope) -> FieldRef:
    kind = scope.bound.get(binding)
    if kind is None:
        bound = ", ".join(scope.bound) or "nothing"
        raise GrammarError("R111", f'"{binding}" is not bound above this line', f"bound here: {bound}", binding)
    if not kind:
        raise AlreadySaid
    other = scope.vocabulary.field(kind, name)
    if other is None:
        raise GrammarError("R110", f'"{kind}" has no field "{name}"', nearest(name, scope.vocabulary.kinds[kind]), name)
    text_like = {"text", "code"}
    if other.type != field.type and not {other.type, field.type} <= text_like:
        raise GrammarError(
            "R121", f"{binding}.{name} is {other.type}, the field is {field.type}", "", f"{binding}.{name}"
        )
    return FieldRef(binding, name, offset)
