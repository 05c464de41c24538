"""The smallest single change to an existing case that tells a rule and one of its mutants apart, ready to paste."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cds.authoring.cases import Case, CaseFile, CaseShape, Expected
from cds.authoring.changes import Change, Kind, changes
from cds.authoring.judge import Seen, difference
from cds.authoring.mutation.hunt import Changed
from cds.authoring.mutation.mutants import Mutant
from cds.authoring.prepared import Asker, Prepared, outcome, specs_of
from cds.authoring.yaml_out import flow, quoted
from cds.errors import CdsError
from cds.model import Fact, FieldRef
from cds.rules.model import Rule

# How many changes of each kind are tried, the smallest first: a few seconds a rule.
_MOST_TRIALS: Final[Mapping[Kind, int]] = {"shift": 4000, "less": 300, "word": 700, "hook": 100, "more": 700}
_FARTHEST: Final = 1500  # days; a bound that is farther away is another case


@dataclass(frozen=True, slots=True)
class Proposed:
    """A case that catches mutants, as YAML to paste; or mutants for which none was found (yaml empty)."""

    mutants: tuple[Mutant, ...]
    yaml: str


def boundaries(
    file: CaseFile, rule: Rule, mutants: Sequence[Mutant], prepared: Callable[[Case], Prepared]
) -> list[Proposed]:
    """A case for each mutant that none catches: single changes are tried on every case, the smallest first.

    Mutants that one case catches are named together. Those for which no single change was found come last, together.
    prepared: derives a case's facts.
    """
    search = _Search(file, rule, mutants, prepared)
    found = [p for trial in search.trials() if (p := search.proposed(trial)) is not None]
    left = search.left
    return [*found, Proposed(left, "")] if left else found


@dataclass(frozen=True, slots=True)
class _Trial:
    number: int
    change: Change


class _Search:
    def __init__(
        self, file: CaseFile, rule: Rule, mutants: Sequence[Mutant], prepared: Callable[[Case], Prepared]
    ) -> None:
        self._file, self._rule, self._prepare = file, rule, prepared
        self._asker = Asker(specs_of(rule))
        specs = {spec.id: spec for spec in specs_of(rule)}
        self._left = [(m, Changed(rule, specs, m.rule)) for m in mutants if m.rule is not None]
        self._days = self._distances()

    @property
    def left(self) -> tuple[Mutant, ...]:
        """The mutants that nothing caught so far."""
        return _bare([mutant for mutant, _ in self._left])

    def trials(self) -> Iterator[_Trial]:
        """Changes of every case, the smallest first, until each mutant is caught or enough were tried."""
        found = [
            _Trial(n, change)
            for n, days in self._days.items()
            for change in changes(self._file, n, days=days, hooks=sorted(self._rule.hooks))
        ]
        found.sort(key=lambda trial: trial.change.size)
        tried: Counter[Kind] = Counter()
        for trial in found:
            if not self._left:
                return
            kind = trial.change.kind
            tried[kind] += 1
            if tried[kind] <= _MOST_TRIALS[kind]:
                yield trial

    def _distances(self) -> dict[int, set[int]]:
        """For each case: how far its facts are from the bounds of the mutants' lines, in whole units."""
        lines = {mutant.line for mutant, _ in self._left}
        texts = {mutant.parameter for mutant, _ in self._left} - {""}
        found: dict[int, set[int]] = {}
        for case in self._file.cases(sweep=False):
            if self._file.shape.cases[case.number].fhir is not None:
                continue
            ready = self._prepare(case)
            if difference(case, *outcome(self._rule, ready, self._asker.ask(ready.derived.facts))):
                continue
            found[case.number] = {
                by + more
                for level in self._rule.levels
                if level.spec is not None and case.hook in level.hooks
                for p in (*level.spec.patterns, *level.spec.unless, *(low.spec.patterns[-1] for low in level.lowerings))
                for c in p.where
                if c.line in lines or any(name in c.text for name in texts)
                for fact in ready.derived.facts
                if fact.kind == p.kind
                for by in _distance(fact, c.field, c.value, ready.derived.facts)
                for more in (-1, 0, 1)
            }
        return found

    def proposed(self, trial: _Trial) -> Proposed | None:
        """What a trial catches, as a case; None when it catches nothing."""
        shape = self._file.shape.cases[trial.number]
        try:
            hook = trial.change.hook or ""
            ready = self._prepare(self._file.case(trial.number, trial.change.lines, self._file.shape.today, hook=hook))
        except CdsError:
            return None  # what cannot be written down, or is no request
        before = self._asker.ask(ready.derived.facts)
        expected = _expecting(ready.case, *outcome(self._rule, ready, before))
        caught = []
        for mutant, changed in self._left:
            if ready.case.hook not in changed.hooks:
                continue
            answers = changed.answers(ready, before)
            if answers is not None and difference(expected, *outcome(changed.rule, ready, answers)):
                caught.append(mutant)
        self._left = [(m, c) for m, c in self._left if not any(m is other for other in caught)]
        return Proposed(_bare(caught), _yaml(shape, trial.change, caught, expected)) if caught else None


def _bare(mutants: Sequence[Mutant]) -> tuple[Mutant, ...]:
    """Without the changed rules, which nobody asks any more."""
    return tuple(replace(mutant, rule=None) for mutant in mutants)


def _distance(fact: Fact, field: str, value: object, facts: Sequence[Fact]) -> Iterator[int]:
    """From a fact's value to what it is compared with; with a field of another fact, to each fact that has it."""
    own = fact.fields.get(field)
    if isinstance(own, str | bool) or own is None:
        return
    wanted = [value]
    if isinstance(value, FieldRef):
        others = [f.fields.get(value.field) for f in facts if f is not fact]
        wanted = [o + value.offset for o in others if isinstance(o, int | float) and not isinstance(o, bool)]
    for want in wanted:
        if isinstance(want, int | float) and not isinstance(want, bool):
            by = int(want - own)
            if abs(by) <= _FARTHEST:
                yield by
                yield -by


def _expecting(case: Case, seen: Sequence[Seen], reasons: Sequence[str]) -> Case:
    """The case with what the rule gives today for its expectation."""
    bare = replace(
        case, level=None, because=None, withheld=None, summary=None, known_gap=None, finds=None, not_evaluated=None
    )
    if not seen:
        if not reasons:
            return replace(bare, expect="silent")
        return replace(bare, expect="not evaluated", not_evaluated=tuple(reasons))
    finds = tuple(Expected(s.level, s.indicator, None, None, {}) for s in seen)
    return replace(bare, expect=seen[0].indicator, level=seen[0].level, finds=finds)  # type: ignore[arg-type]


def _yaml(shape: CaseShape, change: Change, caught: Sequence[Mutant], expected: Case) -> str:
    names = "; ".join(map(str, caught))
    lines = [f"  - name: {quoted(f'TODO ({names})')}"]
    hook = change.hook or shape.hook
    if hook is not None:
        lines.append(f"    hook: {hook}")
    was = f'   # as in "{shape.name}": {change.words}'
    if shape.patient is not None:
        lines.append(f"    patient: {shape.patient}{was}")
    if change.change:
        lines.append(f"    change: {flow(change.change)}")
    if change.without:
        lines.append(f"    without: {flow(change.without)}")
    if change.add:
        lines.append("    add:" + ("" if shape.patient is not None else was))
        lines += [f"      - {name}: {flow(body)}" for line in change.add for name, body in line.items()]
    lines.append(f"    expect: {expected.expect}")
    if expected.level is not None:
        lines.append(f"    level: {expected.level}")
    if expected.finds is not None and len(expected.finds) > 1:
        lines.append(f"    finds: {flow([{'level': f.level} for f in expected.finds])}")
    if expected.not_evaluated is not None:
        lines.append(f"    not_evaluated: {flow(list(expected.not_evaluated))}")
    return "\n".join(lines)
