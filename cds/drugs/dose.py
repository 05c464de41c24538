"""Daily dose (clinical specification 1.5): FHIR Dosage to steps, and steps with a product's strength to mg a day.

High ends are for safety rules, low ends for adequacy; an as-needed dose is 0 at its low end. Free text counts only
where `cds.drugs.sig` understands all of it. Every figure is a Decimal, or None for "not known".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cds.dates import Day, day_of
from cds.drugs.amounts import amount_of, dose_of
from cds.drugs.model import DrugPart
from cds.drugs.sig import ENOUGH, parse_sig
from cds.drugs.steps import DoseStep, Phase, anchor, in_order, last_day, on_day, phases
from cds.drugs.timing import administrations_per_day, exact_days, whole_days

if TYPE_CHECKING:
    from cds.fhir.datatypes import Dosage, Ratio

__all__ = [
    "DoseStep",
    "administrations",
    "anchor",
    "daily_mg",
    "is_decreasing_to_end",
    "last_day",
    "patch_mg_per_24_hours",
    "read_dosage",
    "units_per_day",
]

_ZERO = Decimal(0)
_EXACT = Decimal("1e-9")
_NOISE = Decimal("1e-18")
_MOST_TIMES_A_DAY = Decimal(1440)
_LARGEST_QUANTITY = Decimal("1e6")
_SHORTEST, _LONGEST = Decimal("0.0006"), Decimal(366)
_A_WEEK = Decimal(7)
_SAME_DOSE = Decimal("0.01")
_WEEKLY_FLUOXETINE_MG, _AS_DAILY_MG = Decimal(90), Decimal(20)


def read_dosage(dosages: Sequence[Dosage], tz: ZoneInfo, *, bare_counts: bool = False) -> tuple[DoseStep, ...]:
    """Steps of a dosage instruction, in order. A line of text only counts where all of it is understood.

    bare_counts: the sender writes doses as a number of pieces without a unit (a setting of the site).
    """
    steps: list[DoseStep] = []
    unread = False
    for d in dosages:
        said = _text_steps(d, alone=len(dosages) == 1, bare_counts=bare_counts)
        step = None if said else _step(d, tz, bare_counts=bare_counts)
        unread = unread or not (said or step)
        steps.extend(said or ((step,) if step is not None else ()))
    if unread and steps:
        # Part of the instruction is free text: what the rest adds up to is not the daily dose.
        return ()
    return in_order(steps)


def _text_steps(d: Dosage, *, alone: bool, bare_counts: bool) -> tuple[DoseStep, ...]:
    """Steps of a line that has no dose and no timing but a text; structure, where there is any, goes before text."""
    if not d.text or d.dose_and_rate or d.timing is not None or d.max_dose_per_period is not None:
        return ()
    sig = parse_sig(d.text, bare_counts=bare_counts)
    prn = bool(d.as_needed_boolean) or d.as_needed_codeable_concept is not None
    if sig.confidence < ENOUGH or (len(sig.steps) > 1 and not alone):
        return ()
    if any(s.prn for s in sig.steps) and d.as_needed_boolean is False:
        # The text says "as needed", the field says not.
        return ()
    return tuple(
        replace(
            s,
            prn=s.prn or prn,
            per_day_low=_ZERO if prn else s.per_day_low,
            sequence=s.sequence if s.sequence is not None else d.sequence,
        )
        for s in sig.steps
    )


def _step(d: Dosage, tz: ZoneInfo, *, bare_counts: bool) -> DoseStep | None:
    low, high, unit = dose_of(d.dose_and_rate, bare_counts=bare_counts)
    rate = administrations_per_day(d.timing)
    ceiling = _ceiling(d.max_dose_per_period, bare_counts=bare_counts)
    prn = bool(d.as_needed_boolean) or d.as_needed_codeable_concept is not None
    repeat = d.timing.repeat if d.timing is not None else None
    bounds = repeat.bounds_period if repeat is not None else None
    days = whole_days(exact_days(repeat.bounds_duration)) if repeat is not None else None
    if rate is not None and not 0 < rate[0] <= rate[1] <= _MOST_TIMES_A_DAY:
        rate = None
    if unit is None and rate is None and ceiling is None and bounds is None and days is None and not prn:
        return None
    if days is None and repeat is not None and repeat.count and rate is not None and not prn:
        days = whole_days(Decimal(repeat.count) / rate[1])
    return DoseStep(
        start=day_of(bounds.start, tz, partial="start") if bounds is not None else None,
        end=day_of(bounds.end, tz, partial="end") if bounds is not None else None,
        prn=prn,
        per_day_low=_ZERO if prn else rate[0] if rate else None,
        per_day_high=rate[1] if rate else None,
        amount_low=low,
        amount_high=high,
        unit=unit,
        sequence=d.sequence,
        days=days,
        max_per_day=ceiling[0] if ceiling else None,
        max_unit=ceiling[1] if ceiling else None,
    )


def _ceiling(ratio: Ratio | None, *, bare_counts: bool) -> tuple[Decimal, str] | None:
    """maxDosePerPeriod as an amount a day."""
    if ratio is None:
        return None
    amount = amount_of(ratio.numerator, bare_counts=bare_counts)
    days = exact_days(ratio.denominator)
    if amount is None or days is None or not _SHORTEST <= days <= _LONGEST:
        return None
    return amount[0] / days, amount[1]


def daily_mg(steps: Sequence[DoseStep], part: DrugPart, day: Day | None, *, high: bool) -> Decimal | None:
    """mg of one ingredient a day on `day`; without a day, the highest (or lowest) day of the whole regimen.

    None: not known, no step in force, or no daily dose at all (long-acting injections, implants, patches).
    Fluoxetine 90 mg once a week counts as 20 mg a day.
    """
    if not part.daily:
        return None
    return _over_time(steps, day, high=high, measure=lambda s: _step_mg(s, part, high=high))


def units_per_day(
    steps: Sequence[DoseStep], day: Day | None, *, high: bool, part: DrugPart | None = None
) -> Decimal | None:
    """Pieces (or mL) a day, for days = quantity / units a day; rounded down, so that whole days come out whole.

    Without a day only a regimen that stays the same throughout has one figure. part: the product's only ingredient, to
    turn a dose in mg into pieces (100 mg of a 50 mg tablet is 2); without it such a dose is None.
    """
    if day is None and len(set(phases(steps) or ())) != 1:
        return None
    counted = _in_pieces(steps, part)
    return (
        None if counted is None else _over_time(counted, day, high=high, measure=lambda s: _step_amount(s, high=high))
    )


def administrations(quantity: Decimal, steps: Sequence[DoseStep], *, part: DrugPart | None = None) -> Decimal | None:
    """How often a quantity of pieces (or mL) lets the patient take the drug: quantity / amount of one administration.

    The high end of a dose range counts, which gives the fewest times. Lines with different amounts: by their shares.
    part: as in `units_per_day`.
    """
    counted = _in_pieces(steps, part)
    if counted is None or not quantity.is_finite() or not 0 <= quantity <= _LARGEST_QUANTITY:
        return None
    amounts = {s.amount_high for s in counted}
    if len(amounts) == 1:
        amount = amounts.pop()
        return _tidy(quantity / amount) if amount else None
    together = phases(counted)
    if together is None or len(together) != 1 or any(s.prn for s in counted):
        return None
    times, taken = _ZERO, _ZERO
    for s in counted:
        if s.amount_high is None or s.per_day_high is None:
            return None
        times += s.per_day_high
        taken += s.amount_high * s.per_day_high
    return _tidy(quantity * times / taken) if taken else None


def _in_pieces(steps: Sequence[DoseStep], part: DrugPart | None) -> tuple[DoseStep, ...] | None:
    """Steps counted in pieces or in mL, all alike; None where they are not."""
    counted = []
    for s in steps:
        per_piece = part.strength if part is not None and part.sole and s.unit == "mg" else None
        unit = {"mg": "unit", "mg/mL": "mL"}.get(part.unit or "") if part is not None and per_piece else None
        if per_piece and unit:
            low, high = (None if a is None else a / per_piece for a in (s.amount_low, s.amount_high))
            most = s.max_per_day / per_piece if s.max_per_day is not None and s.max_unit == "mg" else None
            counted.append(replace(s, amount_low=low, amount_high=high, unit=unit, max_per_day=most, max_unit=unit))
        else:
            counted.append(s)
    alike = len({s.unit for s in counted}) == 1 and counted[0].unit in {"unit", "mL"}
    return tuple(counted) if alike else None


def is_decreasing_to_end(steps: Sequence[DoseStep]) -> bool:
    """True for a taper: at least two phases, never rising, falling at least once, and the last one has an end."""
    taken = phases(steps)
    if taken is None or len(taken) < 2 or len({s.unit for s in steps}) != 1:
        return False
    if not all(s.end is not None or s.days is not None for s in taken[-1]):
        return False
    totals = []
    for phase in taken:
        amounts = [_step_amount(s, high=True) for s in phase]
        if any(a is None for a in amounts):
            return False
        totals.append(sum((a for a in amounts if a is not None), _ZERO))
    falls = [after <= before for before, after in pairwise(totals)]
    return all(falls) and totals[-1] < totals[0]


def patch_mg_per_24_hours(part: DrugPart) -> Decimal | None:
    """The rate of one patch; a patch has no daily dose by mouth and is compared only with patch rows."""
    return part.strength * 24 if part.unit == "mg/h" and part.strength is not None else None


def _over_time(
    steps: Sequence[DoseStep], day: Day | None, *, high: bool, measure: Callable[[DoseStep], Decimal | None]
) -> Decimal | None:
    """Sum of what is taken together: on a day, or on the highest (lowest) day of the regimen."""
    now = None if day is None else on_day(steps, day)
    together: tuple[Phase, ...] | None = phases(steps) if day is None else None if now is None else (now,)
    if not together or not all(together):
        return None
    totals = []
    for phase in together:
        total = _ZERO
        for step in phase:
            taken = measure(step)
            if taken is None:
                return None
            total += taken
        totals.append(total)
    return _tidy(max(totals) if high else min(totals))


def _step_mg(step: DoseStep, part: DrugPart, *, high: bool) -> Decimal | None:
    if step.prn and not high:
        return _ZERO
    if step.prn and step.max_per_day is not None and step.max_unit is not None:
        ceiling = _as_mg(step.max_per_day, step.max_unit, part)
        if ceiling is not None:
            return ceiling
    amount, per_day = (step.amount_high, step.per_day_high) if high else (step.amount_low, step.per_day_low)
    if amount is None or per_day is None or step.unit is None:
        return None
    mg = _as_mg(amount, step.unit, part)
    if step.also_mg is not None and step.amount_high and part.sole:
        stated = step.also_mg * amount / step.amount_high * part.mg_factor
        if mg is not None and abs(mg - stated) > _SAME_DOSE * stated:
            # "1 tablet (50 mg total)" of a 100 mg tablet: one of the two is wrong.
            return None
        mg = stated if mg is None else mg
    if mg is None:
        return None
    if part.ingredient.key == "fluoxetine" and mg == _WEEKLY_FLUOXETINE_MG and abs(per_day * _A_WEEK - 1) < _EXACT:
        return _AS_DAILY_MG
    return mg * per_day


def _as_mg(amount: Decimal, unit: str, part: DrugPart) -> Decimal | None:
    """An amount of the product as mg of this ingredient; a dose in mg of a combination belongs to no one ingredient."""
    if unit == "mg":
        return amount * part.mg_factor if part.sole else None
    counted_in = {"unit": ("mg", "mg/actuation"), "mL": ("mg/mL",)}.get(unit, ())
    if part.strength is None or part.unit not in counted_in:
        return None
    return amount * part.strength * part.mg_factor


def _step_amount(step: DoseStep, *, high: bool) -> Decimal | None:
    """Amount of a step a day in its own unit."""
    if step.prn and not high:
        return _ZERO
    if step.prn and step.max_per_day is not None and step.max_unit == step.unit:
        return step.max_per_day
    amount, per_day = (step.amount_high, step.per_day_high) if high else (step.amount_low, step.per_day_low)
    return None if amount is None or per_day is None else amount * per_day


def _tidy(value: Decimal) -> Decimal:
    """Without the last digits of an inexact division: 20 stays 20 after / 7 * 7, a true fraction is cut."""
    near = value.quantize(_EXACT, rounding=ROUND_HALF_EVEN)
    exact = near if abs(value - near) < _NOISE else value.quantize(_EXACT, rounding=ROUND_DOWN)
    return exact.normalize() + _ZERO
