"""Charts for fact tests: notation lines in, facts of one kind out, through the same reading as real requests."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import orjson

from cds.authoring.notation import Writer
from cds.evaluate import Evaluator
from cds.model import Fact, Hook
from cds.settings import load_settings
from hooks.request import read_call

TODAY = dt.date(2026, 3, 2)
Line = tuple[str, Any]


@cache
def evaluator(time_zone: str) -> Evaluator:
    return Evaluator(load_settings(time_zone=time_zone, engine="direct", today=None), every_branch=True)


def facts(*lines: Line, hook: Hook = "patient-view", today: dt.date = TODAY, time_zone: str = "UTC") -> list[Fact]:
    """Every fact of the chart that these lines describe."""
    writer = Writer(today)
    for name, body in lines:
        writer.line(name, body)
    found = evaluator(time_zone)
    call = read_call(orjson.dumps(writer.request(hook)), hook)
    derived = found.facts(found.chart(call, today=today), hook)
    assert not derived.failed
    return derived.facts


def of(kind: str, found: list[Fact], **fields: Any) -> list[dict[str, Any]]:
    """Fields of the facts of one kind that have these values."""
    return [dict(f.fields) for f in found if f.kind == kind and all(f.fields.get(k) == v for k, v in fields.items())]


def one(kind: str, found: list[Fact], **fields: Any) -> dict[str, Any]:
    rows = of(kind, found, **fields)
    assert len(rows) == 1, rows
    return rows[0]


def lorazepam(start: str, days: int, **more: Any) -> Line:
    """A fill of lorazepam 0.5 twice a day."""
    name = more.pop("name", f"l{start.strip('-+d')}")
    return f"fills {name}", {
        "drug": "lorazepam 0.5",
        "take": 1,
        "times": 2,
        "from": start,
        "days_supply": f"{days}d",
        **more,
    }
