"""Where a day lies: ticks at round distances from today, the same for text and SVG."""

from __future__ import annotations

_STEPS = (1, 2, 7, 14, 28, 56, 84, 182, 364, 728, 1820, 3640)


def ticks(first: int, last: int, most: int) -> list[int]:
    """Days for labels, today among them where it is shown: at most `most` + 1, one step apart."""
    step = next((s for s in _STEPS if (last - first) / s <= most), _STEPS[-1])
    low = -(-first // step) * step
    return list(range(low, last + 1, step))


def relative(day: int) -> str:
    """A day as it is said: "today", "-28d", "+14d"."""
    return "today" if day == 0 else f"{day:+d}d"
