"""Days are read from FHIR texts as the clinical specification (1.1) says, and no text raises."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.dates import age_on, age_range, day_of, iso

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


def day(year: int, month: int, date: int) -> int:
    return dt.date(year, month, date).toordinal()


def start(text: str | None, tz: ZoneInfo = BERLIN) -> int | None:
    return day_of(text, tz, partial="start")


def test_a_full_date_is_that_day_in_every_zone() -> None:
    assert start("2026-03-01") == start("2026-03-01", NEW_YORK) == day(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-01T23:30:00Z", BERLIN, day(2026, 3, 2)),
        ("2026-03-01T02:30:00Z", NEW_YORK, day(2026, 2, 28)),
        ("2026-03-01T23:30:00.123456789-05:00", BERLIN, day(2026, 3, 2)),
        ("2026-03-01T23:59:60Z", NEW_YORK, day(2026, 3, 1)),
        ("2026-07-01T22:30:00+00:00", BERLIN, day(2026, 7, 2)),  # summer time: two hours
        ("2026-01-01T22:30:00+00:00", BERLIN, day(2026, 1, 1)),  # winter time: one hour
    ],
)
def test_a_moment_is_converted_to_the_site_before_its_time_is_dropped(text: str, zone: ZoneInfo, expected: int) -> None:
    assert start(text, zone) == expected


def test_a_moment_without_an_offset_is_local() -> None:
    assert start("2026-03-01T23:30:00") == day(2026, 3, 1)


def test_a_month_is_its_last_day_as_a_start_and_its_first_as_an_end() -> None:
    assert day_of("2024-02", BERLIN, partial="start") == day(2024, 2, 29)
    assert day_of("2024-02", BERLIN, partial="end") == day(2024, 2, 1)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "2026", "2026-13", "2026-00", "2026-02-30", "20260301", "2026-W10-1", "2026-3-1", "yesterday",
        "2026-03-01T25:00:00Z", "2026-03-01T", "2026-03-01X10:00:00Z", "2026-03-", "２０２６-03-01", "2026- 3",
        "1899-12-31", "2201-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "-026-03-01",
    ],
)  # fmt: skip
def test_what_names_no_day_between_1900_and_2200_is_none(text: str | None) -> None:
    assert start(text) is None


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?", fullmatch=True))
def test_no_text_raises(text: str) -> None:
    found = start(text)
    assert found is None or 1900 <= dt.date.fromordinal(found).year <= 2200
    age_range(text, day(2026, 3, 1))


@given(st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31)))
def test_a_day_written_is_the_day_read(date: dt.date) -> None:
    assert start(iso(date.toordinal())) == date.toordinal()


@pytest.mark.parametrize(
    ("birth", "on", "age"),
    [
        ("2008-03-02", day(2026, 3, 1), 17),
        ("2008-03-01", day(2026, 3, 1), 18),
        ("2008-02-29", day(2026, 2, 28), 17),
        ("2008-02-29", day(2026, 3, 1), 18),
        ("2008-03-01T00:00:00Z", day(2026, 3, 1), 18),
        ("2008-01", day(2026, 3, 1), 18),  # every day of January 2008 is 18 years ago by March
        ("2008-03", day(2026, 3, 15), None),
        ("2027-01-01", day(2026, 3, 1), None),
        ("unknown", day(2026, 3, 1), None),
        (None, day(2026, 3, 1), None),
    ],
)
def test_age_is_completed_years_or_none_where_the_birth_date_leaves_it_open(
    birth: str | None, on: int, age: int | None
) -> None:
    assert age_on(birth, on) == age


def test_a_partial_birth_date_gives_the_youngest_and_the_oldest_reading() -> None:
    assert age_range("2008", day(2026, 3, 1)) == (17, 18)
    assert age_range("2008-03", day(2026, 3, 15)) == (17, 18)
    assert age_range("2026", day(2026, 3, 1)) == (0, 0)
