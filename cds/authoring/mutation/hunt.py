"""Which mutants the cases of a rule notice: a mutant is caught when a case that passes now would fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cds.authoring.cases import Case
from cds.authoring.judge import difference
from cds.authoring.mutation.mutants import Mutant
from cds.authoring.prepared import Answers, Asker, Prepared, outcome, prepare, specs_of
from cds.model import RuleSpec
from cds.rules.model import Level, Rule


@dataclass(frozen=True, slots=True)
class Hunted:
    """A mutant, and the case that catches it; None for a survivor."""

    mutant: Mutant
    by: Case | None


class Hunt:
    """One rule and its cases, asked once, to hunt mutants with."""

    def __init__(self, rule: Rule, prepared: Sequence[Prepared]) -> None:
        """prepared: the cases of the rule. Those that do not pass now catch nothing."""
        self.rule = rule
        self._specs = {spec.id: spec for spec in specs_of(rule)}
        asker = Asker(list(self._specs.values()))
        self._answers: dict[int, Answers] = {}
        self.passing: list[Prepared] = []
        for p in prepared:
            answers = asker.ask(p.derived.facts)
            if not difference(p.case, *outcome(rule, p, answers)):
                self.passing.append(p)
                self._answers[id(p)] = answers

    def answers(self, prepared: Prepared) -> Answers:
        """What the rule as it is says of one of the passing cases."""
        return self._answers[id(prepared)]

    def hunt(self, mutants: Sequence[Mutant]) -> list[Hunted]:
        """Who catches each mutant of the rule. The case that caught the last one is tried first."""
        return [Hunted(mutant, self._catcher(mutant)) for mutant in mutants]

    def _catcher(self, mutant: Mutant) -> Case | None:
        assert mutant.rule is not None
        changed = Changed(self.rule, self._specs, mutant.rule)
        for n, p in enumerate(self.passing):
            if p.case.hook in changed.hooks and changed.is_caught(p, self._answers[id(p)]):
                self.passing.insert(0, self.passing.pop(n))
                return p.case
        return None

    def shared_catcher(self, mutant: Mutant) -> Case | None:
        """The case that notices a change of a shared parameter: in its facts, in the rule, or in both."""
        assert mutant.shared is not None
        rule = mutant.rule or self.rule
        values = {name: float(p.value) for name, p in mutant.shared.items()}
        asker = Asker(specs_of(rule))
        for n, p in enumerate(self.passing):
            again = mutant.parameter in p.read
            if not again and mutant.rule is None:
                continue
            asked = prepare(p.case, p.chart, values, unread_drafts=p.unread_drafts) if again else p
            if again and mutant.rule is None and asked.derived == p.derived:
                continue
            if difference(p.case, *outcome(rule, asked, asker.ask(asked.derived.facts))):
                self.passing.insert(0, self.passing.pop(n))
                return p.case
        return None


class Changed:
    """A changed rule: only what differs from the rule as it is has to be asked again."""

    def __init__(self, rule: Rule, specs: Mapping[str, RuleSpec], changed: Rule) -> None:
        self.rule = changed
        different = [
            spec for spec in specs_of(changed) if spec is not specs.get(spec.id) and spec != specs.get(spec.id)
        ]
        self._gone = specs.keys() - {spec.id for spec in specs_of(changed)}
        self._asker = Asker(different) if different else None
        self.hooks = frozenset(hook for level in _differing(rule, changed) for hook in level.hooks)
        # Beyond what the engine says: other indicators, needs, hooks, causes to lower.
        self._always = (
            bool(self._gone)
            or rule.needs != changed.needs
            or any(
                (a.indicator, a.hooks, a.needs, len(a.lowerings)) != (b.indicator, b.hooks, b.needs, len(b.lowerings))
                for a, b in zip(rule.levels, changed.levels, strict=True)
            )
        )

    def answers(self, prepared: Prepared, before: Answers) -> Answers | None:
        """The answers of the changed rule; None where they are as before."""
        if self._asker is None:
            return before if self._always else None
        new = self._asker.ask(prepared.derived.facts)
        ids = self._asker.ids
        if not self._always and all(
            new.unknown.get(i) == before.unknown.get(i)
            and (new.matches[i] is before.matches[i] or _keys(new, i) == _keys(before, i))
            for i in ids
        ):
            return None
        unknown = {i: u for i, u in before.unknown.items() if i not in ids}
        matches = {i: m for i, m in before.matches.items() if i not in self._gone}
        return Answers({**matches, **new.matches}, {**unknown, **new.unknown})

    def is_caught(self, prepared: Prepared, before: Answers) -> bool:
        """Whether a case that passes fails with the changed rule."""
        answers = self.answers(prepared, before)
        return answers is not None and bool(difference(prepared.case, *outcome(self.rule, prepared, answers)))


def _keys(answers: Answers, spec: str) -> list[object]:
    return [match.key for match in answers.matches[spec]]


def _differing(rule: Rule, changed: Rule) -> Iterator[Level]:
    """The levels that differ, as they were and as they are."""
    for before, after in zip(rule.levels, changed.levels, strict=True):
        if before is not after and before != after:
            yield before
            yield after
    if rule.needs != changed.needs:
        yield from rule.levels
