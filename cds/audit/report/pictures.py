"""A picture of the chart for each finding that the report shows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds.audit.report.examples import Example
from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.evaluate import Evaluator, HookCall
    from cds.findings import Finding
    from cds.settings import Settings

_WIDTH = 820


@dataclass(frozen=True, slots=True)
class Pictures:
    """SVG by example; why_not: why the others have none."""

    drawn: Mapping[Example, str] = field(default_factory=dict)
    why_not: str = ""


Draw = Callable[[Sequence[Example]], Pictures]


def no_pictures(_: Sequence[Example]) -> Pictures:
    return Pictures(why_not="not asked for")


def drawer(out: Path, told: Mapping[str, Any], settings: Settings) -> Draw:
    """What draws findings of the audit in `out`. settings: those of the run; with others the pictures would differ.

    told: its run.json.
    """
    return lambda examples: _draw(out, told, settings, examples) if examples else Pictures()


def _draw(out: Path, told: Mapping[str, Any], settings: Settings, examples: Sequence[Example]) -> Pictures:
    from cds.audit.charts import charts_of
    from cds.evaluate import Evaluator

    by_patient: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_patient[example.patient].append(example)
    evaluator = Evaluator(settings.model_copy(update={"engine": "direct"}))
    try:
        if evaluator.rules_version != told.get("rules_version"):
            return Pictures(why_not="the rules or settings are not those of the run (use --settings)")
        drawn: dict[Example, str] = {}
        for patient, call in charts_of(out, sorted(by_patient)):
            for example in by_patient[patient]:
                svg = _picture(evaluator, _asked(evaluator, call, example), example, f"tl{len(drawn)}")
                if svg:
                    drawn[example] = svg
        return Pictures(drawn, "the chart could not be drawn again")
    except CdsError:
        return Pictures(why_not="the records of this run are no longer kept")
    finally:
        evaluator.close()


def _asked(evaluator: Evaluator, call: HookCall, example: Example) -> HookCall | None:
    """The question of an example: the whole chart, or of a replay one order of it on its day."""
    if not example.order:
        return call
    return next((asked for asked in _replayed(evaluator, call, example.day) if example.order in asked.draft_refs), None)


def _replayed(evaluator: Evaluator, call: HookCall, day: dt.date) -> Iterator[HookCall]:
    from cds.replay.calls import replayed_orders
    from cds.replay.known import Past

    past = Past(call, tz=evaluator.tz)
    for replayed in replayed_orders(past, resolver=evaluator.resolver, since=day, until=day):
        yield replayed.call


def _picture(evaluator: Evaluator, call: HookCall | None, example: Example, prefix: str) -> str:
    from cds.timeline import as_svg, timeline

    if call is None:
        return ""
    basis = evaluator.prepare(call, today=example.day)
    findings = evaluator.evaluate(call, today=example.day, basis=basis).findings
    finding = next((f for f in findings if _is(f, example)), None)
    if finding is None:
        return ""
    picture = timeline(
        basis.chart, basis.derived.facts, hook=call.hook, rules=evaluator.rules, finding=finding
    )  # fmt: skip
    # Inside a page the namespace is known, and an address in the page would look like something that is loaded.
    return as_svg(picture, width=_WIDTH, id_prefix=prefix).replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)


def _is(finding: Finding, example: Example) -> bool:
    same = (finding.spec, "|".join(finding.subject), finding.level, finding.summary)
    return same == (example.spec, example.subject, example.level, example.summary)
