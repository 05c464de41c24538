"""Changes to a draft the client sent, on its own JSON: what is not changed stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import orjson

from cds.errors import FactError
from cds.fhir.codes import UCUM, UCUM_UNITS
from cds.fhir.decode import UNREADABLE

_MAX_JSON_INTEGER: Final = 1 << 63


def _number(text: str) -> float | orjson.Fragment:
    """Keep "1.50", and numbers beyond a float's digits, as they were sent: FHIR gives their digits a meaning."""
    number = float(text)
    return number if repr(number) == text else orjson.Fragment(text)


_draft_decoder: Final = msgspec.json.Decoder(float_hook=_number)


def read_draft(drafts: Mapping[str, bytes], reference: str) -> dict[str, Any]:
    """Return the draft as plain JSON; raises FactError where there is none that can be echoed."""
    raw = drafts.get(reference)
    if raw is None:
        raise FactError(reference.partition("/")[0], "the draft is not in the request")
    try:
        draft = _draft_decoder.decode(raw)
    except UNREADABLE:
        draft = None
    if not isinstance(draft, dict):
        raise FactError(reference.partition("/")[0], "the draft cannot be echoed")
    return draft


def without_empties(tree: Any) -> Any:
    """Return the tree without null, "", [] and {}; nulls that align a list with its `_name` twin stay.

    FHIR's JSON pairs `event: ["2026-03-01", null]` with `_event: [null, {...}]` by position: there a null is content.
    """
    if isinstance(tree, dict):
        cleaned = {}
        for name, value in tree.items():
            twin = tree.get(name[1:] if name.startswith("_") else f"_{name}")
            kept = _aligned(value) if isinstance(value, list) and isinstance(twin, list) else without_empties(value)
            if not _is_empty(kept):
                cleaned[name] = kept
        return cleaned
    if isinstance(tree, list):
        return [kept for item in tree if not _is_empty(kept := without_empties(item))]
    if isinstance(tree, int) and not isinstance(tree, bool) and not -_MAX_JSON_INTEGER <= tree < _MAX_JSON_INTEGER:
        return orjson.Fragment(str(tree))
    return tree


def _aligned(items: list[Any]) -> list[Any]:
    cleaned = [None if _is_empty(kept := without_empties(item)) else kept for item in items]
    return cleaned if any(item is not None for item in cleaned) else []


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def plain_number(value: Decimal | float) -> int | float:
    """Return the number as JSON writes it: 14, not 14.0."""
    number = Decimal(str(value))
    return int(number) if number == number.to_integral_value() else float(number)


def quantity(value: Decimal | float, unit: str) -> dict[str, Any]:
    """Return a Quantity, coded in UCUM where the unit is known there."""
    found: dict[str, Any] = {"value": plain_number(value), "unit": unit}
    if unit in UCUM_UNITS:
        found |= {"system": UCUM, "code": UCUM_UNITS[unit]}
    return found


def shorten(draft: dict[str, Any], changes: Mapping[str, Any], target: str) -> dict[str, Any]:
    """S-SHORT: supply for `days`, refills, and the quantity that belongs to it."""
    request = _object(draft.get("dispenseRequest"), target, "dispenseRequest")
    request = {k: v for k, v in request.items() if k not in ("_numberOfRepeatsAllowed",)}
    request["expectedSupplyDuration"] = quantity(changes["days"], "d")
    request["numberOfRepeatsAllowed"] = changes.get("refills", 0)
    amount = changes.get("quantity")
    if amount is None:
        request.pop("quantity", None)  # 90 tablets for 14 days would contradict the change
    else:
        request["quantity"] = _object(request.get("quantity"), target, "quantity") | {"value": plain_number(amount)}
    return draft | {"dispenseRequest": request}


def change_dose(draft: dict[str, Any], changes: Mapping[str, Any], target: str) -> dict[str, Any]:
    """S-DOSE: another dose on the only dosage line; of several dose entries the ordered one stays.

    replaces: an order whose dose the draft takes over; a draft that names a prior one of its own keeps that.
    """
    lines = draft.get("dosageInstruction")
    if not isinstance(lines, list) or len(lines) != 1 or not isinstance(lines[0], dict):
        raise FactError(target.partition("/")[0], "dosageInstruction is not one line")
    line = {k: v for k, v in lines[0].items() if k not in ("text", "_text")}
    entries = [e for e in _list(line.get("doseAndRate")) if isinstance(e, dict)]
    entry = next((e for e in entries if _has_code(e.get("type"), "ordered")), entries[0] if entries else {})
    before = entry.get("doseQuantity")
    entry = {k: v for k, v in entry.items() if k != "doseRange"}
    entry["doseQuantity"] = _dose(before, changes["dose_value"], changes["dose_unit"])
    made = draft | {"dosageInstruction": [line | {"doseAndRate": [entry]}]}
    if "replaces" in changes and not draft.get("priorPrescription"):
        made["priorPrescription"] = {"reference": changes["replaces"]}
    return made


def _dose(before: Any, value: Decimal | float, unit: str) -> dict[str, Any]:
    if isinstance(before, dict) and unit in (before.get("unit"), before.get("code")):
        return {k: v for k, v in before.items() if k != "comparator"} | {"value": plain_number(value)}
    return quantity(value, unit)


def _has_code(concept: Any, code: str) -> bool:
    codings = _list(concept.get("coding")) if isinstance(concept, dict) else []
    return any(isinstance(c, dict) and c.get("code") == code for c in codings)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any, target: str, element: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FactError(target.partition("/")[0], f"{element} is not an object")
    return value


UPDATERS: Final[dict[str, Callable[[dict[str, Any], Mapping[str, Any], str], dict[str, Any]]]] = {
    "S-SHORT": shorten,
    "S-DOSE": change_dose,
}
