"""The linter of case files: everything wrong with one at once, where running it would stop at the first."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds.authoring.cases import CaseShape, FileShape, contradictions
from cds.authoring.line_keys import LINE_KEYS, STEP_KEYS
from cds.authoring.near_miss_words import comparison_text
from cds.authoring.notation import NotationError, Writer
from cds.authoring.patients import Lines, fhir_case, patient_lines
from cds.engine.explain import NearMiss
from cds.errors import RuleError
from cds.model import FieldRef
from cds.rules.lint import in_order
from cds.rules.model import Rule
from cds.rules.shape_problems import Codes, read_shape
from cds.rules.source import Source, read_leniently
from cds.rules.vocabulary import nearest

_CODES = Codes(unknown="R203", missing="R200", shape="R200", form="R200", word="R200", hook="R200")
_BECAUSE = re.compile(r"^\S+ is (not|at least|at most|more than|less than)? ?")
Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LintedCases:
    """One case file. rule: the id it names. silent: how many of its cases expect silence. shape: as far as read."""

    shown: str
    rule: str
    cases: int
    silent: int
    problems: tuple[RuleError, ...]


def lint_cases(path: Path, rules: Mapping[str, Rule | None], *, shown: str) -> LintedCases:
    """Every problem of one case file. rules: by id; None for a rule whose own file cannot be read."""
    source, problems = read_leniently(path, shown_as=shown)
    return _lint_source(source, problems, rules, shown, path=path)


def lint_cases_text(text: str, name: str) -> list[RuleError]:
    """Problems of one case file by its text, without those that only its rule tells."""
    source, problems = Source.lenient(name, text)
    return list(_lint_source(source, problems, None, name, path=Path(name)).problems)


def _lint_source(
    source: Source | None,
    problems: list[RuleError],
    rules: Mapping[str, Rule | None] | None,
    shown: str,
    *,
    path: Path,
) -> LintedCases:
    if source is None:
        return LintedCases(shown, "", 0, 0, tuple(problems))
    read = read_shape(source, FileShape, _CODES)
    problems += read.problems
    shape = read.shape
    if shape is None:
        return LintedCases(shown, str(source.data.get("rule", "")), 0, 0, tuple(problems))
    if not read.problems:  # else what was taken in place of a slip could contradict the rest
        problems += contradictions(source, shape)
    found = [*_of_patients(source, shape)]
    if rules is not None:
        found += _of_rule(source, shape, rules)
    patients = {name: _patient(source, path, name, lines, found) for name, lines in shape.patients.items()}
    rule = rules.get(shape.rule) if rules else None
    for n, case in enumerate(shape.cases):
        found += _of_case(source, shape, case, n, rule=rule, patients=patients)
        found += _of_fhir(source, path, shape, case, n)
    found += _names_twice(source, shape)
    kept = [p for path, p in found if not any(path[: len(done)] == done for done in read.repaired)]
    silent = sum(case.expect == "silent" for case in shape.cases)
    return LintedCases(shown, shape.rule, len(shape.cases), silent, tuple(in_order([*problems, *kept])))


def looks_like_cases(text: str) -> bool:
    """A case file has cases at its left edge; a rule file names its schema there."""
    keys = {line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    return "cases" in keys and "schema" not in keys


_Found = Iterator[tuple[Path_, RuleError]]


def _at(
    source: Source, path: Path_, code: str, text: str, hint: str = "", *, key: bool = False
) -> tuple[Path_, RuleError]:
    return path, source.error(path, code, text, hint, key=key)


def _of_rule(source: Source, shape: FileShape, rules: Mapping[str, Rule | None]) -> _Found:
    if shape.rule not in rules:
        yield _at(source, ("rule",), "R204", f'there is no rule "{shape.rule}"', nearest(shape.rule, rules))
    elif (rule := rules[shape.rule]) is not None and rule.spec != shape.spec:
        text = f'spec "{shape.spec}" is not that of {rule.id}'
        yield _at(source, ("spec",), "R204", text, f"write {rule.spec}")


def _of_patients(source: Source, shape: FileShape) -> _Found:
    for name, lines in shape.patients.items():
        own = [line for line in lines if "use" not in line] if isinstance(lines, list) else []
        yield from _of_lines(source, own, ("patients", name))


def _patient(
    source: Source, path: Path, name: str, lines: Lines | Mapping[Any, str], found: list[tuple[Path_, RuleError]]
) -> Lines | None:
    """A patient's lines with those of its template; None, and the problem in `found`, where there is no such."""
    try:
        return patient_lines(source, path, name, lines)
    except RuleError as error:
        found.append((("patients", name), error))
        return None


def _of_fhir(source: Source, path: Path, shape: FileShape, case: CaseShape, n: int) -> _Found:
    if case.fhir is not None:
        try:
            fhir_case(path, case.fhir, case.hook or shape.hook)
        except NotationError as error:
            yield _at(source, ("cases", n, "fhir"), "R202", str(error))


def _of_lines(source: Source, lines: Sequence[Mapping[str, Any]], path: Path_) -> _Found:
    for n, line in enumerate(lines):
        for name, body in line.items():
            yield from _of_line(source, name, body, (*path, n, name))


def _of_line(source: Source, name: str, body: Any, path: Path_) -> _Found:
    kind = name.partition(" ")[0]
    if kind not in LINE_KEYS:
        yield _at(source, path, "R207", f'there is no line "{kind}"', nearest(kind, LINE_KEYS), key=True)
        return
    known = LINE_KEYS[kind]
    if known is None:
        return
    if not isinstance(body, Mapping):
        text = f'"{name}" is not a mapping of keys'
        yield _at(source, path, "R202", text, f"write {name}: {{{', '.join(sorted(known)[:2])}, ...}}", key=True)
        return
    yield from _unknown_keys(source, kind, body, known, path)


def _unknown_keys(source: Source, kind: str, body: Mapping[str, Any], known: frozenset[str], path: Path_) -> _Found:
    for key in body:
        if key not in known:
            yield _at(source, (*path, key), "R208", f'a line "{kind}" takes no "{key}"', nearest(key, known), key=True)
    steps = body.get("steps")
    for n, step in enumerate(steps if isinstance(steps, list) else ()):
        for key in step if isinstance(step, Mapping) else ():
            if key not in STEP_KEYS:
                text = f'a step takes no "{key}"'
                yield _at(source, (*path, "steps", n, key), "R208", text, nearest(str(key), STEP_KEYS), key=True)


def _of_case(
    source: Source,
    shape: FileShape,
    case: CaseShape,
    n: int,
    *,
    rule: Rule | None,
    patients: Mapping[str, Lines | None],
) -> _Found:
    path: Path_ = ("cases", n)
    yield from _of_lines(source, case.add, (*path, "add"))
    if case.patient is not None and case.patient not in shape.patients:
        text = f'there is no patient "{case.patient}"'
        yield _at(source, (*path, "patient"), "R201", text, nearest(case.patient, shape.patients))
        return
    base = patients[case.patient] if case.patient is not None else []
    if base is None:
        return  # the patient is reported; what a case changes of it cannot be judged
    kinds = {name.partition(" ")[2] or name: name.partition(" ")[0] for line in base for name in line}
    for ident, body in case.change.items():
        here = (*path, "change", ident)
        if ident not in kinds:
            text = f'change names "{ident}", which the patient does not have'
            yield _at(source, here, "R209", text, nearest(ident, kinds), key=True)
        elif (known := LINE_KEYS.get(kinds[ident])) is not None:
            yield from _unknown_keys(source, kinds[ident], body, known, here)
    for k, ident in enumerate(case.without):
        if ident not in kinds:
            text = f'without names "{ident}", which the patient does not have'
            yield _at(source, (*path, "without", k), "R209", text, nearest(ident, kinds))
    yield from _unwritable(source, shape.today, case, base, path)
    if rule is not None:
        yield from _against_rule(source, shape, case, rule, path)


def _unwritable(
    source: Source, today: dt.date, case: CaseShape, base: Sequence[Mapping[str, Any]], path: Path_
) -> _Found:
    """R202: lines that cannot become records. A line of the patient is reported once, where it stands."""
    writer = Writer(today)
    written: list[tuple[str, Any, Path_]] = []
    for k, line in enumerate(base):
        for name, body in line.items():
            ident = name.partition(" ")[2] or name
            if ident in case.without:
                continue
            changed = ident in case.change and isinstance(body, Mapping)
            where: Path_ = (*path, "change", ident) if changed else ("patients", str(case.patient), k, name)
            written.append((name, {**body, **case.change[ident]} if changed else body, where))
    for k, line in enumerate(case.add):
        written += [(name, body, (*path, "add", k, name)) for name, body in line.items()]
    for name, body, where in written:
        kind = name.partition(" ")[0]
        known = LINE_KEYS.get(kind)
        if kind not in LINE_KEYS or (known is not None and isinstance(body, Mapping) and not known.issuperset(body)):
            continue  # reported where it stands
        try:
            writer.line(name, body)
        except NotationError as error:
            yield _at(source, where, "R202", str(error), key=True)
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, ArithmeticError) as error:
            yield _at(source, where, "R202", f'"{name}" cannot be read: {error}', key=True)


def _against_rule(source: Source, shape: FileShape, case: CaseShape, rule: Rule, path: Path_) -> _Found:
    levels = {level.name for level in rule.levels}
    if case.level is not None and case.level not in levels:
        text = f'{rule.id} has no level "{case.level}"'
        yield _at(source, (*path, "level"), "R205", text, nearest(case.level, levels))
    if case.because and not _can_be_missed(case.because, rule):
        fields = sorted({w.field for lv in rule.levels if lv.spec for p in lv.spec.patterns for w in p.where})
        text = f'no comparison of {rule.id} can be missed as "{case.because}"'
        meant = nearest(case.because, _misses(rule) or fields)
        yield _at(source, (*path, "because"), "R206", text, meant if '"' in meant else "see the rule's comparisons")
    hook = case.hook or shape.hook
    if hook not in rule.hooks and case.expect not in {"silent", "not evaluated"}:
        where = (*path, "hook") if case.hook else (*path, "expect")
        text = f'{rule.id} is not asked on {hook}: "{case.expect}" can never come'
        yield _at(source, where, "R211", text, f"the rule has {', '.join(sorted(rule.hooks))}")


def _misses(rule: Rule) -> set[str]:
    """What the near miss of this rule can say, of comparisons with a constant or a parameter."""
    found = set()
    for level in rule.levels:
        for pattern in level.spec.patterns if level.spec else ():
            for w in pattern.where:
                if not isinstance(w.value, FieldRef):
                    found.add(comparison_text(NearMiss("comparison", "", "", 0, 0, comparison=w, wanted=w.value)))
    return found


def _can_be_missed(because: str, rule: Rule) -> bool:
    if because in _misses(rule):
        return True
    # Against a field of another fact any value may come.
    found = _BECAUSE.match(because)
    start = found[0].strip() if found else because
    return any(
        isinstance(w.value, FieldRef)
        and comparison_text(NearMiss("comparison", "", "", 0, 0, comparison=w, wanted="")).strip() == start
        for level in rule.levels
        for pattern in (level.spec.patterns if level.spec else ())
        for w in pattern.where
    )


def _names_twice(source: Source, shape: FileShape) -> _Found:
    first: dict[str, int] = {}
    for n, case in enumerate(shape.cases):
        line = source.at(("cases", n))[0]
        if first.setdefault(case.name, line) != line:
            text = f'two cases have the name "{case.name}", the first in line {first[case.name]}'
            yield _at(source, ("cases", n, "name"), "R210", text, "say what this one shows")
