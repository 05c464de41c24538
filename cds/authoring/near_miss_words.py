"""A near miss in words: what was compared, what it was, and by how much it fell short."""

from __future__ import annotations

from cds.engine.explain import NearMiss
from cds.model import Scalar


def comparison_text(miss: NearMiss) -> str:
    """The failing comparison in the words of the rule language, with the value it was compared with."""
    if miss.comparison is None:
        return ""
    operator = miss.comparison.operator
    return (
        f"{miss.comparison.field} {operator if operator.startswith('is') else 'is ' + operator} {_shown(miss.wanted)}"
    )


def describe(miss: NearMiss) -> str:
    """What stood in the way, in one line."""
    if miss.reason == "silenced":
        return f"silenced by {miss.binding} {miss.fact}"
    if miss.reason == "no fact":
        return f"no {miss.kind} for {miss.binding}"
    if miss.reason == "too few":
        return f"{miss.binding}: {miss.found} of {miss.needed} {miss.kind}"
    return f"{miss.fact}: {comparison_text(miss)} -> was {_shown(miss.actual)}"


def _shown(value: Scalar | None) -> str:
    if value is None:
        return "(not known)"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
