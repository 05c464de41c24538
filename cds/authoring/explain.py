"""Why a rule fired on a chart, why it nearly did, or why it could not be evaluated: from words of the rule to records.

The same evaluation as the service's says what came of it; the levels are then looked at one by one, with the facts they
bound or came nearest with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cds.authoring.evidence import Record, records
from cds.authoring.near_miss_words import condition_words, date_words, deviation, kind_words, type_of, value_words
from cds.chart.model import Chart
from cds.engine.assignments import Assignment, by_kind_of, failing_of, silencers, truth_of, wanted_by
from cds.engine.compare import Truth
from cds.engine.direct import DirectEngine
from cds.engine.explain import near_miss, unknowns
from cds.engine.near_miss import closeness, nearest
from cds.evaluate import Evaluator, HookCall
from cds.findings import Evaluation, Finding
from cds.model import Comparison, Fact, FieldRef, Hook, Match, Pattern, RuleSpec
from cds.needs import unmet
from cds.rules.model import Level, Parameter, Rule

Outcome = Literal["fires", "silenced", "near", "unknown", "not asked"]
SOURCES = {"V": "read in a source", "U": "general knowledge, not confirmed", "P": "project default"}
_MOST_CONDITIONS = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison with what it met.

    holds: None for not known. short: how far from holding, "" where it holds. joins: it only says that the fact belongs
    to another one (the same order, the same drug).
    """

    words: str
    actual: str
    holds: Truth
    short: str
    line: int
    parameter: Parameter | None
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """What a pattern bound, or came nearest with: a fact, or the members of a group; no fact at all is ref ""."""

    binding: str
    kind: str
    ref: str
    comparisons: tuple[Compared, ...]
    records: tuple[Record, ...]
    members: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class LevelExplained:
    """One level. sentence: what stood between it and its match, or "" where it fires. line: where to look."""

    name: str
    indicator: str
    outcome: Outcome
    sentence: str
    line: int
    bound: tuple[Bound, ...] = ()
    silenced_by: tuple[Bound, ...] = ()
    closeness: tuple[int, int, float] = (0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of one finding of the rule."""

    level: str
    indicator: str
    summary: str
    disposition: str
    afterwards: str
    lowered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole answer. verdict: "fires", "silent", "not evaluated", "not asked". missing: data that decides."""

    rule: Rule
    today: dt.date
    hook: Hook
    verdict: Literal["fires", "silent", "not evaluated", "not asked"]
    sentence: str
    line: int
    findings: tuple[Shown, ...]
    levels: tuple[LevelExplained, ...]
    missing: tuple[str, ...]


def explain(evaluator: Evaluator, call: HookCall, rule: Rule, *, today: dt.date) -> Explanation:
    """Explain one rule on one call. Raises HookRequestError as an evaluation does."""
    evaluation = evaluator.evaluate(call, today=today)
    chart = evaluator.chart(call, today=today)
    facts = evaluator.facts(chart, call.hook).facts
    looking = _Looking(rule, {**evaluator.rules.shared, **rule.parameters}, facts, chart, today)
    asked = call.hook in rule.hooks and rule.status in {"active", "silent"}
    levels = tuple(looking.level(level) for level in _levels_of(rule, call.hook)) if asked else ()
    found = [f for f in evaluation.findings if f.rule == rule.id]
    reasons = tuple(n.reason for n in evaluation.not_evaluated if n.spec == rule.spec)
    missing = tuple(_missing_words(reason, rule, chart) for reason in reasons)
    shown = tuple(_shown(f, evaluation, rule, looking) for f in found)
    if not asked:
        return Explanation(rule, today, call.hook, "not asked", _not_asked(rule, call.hook), 0, (), (), ())
    if found:
        sentence = f"fires at level {found[0].level} ({found[0].indicator}): {found[0].summary}"
        line = next((lv.line for lv in levels if lv.name == found[0].level), 0)
        return Explanation(rule, today, call.hook, "fires", sentence, line, shown, levels, missing)
    if missing:
        sentence = f"could not be evaluated: {'; '.join(missing)}"
        return Explanation(rule, today, call.hook, "not evaluated", sentence, 0, (), levels, missing)
    best = max(levels, key=lambda lv: (lv.outcome != "not asked", lv.closeness), default=None)
    sentence, line = (best.sentence, best.line) if best is not None else ("no level is asked at this hook", 0)
    return Explanation(rule, today, call.hook, "silent", sentence, line, (), levels, ())


def _levels_of(rule: Rule, hook: Hook) -> list[Level]:
    return [lv for lv in rule.levels if hook in lv.hooks and lv.spec is not None and lv.status in {"active", "silent"}]


def _not_asked(rule: Rule, hook: Hook) -> str:
    if rule.status not in {"active", "silent"}:
        return f"is not asked: its status is {rule.status}"
    return f"is not asked at {hook}: it is asked at {', '.join(sorted(rule.hooks))}"


class _Looking:
    """One rule on the facts of one chart."""

    def __init__(
        self, rule: Rule, parameters: Mapping[str, Parameter], facts: Sequence[Fact], chart: Chart, today: dt.date
    ) -> None:
        self.rule, self.parameters, self.facts, self.chart, self.today = rule, parameters, facts, chart, today
        self.by_kind = by_kind_of(sorted(facts, key=lambda f: f.ref))

    def level(self, level: Level) -> LevelExplained:
        """One level, with the facts of its first match or of the way that came nearest."""
        spec = level.spec
        assert spec is not None
        matches = DirectEngine([spec]).evaluate(self.facts)
        line = max(line for p in spec.patterns for line in (p.line, *(c.line for c in p.where)))
        if matches:
            lacking = [why for need in level.needs.to_fire if (why := unmet(need, self.chart)) is not None]
            bound = self._match(spec, matches[0])
            if lacking:
                words = f"level {level.name} holds on what is known, but needs: {'; '.join(lacking)}"
                return LevelExplained(level.name, level.indicator, "unknown", words, line, bound)
            more = f" ({len(matches)} times)" if len(matches) > 1 else ""
            return LevelExplained(level.name, level.indicator, "fires", f"holds{more}", line, bound)
        return self._missed(level, spec)

    def _match(self, spec: RuleSpec, match: Match) -> tuple[Bound, ...]:
        assignment = {p.binding: b for p, b in zip(spec.patterns, match.bound, strict=True) if isinstance(b, Fact)}
        return tuple(
            self._bound(p, b, assignment) if isinstance(b, Fact) else self._group(p, b)
            for p, b in zip(spec.patterns, match.bound, strict=True)
        )

    def _bound(self, pattern: Pattern, fact: Fact, assignment: Assignment) -> Bound:
        known = {**assignment, pattern.binding: fact}
        compared = tuple(self._compared(c, pattern, fact, known) for c in pattern.where)
        return Bound(
            pattern.binding,
            pattern.kind,
            fact.ref,
            compared,
            tuple(records(self.chart, fact.evidence)),
            line=pattern.line,
        )

    def _group(self, pattern: Pattern, members: Sequence[Fact]) -> Bound:
        refs = [ref for fact in members for ref in fact.evidence]
        named = tuple(fact.ref for fact in members)
        return Bound(pattern.binding, pattern.kind, "", (), tuple(records(self.chart, refs)), named, pattern.line)

    def _compared(self, c: Comparison, pattern: Pattern, fact: Fact, known: Assignment) -> Compared:
        actual, wanted = fact.fields.get(c.field), wanted_by(c, known)
        holds = truth_of(c, fact, known)
        parameter = self.parameters.get(c.parameter)
        words = condition_words(c, pattern.kind, wanted, parameter, self.today, were="is")
        short = "" if holds else deviation(c, pattern.kind, actual, wanted)
        shown = value_words(actual, type_of(pattern.kind, c.field), self.today)
        joins = c.operator == "is" and isinstance(c.value, FieldRef)
        return Compared(words, shown, holds, short, c.line, parameter, joins)

    def _missed(self, level: Level, spec: RuleSpec) -> LevelExplained:
        """Why a level did not match: every condition that failed on the way that came nearest, in one sentence."""
        miss = near_miss(spec, self.facts)
        assert miss is not None
        assignment = nearest(spec, self.facts)
        bound, conditions = self._conditions(spec, assignment)
        hushed = [] if conditions else self._silencers(spec, assignment)
        unknown = bool(unknowns(spec, self.facts))
        if hushed:
            facts = "; ".join(self._silencer_words(b) for b in hushed)
            sentence = f"would have fired at level {level.name}, but is silenced by {facts}"
        else:
            told = conditions[:_MOST_CONDITIONS]
            more = f", and {len(conditions) - len(told)} more conditions" if len(conditions) > len(told) else ""
            sentence = f"would have fired at level {level.name} if {', and if '.join(told)}{more}"
        outcome: Outcome = "silenced" if hushed else "unknown" if unknown else "near"
        near = closeness(spec, self.facts)
        return LevelExplained(level.name, level.indicator, outcome, sentence, miss.line, bound, tuple(hushed), near)

    def _conditions(self, spec: RuleSpec, assignment: Assignment) -> tuple[tuple[Bound, ...], list[str]]:
        """(what the patterns came nearest with, the conditions that failed)."""
        bound: list[Bound] = []
        conditions: list[str] = []
        for pattern in spec.patterns:
            if pattern.at_least is not None:
                conditions += self._too_few(pattern, assignment)
                continue
            fact = assignment.get(pattern.binding)
            if fact is None:
                bound.append(Bound(pattern.binding, pattern.kind, "", (), (), line=pattern.line))
                conditions.append(_absent(pattern))
                continue
            bound.append(self._bound(pattern, fact, assignment))
            for comparison in failing_of(pattern, fact, assignment):
                known = {**assignment, pattern.binding: fact}
                if isinstance(comparison.value, FieldRef) and comparison.value.binding not in known:
                    continue  # it hangs on a fact that is missing, which is said
                conditions.append(self._condition(comparison, pattern, fact, known))
        return tuple(bound), conditions

    def _condition(self, c: Comparison, pattern: Pattern, fact: Fact, known: Assignment) -> str:
        wanted = wanted_by(c, known)
        parameter = self.parameters.get(c.parameter)
        words = condition_words(
            c, pattern.kind, wanted, parameter, self.today, were="were", of=f" of the {pattern.kind.replace('_', ' ')}"
        )
        actual = fact.fields.get(c.field)
        shown = value_words(actual, type_of(pattern.kind, c.field), self.today)
        short = deviation(c, pattern.kind, actual, wanted)
        return f"{words}; was {shown}{f' ({short})' if short else ''}"

    def _too_few(self, pattern: Pattern, assignment: Assignment) -> list[str]:
        free = [f for f in self.by_kind.get(pattern.kind, ()) if f not in assignment.values()]
        members = [f for f in free if not failing_of(pattern, f, assignment)]
        needed = pattern.at_least or 1
        if len(members) >= needed:
            return []
        return [f"there were {needed} of {kind_words(pattern.kind)}; there are {len(members)} of {needed}"]

    def _silencers(self, spec: RuleSpec, assignment: Assignment) -> list[Bound]:
        found = []
        for pattern in spec.unless:
            facts = silencers(pattern, assignment, self.by_kind)
            if facts:
                found.append(self._bound(pattern, facts[0], assignment))
        return found

    def _silencer_words(self, bound: Bound) -> str:
        # That it is about the same order or drug goes without saying.
        telling = [c for c in bound.comparisons if not c.joins] or list(bound.comparisons)
        said = ", ".join(c.words + (f" (was {c.actual})" if c.actual not in c.words else "") for c in telling)
        dated = [r for r in bound.records if r.day is not None]
        record = f"; {dated[-1].ref} of {date_words(dated[-1].day or 0, self.today)}" if dated else ""
        return f"{bound.binding} ({bound.kind.replace('_', ' ')}: {said}{record})"


def _absent(pattern: Pattern) -> str:
    """That a fact is missing, by what its kind is and what the rule asks of it that needs no other fact."""
    asked = [
        f"{c.field.replace('_', ' ')} {c.value}"
        for c in pattern.where
        if c.operator == "is" and isinstance(c.value, str)
    ]
    said = f" with {', '.join(asked)}" if asked else ""
    return f"there were a fact {kind_words(pattern.kind)}{said}; there is none"


def _shown(finding: Finding, evaluation: Evaluation, rule: Rule, looking: _Looking) -> Shown:
    """What policy made of a finding, in words."""
    lowered = [
        low.because
        for level in rule.levels
        if level.name == finding.level
        for low in level.lowerings
        if DirectEngine([low.spec]).evaluate(looking.facts)
    ]
    lowered += [m.removeprefix("Not checked: ") for m in finding.missing if m.startswith("Not checked: ")]
    level = next(lv for lv in rule.levels if lv.name == finding.level)
    if level.indicator == finding.indicator:
        lowered = []
    return Shown(
        finding.level,
        finding.indicator,
        finding.summary,
        finding.disposition,
        _afterwards(finding, evaluation, rule, level),
        tuple(lowered),
    )


def _afterwards(finding: Finding, evaluation: Evaluation, rule: Rule, level: Level) -> str:
    if finding.disposition == "absorbed":
        by = next((f for f in evaluation.findings if finding.spec in f.absorbed), None)
        return f"no card of its own: the card of {by.spec} {by.rule} stands for it" if by else "no card of its own"
    if finding.disposition == "silent":
        what = f"the rule is {rule.status}" if rule.status == "silent" else f"its level {level.name} is {level.status}"
        return f"no card: {what}"
    if finding.disposition == "budget":
        return f"no card: more urgent ones fill the number of cards of {evaluation.hook}"
    if finding.disposition != "shown":
        return f"no card: {finding.disposition}"
    stands_for = f", which stands for {', '.join(finding.absorbed)} too" if finding.absorbed else ""
    return f"on a card{stands_for}"


def _missing_words(reason: str, rule: Rule, chart: Chart) -> str:
    """What was missing: the need of the rule behind it, or the field of a fact."""
    needs = [*rule.needs.to_fire, *(n for level in rule.levels for n in level.needs.to_fire)]
    need = next((n for n in needs if unmet(n, chart) == reason), None)
    if need is not None:
        return f"{reason} (the rule needs {need})"
    kind, _, field = reason.partition(".")
    return f"{field.replace('_', ' ')} of {kind.replace('_', ' ')} is not recorded" if field else reason
