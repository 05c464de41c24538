"""The keys that the linter allows a line are those that its writer reads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cds.authoring.line_keys import LINE_KEYS, STEP_KEYS
from cds.authoring.notation import KINDS, Writer

VALUES: dict[str, Any] = {
    "drug": "lorazepam 0.5", "days_supply": "28d", "days": "28d", "every": "28d", "per": "1d", "scale": "phq9",
    "fills": 3, "order": "o1", "status": "finished", "rule": "B-02", "birth": "1980-01-01",
}  # fmt: skip
DATES = {"date", "from", "to", "end", "start", "authored", "valid_from", "updated", "created", "onset", "recorded"}


class Read(dict[str, Any]):
    """A line's body that remembers which of its keys were asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def body(keys: frozenset[str]) -> dict[str, Any]:
    return {key: "-5d" if key in DATES else VALUES.get(key, 1) for key in keys}


@pytest.mark.parametrize("kind", [kind for kind, keys in LINE_KEYS.items() if keys is not None])
def test_a_writer_reads_the_keys_of_its_line_and_no_others(kind: str) -> None:
    keys = LINE_KEYS[kind] or frozenset()
    asked: set[str] = set()
    for without in (frozenset({"steps"}), frozenset({"this"}), STEP_KEYS | {"steps"}):
        writer = Writer(dt.date(2026, 3, 2))
        writer.line("order o1", {"drug": "lorazepam 0.5"})
        read = Read(body(keys - without))
        if any(key == "steps" for key in read):
            read["steps"] = [{"take": 1}]
        if kind == "fills":
            read["from"] = "-5d"
        KINDS[kind](writer, "x", read)
        asked |= read.asked
    assert asked == keys
