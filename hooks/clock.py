"""The only clock of the service: which day it is at the site, and the seconds that tokens are judged by."""

from __future__ import annotations

import datetime as dt
import time
import zoneinfo


def today_at(zone: zoneinfo.ZoneInfo, pinned: dt.date | None = None) -> dt.date:
    """The current date in the site's time zone, or the pinned one of a test or replay."""
    if pinned is not None:
        return pinned
    return dt.datetime.now(zone).date()  # noqa: TID251 - decisions take `today` as an argument; here it is made


def seconds_now() -> float:
    """Seconds since 1970. A pinned day of a test or replay does not change them."""
    return time.time()  # noqa: TID251 - checks take `now` as an argument; here it is made


def now_text(zone: zoneinfo.ZoneInfo) -> str:
    """The moment as ISO text with its offset, to the second: for reports of when something was done."""
    return dt.datetime.now(zone).isoformat(timespec="seconds")  # noqa: TID251 - no decision is made by it
