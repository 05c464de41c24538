"""Matches to decisions: one level for each subject, lowered where the rule or missing data says so (1.10, 10.18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds.chart.model import Chart
from cds.engine.explain import Unknown, UnknownFinder
from cds.facts.derive import Derived
from cds.findings import NotEvaluated
from cds.model import Fact, Hook, Indicator, Match
from cds.needs import unmet
from cds.rules.model import Level, Rule, RuleSet
from cds.rules.vocabulary import vocabulary

_LOWER: dict[Indicator, Indicator | None] = {"critical": "warning", "warning": "info", "info": None}


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule holds for one subject at one level. lowered: why the indicator is below the level's own."""

    rule: Rule
    level: Level
    indicator: Indicator
    match: Match
    bound: Mapping[str, Fact]
    lowered: tuple[str, ...]
    not_checked: tuple[str, ...]
    silent: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """All decisions of one evaluation, and the rules that could and could not be decided."""

    decisions: tuple[Decision, ...]
    evaluated: tuple[str, ...]
    not_evaluated: tuple[NotEvaluated, ...]


def unknown_finder(rules: RuleSet) -> UnknownFinder:
    """Prepare, once for a rule set, the search for fields that are missing and would decide."""
    return UnknownFinder([level.spec for rule in rules.rules for level in rule.levels if level.spec is not None])


def decide(
    rules: RuleSet, matches: Sequence[Match], derived: Derived, chart: Chart, hook: Hook, *, finder: UnknownFinder
) -> Verdict:
    """Turn an engine's matches into decisions. A rule that cannot be evaluated is named, never left out."""
    by_spec: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        by_spec[match.rule].append(match)
    unknown = finder.find(derived.facts)
    decisions: list[Decision] = []
    evaluated: list[str] = []
    missing: set[tuple[str, str]] = set()
    for rule in rules.rules:
        if hook not in rule.hooks or rule.status not in {"active", "silent"}:
            continue
        lacking = [why for need in rule.needs.to_fire if (why := unmet(need, chart)) is not None]
        lacking.extend(f"internal: {kind}" for kind in sorted(derived.failed & rule.kinds))
        if lacking:
            missing.update((rule.spec, why) for why in lacking)
            continue
        found, reasons = _decide_rule(rule, by_spec, unknown, chart, hook)
        decisions.extend(found)
        missing.update((rule.spec, why) for why in reasons)
        if found or not reasons:
            evaluated.append(rule.spec)
    return Verdict(tuple(decisions), tuple(evaluated), tuple(NotEvaluated(*pair) for pair in sorted(missing)))


def _decide_rule(
    rule: Rule,
    by_spec: Mapping[str, list[Match]],
    unknown: Mapping[str, Sequence[Unknown]],
    chart: Chart,
    hook: Hook,
) -> tuple[list[Decision], set[str]]:
    decided: dict[str, Decision] = {}
    reasons: set[str] = set()
    for level in rule.levels:
        if hook not in level.hooks or level.spec is None or level.status not in {"active", "silent"}:
            continue
        found = by_spec.get(level.spec.id, ())
        lacking = [why for need in level.needs.to_fire if (why := unmet(need, chart)) is not None]
        if lacking:
            # It would hold on what is known: what is not known decides.
            reasons.update(lacking if found else ())
            continue
        for match in found:
            subject = match.bound[0].ref if isinstance(match.bound[0], Fact) else match.bound[0][0].ref
            if subject not in decided:
                decision, lacking_to_suppress = _at_level(rule, level, match, by_spec, chart)
                if decision is None:
                    reasons.update(lacking_to_suppress)
                else:
                    decided[subject] = decision
    if not decided:
        reasons.update(_unknown_fields(rule, unknown, hook))
    return list(decided.values()), reasons


def _at_level(
    rule: Rule, level: Level, match: Match, by_spec: Mapping[str, list[Match]], chart: Chart
) -> tuple[Decision | None, tuple[str, ...]]:
    """The decision, or None and what was missing when lowering for missing data leaves nothing."""
    indicator: Indicator | None = level.indicator
    lowered: list[str] = []
    key = match.key[1]
    for lowering in level.lowerings:
        if any(m.key[1][: len(key)] == key for m in by_spec.get(lowering.spec.id, ())):
            # A clinical reason lowers once per cause, but never below info (10.18).
            indicator = _LOWER[indicator or "info"] or "info"
            lowered.append(lowering.because)
    needs = dict.fromkeys((*rule.needs.to_suppress, *level.needs.to_suppress))
    not_checked = tuple(why for need in needs if (why := unmet(need, chart)) is not None)
    for _ in not_checked:
        indicator = _LOWER[indicator] if indicator is not None else None
    if indicator is None:
        return None, not_checked
    assert level.spec is not None
    bound = {p.binding: b for p, b in zip(level.spec.patterns, match.bound, strict=False) if isinstance(b, Fact)}
    silent = "silent" in (rule.status, level.status)
    return Decision(rule, level, indicator, match, bound, tuple(lowered), not_checked, silent), ()


def _unknown_fields(rule: Rule, unknown: Mapping[str, Sequence[Unknown]], hook: Hook) -> set[str]:
    """Fields that are not known and would decide: every other comparison of the level holds or is unknown too."""
    known = vocabulary()
    reasons: set[str] = set()
    for level in rule.levels:
        if level.spec is None or hook not in level.hooks:
            continue
        found = unknown.get(level.spec.id, ())
        by_match: dict[object, bool] = {}
        for u in found:
            field = known.field(u.kind, u.field)
            by_match[u.kind, u.field] = field is None or field.reports_absence
        if found and all(by_match.values()):
            reasons.update(f"{u.kind}.{u.field}" for u in found)
    return reasons
