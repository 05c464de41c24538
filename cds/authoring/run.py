"""Runs cases through a door and compares: what was expected, what came, and how near a silent result was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from cds.authoring.cases import Case
from cds.authoring.judge import Seen, difference, in_words
from cds.authoring.near_miss_words import comparison_text, describe
from cds.engine.direct import DirectEngine
from cds.engine.explain import NearMiss, near_miss
from cds.engine.near_miss import closeness
from cds.errors import CdsError
from cds.findings import Evaluation
from cds.model import Fact
from cds.rules.model import Rule, RuleSet


class Door(Protocol):
    """A way into the house: a hook request in, the evaluation out."""

    def __call__(self, request: bytes, *, hook: str, today: dt.date, time_zone: str) -> Evaluation: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, run once. problem: why it failed, "" when it passed; near: the closest miss of a silent result.

    closed: a known gap that is none any more.
    """

    case: Case
    got: str
    problem: str
    near: str
    closed: bool = False

    @property
    def passed(self) -> bool:
        return not self.problem

    @property
    def state(self) -> Literal["pass", "fail", "gap"]:
        """A known gap may fail, and nothing else: one that passes is to be taken out of the list."""
        if self.passed:
            return "pass"
        return "gap" if self.case.known_gap and not self.closed else "fail"


def run(
    cases: Iterable[Case],
    door: Door,
    *,
    rules: RuleSet,
    facts: Callable[[Case], Sequence[Fact]],
    disagreements: Callable[[], int] = lambda: 0,
) -> list[Outcome]:
    """Run every case. facts: the derived facts of a case, for the near miss and for what a finding binds.

    disagreements: how often two engines have differed so far; a case in which they do fails.
    """
    by_id = {rule.id: rule for rule in rules.rules}
    outcomes = []
    for case in cases:
        before = disagreements()
        outcome = _run_one(case, door, by_id.get(case.rule), facts)
        if disagreements() > before:
            outcome = replace(
                outcome, problem="the two engines differ" + (f"; {outcome.problem}" * (not outcome.passed))
            )
        outcomes.append(outcome)
    return with_closed_gaps(outcomes)


def with_closed_gaps(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """A known gap that passes on every day it was run on fails: the list of gaps must be true."""
    still = {(o.case.file, o.case.number) for o in outcomes if o.case.known_gap and not o.passed}
    return [
        replace(o, problem=f'passes: it is no known gap any more ("{o.case.known_gap}")', closed=True)
        if o.case.known_gap and (o.case.file, o.case.number) not in still
        else o
        for o in outcomes
    ]


def _run_one(case: Case, door: Door, rule: Rule | None, facts: Callable[[Case], Sequence[Fact]]) -> Outcome:
    if rule is None:
        return Outcome(case, "", f'there is no rule "{case.rule}"', "")
    if rule.spec != case.spec:
        return Outcome(case, "", f"the rule {rule.id} is {rule.spec}, the case file says {case.spec}", "")
    try:
        evaluation = door(case.request, hook=case.hook, today=case.today, time_zone=case.time_zone)
    except CdsError as error:
        return Outcome(case, "", f"the request was refused: {error}", "")
    found = [f for f in evaluation.findings if f.spec == case.spec]
    reasons = [n.reason for n in evaluation.not_evaluated if n.spec == case.spec]
    bound = _bound(rule, facts(case)) if case.finds and any(f.bindings for f in case.finds) else {}
    seen = [
        Seen(f.level, f.indicator, bound.get((f.level, f.subject), {}), f.disposition, f.summary, f.detail)
        for f in found
    ]
    problem = difference(case, seen, reasons)
    near = ""
    if not found and (problem or case.because):
        near, texts = _near(rule, case, facts(case))
        if case.because and not problem and case.because not in texts:
            problem = f'the near miss is not "{case.because}"'
    return Outcome(case, in_words(seen, reasons), problem, near)


def _bound(rule: Rule, facts: Sequence[Fact]) -> Mapping[tuple[str, tuple[str, ...]], Mapping[str, Sequence[str]]]:
    """By level and subject of a finding: the evidence of what each binding is bound to, in its first match."""
    found: dict[tuple[str, tuple[str, ...]], Mapping[str, Sequence[str]]] = {}
    for level in rule.levels:
        if level.spec is None:
            continue
        for match in DirectEngine([level.spec]).evaluate(facts):
            first = match.bound[0]
            subject = (first.ref if isinstance(first, Fact) else "",)
            pairs = zip(level.spec.patterns, match.bound, strict=True)
            found.setdefault((level.name, subject), {p.binding: f.evidence for p, f in pairs if isinstance(f, Fact)})
    return found


def _near(rule: Rule, case: Case, facts: Sequence[Fact]) -> tuple[str, set[str]]:
    """(the closest miss in words with its line, the wording of every level's miss)."""
    misses: list[tuple[tuple[int, int, float], NearMiss, str]] = []
    for level in rule.levels:
        if level.spec is not None and case.hook in level.hooks:
            miss = near_miss(level.spec, facts)
            if miss is not None:
                misses.append((closeness(level.spec, facts), miss, level.name))
    if not misses:
        return "", set()
    texts = {text for _, miss, _ in misses if (text := comparison_text(miss))}
    # Of the levels, the one that got furthest; of equals, the more severe.
    _, best, name = max(misses, key=lambda found: found[0])
    where = f"{rule.path}:{best.line}" if best.line else rule.path  # a gate stands in no line of its own
    return f"{name}: {describe(best)}   [{where}]", texts
