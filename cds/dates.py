"""Days: FHIR's date, dateTime and instant texts as whole days in the site's time zone.

A `Day` is a proleptic ordinal (`datetime.date.toordinal()`), so day arithmetic is integer arithmetic. Time of day is
dropped after the conversion into the site's zone and before anything is computed (clinical specification 1.1, 10.13).
Nothing here raises on bad text and nothing reads a clock.
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

Day: TypeAlias = int
Partial: TypeAlias = Literal["start", "end"]

FIRST_YEAR, LAST_YEAR = 1900, 2200

_DATE, _MONTH, _YEAR = 10, 7, 4


def day_of(text: str | None, tz: ZoneInfo, *, partial: Partial) -> Day | None:
    """Return the day a FHIR date, dateTime or instant falls on in `tz`, or None where the text does not say.

    partial: what a `YYYY-MM` stands for: its last day as a "start", its first day as an "end" (the shortest plausible
    exposure). `YYYY` alone, years outside 1900-2200 and anything that is no date are None. A dateTime without an
    offset (not valid FHIR, but sent) is taken as local time.
    """
    if not text:
        return None
    try:
        length = len(text)
        if length < _MONTH or text[4] != "-" or not text.isascii() or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
            return None
        if length > _DATE:
            return _day_of_date_time(text, tz)
        if length == _DATE:
            # fromisoformat also takes week dates ("2024-W10-1"), which FHIR does not have.
            return dt.date.fromisoformat(text).toordinal() if text[7] == "-" else None
        return _day_of_month(text, partial) if length == _MONTH else None
    except (ValueError, OverflowError):
        return None


def _day_of_date_time(text: str, tz: ZoneInfo) -> Day | None:
    if text[10] not in "Tt " or text[7] != "-":
        return None
    if text[17:19] == "60":  # FHIR allows the leap second, Python's datetime does not
        text = text[:17] + "59" + text[19:]
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(tz)
    return moment.toordinal() if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _day_of_month(text: str, partial: Partial) -> Day | None:
    if not text[5:7].isdigit():
        return None
    year, month = int(text[:4]), int(text[5:7])
    day = calendar.monthrange(year, month)[1] if partial == "start" else 1
    return dt.date(year, month, day).toordinal()


def iso(day: Day) -> str:
    """Return the day as FHIR writes it: "2026-03-01"."""
    return dt.date.fromordinal(day).isoformat()


def age_range(birth_text: str | None, day: Day) -> tuple[int, int] | None:
    """Return (youngest, oldest) age in completed years on `day` by the readings a birthDate allows.

    A full date gives the same number twice; `YYYY-MM` and `YYYY` give the range. None: no birthDate, no date, or born
    after `day` in every reading. A birthDate is a calendar date, so no time zone takes part.
    """
    bounds = _birth_bounds(birth_text)
    if bounds is None:
        return None
    first, last = bounds
    on = dt.date.fromordinal(day)
    oldest = _completed_years(first, on)
    return None if oldest < 0 else (max(0, _completed_years(last, on)), oldest)


def age_on(birth: str | None, day: Day) -> int | None:
    """Return the age in completed years on `day`, or None where the birthDate does not settle it."""
    ages = age_range(birth, day)
    return ages[0] if ages is not None and ages[0] == ages[1] else None


def _birth_bounds(text: str | None) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day on which the patient can have been born."""
    if not text or not text.isascii() or not text[:4].isdigit() or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
        return None
    year = int(text[:4])
    try:
        if len(text) == _YEAR:
            return dt.date(year, 1, 1), dt.date(year, 12, 31)
        if text[4] != "-" or not text[5:7].isdigit():
            return None
        month = int(text[5:7])
        if len(text) == _MONTH:
            return dt.date(year, month, 1), dt.date(year, month, calendar.monthrange(year, month)[1])
        if len(text) < _DATE or text[7] != "-" or not text[8:10].isdigit() or text[10:11] not in ("", "T"):
            return None
        born = dt.date(year, month, int(text[8:10]))
    except ValueError:
        return None
    return born, born


def _completed_years(born: dt.date, on: dt.date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
