"""Runs cases through a door and compares: what was expected, what came, and how near a silent result was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cds.authoring.cases import Case
from cds.authoring.near_miss_words import comparison_text, describe
from cds.engine.explain import NearMiss, near_miss
from cds.findings import Evaluation, Finding
from cds.model import Fact
from cds.rules.model import Rule, RuleSet


class Door(Protocol):
    """A way into the house: a hook request in, the evaluation out."""

    def __call__(self, request: bytes, *, hook: str, today: dt.date, time_zone: str) -> Evaluation: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, run once. problem: why it failed, "" when it passed; near: the closest miss of a silent result."""

    case: Case
    got: str
    problem: str
    near: str

    @property
    def passed(self) -> bool:
        return not self.problem


def run(cases: Iterable[Case], door: Door, *, rules: RuleSet, facts: Callable[[Case], Sequence[Fact]]) -> list[Outcome]:
    """Run every case. facts: the derived facts of a case, for the near miss."""
    by_id = {rule.id: rule for rule in rules.rules}
    return [_run_one(case, door, by_id.get(case.rule), facts) for case in cases]


def _run_one(case: Case, door: Door, rule: Rule | None, facts: Callable[[Case], Sequence[Fact]]) -> Outcome:
    if rule is None:
        return Outcome(case, "", f'there is no rule "{case.rule}"', "")
    evaluation = door(case.request, hook=case.hook, today=case.today, time_zone=case.time_zone)
    found = [f for f in evaluation.findings if f.spec == case.spec]
    reasons = [n.reason for n in evaluation.not_evaluated if n.spec == case.spec]
    got = ", ".join(
        f"{f.indicator} ({f.level}{'' if f.disposition == 'shown' else ', ' + f.disposition})" for f in found
    )
    got = got or (f"not evaluated ({'; '.join(reasons)})" if reasons else "silent")
    problem = _difference(case, found, reasons, got)
    near = ""
    if not found and (problem or case.because):
        near, texts = _near(rule, case, facts(case))
        if case.because and not problem and case.because not in texts:
            problem = f'the near miss is not "{case.because}"'
    return Outcome(case, got, problem, near)


def _difference(case: Case, found: Sequence[Finding], reasons: Sequence[str], got: str) -> str:
    """Why the result is not what the case expects; "" when it is."""
    if case.expect == "not evaluated":
        return "" if reasons and not found else f"expected not evaluated, got {got}"
    if case.expect == "silent":
        return "" if not found and (not reasons or case.because) else f"expected silent, got {got}"
    if not found:
        return f"expected {case.expect}, got {got}"
    best = found[0]
    if case.expect not in {"fire", best.indicator}:
        return f"expected {case.expect}, got {got}"
    if case.level is not None and case.level != best.level:
        return f"expected level {case.level}, got {got}"
    if case.withheld is not None and case.withheld != best.disposition:
        return f"expected it withheld as {case.withheld}, got {got}"
    # A row of the specification holds when its finding is on a card, or withheld as absorbed or for the budget.
    if case.withheld is None and best.disposition not in {"shown", "absorbed", "budget"}:
        return f"expected a card, got {got}"
    if case.summary is not None and case.summary != best.summary:
        return f'expected the summary "{case.summary}", got "{best.summary}"'
    return ""


def _near(rule: Rule, case: Case, facts: Sequence[Fact]) -> tuple[str, set[str]]:
    """(the closest miss in words with its line, the wording of every level's miss)."""
    misses: list[tuple[NearMiss, str]] = []
    for level in rule.levels:
        if level.spec is not None and case.hook in level.hooks:
            miss = near_miss(level.spec, facts)
            if miss is not None:
                misses.append((miss, level.name))
    if not misses:
        return "", set()
    texts = {text for miss, _ in misses if (text := comparison_text(miss))}
    # Of the levels, the one that got furthest; of equals, the more severe.
    best, name = max(misses, key=lambda pair: pair[0].bound)
    return f"{name}: {describe(best)}   [{rule.path}:{best.line}]", texts
