"""The only clock of the service: which day it is at the site."""

from __future__ import annotations

import datetime as dt
import zoneinfo


def today_at(zone: zoneinfo.ZoneInfo, pinned: dt.date | None = None) -> dt.date:
    """The current date in the site's time zone, or the pinned one of a test or replay."""
    if pinned is not None:
        return pinned
    return dt.datetime.now(zone).date()  # noqa: TID251 - decisions take `today` as an argument; here it is made
