"""FHIR dosages to steps, and steps to milligrams, pieces and administrations a day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cds.drugs.dose import (
    administrations,
    anchor,
    daily_mg,
    is_decreasing_to_end,
    last_day,
    patch_mg_per_24_hours,
    read_dosage,
    units_per_day,
)
from cds.drugs.model import DrugPart
from cds.drugs.resolver import Resolver
from cds.drugs.steps import DoseStep
from cds.fhir.datatypes import Dosage

TZ = ZoneInfo("America/New_York")
RESOLVER = Resolver()
TABLETS = {"unit": "tablet", "code": "{tbl}", "system": "http://unitsofmeasure.org"}
MG = {"unit": "mg", "code": "mg", "system": "http://unitsofmeasure.org"}
DAILY = {"frequency": 1, "period": 1, "periodUnit": "d"}
TWICE_DAILY = {"frequency": 2, "period": 1, "periodUnit": "d"}


def day(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal()


def dose(value: float, unit: dict[str, str] = TABLETS, **kind: Any) -> dict[str, Any]:
    return {"doseAndRate": [{"doseQuantity": {"value": value, **unit}, **kind}]}


def line(value: float = 1, unit: dict[str, str] = TABLETS, *, repeat: Any = DAILY, **more: Any) -> dict[str, Any]:
    return {**dose(value, unit), "timing": {"repeat": repeat}, **more}


def read(*lines: dict[str, Any], **options: Any) -> tuple[DoseStep, ...]:
    return read_dosage(msgspec.convert(list(lines), list[Dosage]), TZ, **options)


def part(name: str) -> DrugPart:
    found = RESOLVER.resolve([], name)
    assert found.status == "identified", name
    return found.parts[0]


SERTRALINE_50 = part("sertraline 50 MG Oral Tablet")


def mg(
    *lines: dict[str, Any], of: DrugPart = SERTRALINE_50, on: int | None = None, high: bool = True, **options: Any
) -> Decimal | None:
    return daily_mg(read(*lines, **options), of, on, high=high)


def test_tablets_times_strength_times_administrations() -> None:
    assert mg(line(1.5, repeat=TWICE_DAILY)) == 150


def test_a_dose_in_milligrams_needs_no_strength() -> None:
    assert mg(line(75, MG), of=part("sertraline")) == 75


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (500, {"unit": "mcg"}, "0.5"),
        (500, {"code": "ug"}, "0.5"),
        (1, {"unit": "g"}, "1000"),
        (100, {"unit": "MG"}, "100"),
        (2, {"unit": "Tablet(s)"}, "100"),
        (2, {"code": "TAB", "unit": "TAB"}, "100"),
        (2, {"code": "1"}, "100"),
        (2, {"unit": "oral tablet"}, "100"),
    ],
)
def test_units_of_a_dose_are_converted(value: float, unit: dict[str, str], expected: str) -> None:
    assert mg(line(value, unit)) == Decimal(expected)


@pytest.mark.parametrize(
    "unit",
    [
        {},
        {"unit": "unit"},
        {"code": "[iU]"},
        {"unit": "drops"},
        {"unit": "mg/kg"},
        {"unit": "meq"},
        {"unit": "tablet", "code": "mg"},
        {"unit": "as directed"},
    ],
)
def test_a_dose_in_any_other_unit_is_unknown(unit: dict[str, str]) -> None:
    assert mg(line(1, unit)) is None


def test_a_number_without_a_unit_is_a_count_only_where_the_site_says_so() -> None:
    assert daily_mg(read(line(2, {})), SERTRALINE_50, None, high=True) is None
    assert daily_mg(read(line(2, {}), bare_counts=True), SERTRALINE_50, None, high=True) == 100


def test_millilitres_need_a_concentration() -> None:
    solution = part("lithium citrate 60 MG/ML Oral Solution")
    assert mg(line(5, {"unit": "mL", "code": "{mL}"}, repeat=TWICE_DAILY), of=solution) == 600
    assert mg(line(5, {"unit": "mL"}), of=SERTRALINE_50) is None
    assert mg(line(1), of=solution) is None


def test_an_inexact_quantity_is_unknown() -> None:
    assert mg({**line(), "doseAndRate": [{"doseQuantity": {"value": 1, "comparator": "<", **TABLETS}}]}) is None


@pytest.mark.parametrize(
    ("repeat", "low", "high"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, 3, 3),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 3, 3),
        ({"period": 12, "periodUnit": "h"}, 2, 2),
        ({"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"}, 4, 6),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}, 1, 2),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, "0.5", "0.5"),
        ({"frequency": 7, "period": 1, "periodUnit": "wk"}, 1, 1),
        ({"frequency": 30, "period": 1, "periodUnit": "mo"}, 1, 1),
        ({"when": ["MORN", "HS"]}, 2, 2),
        ({"when": ["HS"], **DAILY}, 1, 1),
        ({"when": ["MORN", "HS"], **DAILY}, 1, 2),
        ({"timeOfDay": ["08:00:00", "14:00:00", "20:00:00"]}, 3, 3),
        ({"frequency": 3, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}, "3/7", "3/7"),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "fri"]}, "1/7", "2/7"),
    ],
)
def test_administrations_per_day(repeat: dict[str, Any], low: Any, high: Any) -> None:
    (step,) = read(line(repeat=repeat))
    assert step.per_day_low is not None
    assert step.per_day_high is not None
    assert abs(Fraction(step.per_day_low) - Fraction(low)) < Fraction("1e-20")
    assert abs(Fraction(step.per_day_high) - Fraction(high)) < Fraction("1e-20")


def test_named_days_of_the_week_average_out() -> None:
    repeat = {**DAILY, "dayOfWeek": ["mon", "wed", "fri", "sat", "sun", "tue", "thu"]}
    assert mg(line(repeat=repeat)) == 50
    thrice = units_per_day(read(line(7, repeat={**DAILY, "dayOfWeek": ["mon", "wed", "fri"]})), None, high=True)
    assert thrice == 3


def test_named_days_of_a_schedule_that_is_not_daily_or_weekly_are_unknown() -> None:
    assert mg(line(repeat={"frequency": 7, "period": 7, "periodUnit": "d", "dayOfWeek": ["mon"]})) is None


@pytest.mark.parametrize(
    ("code", "expected"), [("BID", 2), ("TID", 3), ("QID", 4), ("QD", 1), ("AM", 1), ("QOD", "0.5"), ("Q4H", 6)]
)
def test_timing_codes_are_read(code: str, expected: Any) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
    assert mg({**dose(1), "timing": {"code": {"coding": [{"system": system, "code": code}]}}}) == 50 * Decimal(expected)
    assert mg({**dose(1), "timing": {"code": {"text": code}}}) == 50 * Decimal(expected)


def test_a_timing_code_that_contradicts_the_repeat_leaves_the_dose_unknown() -> None:
    assert mg({**dose(1), "timing": {"code": {"text": "TID"}, "repeat": TWICE_DAILY}}) is None
    assert mg({**dose(1), "timing": {"code": {"text": "BID"}, "repeat": TWICE_DAILY}}) == 100


def test_a_code_of_a_local_system_is_not_an_abbreviation() -> None:
    assert mg({**dose(1), "timing": {"code": {"coding": [{"system": "urn:oid:1.2.3", "code": "BID"}]}}}) is None


@pytest.mark.parametrize(
    "repeat",
    [
        {"frequency": 2},
        {"period": 1},
        {"frequency": 1, "period": 0, "periodUnit": "d"},
        {},
        {"frequency": 1, "period": 1, "periodUnit": "x"},
    ],
)
def test_a_timing_that_does_not_say_how_often_is_unknown(repeat: dict[str, Any]) -> None:
    assert mg(line(repeat=repeat)) is None


def test_a_range_uses_its_high_end_for_safety_and_its_low_end_for_adequacy() -> None:
    ranged = {"doseRange": {"low": {"value": 1, **TABLETS}, "high": {"value": 2, **TABLETS}}}
    given = {"doseAndRate": [ranged], "timing": {"repeat": DAILY}}
    assert mg(given, high=True) == 100
    assert mg(given, high=False) == 50


def test_a_range_without_a_low_end_is_unknown_at_its_low_end() -> None:
    given = {"doseAndRate": [{"doseRange": {"high": {"value": 2, **TABLETS}}}], "timing": {"repeat": DAILY}}
    assert mg(given, high=True) == 100
    assert mg(given, high=False) is None


def test_the_ordered_dose_wins_over_the_calculated_one() -> None:
    ordered = {"type": {"coding": [{"code": "ordered"}]}, "doseQuantity": {"value": 100, **MG}}
    calculated = {"type": {"coding": [{"code": "calculated"}]}, "doseQuantity": {"value": 3, **TABLETS}}
    assert mg({"doseAndRate": [calculated, ordered], "timing": {"repeat": DAILY}}) == 100


def test_two_different_doses_without_an_order_are_unknown() -> None:
    doses = [{"doseQuantity": {"value": 1, **TABLETS}}, {"doseQuantity": {"value": 2, **TABLETS}}]
    assert mg({"doseAndRate": doses, "timing": {"repeat": DAILY}}) is None


def test_as_needed_is_nothing_for_adequacy_and_the_most_frequent_for_safety() -> None:
    given = line(1, repeat={"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"}, asNeededBoolean=True)
    assert mg(given, high=False) == 0
    assert mg(given, high=True) == 300
    assert mg({**dose(1), "timing": {"repeat": DAILY}, "asNeededCodeableConcept": {"text": "anxiety"}}, high=False) == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        ({"value": 2, **TABLETS}, {"value": 1, "code": "d"}, 100),
        ({"value": 75, **MG}, {"value": 24, "code": "h"}, 75),
        ({"value": 10, **MG}, {"value": 4, "unit": "h"}, 60),
        ({"value": 4, "unit": "drops"}, {"value": 1, "code": "d"}, 300),
    ],
)
def test_a_stated_ceiling_is_the_high_end_of_as_needed(numerator: Any, denominator: Any, expected: int) -> None:
    ceiling = {"numerator": numerator, "denominator": denominator}
    given = line(
        1, repeat={"frequency": 6, "period": 1, "periodUnit": "d"}, asNeededBoolean=True, maxDosePerPeriod=ceiling
    )
    assert mg(given) == expected


def test_as_needed_without_a_frequency_is_unknown_at_its_high_end() -> None:
    given = {**dose(1), "asNeededBoolean": True}
    assert mg(given, high=True) is None
    assert mg(given, high=False) == 0


def test_free_text_that_is_understood_counts_like_structure() -> None:
    assert mg({"text": "take 2 tablets twice daily"}) == 200
    assert mg({"text": "1 tab q6h prn anxiety, max 3/day", "asNeededBoolean": True}) == 150


@pytest.mark.parametrize(
    "text", ["take as directed", "take 2 tablets twice daily as directed", "2 po bid", "1 tab mwf"]
)
def test_free_text_that_is_not_understood_gives_no_steps(text: str) -> None:
    assert read({"text": text}) == ()


def test_a_text_beside_structure_is_not_read() -> None:
    assert mg({**line(1), "text": "take 2 tablets twice daily"}) == mg(line(1))


def test_a_text_that_says_as_needed_where_the_field_says_not_is_unknown() -> None:
    assert mg({"text": "1 tab daily prn", "asNeededBoolean": False}) is None
    assert mg({"text": "1 tab daily", "asNeededBoolean": True}, high=False) == 0


def test_a_bare_number_in_a_text_counts_pieces_only_where_the_site_says_so() -> None:
    assert read({"text": "take 2 po bid"}) == ()
    assert mg({"text": "take 2 po bid"}, bare_counts=True) == 200


def test_milligrams_said_beside_the_pieces_must_be_those_of_the_product() -> None:
    assert mg({"text": "Take 2 tablets (100 mg total) by mouth daily"}) == 100
    assert mg({"text": "Take 2 tablets (50 mg total) by mouth daily"}) is None


def test_a_free_text_line_beside_a_structured_one_leaves_the_whole_unknown() -> None:
    assert read(line(1), {"text": "and two more if it gets worse"}) == ()


def test_one_in_the_morning_and_two_at_night_add_up() -> None:
    morning = line(1, repeat={"when": ["MORN"], **DAILY})
    night = line(2, repeat={"when": ["HS"], **DAILY})
    assert mg(morning, night) == 150
    assert mg({**morning, "sequence": 1}, {**night, "sequence": 1}) == 150
    assert units_per_day(read(morning, night), None, high=True) == 3


def test_lines_numbered_in_sequence_over_the_same_days_add_up() -> None:
    same = {"boundsPeriod": {"start": "2026-03-01"}, **DAILY}
    assert mg(line(1, repeat=same, sequence=1), line(2, repeat=same, sequence=2)) == 150


def test_a_sequence_without_any_dates_or_lengths_is_unknown() -> None:
    steps = read(line(1, sequence=1), line(2, sequence=2))
    assert daily_mg(steps, SERTRALINE_50, None, high=True) is None
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-01"), high=True) is None


def titration() -> tuple[DoseStep, ...]:
    """50 mg for 7 days, 100 mg for 7 days, then 150 mg; the lines are out of order."""
    weeks = {"boundsDuration": {"value": 1, "unit": "wk", "code": "wk"}, **DAILY}
    return read(
        line(3, sequence=3),
        line(1, repeat=weeks, sequence=1),
        line(2, repeat=weeks, sequence=2),
    )


def test_a_titration_gives_the_dose_of_the_step_in_force() -> None:
    start = day("2026-03-01")
    steps = anchor(titration(), start)
    doses = [daily_mg(steps, SERTRALINE_50, start + n, high=True) for n in (0, 6, 7, 13, 14, 400)]
    assert doses == [50, 50, 100, 100, 150, 150]
    assert daily_mg(steps, SERTRALINE_50, start - 1, high=True) is None
    assert last_day(steps) is None


def test_a_titration_that_is_not_on_the_calendar_has_a_highest_and_a_lowest_day() -> None:
    steps = titration()
    assert daily_mg(steps, SERTRALINE_50, None, high=True) == 150
    assert daily_mg(steps, SERTRALINE_50, None, high=False) == 50
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-01"), high=True) is None
    assert units_per_day(steps, None, high=True) is None


def test_a_later_start_closes_the_step_before_it() -> None:
    first = line(1, repeat={"boundsPeriod": {"start": "2026-03-01"}, **DAILY}, sequence=1)
    second = line(2, repeat={"boundsPeriod": {"start": "2026-03-15"}, **DAILY}, sequence=2)
    steps = read(first, second)
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-14"), high=True) == 50
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-15"), high=True) == 100


def test_bounds_are_days_of_the_site_and_both_inclusive() -> None:
    steps = read(line(repeat={"boundsPeriod": {"start": "2026-03-01T03:00:00Z", "end": "2026-03-10"}, **DAILY}))
    assert steps[0].start == day("2026-02-28")
    assert last_day(steps) == day("2026-03-10")
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-10"), high=True) == 50
    assert daily_mg(steps, SERTRALINE_50, day("2026-03-11"), high=True) is None


def test_a_count_of_administrations_ends_the_step() -> None:
    steps = anchor(read(line(repeat={"count": 20, **TWICE_DAILY})), day("2026-03-01"))
    assert last_day(steps) == day("2026-03-10")


def test_weekly_fluoxetine_counts_as_twenty_a_day() -> None:
    capsule = part("fluoxetine 90 MG Delayed Release Oral Capsule")
    weekly = {"frequency": 1, "period": 1, "periodUnit": "wk"}
    assert mg(line(1, {"unit": "capsule"}, repeat=weekly), of=capsule) == 20
    assert mg(line(90, MG, repeat={"frequency": 1, "period": 7, "periodUnit": "d"}), of=capsule) == 20
    assert mg(line(1, {"unit": "capsule"}), of=capsule) == 90
    twenty = part("fluoxetine 20 MG Oral Capsule")
    assert mg(line(7, {"unit": "capsule"}, repeat=weekly), of=twenty) == 20


def test_long_acting_injections_and_patches_have_no_daily_dose() -> None:
    depot = part("haloperidol decanoate 100 MG/ML Injectable Solution")
    assert mg(line(1, {"unit": "mL"}, repeat={"frequency": 1, "period": 4, "periodUnit": "wk"}), of=depot) is None
    assert mg(line(100, MG), of=depot) is None
    patch = RESOLVER.resolve([], "24 HR selegiline 0.25 MG/HR Transdermal System").parts[0]
    assert mg(line(1, {"unit": "patch"}), of=patch) is None
    assert patch_mg_per_24_hours(patch) == 6


def test_a_dose_in_milligrams_of_a_combination_belongs_to_no_ingredient() -> None:
    olanzapine = RESOLVER.resolve([], "fluoxetine 25 MG / olanzapine 6 MG Oral Capsule").parts
    by_key = {p.ingredient.key: p for p in olanzapine}
    assert mg(line(1, {"unit": "capsule"}), of=by_key["olanzapine"]) == 6
    assert mg(line(1, {"unit": "capsule"}), of=by_key["fluoxetine"]) == 25
    assert mg(line(31, MG), of=by_key["olanzapine"]) is None


def test_bupropion_hydrobromide_counts_as_hydrochloride() -> None:
    tablet = part("24 HR bupropion hydrobromide 522 MG Extended Release Oral Tablet")
    assert mg(line(1), of=tablet) == 450
    assert mg(line(522, MG), of=tablet) == 450


def test_the_dextromethorphan_bupropion_ceiling_is_two_tablets() -> None:
    tablet = part("bupropion hydrochloride 105 MG / dextromethorphan hydrobromide 45 MG Extended Release Oral Tablet")
    assert mg(line(1, repeat=TWICE_DAILY), of=tablet) == 210


def test_days_of_a_weekly_supply_come_out_whole() -> None:
    per_day = units_per_day(read(line(1, repeat={"frequency": 1, "period": 1, "periodUnit": "wk"})), None, high=True)
    assert per_day is not None
    assert int(Decimal(4) / per_day) == 28


def test_a_dose_in_milligrams_is_counted_in_tablets_of_the_product() -> None:
    steps = read(line(100, MG, repeat=TWICE_DAILY))
    assert units_per_day(steps, None, high=True) is None
    assert units_per_day(steps, None, high=True, part=SERTRALINE_50) == 4
    assert administrations(Decimal(60), steps, part=SERTRALINE_50) == 30


def test_as_needed_quantity_is_counted_in_administrations() -> None:
    # B-01 row 6b: 48 tablets, two at a time.
    steps = read({**dose(2), "asNeededBoolean": True})
    assert administrations(Decimal(48), steps) == 24
    ranged = {"doseRange": {"low": {"value": 1, **TABLETS}, "high": {"value": 2, **TABLETS}}}
    assert administrations(Decimal(48), read({"doseAndRate": [ranged], "asNeededBoolean": True})) == 24
    assert administrations(Decimal(48), ()) is None
    assert administrations(Decimal(48), read(line(1, {}))) is None


def test_administrations_of_unlike_lines_go_by_their_shares() -> None:
    assert administrations(Decimal(30), read(line(1), line(2))) == 20


def steps_of(*amounts: int, ends: bool = True) -> tuple[DoseStep, ...]:
    week = {"boundsDuration": {"value": 7, "code": "d"}, **DAILY}
    last = len(amounts) - 1
    return read(*(line(a, repeat=week if ends or n < last else DAILY, sequence=n + 1) for n, a in enumerate(amounts)))


def test_a_taper_falls_and_has_an_end() -> None:
    assert is_decreasing_to_end(steps_of(3, 2, 1))
    assert is_decreasing_to_end(anchor(steps_of(3, 2, 2, 1), day("2026-03-01")))
    assert not is_decreasing_to_end(steps_of(3, 2, 1, ends=False))
    assert not is_decreasing_to_end(steps_of(3, 1, 2))
    assert not is_decreasing_to_end(steps_of(2, 2))
    assert not is_decreasing_to_end(steps_of(3))
    assert not is_decreasing_to_end(())


def test_the_end_of_a_taper_is_known_once_it_starts() -> None:
    assert last_day(anchor(steps_of(3, 2, 1), day("2026-03-01"))) == day("2026-03-21")
    assert last_day(steps_of(3, 2, 1)) is None
