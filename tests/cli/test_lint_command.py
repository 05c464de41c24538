"""`psychmed lint`, `schema` and `review-due` as they are called."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import sarif_pydantic
from typer.testing import CliRunner

from cds.authoring.line_keys import LINE_KEYS
from cds.authoring.notation import KINDS
from cds.authoring.schemas import case_schema, rule_schema
from cds.cli.lint_output import problems_as
from cds.cli.main import app
from cds.errors import RuleError
from cds.rules.shape_problems import plain
from cds.rules.source import read_source
from cds.shipped import shipped

SEEDED = Path(__file__).resolve().parents[1] / "unit/rules/seeded"
RUN = CliRunner()
ODD = RuleError("rules/ü b%,:.yaml", 3, 7, "R150", "100 %\nof it: a, b", 'did you mean "x"?')


def invoke(*words: str) -> tuple[int, str]:
    result = RUN.invoke(app, list(words))
    return result.exit_code, result.stdout


def test_the_shipped_rules_and_cases_are_clean() -> None:
    assert invoke("lint", "--today", "2026-11-21") == (0, "no problems\n")


def test_a_passed_review_date_is_a_problem_of_the_day_that_is_asked_about() -> None:
    code, text = invoke("lint", "--today", "2099-01-01")
    assert code == 1
    assert "R020 review_by 2027-11-21 has passed" in text


def test_a_single_rule_file_is_judged_with_its_own_cases(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    shutil.copy(SEEDED / "rule.yaml", tmp_path / "example.yaml")
    (tmp_path / "cases/example.yaml").write_text(
        (SEEDED / "cases.yaml").read_text("utf-8").replace("level: only", "level: ony"), "utf-8"
    )
    (tmp_path / "cases/other.yaml").write_text("rule: [", "utf-8")
    code, text = invoke("lint", str(tmp_path / "example.yaml"), "--today", "2026-11-21")
    assert code == 1
    assert text == f'{tmp_path}/cases/example.yaml:20:12: R205 example-rule has no level "ony" (did you mean "only"?)\n'


def test_a_case_file_alone_can_be_linted() -> None:
    path = shipped("fixtures/cases") / "three_antidepressants.yaml"
    assert invoke("lint", str(path)) == (0, "no problems\n")


@pytest.mark.parametrize(
    "words",
    [("no-such-folder",), ("--cases", "no-such-folder"), ("--today", "soon"), ("--against", "no-such-revision")],
)
def test_bad_usage_ends_with_2(words: tuple[str, ...]) -> None:
    assert invoke("lint", *words)[0] == 2


def test_fix_says_what_it_changed_and_leaves_the_rest(tmp_path: Path) -> None:
    good = (SEEDED / "rule.yaml").read_text("utf-8")
    file = tmp_path / "rule.yaml"
    file.write_text(good.replace("title:", "titel:"), "utf-8")
    code, text = invoke("lint", str(file), "--fix", "--today", "2026-11-21")
    assert (code, text) == (0, f'{file}:6: fixed: "titel" made "title"\nno problems\n')
    assert file.read_text("utf-8") == good


def test_json_has_a_row_for_each_problem() -> None:
    code, text = invoke("lint", str(SEEDED / "everything_wrong.yaml"), "--today", "2026-11-21", "--format", "json")
    rows = json.loads(text)
    assert code == 1
    assert set(rows[0]) == {"path", "line", "column", "code", "message", "hint"}
    assert Path(rows[0]["path"]).name == "everything_wrong.yaml"
    assert (rows[0]["line"], rows[0]["column"], rows[0]["code"]) == (3, 10, "R010")


def test_an_annotation_escapes_what_workflow_commands_reserve() -> None:
    assert problems_as("github", [ODD]) == (
        "::error file=rules/ü b%25%2C%3A.yaml,line=3,col=7,title=R150 a text uses what is not bound"
        '::100 %25%0Aof it: a, b (did you mean "x"?)'
    )
    assert problems_as("github", []) == ""


def test_sarif_names_rule_and_place_of_each_problem() -> None:
    log = json.loads(problems_as("sarif", [ODD, ODD]))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["R150"]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "rules/%C3%BC%20b%25,%3A.yaml"},
        "region": {"startLine": 3, "startColumn": 7},
    }
    assert run["results"][1]["message"]["text"].startswith("100 %\nof it")


def test_sarif_is_what_the_models_of_others_accept() -> None:
    for problems in ([], [ODD]):
        log = sarif_pydantic.Sarif.model_validate_json(problems_as("sarif", problems))
        assert len(log.runs[0].results or []) == len(problems)


@pytest.mark.parametrize("path", sorted(shipped("rules").glob("[a-z]*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_rule_fits_the_schema_for_editors(path: Path) -> None:
    jsonschema.validate(_as_an_editor_reads(read_source(path).data), rule_schema())


@pytest.mark.parametrize("path", sorted(shipped("fixtures/cases").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_case_file_fits_the_schema_for_editors(path: Path) -> None:
    jsonschema.Draft7Validator(case_schema()).validate(_as_an_editor_reads(read_source(path).data))


def _as_an_editor_reads(value: object) -> object:
    """Editors read dates as text."""
    value = plain(value)
    return json.loads(json.dumps(value, default=lambda day: day.isoformat() if isinstance(day, dt.date) else str(day)))


@pytest.mark.parametrize(
    ("old", "new"),
    [("status: active", "status: live"), ("draft: order", "draft: ordr"), ("is true", "= true"), ("rank", "rnk"),
     ("hooks: [order-sign]", "hooks: [order-sing]"), ("use: S-FU", "use: S-FO")],
)  # fmt: skip
def test_the_schema_finds_slips_while_the_author_types(tmp_path: Path, old: str, new: str) -> None:
    text = (SEEDED / "rule.yaml").read_text("utf-8").replace(old, new)
    (tmp_path / "rule.yaml").write_text(text, "utf-8")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_as_an_editor_reads(read_source(tmp_path / "rule.yaml").data), rule_schema())


def test_the_schema_command_writes_a_file(tmp_path: Path) -> None:
    assert invoke("schema", "--cases", "-o", str(tmp_path / "case.json"))[0] == 0
    assert json.loads((tmp_path / "case.json").read_text("utf-8")) == case_schema()
    assert json.loads(invoke("schema")[1]) == rule_schema()


def test_every_line_of_the_notation_has_its_keys() -> None:
    assert set(LINE_KEYS) == set(KINDS)


def test_what_is_overdue_ends_with_1_and_what_is_due_with_0() -> None:
    code, text = invoke("review-due", "--today", "2027-10-01")
    assert code == 0
    assert "due      2027-11-21  A-01 same-substance-twice: review_by in 51 days" in text
    assert invoke("review-due", "--today", "2027-10-01", "--within", "7wk")[1].count("review_by") == 0
    code, text = invoke("review-due", "--today", "2027-11-22")
    assert code == 1
    assert "overdue  2027-11-21  A-01 same-substance-twice: review_by passed 1 day ago" in text


def test_a_source_that_was_checked_long_ago_is_overdue() -> None:
    code, text = invoke("review-due", str(SEEDED / "rule.yaml"), "--today", "2026-02-01", "--checked-within", "30d")
    assert code == 1
    assert 'B-99 example-rule: source "somewhere" was checked 31 days ago' in text
    code, _ = invoke("review-due", str(SEEDED / "rule.yaml"), "--today", "2026-01-31", "--checked-within", "30d")
    assert code == 0


def test_bad_lengths_end_with_2() -> None:
    assert invoke("review-due", "--within", "a month")[0] == 2
