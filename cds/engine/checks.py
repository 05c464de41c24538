"""What every engine asks of rule specifications before it compiles them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, get_args

from cds.errors import EngineError
from cds.model import FieldRef, Operator, Pattern, RuleSpec

_OPERATORS: Final = frozenset(get_args(Operator))


def check_specs(specs: Sequence[RuleSpec]) -> None:
    """Raise EngineError for the first specification that no engine could give a meaning to.

    Rule ids and, within a rule, binding names are unique; a field reference names its own pattern or a pattern of
    `patterns` above it that is no group; a count is at least 1; numbers are finite.
    """
    seen: set[str] = set()
    for spec in specs:
        if spec.id in seen:
            raise EngineError(f"rule {spec.id}: two specifications have this id")
        seen.add(spec.id)
        _check_spec(spec)


def _check_spec(spec: RuleSpec) -> None:
    bound: dict[str, Pattern] = {}
    for pattern in spec.patterns:
        _check_pattern(spec, pattern, bound)
        bound[pattern.binding] = pattern
    for pattern in spec.unless:
        # Each pattern of `unless` stands alone: none may refer to another.
        _check_pattern(spec, pattern, bound)


def _check_pattern(spec: RuleSpec, pattern: Pattern, bound: dict[str, Pattern]) -> None:
    where = f"rule {spec.id}, line {pattern.line}, {pattern.binding}"
    if pattern.binding in bound:
        raise EngineError(f"{where}: the name is bound twice")
    if pattern.at_least is not None and pattern.at_least < 1:
        raise EngineError(f"{where}: at_least is {pattern.at_least}; a group has at least 1 member")
    for comparison in pattern.where:
        where = f"rule {spec.id}, line {comparison.line}, {pattern.binding}.{comparison.field}"
        if comparison.operator not in _OPERATORS:
            raise EngineError(f"{where}: no such operator: {comparison.operator}")
        value = comparison.value
        if isinstance(value, FieldRef):
            target = bound.get(value.binding)
            if target is None and value.binding != pattern.binding:
                raise EngineError(f"{where}: {value.binding} is not bound above this line")
            if target is not None and target.at_least is not None:
                raise EngineError(f"{where}: {value.binding} is a group and has no single {value.field}")
            value = value.offset
        if not isinstance(value, str) and not math.isfinite(value):
            raise EngineError(f"{where}: {value} is not a finite number")
