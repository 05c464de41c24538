"""Whether what came is what a case expects. One judge for whole evaluations and for mutants of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds.authoring.cases import Case, Expected


@dataclass(frozen=True, slots=True)
class Seen:
    """One finding, the most urgent first. bound: binding to the evidence of its fact.

    disposition, summary, detail: None where they are not looked at: a mutant is judged by what it decides alone.
    """

    level: str
    indicator: str
    bound: Mapping[str, Sequence[str]]
    disposition: str | None = None
    summary: str | None = None
    detail: str | None = None


def in_words(seen: Sequence[Seen], reasons: Sequence[str]) -> str:
    """What came, in one line."""
    got = ", ".join(
        f"{s.indicator} ({s.level}{'' if s.disposition in {'shown', None} else ', ' + s.disposition})" for s in seen
    )
    return got or (f"not evaluated ({'; '.join(reasons)})" if reasons else "silent")


def difference(case: Case, seen: Sequence[Seen], reasons: Sequence[str]) -> str:
    """Why the result is not what the case expects; "" when it is."""
    got = in_words(seen, reasons)
    if case.expect == "not evaluated":
        if seen or not reasons:
            return f"expected not evaluated, got {got}"
        return _other_reasons(case, reasons)
    if case.expect == "silent":
        return "" if not seen and (not reasons or case.because) else f"expected silent, got {got}"
    if not seen:
        return f"expected {case.expect}, got {got}"
    best = seen[0]
    if case.expect not in {"fire", best.indicator}:
        return f"expected {case.expect}, got {got}"
    if case.level is not None and case.level != best.level:
        return f"expected level {case.level}, got {got}"
    if best.disposition is not None:
        if case.withheld is not None and case.withheld != best.disposition:
            return f"expected it withheld as {case.withheld}, got {got}"
        # A row of the specification holds when its finding is on a card, or withheld as absorbed or for the budget.
        if case.withheld is None and best.disposition not in {"shown", "absorbed", "budget"}:
            return f"expected a card, got {got}"
    if case.summary is not None and best.summary is not None and case.summary != best.summary:
        return f'expected the summary "{case.summary}", got "{best.summary}"'
    return _other_finds(case, seen)


def _other_reasons(case: Case, reasons: Sequence[str]) -> str:
    if case.not_evaluated is None:
        return ""
    for wanted in case.not_evaluated:
        if not any(wanted in reason for reason in reasons):
            return f'expected not evaluated for "{wanted}", got {"; ".join(reasons)}'
    for reason in reasons:
        if not any(wanted in reason for wanted in case.not_evaluated):
            return f'not evaluated for "{reason}" too, which the case does not name'
    return ""


def _other_finds(case: Case, seen: Sequence[Seen]) -> str:
    """Each expected finding is one that came, and each that came is expected; in any order."""
    if case.finds is None:
        return ""
    left = list(seen)
    for wanted in case.finds:
        problems = [(_unlike(case, wanted, s), s) for s in left]
        fits = next((s for problem, s in problems if not problem), None)
        if fits is None:
            return min((problem for problem, _ in problems), key=len, default="expected a finding more than came")
        left.remove(fits)
    return f"a finding more than expected: {in_words(left[:1], ())}" if left else ""


def _unlike(case: Case, wanted: Expected, seen: Seen) -> str:
    for name, want, came in (
        ("level", wanted.level, seen.level),
        ("indicator", wanted.indicator, seen.indicator),
        ("summary", wanted.summary, seen.summary),
    ):
        if want is not None and came is not None and want != came:
            return f'expected the {name} "{want}", got "{came}"'
    if wanted.detail_contains is not None and seen.detail is not None and wanted.detail_contains not in seen.detail:
        return f'expected "{wanted.detail_contains}" in the detail, got "{seen.detail}"'
    for binding, line in wanted.bindings.items():
        if binding not in seen.bound:
            return f'the level {seen.level} binds no "{binding}" (it binds {", ".join(seen.bound)})'
        refs = (case.lines or {}).get(line)
        if refs is None:
            return f'the patient has no line "{line}" for {binding}'
        if not set(refs) & set(seen.bound[binding]):
            return f"expected {binding} to be {line}, it rests on {', '.join(seen.bound[binding]) or 'no record'}"
    return ""
