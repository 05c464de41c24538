"""Decisions to the words of a card: summary, and the five parts of the detail (1.11)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cds.decide import Decision
from cds.model import Fact, Scalar
from cds.rules.model import Parameter
from cds.rules.vocabulary import vocabulary

LONGEST_SUMMARY = 139
UNKNOWN = "not known"
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?\}")
_NAMES = frozenset({"drug", "new_drug", "old_drug", "other_drug"})


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills `{binding.field}` and `{parameter}`. today: what day numbers count from."""

    bound: Mapping[str, Fact]
    parameters: Mapping[str, Parameter]
    today: dt.date
    longest_name: int = 200

    def fill(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda m: self._value(m[1], m[2]), text)

    def knows(self, text: str) -> bool:
        """True when every binding is bound here and at least one of its values is known."""
        found = [(m[1], m[2]) for m in _PLACEHOLDER.finditer(text) if m[2]]
        if any(binding not in self.bound for binding, _ in found):
            return False
        return not found or any(field in self.bound[binding].fields for binding, field in found)

    def _value(self, name: str, field: str | None) -> str:
        if field is None:
            parameter = self.parameters[name]
            return _number(float(parameter.value), parameter.unit)
        fact = self.bound.get(name)
        value = fact.fields.get(field) if fact is not None else None
        if fact is None or value is None:
            return UNKNOWN
        known = vocabulary().field(fact.kind, field)
        return self._typed(value, known.type if known else "text", field)

    def _typed(self, value: Scalar, kind: str, field: str) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return _shorten(value, self.longest_name) if field in _NAMES else value
        if kind == "date":
            return (self.today + dt.timedelta(days=int(value))).isoformat()
        return _number(value, {"days": "d", "mg": "mg", "percent": "%"}.get(kind, ""))


def _number(value: float, unit: str) -> str:
    """At most two decimals, in the words of a card."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    if unit == "d":
        return f"{shown} day" if shown == "1" else f"{shown} days"
    return f"{shown} {unit}".rstrip() if unit != "%" else f"{round(value)} %"


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def summary(decision: Decision, parameters: Mapping[str, Parameter], today: dt.date) -> str:
    """One sentence of at most 139 characters; drug names are shortened first."""
    for longest in (200, 40, 24, 14, 10):
        text = Filler(decision.bound, parameters, today, longest).fill(decision.level.summary)
        if len(text) <= LONGEST_SUMMARY:
            return text
    return _shorten(text, LONGEST_SUMMARY)


def detail(decision: Decision, parameters: Mapping[str, Parameter], today: dt.date, missing: tuple[str, ...]) -> str:
    """GitHub-flavoured markdown: why, facts with their records, what is not known, options, evidence."""
    filler = Filler(decision.bound, parameters, today)
    card = decision.rule.card
    parts = [f"**Why:** {filler.fill(decision.level.why)}"]
    if decision.lowered:
        parts.append(f"Shown one level lower: {'; '.join(decision.lowered)}.")
    rows = [(label, _cell(filler.fill(text))) for label, text in card.facts if filler.knows(text)]
    records = sorted({r for fact in decision.bound.values() for r in fact.evidence})
    rows.append(("Records", _cell(", ".join(records[:8]) + (" …" if len(records) > 8 else "")) or "none"))
    parts.append("\n".join(["| Fact | Value |", "|---|---|", *(f"| {label} | {text} |" for label, text in rows)]))
    if missing:
        parts.append("**Not known:** " + "; ".join(missing) + ".")
    if card.options:
        parts.append("**Options to discuss:**\n" + "\n".join(f"- {option}" for option in card.options))
    parts.append(f"*Evidence: {card.evidence}*")
    parts.append(
        f"*Rule {decision.rule.spec}, version {decision.rule.version}. Clinical content is a draft, not signed off.*"
    )
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    """Text that cannot break out of a table cell, nor bring markup of the chart into the card."""
    return re.sub(r"[|\r\n<>]", " ", text)
