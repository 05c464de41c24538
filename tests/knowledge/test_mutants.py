"""No small change of a shipped rule goes unnoticed: a case at every bound, every comparison both true and false."""

from __future__ import annotations

import pytest

from cds.authoring.examine import Examined, Wanted
from cds.authoring.mutation.mutants import neighbours
from cds.authoring.mutation.steps import SHARED, STEPS
from cds.cli.case_pool import Job, examine_all
from cds.rules.load import load_rules, load_shared
from cds.shipped import shipped

RULES = load_rules()[0].rules


@pytest.fixture(scope="module")
def found() -> tuple[dict[str, Examined], list[str] | None]:
    files = sorted(shipped("fixtures/cases").glob("*.yaml"))
    job = Job(
        tuple((file, f"fixtures/cases/{file.name}") for file in files),
        Wanted(sweep=False, coverage=True, mutate=True),
        shared=True,
    )
    examined, shared = examine_all(job)
    return {e.rule: e for e in examined}, shared


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.spec)
def test_every_mutant_is_caught_and_every_comparison_covered(
    rule, found: tuple[dict[str, Examined], list[str] | None]
) -> None:  # type: ignore[no-untyped-def]
    examined = found[0][rule.id]
    assert examined.survivors is not None
    assert examined.gaps is not None
    assert [*examined.survivors.problems, *examined.gaps.problems] == []
    missed = [f"{h.mutant} ({h.mutant.at})" for h in examined.survivors.unexplained]
    missed += [f"line {c.line}: {c.text} ({c.at}) was never {' nor '.join(c.never)}" for c in examined.gaps.unexplained]
    assert missed == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.spec)
def test_every_parameter_of_a_rule_is_at_its_bound_in_some_case(
    rule, found: tuple[dict[str, Examined], list[str] | None]
) -> None:  # type: ignore[no-untyped-def]
    survivors = found[0][rule.id].survivors
    assert survivors is not None
    assert [str(h.mutant) for h in survivors.unexplained if h.mutant.parameter] == []


def test_a_shared_parameter_that_changes_is_noticed_by_some_case(
    found: tuple[dict[str, Examined], list[str] | None],
) -> None:
    assert found[1] == []


def test_steps_are_of_parameters_that_there_are() -> None:
    owners = {SHARED: load_shared([]), **{rule.id: rule.parameters for rule in RULES}}
    for (owner, name, side), (_, why) in STEPS.items():
        assert why
        value = owners[owner][name].value
        assert any((other.value > value) is (side == "up") for other in neighbours(owner, owners[owner][name]))
