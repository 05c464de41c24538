"""Everything `psychmed test` can say of one rule: its cases run, what they cover, which mutants they catch."""

from __future__ import annotations

import re
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cds.authoring.boundaries import Proposed, boundaries
from cds.authoring.cases import Case, CaseFile
from cds.authoring.coverage import Covered, coverage
from cds.authoring.explained import Gaps, Survivors, gaps, survivors
from cds.authoring.fact_cases import read_fact_cases, run_fact_cases
from cds.authoring.mutation.hunt import Hunt, Hunted
from cds.authoring.mutation.mutants import mutants_of
from cds.authoring.mutation.shared import SharedMutant, for_rule
from cds.authoring.prepared import Prepared
from cds.authoring.run import Door, Outcome, run
from cds.model import Fact
from cds.rules.load import rule_path
from cds.rules.model import RuleSet
from cds.rules.source import Source, read_source


class CaseDoor(Door, Protocol):
    """A door that also shows what is behind it."""

    def facts(self, case: Case) -> list[Fact]: ...

    def prepared(self, case: Case) -> Prepared: ...

    def disagreements(self) -> int: ...

    def unchecked(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do. k: only cases whose rule or name contains this; coverage and mutants are of whole rules."""

    k: str = ""
    sweep: bool = True
    coverage: bool = False
    mutate: bool = False
    boundaries: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of one case file. covered, gaps, survivors: None where they were not asked for.

    unchecked: evaluations that the second engine of `verified` did not answer.
    """

    file: str
    rule: str
    status: str
    outcomes: tuple[Outcome, ...]
    covered: tuple[Covered, ...] | None = None
    gaps: Gaps | None = None
    mutants: int = 0
    survivors: Survivors | None = None
    proposed: tuple[Proposed, ...] = ()
    unchecked: int = 0


@dataclass(frozen=True, slots=True)
class SharedHunt:
    """The mutants of shared parameters. noticed: 1 for each that some rule's cases notice, for all processes."""

    mutants: Sequence[SharedMutant]
    noticed: MutableSequence[int]


def examine(
    file: CaseFile, door: CaseDoor, rules: RuleSet, wanted: Wanted, shared: SharedHunt | None = None
) -> Examined:
    """Run one case file and whatever else is wanted. Raises RuleError for a case that cannot be read."""
    chosen = [
        case
        for case in file.cases(sweep=wanted.sweep)
        if wanted.k.lower() in f"{case.rule} {case.spec} {case.name}".lower()
    ]
    before = door.unchecked()
    outcomes = run(chosen, door, rules=rules, facts=door.facts, disagreements=door.disagreements)
    unchecked = door.unchecked() - before
    rule = next((r for r in rules.rules if r.id == file.rule and r.spec == file.shape.spec), None)
    if rule is None or not chosen or not (wanted.coverage or wanted.mutate or wanted.boundaries):
        status = rule.status if rule else ""
        return Examined(file.source.path, file.rule, status, tuple(outcomes), unchecked=unchecked)
    prepared = [door.prepared(case) for case in file.cases(sweep=False)]
    covered = tuple(coverage(rule, prepared)) if wanted.coverage else None
    found, count, proposed = None, 0, []
    if wanted.mutate or wanted.boundaries:
        source = read_source(rule_path(rule), shown_as=rule.path)
        hunt = Hunt(rule, prepared)
        hunted = hunt.hunt(mutants_of(rule, rules.shared, source))
        count, found = len(hunted), survivors(hunted, file)
        if shared is not None:
            hunt_shared(shared, hunt, source, rules)
        if wanted.boundaries:
            proposed = boundaries(file, rule, [h.mutant for h in found.unexplained], door.prepared)
    return Examined(
        file.source.path, rule.id, rule.status, tuple(outcomes), covered, gaps(covered, file) if covered else None,
        count, found and _in_words(found), tuple(proposed), unchecked,
    )  # fmt: skip


def together(examined: Sequence[Examined]) -> list[Examined]:
    """What the files of one rule say together, in the first of them: one file's cases notice for all.

    The others keep their outcomes alone. A rule of one file is as it was.
    """
    by_rule: dict[str, list[Examined]] = {}
    for e in examined:
        if e.survivors is not None or e.covered is not None:
            by_rule.setdefault(e.rule, []).append(e)
    joined: dict[int, Examined] = {}
    for first, *others in by_rule.values():
        if others:
            files = [first, *others]
            joined.update((id(e), replace(e, covered=None, gaps=None, survivors=None, proposed=())) for e in others)
            joined[id(first)] = _with_survivors_of_all(_with_coverage_of_all(first, files), files)
    return [joined.get(id(e), e) for e in examined]


def _with_coverage_of_all(first: Examined, files: Sequence[Examined]) -> Examined:
    if first.covered is None:
        return first
    # Every file lists the comparisons of the rule in the same order.
    covered = tuple(
        replace(same[0], true=any(c.true for c in same), false=any(c.false for c in same))
        for same in zip(*(e.covered or () for e in files), strict=True)
    )
    reasons = {(c.line, c.text, c.at): why for e in files if e.gaps for c, why in e.gaps.explained}
    left = [(c, reasons.get((c.line, c.text, c.at))) for c in covered if c.never]
    found = Gaps(
        tuple(c for c, why in left if why is None),
        tuple((c, why) for c, why in left if why is not None),
        tuple(problem for e in files if e.gaps for problem in e.gaps.problems),
    )
    return replace(first, covered=covered, gaps=found)


def _with_survivors_of_all(first: Examined, files: Sequence[Examined]) -> Examined:
    known = [e.survivors for e in files if e.survivors is not None]
    if first.survivors is None:
        return first

    def key(hunted: Hunted) -> tuple[str, str]:
        return str(hunted.mutant), hunted.mutant.at

    missed = [{key(h) for h in (*s.unexplained, *(h for h, _ in s.explained))} for s in known]
    nowhere = set.intersection(*missed)
    explained = {key(h): (h, why) for s in known for h, why in s.explained if key(h) in nowhere}
    unexplained = tuple(h for h in first.survivors.unexplained if key(h) in nowhere and key(h) not in explained)
    found = Survivors(unexplained, tuple(explained.values()), tuple(p for s in known for p in s.problems))
    left = {key(h) for h in unexplained}
    proposed = tuple(p for p in first.proposed if any((str(m), m.at) in left for m in p.mutants))
    return replace(first, survivors=found, proposed=proposed)


def is_fact_file(path: Path) -> bool:
    """Whether a file holds fact cases: it says what they are about."""
    try:
        return re.search(r"^facts:", path.read_text(encoding="utf-8-sig"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError):
        return False  # whoever reads it says why


def examine_facts(path: Path, shown_as: str, door: CaseDoor, wanted: Wanted) -> Examined:
    """Run one file of fact cases. Raises RuleError for a case that cannot be read."""
    chosen = [
        fact_case
        for fact_case in read_fact_cases(path, shown_as=shown_as, sweep=wanted.sweep)
        if wanted.k.lower() in f"{fact_case.case.rule} {fact_case.case.spec} {fact_case.case.name}".lower()
    ]
    name = chosen[0].case.rule if chosen else "facts"
    return Examined(shown_as, name, "", tuple(run_fact_cases(chosen, door.facts)))


def hunt_shared(shared: SharedHunt, hunt: Hunt, source: Source, rules: RuleSet) -> None:
    """Look for cases of this rule that notice what nobody has noticed yet."""
    for n, mutant in enumerate(shared.mutants):
        if not shared.noticed[n] and hunt.shared_catcher(for_rule(mutant, source, rules.shared)) is not None:
            shared.noticed[n] = 1


def _in_words(found: Survivors) -> Survivors:
    """Without the changed rules, which nobody asks any more."""

    def bare(hunted: Hunted) -> Hunted:
        return replace(hunted, mutant=replace(hunted.mutant, rule=None))

    return replace(
        found,
        unexplained=tuple(map(bare, found.unexplained)),
        explained=tuple((bare(h), reason) for h, reason in found.explained),
    )


def total_covered(examined: Sequence[Examined]) -> tuple[int, int]:
    """(outcomes seen, outcomes there are) of all comparisons together."""
    covered = [c for e in examined for c in e.covered or ()]
    return sum(c.true + c.false for c in covered), 2 * len(covered)
