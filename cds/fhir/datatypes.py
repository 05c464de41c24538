"""FHIR R4 datatypes, reduced to the elements decision support reads.

Attribute names are the R4 element names in snake_case. Every element is optional: a missing one is None, a missing list
is an empty tuple. Structs are immutable trees without cycles, so the garbage collector need not follow them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

import msgspec

OUT_OF_RANGE = "number out of range"

LARGEST = 10**12
_LONGEST = 32  # 30 digits, a sign and a point

# The range is checked by the decoder itself: 1e999999999 never becomes a number.
Number: TypeAlias = Annotated[float, msgspec.Meta(gt=-LARGEST, lt=LARGEST)]
Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


def check_number(value: Decimal | None) -> None:
    """Raise ValueError for a number no dose, count or result has: too large, too small, too long, or not finite.

    Takes time in proportion to the text of the number: a huge exponent is refused by itself, never expanded.
    """
    if value is not None and not (value.is_finite() and -12 <= value.adjusted() < 12 and len(str(value)) <= _LONGEST):
        raise ValueError(OUT_OF_RANGE)


class Datatype(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Base of the datatypes and of the elements inside a resource."""


class Coding(Datatype, frozen=True, gc=False):
    system: str | None = None
    code: str | None = None
    display: str | None = None
    # A CodeableConcept in the place of a Coding, and the reverse, must fail the strict decode, not read as empty.
    misplaced_coding: None = msgspec.field(default=None, name="coding")


class CodeableConcept(Datatype, frozen=True, gc=False):
    coding: tuple[Coding, ...] = ()
    text: str | None = None
    misplaced_code: None = msgspec.field(default=None, name="code")


class Identifier(Datatype, frozen=True, gc=False):
    system: str | None = None
    value: str | None = None
    type: CodeableConcept | None = None


class Reference(Datatype, frozen=True, gc=False):
    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Meta(Datatype, frozen=True, gc=False):
    last_updated: str | None = None


class Quantity(Datatype, frozen=True, gc=False):
    """Also SimpleQuantity, Duration and Age.

    number: `value` as the decoder reads it; a chart has thousands of results and uses few of them, so a Decimal is
    made on demand. The shortest text of the number is the text that was sent, up to 17 digits.
    """

    number: Number | None = msgspec.field(default=None, name="value")
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None

    @property
    def value(self) -> Decimal | None:
        number = self.number
        if number is None:
            return None
        return Decimal(int(number)) if number.is_integer() else Decimal(repr(number))


class Period(Datatype, frozen=True, gc=False):
    start: str | None = None
    end: str | None = None


class Range(Datatype, frozen=True, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Datatype, frozen=True, gc=False):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class TimingRepeat(Datatype, frozen=True, gc=False):
    bounds_period: Period | None = None
    bounds_duration: Quantity | None = None
    bounds_range: Range | None = None
    count: Whole | None = None
    count_max: Whole | None = None
    duration: Decimal | None = None
    duration_max: Decimal | None = None
    duration_unit: str | None = None
    frequency: Whole | None = None
    frequency_max: Whole | None = None
    period: Decimal | None = None
    period_max: Decimal | None = None
    period_unit: str | None = None
    day_of_week: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    offset: Whole | None = None

    def __post_init__(self) -> None:
        check_number(self.period)
        check_number(self.period_max)
        check_number(self.duration)
        check_number(self.duration_max)


class Timing(Datatype, frozen=True, gc=False):
    event: tuple[str, ...] = ()
    repeat: TimingRepeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Datatype, frozen=True, gc=False):
    """Some EHRs send several for one dose: types calculated, admin-amount and ordered. `ordered` is the order."""

    type: CodeableConcept | None = None
    dose_quantity: Quantity | None = None
    dose_range: Range | None = None
    rate_quantity: Quantity | None = None
    rate_range: Range | None = None
    rate_ratio: Ratio | None = None


class Dosage(Datatype, frozen=True, gc=False):
    sequence: Whole | None = None
    text: str | None = None
    additional_instruction: tuple[CodeableConcept, ...] = ()
    patient_instruction: str | None = None
    timing: Timing | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
    site: CodeableConcept | None = None
    route: CodeableConcept | None = None
    method: CodeableConcept | None = None
    dose_and_rate: tuple[DoseAndRate, ...] = ()
    max_dose_per_period: Ratio | None = None
    max_dose_per_administration: Quantity | None = None
