"""An explanation as text for a terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from cds.authoring.explain import SOURCES, Bound, Compared, Explanation, LevelExplained
from cds.authoring.near_miss_words import date_words, kind_words, parameter_words
from cds.rules.model import Parameter

_VERDICT = {"fires": "", "silent": "does not fire: ", "not evaluated": "", "not asked": ""}
_STATE = {True: "yes", False: "NO", None: "?"}
_MOST_RECORDS = 12


def as_text(told: Explanation, *, width: int = 100) -> str:
    """The answer first, then the level it is about with its facts and records, then the other levels, a line each."""
    return "\n".join(line.rstrip() for line in _lines(told, width))


def _lines(told: Explanation, width: int) -> Iterator[str]:
    rule = told.rule
    yield f"{rule.spec} {rule.id} {rule.version} on {told.today.isoformat()}, {told.hook}"
    place = f"   [{rule.path}:{told.line}]" if told.line else ""
    yield from _wrapped(_VERDICT[told.verdict] + told.sentence + place, "", width)
    for shown in told.findings:
        if len(told.findings) > 1:
            yield from _wrapped(f"{shown.level} ({shown.indicator}): {shown.summary}", "  ", width)
        for why in shown.lowered:
            yield from _wrapped(f"one level lower: {why}", "  ", width)
        yield from _wrapped(f"afterwards: {shown.afterwards}", "  ", width)
    if told.verdict == "fires":
        for why in told.missing:
            yield from _wrapped(f"not known: {why}", "  ", width)
    main = _main(told)
    if main is not None:
        yield ""
        yield from _level(told, main, width)
    others = [level for level in told.levels if level is not main]
    if others:
        yield ""
        yield "other levels"
        for level in others:
            start = f"would have fired at level {level.name} "
            words = level.sentence.removeprefix(start).removeprefix("would have fired ")
            yield from _wrapped(f"{level.name} ({level.indicator}): {words}  [line {level.line}]", "  ", width)


def _main(told: Explanation) -> LevelExplained | None:
    """The level that the answer is about."""
    if told.findings:
        return next((level for level in told.levels if level.name == told.findings[0].level), None)
    return max((lv for lv in told.levels), key=lambda lv: (lv.sentence == told.sentence, lv.closeness), default=None)


def _level(told: Explanation, level: LevelExplained, width: int) -> Iterator[str]:
    yield f"level {level.name} ({level.indicator})"
    for bound in level.bound:
        yield from _bound(told, bound, width)
    for bound in level.silenced_by:
        yield "  silenced by"
        yield from _bound(told, bound, width)
    parameters = {
        c.parameter.name: c.parameter
        for bound in (*level.bound, *level.silenced_by)
        for c in bound.comparisons
        if c.parameter is not None
    }
    if parameters:
        yield "  parameters"
        for parameter in parameters.values():
            yield from _wrapped(parameter_told(parameter), "    ", width)


def _bound(told: Explanation, bound: Bound, width: int) -> Iterator[str]:
    named = bound.ref or (f"{len(bound.members)} facts" if bound.members else "none")
    yield from _wrapped(f"{bound.binding}, a fact {kind_words(bound.kind)}: {named}", "  ", width)
    for c in bound.comparisons:
        was = "" if c.actual in c.words and c.holds else f"; was {c.actual}{f', {c.short}' if c.short else ''}"
        yield from _wrapped(f"{_STATE[c.holds]:<3} {c.words}{was}  [line {c.line}]", "    ", width, hang=4)
    for n, record in enumerate(bound.records):
        if n == _MOST_RECORDS:
            yield f"    from  and {len(bound.records) - n} more records"
            break
        day = "undated" if record.day is None else date_words(record.day, told.today)
        yield from _wrapped(f"from  {record.ref}  {day}  {record.what}", "    ", width, hang=6)


def parameter_told(parameter: Parameter) -> str:
    """A parameter with its range, its source and why."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    bounds = (
        f"{parameter.low:g}{unit} to {parameter.high:g}{unit}; "
        if parameter.low is not None and parameter.high is not None
        else ""
    )
    source = SOURCES.get(parameter.source, f"source {parameter.source}")
    return f"{parameter_words(parameter)} ({bounds}{source}): {parameter.why}"


def _wrapped(words: str, indent: str, width: int, *, hang: int = 2) -> list[str]:
    return textwrap.wrap(
        words,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]


def as_dict(told: Explanation) -> dict[str, Any]:
    """The explanation as JSON, days as dates."""
    return {
        "rule": told.rule.id,
        "spec": told.rule.spec,
        "version": told.rule.version,
        "file": told.rule.path,
        "line": told.line or None,
        "today": told.today.isoformat(),
        "hook": told.hook,
        "verdict": told.verdict,
        "sentence": told.sentence,
        "missing": list(told.missing),
        "findings": [
            {
                "level": s.level,
                "indicator": s.indicator,
                "summary": s.summary,
                "disposition": s.disposition,
                "afterwards": s.afterwards,
                "lowered": list(s.lowered),
            }
            for s in told.findings
        ],
        "levels": [_level_dict(told, level) for level in told.levels],
    }


def _level_dict(told: Explanation, level: LevelExplained) -> dict[str, Any]:
    return {
        "level": level.name,
        "indicator": level.indicator,
        "outcome": level.outcome,
        "sentence": level.sentence,
        "line": level.line,
        "facts": [_bound_dict(told, b) for b in level.bound],
        "silenced_by": [_bound_dict(told, b) for b in level.silenced_by],
    }


def _bound_dict(told: Explanation, bound: Bound) -> dict[str, Any]:
    return {
        "binding": bound.binding,
        "kind": bound.kind,
        "fact": bound.ref or None,
        "members": list(bound.members),
        "line": bound.line,
        "comparisons": [_compared_dict(c) for c in bound.comparisons],
        "records": [
            {
                "reference": r.ref,
                "type": r.type,
                "day": r.day,
                "date": None if r.day is None else date_words(r.day, told.today)[:10],
                "what": r.what,
            }
            for r in bound.records
        ],
    }


def _compared_dict(c: Compared) -> dict[str, Any]:
    p = c.parameter
    return {
        "comparison": c.words,
        "actual": c.actual,
        "holds": c.holds,
        "short": c.short or None,
        "line": c.line,
        "parameter": None
        if p is None
        else {"name": p.name, "value": p.value, "unit": p.unit, "low": p.low, "high": p.high, "source": p.source},
    }
