"""The linter as a whole: rule files, their cases, and what only both together tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cds.authoring.cases import case_files
from cds.authoring.lint_cases import LintedCases, lint_cases, looks_like_cases
from cds.engine.checks import check_specs
from cds.errors import EngineError, RuleError
from cds.rules.lint import Linted, files_of, in_order, lint_rules, same_names, shown_as
from cds.rules.load import load_rules
from cds.rules.model import Rule, RuleSet
from cds.rules.source import read_text
from cds.rules.vocabulary import nearest
from cds.shipped import shipped


@dataclass(frozen=True, slots=True)
class Report:
    """problems: by place. notes: what was not looked at, and why. rules, cases: files that were read."""

    problems: tuple[RuleError, ...]
    notes: tuple[str, ...]
    rules: int
    cases: int


def lint(paths: Sequence[Path], *, today: dt.date, cases: Path | None = None) -> Report:
    """Lint rule files and folders (none: the shipped rules) and their cases; a case file may be given as well.

    cases: the folder of the cases; None: that of the shipped rules, else one beside the given folder.
    """
    given = [p for p in paths if p.is_file() and not p.name.startswith("_") and is_case_file(p)]
    of_rules = [p for p in paths if p not in given]
    linted = lint_rules(of_rules, today=today) if of_rules or not paths else []
    folder = cases or (_cases_of(of_rules) if of_rules or not paths else None)
    files = [*given, *_files_in(folder, of_rules)]
    rules = _known(linted, shipped_too=bool(paths))
    checked = [lint_cases(path, rules, shown=shown_as(path)) for path in dict.fromkeys(files)]
    problems = [p for one in linted for p in one.problems] + same_names(linted) + _without_meaning(linted)
    notes = []
    if folder is not None:
        problems += _never_silent(linted, checked, folder)
    elif any(one.rule is not None for one in linted):
        notes.append("no folder of cases was found beside the rules: cases are not looked at (--cases DIR)")
    problems += [p for one in checked for p in one.problems]
    return Report(tuple(in_order(problems)), tuple(notes), len(linted), len(checked))


def every_file(paths: Sequence[Path], cases: Path | None) -> list[Path]:
    """Every file that `lint` would read."""
    folder = cases or _cases_of(paths)
    return list(dict.fromkeys([*files_of(paths), *_files_in(folder, paths)]))


def _files_in(folder: Path | None, paths: Sequence[Path]) -> list[Path]:
    """Case files of the folder; of single rule files only those of the same names."""
    if folder is None:
        return []
    names = {p.name for p in paths} if paths and all(p.is_file() for p in paths) else None
    return [file for file in case_files(folder) if names is None or file.name in names]


def is_case_file(path: Path) -> bool:
    """A case file begins with its rule and has cases; a rule file names its schema."""
    try:
        return looks_like_cases(read_text(path, str(path)))
    except RuleError:
        return False


def _cases_of(paths: Sequence[Path]) -> Path | None:
    """Where the cases of these rules are: cases/ in the folder, or beside it, or fixtures/cases beside it."""
    if not paths:
        return shipped("fixtures/cases")
    for path in paths:
        beside = path if path.is_dir() else path.parent
        if beside.resolve() == shipped("rules").resolve():
            return shipped("fixtures/cases")
        for folder in (beside / "cases", beside.parent / "cases", beside.parent / "fixtures" / "cases"):
            if folder.is_dir():
                return folder
    return None


def _known(linted: Sequence[Linted], *, shipped_too: bool) -> dict[str, Rule | None]:
    """Rules that cases may name; None for one whose file is not whole, so that nothing is said twice."""
    known: dict[str, Rule | None] = {}
    if shipped_too:
        known.update({rule.id: rule for rule in load_rules()[0].rules})
    known.update({one.rule_id: one.rule if one.whole else None for one in linted if one.rule_id})
    return known


def _without_meaning(linted: Sequence[Linted]) -> list[RuleError]:
    """R127: what compiles and yet no engine can decide (a field of a group, a number that is not finite)."""
    found = []
    for one in linted:
        if one.rule is None or not one.whole:
            continue
        try:
            check_specs(RuleSet((one.rule,), {}, "").specs)
        except EngineError as error:
            found.append(RuleError(one.shown, *_place(str(error)), "R127", str(error), "see the comparisons there"))
    return found


def _place(message: str) -> tuple[int, int]:
    _, _, rest = message.partition(", line ")
    number = rest.partition(",")[0]
    return (int(number), 1) if number.isdigit() else (1, 1)


def _never_silent(linted: Sequence[Linted], checked: Sequence[LintedCases], folder: Path) -> list[RuleError]:
    """R160: a rule that no case shows to be silent. What never fires wrongly has to be shown as well."""
    found = []
    for one in linted:
        if one.rule is None or one.compilation is None or one.rule.status == "retired":
            continue
        own = [cases for cases in checked if cases.rule == one.rule_id]
        if any(cases.silent for cases in own):
            continue
        named = nearest(one.rule_id, [c.rule for c in checked if c.rule]) if not own else ""
        meant = f"; the cases there: {named}" if "did you mean" in named else ""
        text = f"no case of {one.rule_id} has expect: silent" if own else f"{one.rule_id} has no case"
        where = own[0].shown if own else f"{folder}/{Path(one.shown).name}"
        found.append(one.compilation.source.error(("id",), "R160", text, f"write one in {where}{meant}"))
    return found
