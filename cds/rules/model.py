"""A rule after loading: what the engine decides with, and what the card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cds.model import Indicator, RuleSpec

Status = Literal["draft", "silent", "active", "retired"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named threshold. value: days, mg, %, a plain number, or a truth value; unit "d", "mg", "%" or "".

    source: id of one of the rule's sources, or V, U (general knowledge, unconfirmed), P (project default).
    """

    name: str
    value: float | bool
    unit: str
    low: float | None
    high: float | None
    source: str
    why: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """Data without which a rule is not evaluated (to_fire), or one level lower (to_suppress). Keys of `cds.needs`.

    fires_if_damaged: what the rule sees holds although some records could not be read; only its silence does not.
    """

    to_fire: tuple[str, ...] = ()
    to_suppress: tuple[str, ...] = ()
    fires_if_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Lowering:
    """Something that lowers a finding one level, as a specification of its own, and the words for the card."""

    spec: RuleSpec
    because: str


@dataclass(frozen=True, slots=True)
class Level:
    """One severity of a rule. Levels are tried in order; the first that holds for a subject gives its finding."""

    name: str
    indicator: Indicator
    status: Status
    hooks: frozenset[str]
    spec: RuleSpec | None
    lowerings: tuple[Lowering, ...]
    needs: Needs
    summary: str
    why: str


@dataclass(frozen=True, slots=True)
class Card:
    """The words of a finding; `{binding.field}` and `{parameter}` are filled in."""

    source_label: str
    source_url: str
    evidence: str
    facts: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    override_reasons: tuple[str, ...]
    suggestions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule file. signed_off: a clinician's review of this version stands in it. review_by: as it stands there."""

    id: str
    spec: str
    version: str
    status: Status
    title: str
    rank: int
    hooks: frozenset[str]
    needs: Needs
    levels: tuple[Level, ...]
    card: Card
    parameters: Mapping[str, Parameter]
    path: str
    signed_off: bool = False
    review_by: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """Fact kinds that any level reads."""
        specs = [s for lv in self.levels for s in (lv.spec, *(low.spec for low in lv.lowerings)) if s is not None]
        return frozenset(p.kind for s in specs for p in (*s.patterns, *s.unless))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Every rule in force, the parameters they share, and a digest of it all."""

    rules: tuple[Rule, ...]
    shared: Mapping[str, Parameter]
    version: str
    by_spec_id: Mapping[str, tuple[Rule, Level]] = field(default_factory=dict)

    def of(self, families: tuple[str, ...]) -> RuleSet:
        """Only the rules whose specification id starts with one of these ("D-")."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.spec.startswith(families)))

    @property
    def specs(self) -> list[RuleSpec]:
        """Every specification an engine has to decide, lowerings included."""
        return [
            spec
            for rule in self.rules
            for level in rule.levels
            for spec in (level.spec, *(low.spec for low in level.lowerings))
            if spec is not None
        ]

    @property
    def shared_values(self) -> dict[str, float]:
        return {name: float(p.value) for name, p in self.shared.items()}
