"""Patients in the notation of case files, drawn on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import orjson

from cds.authoring.notation import Writer
from cds.cli.doors import EngineDoor
from cds.evaluate import Evaluator, HookCall
from cds.findings import Finding
from cds.model import Hook
from cds.rules.model import Rule
from cds.timeline import Timeline, timeline
from hooks.request import read_call

TODAY = dt.date(2026, 3, 2)
Line = tuple[str, dict[str, Any]]


@cache
def evaluator() -> Evaluator:
    return EngineDoor().evaluator("UTC")


def rule(spec: str) -> Rule:
    return next(r for r in evaluator().rules.rules if r.spec == spec)


def call(lines: Iterable[Line], hook: str) -> HookCall:
    writer = Writer(TODAY)
    for name, body in lines:
        writer.line(name, body)
    return read_call(orjson.dumps(writer.request(hook)), cast(Hook, hook))


def draw(lines: Iterable[Line], hook: str, spec: str | None = None, span: tuple[int, int] | None = None) -> Timeline:
    """The picture of a patient on TODAY, with the windows of a rule."""
    asked = call(lines, hook)
    chart = evaluator().chart(asked, today=TODAY)
    facts = evaluator().facts(chart, asked.hook).facts
    drawn = rule(spec) if spec else None
    return timeline(chart, facts, hook=asked.hook, rules=evaluator().rules, rule=drawn, span=span)


def findings(lines: Iterable[Line], hook: str, spec: str, day: int = 0) -> list[Finding]:
    """What the rule says of the same records when it is asked some days later (or before)."""
    evaluation = evaluator().evaluate(call(lines, hook), today=TODAY + dt.timedelta(days=day))
    return [f for f in evaluation.findings if f.spec == spec]
