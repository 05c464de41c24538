"""What was shown before and what was answered: the port that "once per episode" and an earlier override need.

A service without a memory is stateless: "info once" then shows each time (10.25). A client that keeps its own record
may send it with the request instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol

from cds.chart.model import Memory

MOST_PATIENTS = 10_000
MOST_ENTRIES = 200


class MemoryPort(Protocol):
    """Keeps entries by patient. Never raises for a patient it does not know."""

    def recall(self, patient: str) -> Sequence[Memory]: ...

    def remember(self, patient: str, entries: Iterable[Memory]) -> None: ...


class InMemory:
    """For one process, and gone with it: the patients of late, and of each the latest entries."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[Memory]] = OrderedDict()

    def recall(self, patient: str) -> Sequence[Memory]:
        return tuple(self._kept.get(patient, ()))

    def remember(self, patient: str, entries: Iterable[Memory]) -> None:
        new = list(entries)
        if not new:
            return
        kept = self._kept.setdefault(patient, [])
        kept.extend(entry for entry in new if entry not in kept)
        del kept[:-MOST_ENTRIES]
        self._kept.move_to_end(patient)
        while len(self._kept) > MOST_PATIENTS:
            self._kept.popitem(last=False)
