"""Every class of error in a rule file, as file:line:column."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.evaluate import Evaluator
from cds.fhir.codes import QUESTIONNAIRES as CODED
from cds.rules.lint import lint_paths
from cds.rules.load import Deployment, load_rules
from cds.rules.suggestions import KEYS, QUESTIONNAIRES
from cds.settings import load_settings
from cds.suggest import KNOWN

GOOD = """\
schema: cds-rule/1
id: example-rule
spec: B-99
version: 1.0.0
status: active
title: Example
rank: 10
hooks: [order-sign]
audit: true
owner: ""
clinical_review: []
review_by: 2027-01-01
sources:
  - {id: somewhere, cite: "Somewhere", url: "https://example.org", supports: [max_days], checked: 2026-01-01}
known_false_alerts: []
parameters:
  max_days: {value: 28 d, range: 14 d to 30 d, source: somewhere, why: "because"}
when:
  - order: order
    where:
      - habit_forming is true
      - authorised_days is more than max_days
levels:
  - name: only
    indicator: warning
    summary: "{order.drug} for {order.authorised_days}; limit {max_days}"
    why: "too long"
card:
  source: somewhere
  evidence: "Somewhere"
  override_reasons: [specialist-advice]
"""


def lint(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> list[tuple[int, int, str]]:
    file = tmp_path / "rule.yaml"
    file.write_bytes(text.encode(encoding))
    return [(p.line, p.column, p.code) for p in lint_paths([file])]


def test_the_shipped_rules_have_no_problem() -> None:
    assert lint_paths([]) == []


def test_a_good_rule_has_no_problem(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version: 1.0.0", 'version: "1.0"', (4, 10, "R010")),
        ("status: active", "status: live", (5, 9, "R011")),
        ("indicator: warning", "indicator: warn", (25, 16, "R011")),
        ("title: Example", "titel: Example", (6, 1, "R001")),
        ("title: Example\n", "", (1, 1, "R003")),
        ("hooks: [order-sign]", "hooks: [order-sing]", (8, 9, "R012")),
        ("rank: 10", "rank: 10\nrank: 20", (8, 1, "R002")),
        ("value: 28 d", "value: 40 d", (17, 34, "R133")),
        ("value: 28 d", "value: 1 month", (17, 21, "R130")),
        ("source: somewhere, why", "source: nowhere, why", (17, 56, "R021")),
        ("  - order: order\n    where", "  - order: ordre\n    where", (19, 12, "R114")),
        ("  - order: order\n    where", "  - drug: order\n    where", (19, 5, "R112")),
        ("habit_forming is true", "habit_forming = true", (21, 9, "R101")),
        ("more than max_days", "more than 28", (22, 38, "R132")),
        ('    why: "too long"', '    hooks: [patient-view]\n    why: "too long"', (27, 13, "R171")),
        ("  - order: order\n", "  - order: order\n    count: many\n", (20, 12, "R103")),
        ("levels:\n", "  - order: order\n    where: [habit_forming is true]\nlevels:\n", (23, 5, "R115")),
        ("{order.drug} for", "{ordre.drug} for", (26, 16, "R150")),
        ("{order.drug} for", "{order.drugs} for", (26, 16, "R150")),
    ],
)
def test_an_error_is_named_where_it_stands(tmp_path: Path, old: str, new: str, place: tuple[int, int, str]) -> None:
    assert old in GOOD
    assert place in lint(tmp_path, GOOD.replace(old, new, 1))


def test_a_level_without_any_pattern_is_named(tmp_path: Path) -> None:
    start, end = GOOD.index("when:"), GOOD.index("levels:")
    text = (GOOD[:start] + GOOD[end:]).replace("{order.drug} for {order.authorised_days}; limit ", "")
    assert "R104" in {code for _, _, code in lint(tmp_path, text)}


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("habit_forming is true", "habit_formin is true").replace("{order.drug} for", "{ordre.drug} for")
    assert {code for _, _, code in lint(tmp_path, text)} == {"R110", "R150"}


def test_a_parameter_that_nothing_uses_is_named(tmp_path: Path) -> None:
    text = GOOD.replace("more than max_days", "more than 28 d").replace("; limit {max_days}", "")
    assert lint(tmp_path, text) == [(17, 3, "R140")]


def test_windows_line_endings_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    assert lint(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n")) == []


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD.replace("Example", "Ex\xe9mple"), encoding="latin-1") == [(6, 10, "R000")]


def test_two_rules_with_one_id_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    assert [p.code for p in lint_paths([tmp_path])] == ["R030"]


def test_a_bad_rule_file_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("schema: cds-rule/1\nid: [")
    (tmp_path / "good.yaml").write_text(GOOD)
    rules, problems = load_rules([tmp_path])
    assert "B-99" in {r.spec for r in rules.rules}
    assert {"A-02", "B-01", "C-01", "D-01"} <= {r.spec for r in rules.rules}
    assert [p.code for p in problems] == ["R000"]


def test_a_site_changes_a_parameter_within_its_range(tmp_path: Path) -> None:
    rules, problems = load_rules(site={"benzodiazepine-new-order": Deployment(parameters={"max_days": "14 d"})})
    assert problems == []
    rule = next(r for r in rules.rules if r.id == "benzodiazepine-new-order")
    assert rule.parameters["max_days"].value == 14


def test_a_site_cannot_leave_the_range(tmp_path: Path) -> None:
    _, problems = load_rules(site={"benzodiazepine-new-order": Deployment(parameters={"max_days": "60 d"})})
    assert [p.code for p in problems] == ["R133"]


def test_a_site_that_names_a_rule_or_parameter_that_does_not_exist_is_told() -> None:
    _, problems = load_rules(site={"no-such-rule": Deployment(status="off")})
    assert [p.code for p in problems] == ["R031"]
    _, problems = load_rules(site={"benzodiazepine-new-order": Deployment(parameters={"max_day": "14 d"})})
    assert [p.code for p in problems] == ["R032"]


def test_a_rule_that_is_switched_off_is_retired_here(tmp_path: Path) -> None:
    rules, _ = load_rules(site={"benzodiazepine-new-order": Deployment(status="off")})
    assert next(r for r in rules.rules if r.spec == "B-01").status == "retired"


def test_the_version_changes_with_the_rules_and_with_the_site() -> None:
    plain, _ = load_rules()
    again, _ = load_rules()
    changed, _ = load_rules(site={"benzodiazepine-new-order": Deployment(parameters={"max_days": "14 d"})})
    assert plain.version == again.version != changed.version


def with_card(*lines: str) -> str:
    return GOOD + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("suggestion", "code"),
    [
        ("{use: S-FU}", "R155"),
        ("{use: S-FU, days: 14 mg}", "R155"),
        ("{use: S-FU, days: 0 d}", "R155"),
        ("{use: S-FU, days: 9999 d}", "R155"),
        ("{use: S-FU, days: 14 d, colour: red}", "R155"),
        ("{use: S-SHORT, order: other, days: 14 d}", "R155"),
        ("{use: S-PHQ, questionnaire: MADRS}", "R155"),
        ("{use: S-ALT, drug: ''}", "R155"),
        ("{use: S-FU, days: 14 d, levels: only}", "R152"),
        ("{use: [S-FU], days: 14 d}", "R156"),
        ("{use: S-PRAY}", "R156"),
    ],
)
def test_a_suggestion_that_could_not_be_made_is_a_problem(tmp_path: Path, suggestion: str, code: str) -> None:
    assert {c for _, _, c in lint(tmp_path, with_card(f"suggestions: [{suggestion}]"))} == {code}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"too long"', '"too long[, {order.refills}"', "R153"),
        ('"too long"', '"too long {order.drug"', "R154"),
        ('"too long"', '"too long {order..drug}"', "R154"),
        ('"too long"', '"too long {order.refills|2}"', "R154"),
        ('"too long"', '"too long {}"', "R154"),
        ("  - order: order\n", "  - Order: order\n", "R102"),
        ("title: Example", "title: 2026-13-45", "R000"),
        ("known_false_alerts: []", "known_false_alerts: " + "[" * 70, "R000"),
        ("title: Example", "title: Example\n" + "# long\n" * 150_000, "R000"),
    ],
)  # fmt: skip
def test_an_odd_file_is_a_problem_and_not_an_exception(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in GOOD
    assert code in {c for _, _, c in lint(tmp_path, GOOD.replace(old, new))}


def test_two_levels_with_one_name_are_a_problem(tmp_path: Path) -> None:
    level = '  - name: only\n    indicator: info\n    summary: "x"\n    why: "y"\n'
    assert (28, 11, "R116") in lint(tmp_path, GOOD.replace("card:\n", f"{level}card:\n"))


def test_where_as_one_text_is_a_problem_at_its_place(tmp_path: Path) -> None:
    text = GOOD.replace("    where:\n      - habit_forming is true\n      - authorised_days is more than max_days\n",
                        "    where: authorised_days is more than max_days\n")  # fmt: skip
    assert (20, 12, "R004") in lint(tmp_path, text)


@pytest.mark.parametrize("value", ["soon", "28 months", "", "28 mg", "nan"])
def test_a_site_value_that_is_no_quantity_is_a_problem(value: str) -> None:
    site = {"benzodiazepine-new-order": Deployment(parameters={"max_days": value})}
    rules, problems = load_rules(site=site)
    assert [p.code for p in problems] == ["R133"]
    assert "B-01" not in {r.spec for r in rules.rules}


def test_a_site_truth_value_written_as_text_is_a_problem_and_not_true() -> None:
    site = {"benzodiazepine-new-order": Deployment(parameters={"gad_exempts": "false"})}
    rules, problems = load_rules(site=site)
    assert "R122" in {p.code for p in problems}
    assert "B-01" not in {r.spec for r in rules.rules}


def test_a_shared_parameter_that_does_not_exist_is_a_problem() -> None:
    site = {"_shared": Deployment(parameters={"grace_antidepresant": "14 d"})}
    (problem,) = load_rules(site=site)[1]
    assert problem.code == "R032"
    assert "grace_antidepressant" in problem.hint


def test_a_rule_that_no_engine_takes_costs_only_itself(tmp_path: Path) -> None:
    text = GOOD.replace("when:\n", "when:\n  - many: order\n    count: at least 2\n").replace(
        "authorised_days is more than max_days", "authorised_days is more than many.fill_days plus max_days"
    )
    (tmp_path / "rule.yaml").write_text(text, encoding="utf-8")
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct", rules_dir=(tmp_path,)))
    try:
        assert [p.code for p in evaluator.problems] == ["R127"]
        assert {"A-02", "B-01"} <= {r.spec for r in evaluator.rules.rules}
    finally:
        evaluator.close()


def test_the_loader_and_the_builders_know_the_same_suggestions() -> None:
    assert set(KEYS) == set(KNOWN)
    assert set(QUESTIONNAIRES) == set(CODED)
