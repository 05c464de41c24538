"""Every rule's shipped cases are explained and drawn, one case for each row of its table."""

from __future__ import annotations

import pytest

from cds.authoring.cases import Case, case_files, read_cases
from cds.authoring.explain import explain
from cds.authoring.explain_text import as_dict, as_text
from cds.cli.doors import EngineDoor
from cds.cli.pictures import case_picture
from cds.model import Hook
from cds.shipped import shipped
from hooks.request import read_call

FILES = case_files(shipped("fixtures/cases"))


def one_a_row(path: object) -> list[Case]:
    first: dict[str, Case] = {}
    for case in read_cases(path, sweep=False):  # type: ignore[arg-type]
        first.setdefault(case.row or case.name, case)
    return [case for case in first.values() if case.row]


@pytest.fixture(scope="module")
def door() -> EngineDoor:
    return EngineDoor()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_case_of_every_row_is_explained_as_it_is_expected(path: object, door: EngineDoor) -> None:
    for case in one_a_row(path):
        if case.known_gap:
            continue
        evaluator = door.evaluator(case.time_zone)
        rule = next(r for r in evaluator.rules.rules if r.id == case.rule)
        hook: Hook = case.hook  # type: ignore[assignment]
        explanation = explain(evaluator, read_call(case.request, hook), rule, today=case.today)
        expected = {"silent": {"silent", "not evaluated", "not asked"}, "not evaluated": {"not evaluated"}}
        assert explanation.verdict in expected.get(case.expect, {"fires"}), case.name
        assert as_text(explanation).startswith(f"{case.spec} {case.rule} "), case.name
        assert as_dict(explanation)["verdict"] == explanation.verdict, case.name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_first_case_of_a_rule_has_a_picture_that_names_the_rule(path: object) -> None:
    case = next(iter(read_cases(path, sweep=False)))  # type: ignore[arg-type]
    assert f"{case.spec} {case.rule}" in case_picture(case)
