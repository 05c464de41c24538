"""FHIR Timing as administrations per day, low and high end. What does not say how often is None, never "once a day"."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.fhir.datatypes import CodeableConcept, Quantity, Timing, TimingRepeat

PerDay = tuple[Decimal, Decimal]

# 1 month = 30 days, 1 year = 365 (clinical specification 1.1).
DAYS_IN: dict[str, Decimal] = {
    "d": Decimal(1),
    "wk": Decimal(7),
    "mo": Decimal(30),
    "a": Decimal(365),
}
_PERIODS_A_DAY = {"s": Decimal(86_400), "min": Decimal(1440), "h": Decimal(24)}
_LONGEST_DAYS = 36_500
_SPELLED = {
    "day": "d", "days": "d", "week": "wk", "weeks": "wk", "month": "mo", "months": "mo", "hour": "h", "hours": "h",
    "hr": "h", "hrs": "h", "minute": "min", "minutes": "min", "year": "a", "years": "a",
}  # fmt: skip

# http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation, and two abbreviations of the same making.
_ABBREVIATIONS: dict[str, Decimal] = {
    "AM": Decimal(1), "PM": Decimal(1), "QD": Decimal(1), "BED": Decimal(1),
    "BID": Decimal(2), "TID": Decimal(3), "QID": Decimal(4), "QOD": Decimal("0.5"),
    "Q1H": Decimal(24), "Q2H": Decimal(12), "Q3H": Decimal(8), "Q4H": Decimal(6), "Q6H": Decimal(4), "Q8H": Decimal(3),
    "Q12H": Decimal(2), "Q24H": Decimal(1), "WK": Decimal(1) / Decimal(7), "MO": Decimal(1) / Decimal(30),
}  # fmt: skip


def administrations_per_day(timing: Timing | None) -> PerDay | None:
    """(low, high) administrations a day.

    The repeat and the code of a Timing say the same thing; where both can be read and differ, nothing is known.
    """
    if timing is None:
        return None
    repeated = _of_repeat(timing.repeat) if timing.repeat is not None else None
    coded = _of_code(timing.code)
    if repeated is not None and coded is not None and not repeated[0] <= coded <= repeated[1]:
        return None
    return repeated if repeated is not None else (coded, coded) if coded is not None else None


def _of_code(concept: CodeableConcept | None) -> Decimal | None:
    if concept is None:
        return None
    codes = {
        (c.code or "").strip().upper()
        for c in concept.coding
        if c.system is None or "gtsabbreviation" in c.system.lower()
    }
    if not codes & _ABBREVIATIONS.keys() and concept.text:
        codes = {concept.text.strip().upper()}
    rates = {_ABBREVIATIONS[code] for code in codes if code in _ABBREVIATIONS}
    return rates.pop() if len(rates) == 1 else None


def _of_repeat(repeat: TimingRepeat) -> PerDay | None:
    unit = repeat.period_unit
    if (repeat.period is None) != (unit is None):
        return None
    times = len(repeat.when) or len(repeat.time_of_day)
    low, high = _frequency(repeat, times)
    if repeat.period is not None and unit is not None:
        low_period, high_period = repeat.period, repeat.period_max or repeat.period
        if low_period <= 0 or high_period < low_period or (unit not in DAYS_IN and unit not in _PERIODS_A_DAY):
            return None
        per_day = (_rate(low, high_period, unit), _rate(high, low_period, unit))
    elif times or repeat.day_of_week:
        per_day = (Decimal(low), Decimal(high))
        unit = "d"
    else:
        return None
    return _on_days_of_week(per_day, repeat, unit) if repeat.day_of_week else per_day


def _frequency(repeat: TimingRepeat, times: int) -> tuple[int, int]:
    """Times per period; "once a day at breakfast and bedtime" is once or twice."""
    low = repeat.frequency or times or 1
    high = max(repeat.frequency_max or low, low)
    if repeat.frequency is not None and times > high:
        high = times
    return low, high


def _rate(frequency: int, period: Decimal, unit: str) -> Decimal:
    a_day = _PERIODS_A_DAY.get(unit)
    if a_day is not None:
        return frequency * a_day / period
    return frequency / (period * DAYS_IN[unit])


def _on_days_of_week(per_day: PerDay, repeat: TimingRepeat, unit: str) -> PerDay | None:
    """Named days thin out a daily schedule; a weekly one happens at least once on its days and at most on each."""
    days = len(set(repeat.day_of_week))
    low, high = per_day
    if unit == "wk" and repeat.period == 1:
        return low, max(high, Decimal(days) / 7)
    if unit == "h" or (unit == "d" and repeat.period in {None, 1}):
        return low * days / 7, high * days / 7
    return None


def exact_days(quantity: Quantity | None) -> Decimal | None:
    """A Duration in days, fractions kept ("4 h" is a sixth); None for other units and for nothing."""
    if quantity is None or quantity.comparator or quantity.value is None or quantity.value <= 0:
        return None
    unit = (quantity.code or quantity.unit or "").strip().lower()
    unit = _SPELLED.get(unit, unit)
    if unit in _PERIODS_A_DAY:
        return quantity.value / _PERIODS_A_DAY[unit]
    factor = DAYS_IN.get(unit)
    return None if factor is None else quantity.value * factor


def whole_days(days: Decimal | None) -> int | None:
    """Days rounded up, forgiving the last digits of an inexact division; None beyond a century."""
    if days is None or days > _LONGEST_DAYS:
        return None
    return int(days.quantize(Decimal("0.000001")).to_integral_value(rounding=ROUND_CEILING))
