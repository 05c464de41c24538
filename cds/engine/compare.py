"""One comparison, in three values: true, false, unknown.

Used to check rules and to explain them. The matcher of `direct` has its own, faster form of the same table.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import Final, Literal

from cds.model import Operator, Scalar

Truth = bool | None
"""True, False, or None: unknown, because a field on either side is missing."""

ScalarType = Literal["text", "truth", "number"]

ORDER: Final[dict[Operator, Callable[[float, float], bool]]] = {
    "less than": op.lt,
    "at most": op.le,
    "at least": op.ge,
    "more than": op.gt,
}


def type_of(value: Scalar) -> ScalarType:
    """The type that decides which values can be compared; a truth value is not a number."""
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def truth(operator: Operator, left: Scalar | None, right: Scalar | None, offset: float = 0.0) -> Truth:
    """Whether `left <operator> right + offset` holds; None when either value is missing.

    Between values of different types no operator holds, `is not` included.
    Order operators, and every operator with an offset, hold only between two numbers.
    """
    if left is None or right is None:
        return None
    if type_of(left) != type_of(right):
        return False
    if isinstance(left, str | bool) or isinstance(right, str | bool):
        if offset or operator in ORDER:
            return False
        return (left == right) is (operator == "is")
    wanted = right + offset
    if operator in ORDER:
        return ORDER[operator](left, wanted)
    return (left == wanted) is (operator == "is")
