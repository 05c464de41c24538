"""Decisions to the words of a card: summary, and the five parts of the detail (1.11).

Texts of the rules are markdown. What comes from the chart (record ids, names of medicines that were not identified) is
cleaned of markup, bounded in length, and never a link.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cds.decide import Decision
from cds.model import Fact, Scalar
from cds.rules.model import Parameter
from cds.rules.vocabulary import vocabulary
from cds.text import LONGEST_CHART_TEXT, plain, shorten

LONGEST_SUMMARY = 139
UNKNOWN = "not known"
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?(?:\|([a-z]+))?\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_MOST_RECORDS = 8
_NAMES = frozenset({"drug", "names", "new_drug", "old_drug", "other_drug", "current_drug"})


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills `{binding.field}` and `{parameter}`. today: what day numbers count from.

    `{order.refills|refill}` counts things: "no refills", "1 refill", "2 refills". A part in `[...]` is left out when
    one of its values is not known.
    """

    bound: Mapping[str, Fact]
    parameters: Mapping[str, Parameter]
    today: dt.date
    longest_name: int = 200

    def fill(self, text: str) -> str:
        chosen = _OPTIONAL.sub(lambda m: m[1] if self.knows(m[1]) else "", text)
        return _PLACEHOLDER.sub(lambda m: self._value(m[1], m[2], m[3]), chosen)

    def knows(self, text: str) -> bool:
        """True when every value is known, those of parts in `[...]` aside."""
        return all(
            m[1] in self.bound and m[2] in self.bound[m[1]].fields
            for m in _PLACEHOLDER.finditer(_OPTIONAL.sub("", text))
            if m[2]
        )

    def _value(self, name: str, field: str | None, thing: str | None) -> str:
        if field is None:
            parameter = self.parameters[name]
            return _number(float(parameter.value), parameter.unit)
        fact = self.bound.get(name)
        value = fact.fields.get(field) if fact is not None else None
        if fact is None or value is None:
            return UNKNOWN
        if thing and not isinstance(value, str):
            shown = _number(float(value), "")
            return f"1 {thing}" if shown == "1" else f"{'no' if shown == '0' else shown} {thing}s"
        known = vocabulary().field(fact.kind, field)
        return self._typed(value, known.type if known else "text", field)

    def _typed(self, value: Scalar, kind: str, field: str) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return shorten(value, self.longest_name) if field in _NAMES else shorten(value, LONGEST_CHART_TEXT)
        if kind == "date":
            return (self.today + dt.timedelta(days=int(value))).isoformat()
        return _number(value, {"days": "d", "mg": "mg", "percent": "%"}.get(kind, ""))


def _number(value: float, unit: str) -> str:
    """At most two decimals, in the words of a card."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    if unit == "d":
        return f"{shown} day" if shown == "1" else f"{shown} days"
    return f"{shown} {unit}".rstrip() if unit != "%" else f"{round(value)} %"


def summary(decision: Decision, parameters: Mapping[str, Parameter], today: dt.date) -> str:
    """One sentence of at most 139 characters; drug names are shortened first."""
    for longest in (200, 40, 24, 14, 10):
        text = " ".join(Filler(decision.bound, parameters, today, longest).fill(decision.level.summary).split())
        if len(text) <= LONGEST_SUMMARY:
            return text
    return shorten(text, LONGEST_SUMMARY)


def detail(decision: Decision, parameters: Mapping[str, Parameter], today: dt.date, missing: tuple[str, ...]) -> str:
    """GitHub-flavoured markdown: why, facts with their records, what is not known, options, evidence."""
    filler = Filler(decision.bound, parameters, today)
    card = decision.rule.card
    parts = [f"**Why:** {filler.fill(decision.level.why)}"]
    if decision.lowered:
        parts.append(f"Shown one level lower: {'; '.join(decision.lowered)}.")
    rows = [(label, _cell(filler.fill(text))) for label, text in card.facts if filler.knows(text)]
    records = sorted({r for fact in decision.bound.values() for r in fact.evidence})
    named = ", ".join(plain(r) for r in records[:_MOST_RECORDS])
    rows.append(("Records", named + (f" and {len(records) - _MOST_RECORDS} more" * (len(records) > _MOST_RECORDS))))
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
    """Text that cannot break out of a table cell."""
    return re.sub(r"[|\r\n<>]", " ", text)
