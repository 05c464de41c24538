"""How long one fill lasts: days as stated, else quantity over units a day (1.4 step 1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from cds.chart.model import CountedIn
from cds.drugs.amounts import amount_of
from cds.drugs.dose import DoseStep, units_per_day
from cds.drugs.model import DrugPart, Medication
from cds.drugs.timing import exact_days
from cds.fhir import records as r

_LONGEST_SUPPLY = 3660


def stated_days(stated: r.Quantity | None) -> int | None:
    """Whole days of a stated length, parts of a day left out; None for no length, or one nobody supplies."""
    if stated is None or stated.value is None or stated.comparator:
        return None
    # daysSupply is in days by its name: a bare number needs no unit.
    exact = exact_days(stated) if stated.code or stated.unit else stated.value
    return _whole(exact) if exact is not None else None


def counted_quantity(quantity: r.Quantity | None) -> tuple[Decimal | None, CountedIn | None]:
    """(number, unit) of a quantity that counts pieces or mL; a bare number counts pieces; (None, None) for others."""
    amount = amount_of(quantity, bare_counts=True)
    if amount is None or amount[1] not in {"unit", "mL"}:
        return None, None
    return amount[0], "mL" if amount[1] == "mL" else "unit"


def supply_days(
    quantity: Decimal | None, unit: CountedIn | None, steps: Sequence[DoseStep], medication: Medication
) -> int | None:
    """Days that a quantity lasts at the high end of the dose; None where dose or quantity do not say."""
    part = sole_part(medication)
    if quantity is None or unit != taken_in(steps, part):
        return None
    per_day = units_per_day(steps, None, high=True, part=part)
    return _whole(quantity / per_day) if per_day else None


def sole_part(medication: Medication) -> DrugPart | None:
    """The only ingredient: what turns a dose in mg into pieces."""
    return medication.parts[0] if len(medication.parts) == 1 else None


def taken_in(steps: Sequence[DoseStep], part: DrugPart | None) -> CountedIn | None:
    """Whether the doses count pieces or mL, doses in mg through the strength of the product; None when unlike."""
    in_mg: CountedIn | None = None
    if part is not None and part.strength:
        in_mg = "mL" if part.unit == "mg/mL" else "unit" if part.unit == "mg" else None
    units: set[CountedIn | None] = set()
    for s in steps:
        units.add("mL" if s.unit == "mL" else "unit" if s.unit == "unit" else in_mg if s.unit == "mg" else None)
    return units.pop() if len(units) == 1 else None


def _whole(days: Decimal) -> int | None:
    whole = int(days)
    return whole if 0 < whole <= _LONGEST_SUPPLY else None
