"""Counts that could point at somebody: hidden where fewer patients than a limit stand behind them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Cell:
    """A count, and how many patients stand behind it."""

    count: int
    patients: int


def masked(cells: Mapping[str, Cell], least: int) -> dict[str, int | str]:
    """The counts of a column that has a total; a small one as "<11", for a limit of 11.

    A count of nothing stays 0. Where a single one of the column is small it could be had by subtraction: the next
    smallest is hidden too ("hidden"), the one with the fewest patients.
    """
    small = {name for name, cell in cells.items() if 0 < cell.patients < least}
    shown: dict[str, int | str] = {name: f"<{least}" if name in small else cell.count for name, cell in cells.items()}
    if len(small) == 1:
        second = _next_smallest(cells, small)
        if second is not None:
            shown[second] = HIDDEN
    return shown


def _next_smallest(cells: Mapping[str, Cell], small: Set[str]) -> str | None:
    rest = [(cell.patients, name) for name, cell in cells.items() if name not in small and cell.patients > 0]
    return min(rest)[1] if rest else None


def rate(cards: int | str, asked: int | str) -> float | None:
    """Per 100; None where one of the two is hidden, or nothing was asked."""
    if isinstance(cards, str) or isinstance(asked, str) or not asked:
        return None
    return round(100 * cards / asked, 1)
