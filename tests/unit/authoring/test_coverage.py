"""Which comparisons of a small rule were seen true, and which false."""

from __future__ import annotations

from pathlib import Path

from tests.unit.authoring.small_rule import CASES, COMPLETE, examined


def never(folder: Path, cases: str) -> dict[str, tuple[str, ...]]:
    found = examined(folder, cases)
    assert found.gaps is not None
    return {c.text: c.never for c in found.gaps.unexplained}


def test_a_comparison_is_covered_when_it_was_true_and_false(tmp_path: Path) -> None:
    assert never(tmp_path, COMPLETE) == {}


def test_what_no_fact_contradicts_was_never_false(tmp_path: Path) -> None:
    # One episode of a benzodiazepine, of 40 days: the rule's own comparisons are true, the exception's is false.
    assert never(tmp_path, CASES) == {
        "class_group is BZD": ("false",),
        "covered_days is more than max_days": ("false",),
        "class_group is ZDRUG": ("true",),
        "start is after use.start": ("true",),
    }


def test_an_exception_is_not_reached_while_the_rule_does_not_hold(tmp_path: Path) -> None:
    short = CASES.replace("from: -40d, days_supply: 40d", "from: -20d, days_supply: 20d").replace("warning", "silent")
    assert never(tmp_path, short)["class_group is ZDRUG"] == ("false", "true")


def test_a_reason_stands_for_what_no_data_can_show(tmp_path: Path) -> None:
    entry = "uncovered:\n  - {comparison: class_group is BZD, at: [use], reason: there is no other class}\n"
    found = examined(tmp_path, CASES + entry)
    assert found.gaps is not None
    assert [c.text for c, _ in found.gaps.explained] == ["class_group is BZD"]
    assert found.gaps.problems == ()


def test_a_reason_for_what_is_covered_is_named(tmp_path: Path) -> None:
    entry = "uncovered:\n  - {comparison: class_group is BZD, reason: there is no other class}\n"
    found = examined(tmp_path, COMPLETE + entry)
    assert found.gaps is not None
    (problem,) = found.gaps.problems
    assert "is covered both ways" in problem
