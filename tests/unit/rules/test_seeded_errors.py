"""One seeded error of every class gives exactly its diagnostics, at the offending word."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import pytest

from cds.authoring.lint import lint
from cds.rules.codes import CODES, SURVIVORS
from cds.rules.load import Deployment, load_rules

HERE = Path(__file__).parent / "seeded"
RULE = (HERE / "rule.yaml").read_text("utf-8")
CASES = (HERE / "cases.yaml").read_text("utf-8")
DOCS = (Path(__file__).resolve().parents[3] / "docs/authoring.md").read_text("utf-8")
TODAY = dt.date(2026, 11, 21)
Place = tuple[int, int, str]

# What is written instead of what, and every diagnostic that has to come of it: (line, column, code).
IN_THE_RULE: list[tuple[str, str, list[Place]]] = [
    ("owner: \"\"", "owner: [", [(10, 8, "R000")]),
    ("title: Example", "titel: Example", [(6, 1, "R001")]),
    ("rank: 10", "rank: 10\nrank: 20", [(8, 1, "R002")]),
    ("title: Example\n", "", [(1, 1, "R003")]),
    ("known_false_alerts: []", "known_false_alerts: none", [(15, 21, "R004")]),
    ("rank: 10", "rank: 010", [(7, 7, "R005")]),
    ("version: 1.0.0", "version: 1.10", [(4, 10, "R010")]),
    ("checked: 2026-01-01", "checked: soon", [(14, 99, "R010")]),
    ("status: active", "status: live", [(5, 9, "R011")]),
    ("hooks: [order-sign]", "hooks: [order-sign, order-sing]", [(8, 21, "R012")]),
    ("review_by: 2027-01-01", "review_by: 2026-11-20", [(12, 12, "R020")]),
    ("source: somewhere, why", "why", [(17, 13, "R021")]),
    ("source: somewhere, why", "source: nowhere, why", [(17, 56, "R021")]),
    ("range: 14 d to 30 d, ", "", [(17, 3, "R022")]),
    ("card:\n  source: somewhere", "card:\n  source: somwhere", [(29, 11, "R023")]),
    ("habit_forming is true", "habit_forming = true", [(21, 9, "R101")]),
    ("  - draft: order\n", "  - draft: order\n    other: order\n", [(19, 5, "R102")]),
    ("  - draft: order\n", "  - draft: order\n    count: many\n", [(20, 12, "R103")]),
    ("habit_forming is true", "habit_formin is true", [(21, 9, "R110")]),
    ("more than max_days", "more than ordr.fill_days", [(22, 38, "R111")]),
    ("  - draft: order\n", "  - refills: order\n", [(19, 5, "R112"), (26, 16, "R150"), (26, 33, "R150")]),
    ("more than max_days", "more than max_day", [(22, 38, "R113")]),
    ("  - draft: order\n", "  - draft: ordr\n", [(19, 12, "R114")]),
    ("levels:\n", "  - draft: order\n    where: [emergency is true]\nlevels:\n", [(23, 5, "R115")]),
    (
        "card:\n",
        "  - name: only\n    indicator: info\n    summary: \"x\"\n    why: \"y\"\ncard:\n",
        [(28, 11, "R116")],
    ),
    ("habit_forming is true", "habit_forming is at least true", [(21, 26, "R120")]),
    ("levels:\n", "  - use: exposure\n    where: [start is on or after draft.drug]\nlevels:\n", [(24, 34, "R121")]),
    ("habit_forming is true", "habit_forming is yes", [(21, 26, "R122")]),
    ("habit_forming is true", "start is before 28 d", [(21, 25, "R123")]),
    ("habit_forming is true", "authorised_days is less than 28 d", [(22, 9, "R124")]),
    ("habit_forming is true", "role is drft", [(21, 17, "R125")]),
    ("habit_forming is true", "class_group is BZ", [(21, 24, "R125")]),
    ("habit_forming is true", "refills is at least " + "9" * 400, [(21, 1, "R127")]),
    ("value: 28 d", "value: 1 month", [(17, 21, "R130")]),
    ("value: 28 d", "value: 28 days", [(17, 24, "R131")]),
    ("more than max_days", "more than 28", [(22, 38, "R132")]),
    ("value: 28 d", "value: 28", [(17, 21, "R132")]),
    ("value: 28 d", "value: 40 d", [(17, 34, "R133")]),
    ("why: \"too long\"", "why: \"too [long\"", [(27, 10, "R153")]),
    ("why: \"too long\"", "why: \"too {long\"", [(27, 10, "R154")]),
    ("why: \"too long\"", "why: \"too {draft..drug}\"", [(27, 15, "R154")]),
    ("{draft.drug} for", "{drft.drug} for", [(26, 16, "R150")]),
    ("why: \"too long\"\n", "why: \"too long\"\n", []),
    ("\"{draft.drug} for", "\"" + "very " * 26 + "{draft.drug} for", [(26, 14, "R151")]),
    ("days: 14 d}", "days: 14 d, levels: [ony]}", [(33, 40, "R152")]),
    ("days: 14 d}", "days: 14 mg}", [(33, 25, "R155")]),
    ("use: S-FU", "use: S-FUP", [(33, 13, "R156")]),
    ("hooks: [order-sign]", "hooks: [order-sign, patient-view]", [(8, 21, "R170")]),
    ("    why:", "    hooks: [order-sign, batch]\n    why:", [(27, 25, "R170"), (27, 25, "R171")]),
]  # fmt: skip
IN_THE_CASES: list[tuple[str, str, list[Place]]] = [
    ("expect: warning", "expect: warn", [(19, 13, "R200")]),
    ("    patient: naive\n    change", "    patient: nave\n    change", [(16, 14, "R201")]),
    ("drug: lorazepam 0.5, take: 1, times: 2, days: 35d", "drug: lorazepan 0.5", [(18, 11, "R202")]),
    ("today: 2026-03-02", "today: 2026-03-02\nalso_tody: []", [(4, 1, "R203")]),
    ("rule: example-rule", "rule: exampel-rule", [(1, 7, "R204"), (2, 5, "R160")]),
    ("spec: B-99", "spec: B-97", [(2, 7, "R204")]),
    ("level: only", "level: ony", [(20, 12, "R205")]),
    ("is more than 28", "is more than 29", [(14, 14, "R206")]),
    ("    - patient: {age: 45}", "    - patient: {age: 45}\n    - visits v: {}", [(9, 7, "R207")]),
    ("age: 45", "agee: 45", [(8, 17, "R208")]),
    ("change: {patient:", "change: {patent:", [(17, 14, "R209")]),
    ("name: five weeks", "name: two weeks", [(15, 11, "R210")]),
    ("    level: only", "    hook: batch", [(20, 11, "R211")]),
    ("    - patient: {age: 45}", "    - use: fixtures/patients/none.yaml\n    - patient: {age: 45}", [(8, 12, "R212")]),
    ("expect: silent\n    because: authorised_days is more than 28", "expect: fire", [(2, 5, "R160")]),
]
ELSEWHERE = {
    "R030": "test_two_files_with_one_id_or_one_row_are_named",
    "R033": "test_two_files_with_one_id_or_one_row_are_named",
    "R031": "test_settings_that_name_what_is_not_there_are_named",
    "R032": "test_settings_that_name_what_is_not_there_are_named",
    "R104": "test_a_level_without_any_pattern_is_named",
    "R126": "test_a_field_that_is_a_verdict_is_named",
    "R140": "everything_wrong.yaml",
    "R040": "tests/unit/rules/test_history.py",
    "R041": "tests/unit/rules/test_history.py",
    "R042": "tests/unit/rules/test_history.py",
    "R043": "tests/unit/rules/test_history.py",
}


def diagnostics(folder: Path) -> list[Place]:
    return [(p.line, p.column, p.code) for p in lint([folder], today=TODAY).problems]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules with its cases beside the rule file."""
    (tmp_path / "rules/cases").mkdir(parents=True)
    (tmp_path / "rules/example_rule.yaml").write_text(RULE, "utf-8")
    (tmp_path / "rules/cases/example_rule.yaml").write_text(CASES, "utf-8")
    return tmp_path / "rules"


def test_what_the_errors_are_seeded_in_is_clean(folder: Path) -> None:
    assert diagnostics(folder) == []


@pytest.mark.parametrize(("old", "new", "places"), IN_THE_RULE, ids=[f"{p[2]}" for p in IN_THE_RULE])
def test_an_error_in_a_rule_gives_exactly_its_diagnostics(
    folder: Path, old: str, new: str, places: list[Place]
) -> None:
    assert RULE.count(old) == 1
    (folder / "example_rule.yaml").write_text(RULE.replace(old, new), "utf-8")
    assert diagnostics(folder) == places


@pytest.mark.parametrize(("old", "new", "places"), IN_THE_CASES, ids=[f"{p[2]}" for p in IN_THE_CASES])
def test_an_error_in_a_case_gives_exactly_its_diagnostics(
    folder: Path, old: str, new: str, places: list[Place]
) -> None:
    assert CASES.count(old) == 1
    (folder / "cases/example_rule.yaml").write_text(CASES.replace(old, new), "utf-8")
    assert diagnostics(folder) == places


def test_everything_that_is_wrong_with_one_file_is_said_at_once(tmp_path: Path) -> None:
    shutil.copy(HERE / "everything_wrong.yaml", tmp_path)
    assert diagnostics(tmp_path) == [
        (3, 10, "R010"),
        (4, 9, "R011"),
        (5, 1, "R001"),
        (9, 9, "R170"),
        (9, 23, "R012"),
        (13, 12, "R020"),
        (18, 3, "R140"),
        (18, 25, "R132"),
        (19, 3, "R140"),
        (19, 10, "R021"),
        (23, 9, "R110"),
        (24, 34, "R130"),
        (25, 25, "R123"),
        (26, 30, "R111"),
        (27, 9, "R101"),
        (32, 13, "R170"),
        (37, 17, "R124"),
        (38, 16, "R150"),
    ]


def test_a_level_without_any_pattern_is_named(folder: Path) -> None:
    start, end = RULE.index("when:"), RULE.index("levels:")
    text = (RULE[:start] + RULE[end:]).replace("{draft.drug} for {draft.authorised_days}; ", "")
    (folder / "example_rule.yaml").write_text(text, "utf-8")
    assert diagnostics(folder) == [(19, 5, "R104")]


def test_two_files_with_one_id_or_one_row_are_named(folder: Path) -> None:
    (folder / "same_id.yaml").write_text(RULE, "utf-8")
    (folder / "same_row.yaml").write_text(RULE.replace("id: example-rule", "id: zother-rule"), "utf-8")
    (folder / "cases/zother.yaml").write_text(CASES.replace("rule: example-rule", "rule: zother-rule"), "utf-8")
    found = [(Path(p.path).name, p.line, p.column, p.code) for p in lint([folder], today=TODAY).problems]
    assert found == [("same_id.yaml", 2, 5, "R030"), ("same_row.yaml", 3, 7, "R033")]


def test_settings_that_name_what_is_not_there_are_named() -> None:
    rule = {"no-such-rule": Deployment(status="off")}
    parameter = {"benzodiazepine-new-order": Deployment(parameters={"max_day": "14 d"})}
    assert [p.code for p in load_rules(site=rule)[1]] == ["R031"]
    assert [p.code for p in load_rules(site=parameter)[1]] == ["R032"]


def test_a_field_that_is_a_verdict_is_named(tmp_path: Path) -> None:
    (tmp_path / "_vocabulary.yaml").write_text(
        "schema: cds-vocabulary/1\nkinds:\n  order:\n    what: An order.\n    fields:\n"
        "      drug: {type: text}\n      is_duplicate: {type: boolean}\n      should_fire: {type: boolean}\n"
        "      highest_level: {type: score}\n      level: {type: code, values: [a]}\n",
        "utf-8",
    )
    assert diagnostics(tmp_path) == [(7, 7, "R126"), (8, 7, "R126"), (10, 7, "R126")]


def test_every_code_has_a_seeded_error() -> None:
    seeded = {place[2] for _, _, places in [*IN_THE_RULE, *IN_THE_CASES] for place in places}
    assert {*seeded, *ELSEWHERE, SURVIVORS} == set(CODES)
    assert SURVIVORS not in seeded


def test_the_table_of_the_docs_is_the_table_of_the_codes() -> None:
    rows = re.findall(r"^\| `(R\d{3})` \| (.+) \|$", DOCS, re.MULTILINE)
    assert rows == list(CODES.items())
