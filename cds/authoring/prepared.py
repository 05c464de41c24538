"""Cases made ready to be asked again and again: chart and facts are derived once, a changed rule only decides anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from cds.authoring.cases import Case
from cds.authoring.judge import Seen
from cds.chart.model import Chart
from cds.decide import Decision, Verdict, decide, with_unread_drafts
from cds.engine.direct import DirectEngine
from cds.engine.explain import Unknown, UnknownFinder
from cds.facts.derive import Derived, derive
from cds.model import Fact, Hook, Match, RuleSpec
from cds.rules.model import Rule, RuleSet

_SEVERITY = {"critical": 0, "warning": 1, "info": 2}


class Reads(Mapping[str, float]):
    """Shared parameters, and which of them were read."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.read.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One case and what a changed rule leaves as it is.

    read: shared parameters that its facts were derived with. unread_drafts: drafts that could not be read.
    """

    case: Case
    chart: Chart
    derived: Derived
    read: frozenset[str]
    unread_drafts: int = 0


def prepare(case: Case, chart: Chart, shared: Mapping[str, float], *, unread_drafts: int = 0) -> Prepared:
    """Derive the facts of a case. shared: the shared parameters by name."""
    parameters = Reads(shared)
    derived = derive(chart, hook=cast(Hook, case.hook), parameters=parameters)
    return Prepared(case, chart, derived, frozenset(parameters.read), unread_drafts)


def specs_of(rule: Rule) -> list[RuleSpec]:
    """Every specification of a rule, lowerings included."""
    return RuleSet((rule,), {}, "").specs


class _Found(UnknownFinder):
    """Unknown fields that were looked for already."""

    def __init__(self, found: Mapping[str, list[Unknown]]) -> None:
        super().__init__(())
        self._found = dict(found)

    def find(self, facts: Sequence[Fact]) -> dict[str, list[Unknown]]:  # noqa: ARG002
        return self._found


@dataclass(frozen=True, slots=True)
class Answers:
    """What an engine says of some specifications on some facts: matches and unknown fields, by specification."""

    matches: Mapping[str, list[Match]]
    unknown: Mapping[str, list[Unknown]]


class Asker:
    """Specifications, compiled once, to ask prepared facts about."""

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        """Raises EngineError when a specification has no meaning."""
        self.ids = [spec.id for spec in specs]
        self._engine = DirectEngine(specs)
        self._finder = UnknownFinder(specs)

    def ask(self, facts: Sequence[Fact]) -> Answers:
        matches: dict[str, list[Match]] = {ident: [] for ident in self.ids}
        for match in self._engine.evaluate(facts):
            matches[match.rule].append(match)
        return Answers(matches, self._finder.find(facts))


def outcome(rule: Rule, prepared: Prepared, answers: Answers) -> tuple[list[Seen], tuple[str, ...]]:
    """(findings of the rule, the most urgent first; reasons why it was not evaluated)."""
    verdict = decide(
        RuleSet((rule,), {}, ""),
        [match for of in answers.matches.values() for match in of],
        prepared.derived,
        prepared.chart,
        cast(Hook, prepared.case.hook),
        finder=_Found(answers.unknown),
    )
    if prepared.unread_drafts:
        verdict = with_unread_drafts(verdict, prepared.unread_drafts)
    return _seen(verdict), tuple(dict.fromkeys(n.reason for n in verdict.not_evaluated))


def _seen(verdict: Verdict) -> list[Seen]:
    # Behind a silent branch stands what an active service would show; in cases each branch counts as active.
    ordered = sorted(
        (d for d in verdict.decisions if not d.behind), key=lambda d: (_SEVERITY[d.indicator], _subject(d))
    )
    return [Seen(d.level.name, d.indicator, {b: f.evidence for b, f in d.bound.items()}) for d in ordered]


def _subject(decision: Decision) -> str:
    first = decision.match.bound[0]
    return first.ref if isinstance(first, Fact) else ""
