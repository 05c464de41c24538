"""FHIR Quantity as an amount of a dose: "mg", "mL", or "unit" for whatever one takes one of (tablet, patch, puff)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.fhir.datatypes import DoseAndRate, Quantity

Amount = tuple[Decimal, str]

# Nobody is given more, or less; and sums of such amounts stay exact.
_SMALLEST, _LARGEST = Decimal("1e-6"), Decimal("1e5")
_THOUSANDTH, _THOUSAND = Decimal("0.001"), Decimal(1000)
_MEASURES: dict[str, tuple[Decimal, str]] = {
    **dict.fromkeys(("mg", "mgs", "milligram", "milligrams"), (Decimal(1), "mg")),
    **dict.fromkeys(("ug", "mcg", "µg", "μg", "microgram", "micrograms"), (_THOUSANDTH, "mg")),
    **dict.fromkeys(("g", "gm", "gram", "grams"), (_THOUSAND, "mg")),
    **dict.fromkeys(("ml", "cc", "milliliter", "milliliters", "millilitre", "millilitres"), (Decimal(1), "mL")),
    **dict.fromkeys(("l", "liter", "liters", "litre", "litres"), (_THOUSAND, "mL")),
}
# "unit" and "U" are not here: they are units of activity as often as pieces. Neither are drops and spoons.
_NOUNS = (
    "tablet", "tab", "tbl", "capsule", "cap", "caplet", "pill", "film", "strip", "patch", "puff", "spray", "actuation",
    "lozenge", "troche", "supp", "packet", "sachet", "wafer",
)  # fmt: skip
_PIECES = frozenset(
    {
        *_NOUNS, *(f"{noun}s" for noun in _NOUNS), *(f"{noun}(s)" for noun in _NOUNS), "patches", "patch(es)",
        "suppository", "suppositories", "each", "ea", "1",
        "ertab", "ectab", "sltab", "chewtab", "dispertab", "ortab", "ercap", "eccap",
    }
)  # fmt: skip


def amount_of(quantity: Quantity | None, *, bare_counts: bool) -> Amount | None:
    """(value, unit) of a dose quantity; None when the unit is missing, unknown, or contradicts itself.

    bare_counts: the sender writes pieces without a unit ("2" for two tablets). Off, such a number has no meaning:
    it could as well be milligrams.
    """
    value = None if quantity is None or quantity.comparator else quantity.value
    if quantity is None or value is None or (value != 0 and not _SMALLEST <= value <= _LARGEST):
        return None
    said = [u for u in (_unit(quantity.code), _unit(quantity.unit)) if u is not None]
    if not said:
        unstated = not quantity.code and not quantity.unit
        return (value, "unit") if bare_counts and unstated else None
    factor, unit = said[0]
    if unit != said[-1][1]:
        return None
    return value * factor, unit


def _unit(text: str | None) -> tuple[Decimal, str] | None:
    """Reads UCUM codes, UCUM annotations ("{tbl}"), orderable drug forms ("TAB") and plain words alike."""
    if not text:
        return None
    plain = text.strip().strip("{}").strip().lower()
    if plain in _MEASURES:
        return _MEASURES[plain]
    last = plain.rsplit(" ", 1)[-1]
    return (Decimal(1), "unit") if plain in _PIECES or (last != plain and last in _PIECES) else None


def dose_of(given: Sequence[DoseAndRate], *, bare_counts: bool) -> tuple[Decimal | None, Decimal | None, str | None]:
    """(low, high, unit) of one administration. The `ordered` entry counts; without one, entries must agree."""
    entries = [d for d in given if d.dose_quantity is not None or d.dose_range is not None]
    if len(entries) == 1:
        return _one_dose(entries[0], bare_counts=bare_counts)
    ordered = [d for d in entries if _is_ordered(d)]
    doses = {_one_dose(d, bare_counts=bare_counts) for d in ordered or entries}
    return doses.pop() if len(doses) == 1 else (None, None, None)


def _is_ordered(entry: DoseAndRate) -> bool:
    if entry.type is None:
        return False
    said = [c.code for c in entry.type.coding] + [entry.type.text]
    return any(s is not None and s.strip().lower() == "ordered" for s in said)


def _one_dose(entry: DoseAndRate, *, bare_counts: bool) -> tuple[Decimal | None, Decimal | None, str | None]:
    if entry.dose_quantity is not None:
        amount = amount_of(entry.dose_quantity, bare_counts=bare_counts)
        return (amount[0], amount[0], amount[1]) if amount else (None, None, None)
    if entry.dose_range is None:
        return None, None, None
    low = amount_of(entry.dose_range.low, bare_counts=bare_counts)
    high = amount_of(entry.dose_range.high, bare_counts=bare_counts)
    units = {a[1] for a in (low, high) if a}
    if len(units) != 1 or (low and high and low[0] > high[0]):
        return None, None, None
    return (low[0] if low else None, high[0] if high else None, units.pop())
