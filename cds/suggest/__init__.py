"""A rule's suggestions for one decision, in the house's words (1.14). What does not apply here is left out.

Actions touch only drafts of the call, or create new drafts, tasks and bookings; never a signed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cds.decide import Decision
from cds.findings import Suggestion
from cds.suggest import doses, orders, plans
from cds.suggest.known import Known
from cds.suggest.words import Body

__all__ = ["KNOWN", "Known", "suggestions"]

_BUILDERS: dict[str, Callable[[Body, Decision, Known], Iterator[Suggestion]]] = {
    "S-SHORT": orders.short,
    "S-DEL": orders.delete,
    "S-XTAPER": orders.cross_taper,
    "S-STOP-OLD": orders.stop_old,
    "S-TAPER": doses.taper,
    "S-DOSE": doses.dose,
    "S-FU": plans.follow_up,
    "S-CALL": plans.call,
    "S-PHQ": plans.scale,
    "S-ALT": plans.alternative,
    "S-THER": plans.therapy,
    "S-REVIEW": plans.review,
    "S-LAB": plans.laboratory,
}
KNOWN = frozenset(_BUILDERS)


def suggestions(decision: Decision, known: Known) -> tuple[Suggestion, ...]:
    """Suggestions of the rule that apply to this decision, in the rule's order, each once."""
    found = [
        s
        for body in decision.rule.card.suggestions
        if decision.level.name in body.get("levels", (decision.level.name,))
        for s in _BUILDERS[body["use"]](body, decision, known)
    ]
    return tuple({s.label: s for s in reversed(found)}.values())[::-1]
