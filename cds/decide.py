"""Matches to decisions: one level for each subject, lowered where the rule or missing data says so (1.10, 10.18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cds.chart.model import Chart
from cds.engine.explain import Unknown, UnknownFinder
from cds.facts.derive import Derived
from cds.findings import NotEvaluated
from cds.model import Fact, Hook, Indicator, Match
from cds.needs import is_damaged, unmet
from cds.rules.model import Level, Lowering, Rule, RuleSet
from cds.rules.vocabulary import vocabulary

_Bindings = tuple[str | tuple[str, ...], ...]
_LOWER: dict[Indicator, Indicator | None] = {"critical": "warning", "warning": "info", "info": None}


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule holds for one subject at one level. lowered: why the indicator is below the level's own.

    behind: a silent branch of the rule, tried before, holds for the subject too. It may not keep back what is active.
    """

    rule: Rule
    level: Level
    indicator: Indicator
    match: Match
    bound: Mapping[str, Fact]
    lowered: tuple[str, ...]
    not_checked: tuple[str, ...]
    silent: bool
    behind: bool = False


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
        unmet_needs = {need: why for need in rule.needs.to_fire if (why := unmet(need, chart)) is not None}
        # What such a rule sees holds whatever it could not read; only its silence does not.
        damaged = [why for need, why in unmet_needs.items() if rule.needs.fires_if_damaged and is_damaged(need, chart)]
        lacking = [why for why in unmet_needs.values() if why not in damaged]
        if derived.failed:
            lacking.extend(f"internal: {kind}" for kind in sorted(derived.failed & rule.kinds))
        if lacking:
            missing.update((rule.spec, why) for why in lacking)
            continue
        found, reasons = _decide_rule(rule, by_spec, unknown, chart, hook)
        if found:
            found = [replace(d, not_checked=(*damaged, *d.not_checked)) for d in found] if damaged else found
        else:
            reasons = reasons.union(damaged)
        decisions.extend(found)
        missing.update((rule.spec, why) for why in reasons)
        if found or not reasons:
            evaluated.append(rule.spec)
    return Verdict(tuple(decisions), tuple(evaluated), tuple(NotEvaluated(*pair) for pair in sorted(missing)))


def not_decided(rules: RuleSet, hook: Hook, why: str) -> Verdict:
    """No rule of the hook could be evaluated."""
    asked = [rule for rule in rules.rules if hook in rule.hooks and rule.status in {"active", "silent"}]
    return Verdict((), (), tuple(NotEvaluated(rule.spec, why) for rule in asked))


def with_unread_drafts(verdict: Verdict, unread: int) -> Verdict:
    """A rule that is silent on the drafts that could be read says nothing about those that could not."""
    fired = {decision.rule.spec for decision in verdict.decisions}
    why = f"draft orders: {unread} could not be read"
    silent = [NotEvaluated(spec, why) for spec in verdict.evaluated if spec not in fired]
    reasons = sorted({*verdict.not_evaluated, *silent}, key=lambda n: (n.spec, n.reason))
    return Verdict(verdict.decisions, tuple(s for s in verdict.evaluated if s in fired), tuple(reasons))


def _decide_rule(
    rule: Rule,
    by_spec: Mapping[str, list[Match]],
    unknown: Mapping[str, Sequence[Unknown]],
    chart: Chart,
    hook: Hook,
) -> tuple[list[Decision], set[str]]:
    decided: dict[str, Decision] = {}
    behind: dict[str, Decision] = {}
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
        lowered_for = [_bindings_of(by_spec, lowering) for lowering in level.lowerings] if found else []
        for match in found:
            subject = match.bound[0].ref if isinstance(match.bound[0], Fact) else match.bound[0][0].ref
            first = decided.get(subject)
            # 10.2: a branch that ships silent is the branch, not the rule: a later, active one still speaks.
            masked = first is not None and first.silent and rule.status == "active" and level.status == "active"
            if first is None or (masked and subject not in behind):
                decision, lacking_to_suppress = _at_level(rule, level, match, lowered_for, chart)
                if decision is None:
                    reasons.update(lacking_to_suppress)
                elif first is None:
                    decided[subject] = decision
                else:
                    behind[subject] = replace(decision, behind=True)
    if not decided:
        reasons.update(_unknown_fields(rule, unknown, hook))
    return [*decided.values(), *behind.values()], reasons


def _bindings_of(by_spec: Mapping[str, list[Match]], lowering: Lowering) -> frozenset[_Bindings]:
    """What the level's own patterns are bound to wherever the lowering holds; its one pattern more stands last."""
    return frozenset(m.key[1][:-1] for m in by_spec.get(lowering.spec.id, ()))


def _at_level(
    rule: Rule, level: Level, match: Match, lowered_for: Sequence[frozenset[_Bindings]], chart: Chart
) -> tuple[Decision | None, tuple[str, ...]]:
    """The decision, or None and what was missing when lowering for missing data leaves nothing."""
    indicator: Indicator | None = level.indicator
    lowered: list[str] = []
    for lowering, matched in zip(level.lowerings, lowered_for, strict=True):
        if match.key[1] in matched:
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
