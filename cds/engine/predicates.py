"""Comparisons compiled to closures for `direct`: the table of `compare.truth`, true against everything else.

A closure reads a field with one `get`, so that a missing field (None) falls through to False.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cds.engine.compare import ORDER
from cds.model import Comparison, Fact, FieldRef, Scalar

Fields = Mapping[str, Scalar]
Test = Callable[[Fields], bool]
"""Of a fact's own fields."""
Join = Callable[[Fields, Sequence[Fact]], bool]
"""Of a fact's own fields and the facts bound before it."""

_NUMBERS: Final = (float, int)  # classes, compared by identity: bool is a subclass of int and must not pass


def constant_test(comparison: Comparison) -> Test | None:
    """Compile a comparison with a constant; None when no value can satisfy it (order of text)."""
    field, wanted, operator = comparison.field, comparison.value, comparison.operator
    assert not isinstance(wanted, FieldRef)
    if operator in ORDER:
        if wanted.__class__ not in _NUMBERS:
            return None
        ordered: Any = ORDER[operator]

        def order(fields: Fields) -> bool:
            value = fields.get(field)
            return value.__class__ in _NUMBERS and ordered(value, wanted)

        return order
    classes = _NUMBERS if wanted.__class__ in _NUMBERS else (wanted.__class__,)
    same: Any = op.eq if operator == "is" else op.ne

    def equality(fields: Fields) -> bool:
        value = fields.get(field)
        return value.__class__ in classes and same(value, wanted)

    return equality


def own_test(comparison: Comparison) -> Test:
    """Compile a comparison between two fields of the same fact."""
    pair = _pair_test(comparison)
    field, other = comparison.field, _ref(comparison).field
    return lambda fields: pair(fields.get(field), fields.get(other))


def join_test(comparison: Comparison, position: int) -> Join:
    """Compile a comparison with a field of the fact bound at `position`."""
    pair = _pair_test(comparison)
    field, other = comparison.field, _ref(comparison).field
    return lambda fields, bound: pair(fields.get(field), bound[position].fields.get(other))


def _ref(comparison: Comparison) -> FieldRef:
    assert isinstance(comparison.value, FieldRef)
    return comparison.value


def _pair_test(comparison: Comparison) -> Callable[[Scalar | None, Scalar | None], bool]:
    offset = _ref(comparison).offset
    if comparison.operator in ORDER or offset:
        compared: Any = {**ORDER, "is": op.eq, "is not": op.ne}[comparison.operator]

        def numbers(left: Any, right: Any) -> bool:
            return left.__class__ in _NUMBERS and right.__class__ in _NUMBERS and compared(left, right + offset)

        return numbers

    same: Any = op.eq if comparison.operator == "is" else op.ne

    def equality(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        alike = left.__class__ is right.__class__ or (left.__class__ in _NUMBERS and right.__class__ in _NUMBERS)
        return alike and same(left, right)

    return equality
