"""Every shipped rule is backed: rows of the specification have cases, parameters have sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cds.authoring.cases import case_files, read_cases
from cds.authoring.run import run
from cds.cli.doors import EngineDoor
from cds.drugs.table import rows
from cds.rules.load import load_rules
from cds.rules.source import read_source
from cds.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = (ROOT / "docs/clinical/specification.md").read_text(encoding="utf-8")
RULES, PROBLEMS = load_rules()
CASES = [c for f in case_files(shipped("fixtures/cases")) for c in read_cases(f, sweep=False)]


def rows_of(spec: str) -> dict[str, str]:
    """Row number to its text, of the test table below a rule's heading."""
    start = SPECIFICATION.index(f"\n#### {spec} ")
    ends = [
        i for heading in ("\n#### ", "\n### ", "\n## ", "\n---\n") if (i := SPECIFICATION.find(heading, start + 5)) > 0
    ]
    block = SPECIFICATION[start : min(ends)]
    table = block[block.index("\n| # |") :]
    return {m[1]: m[2] for m in re.finditer(r"^\| (\d+b?) \| (.*) \|$", table, re.MULTILINE)}


def outcomes_expected(row: str) -> int:
    """How many outcomes a row states: `– / warning` is two, `info; PHQ 20→17 (15 %) → –` too."""
    expected = row.rsplit("|", 1)[1]
    return 1 + expected.count(" / ") + expected.count(" ; ") + expected.count("; ") - expected.count(" ; ")


# Rows of the test table of each mission rule in section 2 of the specification.
ROWS = {
    "A-01": 13,
    "A-02": 13,
    "A-03": 11,
    "A-04": 8,
    "B-01": 13,
    "B-02": 13,
    "B-03": 16,
    "B-04": 7,
    "C-01": 13,
    "C-02": 11,
    "C-03": 6,
    "C-04": 7,
    "D-01": 16,
    "D-02": 12,
    "D-03": 10,
    "D-04": 8,
}


def test_the_shipped_rules_compile() -> None:
    assert PROBLEMS == []
    assert sorted(r.spec for r in RULES.rules) == [*sorted(ROWS), "SAFE-01"]


@pytest.mark.parametrize(("spec", "rows"), ROWS.items())
def test_the_tables_of_the_specification_are_read_whole(spec: str, rows: int) -> None:
    assert len(rows_of(spec)) == rows


@pytest.mark.parametrize("spec", [r.spec for r in RULES.rules if r.spec != "SAFE-01"])
def test_every_row_of_the_specification_has_a_case(spec: str) -> None:
    rows = rows_of(spec)
    have: dict[str, int] = {}
    for case in CASES:
        if case.spec == spec and case.row is not None:
            have[case.row] = have.get(case.row, 0) + 1
    assert set(have) <= set(rows), "a case names a row that the table does not have"
    assert {r for r in rows if r not in have} == set()
    short = {r: (n, outcomes_expected(rows[r])) for r, n in have.items() if n < outcomes_expected(rows[r])}
    assert short == {}, "a row states more outcomes than it has cases"


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda r: r.id)
def test_a_rule_has_a_firing_and_a_silent_case(rule) -> None:  # type: ignore[no-untyped-def]
    expected = {c.expect for c in CASES if c.rule == rule.id}
    assert "silent" in expected
    assert expected & {"fire", "info", "warning", "critical"}
    # The card on missing data is the one rule that missing data cannot stop.
    assert "not evaluated" in expected or rule.spec == "SAFE-01"


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda r: r.id)
def test_every_level_fires_in_some_case(rule) -> None:  # type: ignore[no-untyped-def]
    named = {c.level for c in CASES if c.rule == rule.id}
    assert {level.name for level in rule.levels} - named == set()


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda r: r.id)
def test_an_unconfirmed_number_is_never_behind_an_active_branch(rule) -> None:  # type: ignore[no-untyped-def]
    source = read_source(ROOT / rule.path).data
    unconfirmed = [name for name, p in rule.parameters.items() if p.source == "U"]
    for level in source["levels"]:
        if any(name in str(level) for name in unconfirmed):
            assert level.get("status") == "silent", level["name"]


def test_the_specification_lists_every_parameter_as_shipped() -> None:
    table = SPECIFICATION[SPECIFICATION.index("### 8.1 ") : SPECIFICATION.index("## 9. ")]
    listed = {
        m[1]: (m[2], m[3], m[4].removeprefix("V: "))
        for m in re.finditer(r"^\| `([^`]+)`[^|]* \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    }
    shipped_parameters = {}
    for path in sorted((ROOT / "rules").glob("*.yaml")):
        data = read_source(path).data
        prefix = f"{data['spec'].replace('-', '')}." if "spec" in data else ""
        for name, p in data.get("parameters", {}).items():
            value = str(p["value"]).lower() if isinstance(p["value"], bool) else str(p["value"])
            shipped_parameters[prefix + name] = (value, str(p.get("range", "bool")), str(p["source"]))
    assert listed == shipped_parameters


def test_the_drugs_of_the_cases_are_what_they_say() -> None:
    products = {p["rxcui"]: p["name"] for p in rows(shipped("rules/drugs") / "products.csv")}
    for name, (code, display, _) in read_source(shipped("fixtures/drugs.yaml")).data.items():
        assert products.get(str(code)) == display, name


def test_every_case_passes_with_both_engines() -> None:
    chosen = [c for c in CASES if c.row is not None]
    door = EngineDoor(engine="durable") if _durable_works() else None
    if door is None:
        from tests.conftest import missing

        missing("durable-rules does not work here")
        return
    for outcome in run(chosen, door, rules=RULES, facts=door.facts):
        assert outcome.passed, (outcome.case.name, outcome.problem)


def _durable_works() -> bool:
    from cds.engine import available

    return available()["durable"] == "works"
