"""Values as YAML on one line, as case files have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What YAML reads as text without quotes, inside brackets too. A word that YAML takes for something else is not.
_PLAIN = re.compile(r"^[A-Za-z+\-@][A-Za-z0-9_+\-@./%()=]*( [A-Za-z0-9_+\-@./%()=]+)*$")
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "-"})
_NUMBER = re.compile(r"^[-+]?[0-9.]+(e[-+]?[0-9]+)?$", re.IGNORECASE)


def flow(value: Any) -> str:
    """A value in flow style: `{drug: lorazepam 1, from: -28d, days_supply: 28d}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return f"{value:.10g}"
    text = str(value)
    return text if _is_plain(text) else quoted(text)


def _is_plain(text: str) -> bool:
    if text.lower() in _NOT_TEXT or _NUMBER.match(text) or text.startswith(("@", "- ")):
        return False
    return _PLAIN.match(text) is not None or re.fullmatch(r"\d+ ?(d|wk)", text) is not None


def quoted(text: str) -> str:
    """A text in single quotes, on one line."""
    return "'" + " ".join(text.split()).replace("'", "''") + "'"
