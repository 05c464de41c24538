"""What must hold of every dosage, not only of the examples."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.dose import administrations, anchor, daily_mg, is_decreasing_to_end, last_day, read_dosage, units_per_day
from cds.drugs.model import DrugPart, Ingredient
from cds.fhir.datatypes import Dosage

TZ = ZoneInfo("Europe/London")
DRUG = Ingredient("lorazepam", "6470", "lorazepam", "BZD", "BZD", frozenset({"BZD"}))
HALF_MG = DrugPart(DRUG, Decimal("0.5"), "mg")

amounts = st.decimals(min_value="0.25", max_value="20", places=2).map(float)
units = st.sampled_from([{"unit": "tablet"}, {"unit": "mg"}, {"unit": "mL"}, {"code": "ug"}, {}, {"unit": "dose"}])
quantities = st.tuples(amounts | st.sampled_from([-1, 0, 1e-9, 1e9]), units).map(lambda p: {"value": p[0], **p[1]})
repeats = st.fixed_dictionaries(
    {},
    optional={
        "frequency": st.integers(0, 30),
        "frequencyMax": st.integers(0, 30),
        "period": st.sampled_from([0, 0.5, 1, 2, 7, 1000]),
        "periodMax": st.sampled_from([0, 1, 3]),
        "periodUnit": st.sampled_from(["s", "min", "h", "d", "wk", "mo", "a", "fortnight"]),
        "when": st.lists(st.sampled_from(["MORN", "HS"]), max_size=2),
        "dayOfWeek": st.lists(st.sampled_from(["mon", "tue"]), max_size=3),
        "count": st.integers(0, 2**31 - 1),
        "boundsDuration": st.fixed_dictionaries(
            {"value": st.integers(-1, 10**9), "code": st.sampled_from(["d", "wk", "x"])}
        ),
        "boundsPeriod": st.fixed_dictionaries(
            {}, optional={"start": st.sampled_from(["2026-03-01", "2026-03", "x"]), "end": st.just("2026-03-20")}
        ),
    },
)
lines = st.fixed_dictionaries(
    {},
    optional={
        "sequence": st.integers(0, 3),
        "text": st.text(max_size=5),
        "timing": st.fixed_dictionaries({"repeat": repeats}),
        "asNeededBoolean": st.booleans(),
        "doseAndRate": st.lists(
            st.fixed_dictionaries({"doseQuantity": quantities}),
            max_size=2,
        ),
        "maxDosePerPeriod": st.fixed_dictionaries(
            {
                "numerator": quantities,
                "denominator": st.fixed_dictionaries(
                    {"value": st.sampled_from([0, 1, 24]), "code": st.sampled_from(["h", "d"])}
                ),
            }
        ),
    },
)


def read(given_lines: list[dict[str, Any]]) -> tuple[Any, ...]:
    return read_dosage(msgspec.convert(given_lines, list[Dosage]), TZ)


@given(st.lists(lines, max_size=4), st.integers(739_000, 741_000))
def test_the_low_end_is_never_above_the_high_end_and_nothing_raises(
    given_lines: list[dict[str, Any]], day: int
) -> None:
    for steps in (read(given_lines), anchor(read(given_lines), day)):
        for on in (None, day):
            low, high = (daily_mg(steps, HALF_MG, on, high=end) for end in (False, True))
            assert low is None or low >= 0
            assert low is None or high is None or low <= high
            units_per_day(steps, on, high=True)
        taken = administrations(Decimal(30), steps)
        assert taken is None or taken >= 0
        is_decreasing_to_end(steps)
        last_day(steps)


@given(amounts, st.integers(1, 12), st.sampled_from([(1, "d"), (24, "h"), (1, "wk"), (3, "d"), (30, "d")]))
def test_the_daily_dose_is_amount_times_frequency_over_days(amount: float, times: int, period: tuple[int, str]) -> None:
    length, unit = period
    days = Fraction(length) * {"d": Fraction(1), "h": Fraction(1, 24), "wk": Fraction(7)}[unit]
    steps = read(
        [
            {
                "doseAndRate": [{"doseQuantity": {"value": amount, "unit": "tablet"}}],
                "timing": {"repeat": {"frequency": times, "period": length, "periodUnit": unit}},
            }
        ]
    )
    found = daily_mg(steps, HALF_MG, None, high=True)
    assert found is not None
    assert abs(Fraction(found) - Fraction(str(amount)) / 2 * times / days) < Fraction("1e-8")


@given(st.lists(amounts, min_size=1, max_size=5))
def test_lines_taken_together_add_up_in_any_order(given_amounts: list[float]) -> None:
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    written = [{"doseAndRate": [{"doseQuantity": {"value": a, "unit": "mg"}}], "timing": daily} for a in given_amounts]
    expected = sum((Decimal(str(a)) for a in given_amounts), Decimal(0))
    assert daily_mg(read(written), HALF_MG, None, high=True) == expected
    assert daily_mg(read(written[::-1]), HALF_MG, None, high=False) == expected


@given(st.integers(1, 200), st.integers(1, 30), st.sampled_from([1, 2, 3, 7, 14, 30]))
def test_a_supply_of_whole_periods_lasts_whole_days(periods: int, times: int, every: int) -> None:
    steps = read(
        [
            {
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
                "timing": {"repeat": {"frequency": times, "period": every, "periodUnit": "d"}},
            }
        ]
    )
    per_day = units_per_day(steps, None, high=True)
    assert per_day is not None
    assert int(Decimal(periods * times) / per_day) == periods * every
