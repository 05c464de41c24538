"""`equivalent` and `uncovered` of a case file: what no data can show, and whether those entries are still true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cds.authoring.cases import CaseFile, Explained
from cds.authoring.coverage import Covered
from cds.authoring.mutation.hunt import Hunted


@dataclass(frozen=True, slots=True)
class Survivors:
    """The mutants of a rule that no case catches: those with a reason, and those without. problems: of the entries."""

    unexplained: tuple[Hunted, ...]
    explained: tuple[tuple[Hunted, str], ...]
    problems: tuple[str, ...]


def survivors(hunted: Sequence[Hunted], file: CaseFile) -> Survivors:
    """Sort the survivors of a hunt. An entry that names no mutant, or one that a case catches, is a problem."""
    reasons: dict[int, str] = {}
    problems = []
    for entry in file.equivalent:
        fitting = [h for h in hunted if _names(entry, h.mutant.wording, str(h.mutant), h.mutant.at)]
        where = f"{file.source.path}:{entry.line}"
        if not fitting:
            problems.append(f'{where}: equivalent names no mutant: "{entry.text}"{_at(entry)}')
        for h in fitting:
            if h.by is not None:
                problems.append(
                    f'{where}: "{h.mutant}" ({h.mutant.at}) is not equivalent: "{h.by.name}" tells it apart'
                )
            reasons[id(h)] = entry.reason
        problems += _unknown_places(entry, {h.mutant.at for h in fitting}, where)
    left = [h for h in hunted if h.by is None]
    return Survivors(
        tuple(h for h in left if id(h) not in reasons),
        tuple((h, reasons[id(h)]) for h in left if id(h) in reasons),
        tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class Gaps:
    """The comparisons of a rule that were not seen both true and false, without a reason and with one."""

    unexplained: tuple[Covered, ...]
    explained: tuple[tuple[Covered, str], ...]
    problems: tuple[str, ...]


def gaps(covered: Sequence[Covered], file: CaseFile) -> Gaps:
    """Sort what is not covered. An entry that names no comparison, or one that is covered, is a problem."""
    reasons: dict[int, str] = {}
    problems = []
    for entry in file.uncovered:
        fitting = [c for c in covered if _names(entry, c.text, f"line {c.line}: {c.text}", c.at)]
        where = f"{file.source.path}:{entry.line}"
        if not fitting:
            problems.append(f'{where}: uncovered names no comparison: "{entry.text}"{_at(entry)}')
        for c in fitting:
            if not c.never:
                problems.append(f'{where}: "{c.text}" ({c.at}, line {c.line}) is covered both ways')
            reasons[id(c)] = entry.reason
        problems += _unknown_places(entry, {c.at for c in fitting}, where)
    left = [c for c in covered if c.never]
    return Gaps(
        tuple(c for c in left if id(c) not in reasons),
        tuple((c, reasons[id(c)]) for c in left if id(c) in reasons),
        tuple(problems),
    )


def _names(entry: Explained, words: str, whole: str, at: str) -> bool:
    return entry.text in {words, whole} and (not entry.at or at in entry.at)


def _at(entry: Explained) -> str:
    return f" at {', '.join(entry.at)}" if entry.at else ""


def _unknown_places(entry: Explained, known: set[str], where: str) -> list[str]:
    if not known:
        return []
    return [f'{where}: "{entry.text}" does not stand at {place}' for place in entry.at if place not in known]
