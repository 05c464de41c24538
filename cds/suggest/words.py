"""What a rule says of a suggestion, as numbers and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds.findings import Action, Suggestion, SuggestionId
from cds.rules.grammar import quantity

Body = Mapping[str, Any]


def days_of(body: Body) -> int:
    return int(quantity(str(body["days"]))[0])


def in_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def one(kind: SuggestionId, label: str, *actions: Action, recommended: bool = False) -> Iterator[Suggestion]:
    """One suggestion; none where nothing could be made for it."""
    if actions:
        yield Suggestion(kind, label, actions, recommended)
