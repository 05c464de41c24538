"""The picture of a case, for the output of a test that failed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from cds.authoring.cases import Case
from cds.model import Hook

if TYPE_CHECKING:
    from cds.cli.doors import EngineDoor


def case_picture(case: Case, *, width: int = 88) -> str:
    """The patient of a case on its day, with the windows of its rule, as text."""
    from cds.errors import CdsError
    from cds.timeline import as_text, timeline
    from hooks.request import read_call

    evaluator = _door().evaluator(case.time_zone)
    hook = cast(Hook, case.hook)
    try:
        chart = evaluator.chart(read_call(case.request, hook), today=case.today)
    except CdsError:
        return "(no picture: the request of the case cannot be read)"
    facts = evaluator.facts(chart, hook).facts
    rule = next((rule for rule in evaluator.rules.rules if rule.id == case.rule), None)
    return as_text(timeline(chart, facts, hook=hook, rules=evaluator.rules, rule=rule), width=width)


@cache
def _door() -> EngineDoor:
    from cds.cli.doors import EngineDoor

    return EngineDoor()
