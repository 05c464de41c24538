"""Every parameter matters at its bound: one unit less, or one more, changes what some case gives.

The facts of a case are derived once. A rule's own parameter changes only what they are compared with, so that this one
rule is compiled again and asked about its own cases. A shared parameter may change facts as well: the cases whose facts
read it are derived again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

import cds.rules.load as loading
from cds.authoring.cases import Case, case_files, read_cases
from cds.chart.model import Chart
from cds.cli.doors import EngineDoor
from cds.decide import decide, unknown_finder
from cds.engine import compile_engine
from cds.facts.derive import Derived, derive
from cds.model import Hook
from cds.rules.load import load_rules
from cds.rules.model import RuleSet
from cds.rules.source import read_source
from cds.shipped import shipped
from hooks.request import read_call

FOLDER = Path(__file__).resolve().parents[2] / "rules"
SHARED = "_parameters.yaml"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}

# The step is 1 of the parameter's unit. A larger one only where no product or score reaches a value that near.
STEPS = {
    "_parameters.yaml: lowdose_trazodone up": (25, "tablets of 50 mg and more, halved"),
    "_parameters.yaml: lowdose_quetiapine up": (25, "tablets of 25 mg and more"),
    "_parameters.yaml: lowdose_mirtazapine up": (7.5, "tablets of 7.5 mg and more"),
    "early_antidepressant_switch.yaml: response_from down": (2, "no PHQ-9 falls by 48.2 to 49.9 %"),
}
# Changes that cannot change an outcome, and why. An entry that some case does notice has to go.
EXEMPT = {
    "safety_checks_incomplete.yaml: least_unidentified down": (
        "where every medicine was identified there is no count to compare with 0"
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter set to the next value on one side. value: as the YAML writes it."""

    file: str
    name: str
    side: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name} {self.side}"


def changes() -> Iterator[Change]:
    """Both neighbours of every parameter; below 0 there is none."""
    for file in TEXTS:
        for name, body in read_source(FOLDER / file).data.get("parameters", {}).items():
            value = body["value"]
            if isinstance(value, bool):
                yield Change(file, name, "other", str(not value).lower())
                continue
            number, _, unit = str(value).partition(" ")
            for side, sign in (("down", -1), ("up", 1)):
                step, _why = STEPS.get(f"{file}: {name} {side}", (1, ""))
                if (size := float(number) + sign * step) >= 0:
                    yield Change(file, name, side, f'"{size:g} {unit}"' if unit else f"{size:g}")


def edited(change: Change) -> str:
    """The file with the value, and a range that admits it."""
    line = read_source(FOLDER / change.file).at(("parameters", change.name), key=True)[0]
    lines = TEXTS[change.file].splitlines()
    text, found = re.subn(r"value: (\"[^\"]*\"|[^,}]+)", f"value: {change.value}", lines[line - 1], count=1)
    assert found == 1, f"{change}: a parameter stands on one line"
    unit = change.value.strip('"').partition(" ")[2]
    admitted = f'"0 {unit} to 100000 {unit}"' if unit else "0 to 100000"
    lines[line - 1] = re.sub(r"range: (\"[^\"]*\"|[^,}]+)", f"range: {admitted}", text, count=1)
    return "\n".join(lines) + "\n"


class Reads(Mapping[str, float]):
    """Shared parameters, and which of them were read."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.read.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


Outcome = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]


class Decider:
    """Rules made ready to be asked about facts that are there already."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._engine = compile_engine(rules.specs, "direct")
        self._finder = unknown_finder(rules)

    def outcome(self, case: Case, chart: Chart, derived: Derived) -> Outcome:
        """((indicator, level) of each finding, reasons why not evaluated) of the case's own rule."""
        matches = self._engine.evaluate(derived.facts)
        verdict = decide(self._rules, matches, derived, chart, cast(Hook, case.hook), finder=self._finder)
        return (
            tuple(sorted((d.indicator, d.level.name) for d in verdict.decisions if d.rule.spec == case.spec)),
            tuple(n.reason for n in verdict.not_evaluated if n.spec == case.spec),
        )


@dataclass(frozen=True, slots=True)
class Known:
    """One case, with everything that a changed rule leaves as it is. read: shared parameters that its facts read."""

    case: Case
    chart: Chart
    derived: Derived
    read: frozenset[str]
    outcome: Outcome


@dataclass(frozen=True)
class Shipped:
    """The rules as shipped and what each case gives."""

    rules: RuleSet
    decider: Decider
    known: list[Known] = field(default_factory=list)


@pytest.fixture(scope="module")
def as_shipped() -> Shipped:
    rules, problems = load_rules()
    assert problems == []
    made = Shipped(rules, Decider(rules))
    door = EngineDoor()
    for path in case_files(shipped("fixtures/cases")):
        for case in read_cases(path, sweep=False):
            hook = cast(Hook, case.hook)
            chart = door.evaluator(case.time_zone).chart(read_call(case.request, hook), today=case.today)
            parameters = Reads(rules.shared_values)
            derived = derive(chart, hook=hook, parameters=parameters)
            outcome = made.decider.outcome(case, chart, derived)
            made.known.append(Known(case, chart, derived, frozenset(parameters.read), outcome))
    return made


@pytest.mark.parametrize("change", list(changes()), ids=str)
def test_one_unit_less_or_more_of_a_parameter_changes_an_outcome(
    change: Change, as_shipped: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the rules that the change touches are compiled again.
    touched = {change.file} if change.file != SHARED else _naming(change.name)
    (tmp_path / "rules").mkdir()
    for file in {*touched, SHARED}:
        text = edited(change) if file == change.file else TEXTS[file]
        (tmp_path / "rules" / file).write_text(text, encoding="utf-8")
    monkeypatch.setattr(loading, "shipped", lambda name: tmp_path / name)
    rules, problems = load_rules()
    assert problems == []
    noticed = _first_that_notices(change, rules, as_shipped)
    if str(change) in EXEMPT:
        assert noticed is None, f'"{noticed}" notices it: it is no exemption any more'
    else:
        assert noticed is not None, f"no case notices {change.name} at {change.value}"


def _naming(name: str) -> set[str]:
    """Rule files that name a shared parameter."""
    return {file for file, text in TEXTS.items() if file[0] != "_" and re.search(rf"\b{name}\b", text)}


def _first_that_notices(change: Change, rules: RuleSet, base: Shipped) -> str | None:
    """The first case that gives something else under the changed rules."""
    decider = Decider(rules)
    compiled = {rule.id for rule in rules.rules}
    shared = base.rules.shared_values | rules.shared_values
    for known in base.known:
        again = change.file == SHARED and change.name in known.read
        if known.case.rule not in compiled and not again:
            continue
        derived = known.derived
        if again:
            derived = derive(known.chart, hook=cast(Hook, known.case.hook), parameters=shared)
        asked = decider if known.case.rule in compiled else base.decider
        if asked.outcome(known.case, known.chart, derived) != known.outcome:
            return known.case.name
    return None


def test_steps_and_exemptions_name_changes_that_exist() -> None:
    assert {*STEPS, *EXEMPT} <= {str(c) for c in changes()}
