"""Every shipped rule is backed: rows of the specification have cases, parameters have sources and matter."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import cds.rules.load as loading
from cds.authoring.cases import Case, case_files, read_cases
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


def test_the_shipped_rules_compile() -> None:
    assert PROBLEMS == []
    assert sorted(r.spec for r in RULES.rules) == ["A-01", "A-02", "A-03", "A-04", "B-01", "C-01", "D-01", "SAFE-01"]


@pytest.mark.parametrize(
    ("spec", "rows"), [("A-01", 13), ("A-02", 13), ("A-03", 11), ("A-04", 8), ("B-01", 13), ("C-01", 13), ("D-01", 16)]
)
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


# Changing a parameter changes an outcome ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def baseline() -> dict[str, list[str]]:
    return {rule.id: results([c for c in CASES if c.rule == rule.id]) for rule in RULES.rules}


def results(cases: list[Case]) -> list[str]:
    """What each case gives, with its summary: indicator, level and words."""
    door = EngineDoor()
    return [
        f"{c.name}: "
        + "; ".join(
            f"{f.indicator} {f.level} {f.summary}"
            for f in door(c.request, hook=c.hook, today=c.today, time_zone=c.time_zone).findings
            if f.spec == c.spec
        )
        for c in cases
    ]


def parameters() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "rules").glob("*.yaml")):
        data = read_source(path).data
        for name in data.get("parameters", {}):
            yield path.name, name


@pytest.fixture
def edited_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the rules that the loader reads in place of the shipped ones."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    monkeypatch.setattr(loading, "shipped", lambda name: tmp_path / name)
    return tmp_path / "rules"


@pytest.mark.parametrize(("file", "name"), list(parameters()))
def test_changing_a_parameter_in_the_yaml_changes_an_outcome(
    file: str, name: str, edited_rules: Path, baseline: dict[str, list[str]]
) -> None:
    path = edited_rules / file
    original = path.read_text(encoding="utf-8")
    source = read_source(path)
    body = source.data["parameters"][name]
    affected = [source.data["id"]] if "id" in source.data else [r.id for r in RULES.rules]
    for changed in other_values(body["value"]):
        line = source.at(("parameters", name), key=True)[0]
        lines = original.splitlines()
        edited = re.sub(r"value: (\"[^\"]*\"|[^,}]+)", f"value: {changed}", lines[line - 1], count=1)
        lines[line - 1] = re.sub(r"range: (\"[^\"]*\"|[^,}]+)", f"range: {wide(changed)}", edited, count=1)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        for rule_id in affected:
            outcomes = results([c for c in CASES if c.rule == rule_id])
            if outcomes != baseline[rule_id]:
                return
    pytest.fail(f"{file}: no case notices a change of {name}")


def other_values(value: object) -> list[str]:
    """Values around the shipped one: near, and far off."""
    if isinstance(value, bool):
        return [str(not value).lower()]
    number, _, unit = str(value).partition(" ")
    size = float(number)
    near = [size - 1, size + 1, size / 2, size * 2, size * 10, 0.0]
    return [f'"{n:g} {unit}"'.replace(' "', '"') for n in dict.fromkeys(near) if n >= 0 and n != size]


def wide(value: str) -> str:
    if value in {"true", "false"}:
        return '"true to false"'
    unit = value.strip('"').partition(" ")[2]
    return f'"0 {unit} to 100000 {unit}"'.replace("  ", " ").replace(' "', '"')


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
