"""Mutants of a small rule, listed by hand, and which of them its cases catch."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.authoring.mutation.mutants import mutants_of
from cds.rules.load import load_rules
from cds.rules.source import Source
from tests.unit.authoring.small_rule import CASES, COMPLETE, RULE, examined, surviving, written

ALL = {
    "max_days: 28 d -> 27 d",
    "max_days: 28 d -> 29 d",
    'drop "class_group is BZD"',
    'drop "covered_days is more than max_days"',
    '"covered_days is more than max_days" -> inclusive bound',
    'drop unless "other: exposure"',
    'drop "class_group is ZDRUG"',
    'drop "start is after use.start"',
    '"start is after use.start" -> inclusive bound',
    '"start is after use.start" -> + 1 d',
    'drop silenced_by "hospice"',
    "indicator warning -> info",
}


def mutants(folder: Path, rule: str = RULE) -> dict[str, int]:
    """Wording to line."""
    written(folder, CASES, rule=rule)
    rules, problems = load_rules([folder / "rules"])
    assert problems == []
    compiled = next(r for r in rules.rules if r.id == "long-use")
    return {m.wording: m.line for m in mutants_of(compiled, rules.shared, Source("long_use.yaml", rule))}


def test_every_small_change_of_a_rule_is_a_mutant_and_names_its_line(tmp_path: Path) -> None:
    found = mutants(tmp_path)
    assert set(found) == ALL
    assert found['drop "class_group is BZD"'] == 24
    assert found["max_days: 28 d -> 27 d"] == 16
    assert found["indicator warning -> info"] == 20


def test_a_bound_written_as_a_number_is_moved_by_one_of_its_unit(tmp_path: Path) -> None:
    rule = RULE.replace(
        "covered_days is more than max_days",
        "covered_days is at least 29 d\n          - start is before today minus max_days",
    )
    found = mutants(tmp_path, rule)
    assert '"covered_days is at least 29 d" -> - 1 d' in found
    assert '"covered_days is at least 29 d" -> exclusive bound' in found
    assert '"covered_days is at least 29 d" -> + 1 d' not in found, "of whole days it is the exclusive bound"


def test_a_when_pattern_is_dropped_only_where_nothing_below_speaks_of_it(tmp_path: Path) -> None:
    found = mutants(tmp_path, RULE.replace("    unless:\n", "      - pat: patient\n    unless:\n", 1))
    assert 'drop when "pat: patient"' in found
    assert 'drop when "use: exposure"' not in found, "the exception compares with use.start"


def test_a_count_becomes_one_less_and_one_more(tmp_path: Path) -> None:
    rule = RULE.replace("after use.start]", "after use.start]\n        count: at least 2")
    assert {'"count: at least 2" -> at least 1', '"count: at least 2" -> at least 3'} <= set(mutants(tmp_path, rule))


def test_a_truth_value_is_turned_round(tmp_path: Path) -> None:
    rule = RULE.replace("silenced_by:", "  strict: {value: true, source: P, why: x}\nsilenced_by:").replace(
        "- class_group is BZD", "- class_group is BZD\n          - strict is true"
    )
    assert "strict: true -> false" in mutants(tmp_path, rule)


def test_two_cases_far_from_the_bounds_catch_one_of_twelve(tmp_path: Path) -> None:
    found = examined(tmp_path, CASES)
    assert found.mutants == 12
    assert surviving(found) == sorted(ALL - {"indicator warning -> info"})


def test_cases_at_the_bounds_catch_them_all(tmp_path: Path) -> None:
    found = examined(tmp_path, COMPLETE)
    assert [o.problem for o in found.outcomes if not o.passed] == []
    assert surviving(found) == []


def test_a_text_that_names_the_limit_catches_no_change_of_the_limit(tmp_path: Path) -> None:
    said = CASES.replace("    expect: warning\n", '    expect: warning\n    summary: "40 days of use; limit 28 days"\n')
    found = examined(tmp_path, said)
    assert all(o.passed for o in found.outcomes)
    assert "max_days: 28 d -> 27 d" in surviving(found)


def test_a_case_that_fails_catches_nothing(tmp_path: Path) -> None:
    found = examined(tmp_path, CASES.replace("expect: warning", "expect: critical"))
    assert "indicator warning -> info" in surviving(found)


def test_an_explained_survivor_is_none(tmp_path: Path) -> None:
    entry = "equivalent:\n  - {mutant: 'drop silenced_by \"hospice\"', reason: said in another place}\n"
    found = examined(tmp_path, CASES + entry)
    assert found.survivors is not None
    assert found.survivors.problems == ()
    assert 'drop silenced_by "hospice"' not in surviving(found)
    assert [reason for _, reason in found.survivors.explained] == ["said in another place"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("mutant: indicator warning -> info", 'is not equivalent: "forty days" tells it apart'),
        ("mutant: indicator warning -> critical", "equivalent names no mutant"),
        ("mutant: 'drop \"class_group is BZD\"', at: [short/use]", "equivalent names no mutant"),
    ],
)
def test_an_entry_that_is_not_true_is_named(tmp_path: Path, entry: str, told: str) -> None:
    found = examined(tmp_path, f"{CASES}equivalent:\n  - {{{entry}, reason: no data can tell}}\n")
    assert found.survivors is not None
    (problem,) = found.survivors.problems
    assert told in problem
    assert problem.startswith("cases.yaml:20:")
