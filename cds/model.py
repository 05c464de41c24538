"""The shapes that travel between the stages: facts, rule specifications, matches.

A chart becomes small flat facts (`cds.facts`); rules become engine-neutral specifications (`cds.rules`);
an engine joins the two into matches (`cds.engine`). Nothing here knows FHIR, YAML, files or clocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Literal, Protocol

Scalar = str | bool | float
Operator = Literal["is", "is not", "less than", "at most", "at least", "more than"]
Indicator = Literal["info", "warning", "critical"]
Hook = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known about the patient, flat enough for any rule engine.

    kind: a fact kind of `rules/_vocabulary.yaml`. ref: unique within one evaluation and the same for the same chart.
    fields: text, truth values and finite numbers; days are counted from today (today = 0, yesterday = -1);
    what is not known is left out, never null.
    evidence: FHIR references ("MedicationRequest/1") that the fact rests on; engines do not read them.
    """

    kind: str
    ref: str
    fields: Mapping[str, Scalar]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldRef:
    """Right side of a comparison: a field of a fact bound above, plus an offset (days, mg ...; 0 for none)."""

    binding: str
    field: str
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`<field> <operator> <value>` on the fact of its own pattern.

    A missing field, on either side, makes the comparison unknown: it never holds, `is not` included.
    Order operators (less than ...) hold only between two numbers. `line` is the line in the rule file, 0 for none;
    `text` are the words there, for people alone; parameter: name of the parameter that the value or its offset is, ""
    for a constant. Neither makes two comparisons different.
    """

    field: str
    operator: Operator
    value: Scalar | FieldRef
    line: int = 0
    text: str = dataclass_field(default="", compare=False, repr=False)
    parameter: str = dataclass_field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Facts of one kind that satisfy every comparison.

    at_least: None binds each such fact by itself; n binds the whole group once, when it has at least n members.
    A later pattern cannot refer to a group's fields.
    """

    binding: str
    kind: str
    where: tuple[Comparison, ...] = ()
    at_least: int | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """All of `patterns` hold on distinct facts, and no pattern of `unless` finds any fact (each stands alone)."""

    id: str
    patterns: tuple[Pattern, ...]
    unless: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One way in which a rule holds: a fact, or the sorted group of facts, for each of its patterns, in their order."""

    rule: str
    bound: tuple[Fact | tuple[Fact, ...], ...]

    @property
    def key(self) -> tuple[str, tuple[str | tuple[str, ...], ...]]:
        """What makes two matches equal: the rule and the refs it bound."""
        return self.rule, tuple(b.ref if isinstance(b, Fact) else tuple(f.ref for f in b) for b in self.bound)


class RuleEngine(Protocol):
    """The port. Pure, independent of the order of facts, never partial: one that cannot finish raises EngineError."""

    def evaluate(self, facts: Sequence[Fact]) -> list[Match]:
        """Return every match, sorted by `Match.key`, without duplicates."""
        ...
