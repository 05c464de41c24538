"""Charts in the case notation, for tests of what is derived from them. Days are counted from TODAY (today = 0)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from ruamel.yaml import YAML

from cds.authoring.notation import Writer
from cds.chart.model import Chart
from cds.evaluate import Evaluator
from cds.facts.context import Context
from cds.model import Fact, Hook, Scalar
from cds.settings import Settings
from hooks.request import read_call

TODAY = dt.date(2026, 3, 2)
Line = str | Mapping[str, Any]


@cache
def evaluator(zone: str = "America/New_York") -> Evaluator:
    return Evaluator(Settings(time_zone=zone, engine="direct"), every_branch=True)


def request_of(*lines: Line, hook: Hook, today: dt.date = TODAY) -> dict[str, Any]:
    """The hook request that the lines make: each is one line of a case, as YAML text or already read."""
    writer = Writer(today)
    for line in lines:
        body: Mapping[str, Any] = YAML(typ="safe").load(line) if isinstance(line, str) else line
        for name, value in body.items():
            writer.line(name, value)
    return writer.request(hook)


def chart_of(
    *lines: Line, hook: Hook = "patient-view", today: dt.date = TODAY, zone: str = "America/New_York"
) -> Chart:
    request = orjson.dumps(request_of(*lines, hook=hook, today=today))
    return evaluator(zone).chart(read_call(request, hook), today=today)


def context_of(*lines: Line, hook: Hook = "patient-view", today: dt.date = TODAY) -> Context:
    return Context(chart_of(*lines, hook=hook, today=today), hook, evaluator().rules.shared_values)


def facts_of(*lines: Line, hook: Hook = "patient-view", today: dt.date = TODAY) -> list[Fact]:
    """Every fact of the chart; all of them could be derived."""
    derived = evaluator().facts(chart_of(*lines, hook=hook, today=today), hook)
    assert not derived.failed
    return derived.facts


def those(facts: list[Fact], kind: str, **fields: Scalar) -> list[Fact]:
    """The facts of a kind whose fields have these values."""
    return [f for f in facts if f.kind == kind and all(f.fields.get(k) == v for k, v in fields.items())]


def the(facts: list[Fact], kind: str, **fields: Scalar) -> Mapping[str, Scalar]:
    """The fields of the only such fact."""
    found = those(facts, kind, **fields)
    assert len(found) == 1, f"{len(found)} {kind} facts: {[dict(f.fields) for f in found]}"
    return found[0].fields


def dosing(context: Context, drug: str) -> list[tuple[int, int, float | None]]:
    """(first day, last day, mg a day at the high end) of one ingredient, equal neighbours joined."""
    found: list[tuple[int, int, float | None]] = []
    for s in context.stretches.get(drug, []):
        mg = None if s.high is None else float(s.high)
        first, last = s.first - context.today, s.last - context.today
        if found and found[-1][1] == first - 1 and found[-1][2] == mg:
            found[-1] = found[-1][0], last, mg
        else:
            found.append((first, last, mg))
    return found


def covered(context: Context, drug: str) -> list[tuple[int, int]]:
    """Covered days of one ingredient, planned ones among them."""
    found: list[tuple[int, int]] = []
    for first, last, _ in dosing(context, drug):
        if found and found[-1][1] == first - 1:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def episodes_of(context: Context, drug: str) -> list[tuple[int, int]]:
    """(start, end) of each episode of one ingredient up to yesterday."""
    return [(e.start - context.today, e.end - context.today) for e in context.by_ingredient.get(drug, [])]
