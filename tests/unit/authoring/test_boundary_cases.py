"""Cases that are proposed for mutants, and what becomes of them when they are pasted."""

from __future__ import annotations

from pathlib import Path

from tests.unit.authoring.small_rule import CASES, examined, surviving


def test_the_proposed_cases_pass_and_catch_what_they_name(tmp_path: Path) -> None:
    found = examined(tmp_path, CASES, boundaries=True)
    pasted = "\n".join(p.yaml for p in found.proposed if p.yaml)
    again = examined(tmp_path, CASES + pasted + "\n")
    assert [o.problem for o in again.outcomes if not o.passed] == []
    unfound = sorted(m.wording for p in found.proposed if not p.yaml for m in p.mutants)
    assert surviving(again) == unfound
    bounds = {m.wording for p in found.proposed if p.yaml for m in p.mutants}
    assert bounds == {
        "max_days: 28 d -> 27 d",
        "max_days: 28 d -> 29 d",
        'drop "covered_days is more than max_days"',
        '"covered_days is more than max_days" -> inclusive bound',
    }, "no line of the file is about hospice care, and no word in it is a Z-drug"


def test_a_bound_is_found_by_the_day_that_reaches_it(tmp_path: Path) -> None:
    found = examined(tmp_path, CASES, boundaries=True)
    (at_the_bound,) = [p for p in found.proposed if "max_days: 28 d -> 27 d" in {m.wording for m in p.mutants}]
    assert "change: {l: {from: -28d}}" in at_the_bound.yaml
    assert "expect: silent" in at_the_bound.yaml
    assert '"covered_days is more than max_days" -> inclusive bound' in at_the_bound.yaml, "one case for both"


def test_a_proposed_case_says_which_one_it_was_made_of(tmp_path: Path) -> None:
    found = examined(tmp_path, CASES, boundaries=True)
    assert any('patient: on_lorazepam   # as in "forty days": l.from' in p.yaml for p in found.proposed)
