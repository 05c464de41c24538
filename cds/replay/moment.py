"""A point in time as records state it: a day in the site's zone, and an instant where the record has a time of day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cds.dates import Day, day_of

_DATE = 10  # letters of "2026-03-31"


@dataclass(frozen=True, slots=True)
class Moment:
    """at: seconds since 1970; None for a date without a time of day."""

    day: Day
    at: float | None = None

    def before(self, other: Moment) -> bool | None:
        """Whether this comes before the other; None when they are of one day and the day is all that is known."""
        if self.day != other.day:
            return self.day < other.day
        if self.at is None or other.at is None:
            return None
        return self.at < other.at

    def after(self, other: Moment) -> bool | None:
        """Whether this comes after the other; None as in `before`."""
        return other.before(self)


def moment_of(text: str | None, tz: ZoneInfo) -> Moment | None:
    """The moment that a FHIR date, dateTime or instant names; None where it does not name a day.

    A month ("2026-03") stands for its last day: by then what it says has happened. A dateTime without an offset is
    local time.
    """
    day = day_of(text, tz, partial="start")
    if day is None or text is None:
        return None
    if len(text) <= _DATE:
        return Moment(day)
    try:
        moment = dt.datetime.fromisoformat(text)
        return Moment(day, (moment if moment.tzinfo is not None else moment.replace(tzinfo=tz)).timestamp())
    except (ValueError, OverflowError):
        return Moment(day)  # the leap second, which Python does not have
