"""How values are spelled for durable-rules; the compiler and the child share this and nothing else."""

from __future__ import annotations

from typing import Final

from cds.model import Scalar

UNKNOWN: Final = "?"


def type_letter(value: Scalar) -> str:
    """The type of a value as one letter."""
    if isinstance(value, bool):
        return "b"
    return "s" if isinstance(value, str) else "n"


def as_text(value: Scalar) -> str:
    """A value with its type in front; equal values, and only those, have equal texts (DR8)."""
    if isinstance(value, str):
        return "s:" + value
    if isinstance(value, bool):
        return "b:true" if value else "b:false"
    return f"n:{float(value) + 0.0!r}"  # + 0.0 turns -0.0 into 0.0
