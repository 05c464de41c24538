"""What a case file can say, and what each word holds."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from cds.authoring.cases import read_cases, read_file
from cds.authoring.run import Outcome, run
from cds.cli.doors import EngineDoor
from cds.errors import RuleError

DOOR = EngineDoor()
HEAD = """\
rule: benzodiazepine-new-order
spec: B-01
today: 2026-03-02
also_today: [2024-02-29]
time_zone: America/New_York
hook: order-sign
patients:
  naive:
    - patient: {age: 45}
    - visit v1: {date: -400d}
cases:
"""
LONG = """\
  - name: five weeks
    patient: naive
    add: [draft d1: {drug: lorazepam 0.5, take: 1, times: 2, days: 35d}]
"""


def outcomes(folder: Path, cases: str, *, sweep: bool = False) -> list[Outcome]:
    (folder / "cases.yaml").write_text(HEAD + cases)
    rules = DOOR.evaluator("UTC").rules
    return run(read_cases(folder / "cases.yaml", sweep=sweep), DOOR, rules=rules, facts=DOOR.facts)


def problem(folder: Path, cases: str) -> str:
    (outcome,) = outcomes(folder, cases)
    return outcome.problem


def test_a_finding_is_expected_with_the_line_that_it_rests_on(tmp_path: Path) -> None:
    finds = "    expect: warning\n    finds: [{order: d1, level: too-long, detail_contains: lorazepam}]\n"
    assert problem(tmp_path, LONG + finds) == ""


@pytest.mark.parametrize(
    ("finds", "told"),
    [
        ("{order: v1}", "expected order to be v1, it rests on MedicationRequest/d1"),
        ("{order: d2}", 'the patient has no line "d2" for order'),
        ("{course: d1}", 'binds no "course"'),
        ("{level: other}", 'expected the level "other", got "too-long"'),
        ("{summary: x}", 'expected the summary "x", got "'),
        ("{detail_contains: haloperidol}", 'expected "haloperidol" in the detail'),
        ("{order: d1}, {order: d1}", "expected a finding more than came"),
    ],
)
def test_another_finding_than_expected_is_named(tmp_path: Path, finds: str, told: str) -> None:
    assert told in problem(tmp_path, f"{LONG}    expect: warning\n    finds: [{finds}]\n")


def test_findings_that_nobody_expects_are_named(tmp_path: Path) -> None:
    two = LONG.replace("35d}]", "35d}, draft d2: {drug: lorazepam 1, take: 1, days: 40d}]")
    assert "a finding more than expected" in problem(tmp_path, two + "    expect: warning\n    finds: [{order: d1}]\n")


NO_LENGTH = """\
  - name: neither days nor quantity
    patient: naive
    add: [draft d1: {drug: lorazepam 0.5, take: 1, times: 2, refills: 1}]
    expect: not evaluated
"""


def test_a_reason_for_not_evaluating_is_expected_by_a_part_of_it(tmp_path: Path) -> None:
    assert problem(tmp_path, NO_LENGTH + "    not_evaluated: [order.]\n") == ""


def test_another_reason_than_expected_is_named(tmp_path: Path) -> None:
    assert 'expected not evaluated for "birth-date"' in problem(
        tmp_path, NO_LENGTH + "    not_evaluated: [birth-date]\n"
    )


GAP = '    expect: silent\n    known_gap: "to be agreed"\n'


def test_a_known_gap_may_fail_and_is_no_failure(tmp_path: Path) -> None:
    assert [o.state for o in outcomes(tmp_path, LONG + GAP, sweep=True)] == ["gap", "gap"]


def test_a_known_gap_that_passes_is_a_failure(tmp_path: Path) -> None:
    (outcome,) = outcomes(tmp_path, LONG + GAP.replace("silent", "warning"))
    assert outcome.state == "fail"
    assert outcome.problem == 'passes: it is no known gap any more ("to be agreed")'


@pytest.mark.parametrize(
    ("case", "place", "told"),
    [
        (LONG + "    expect: silent\n    finds: [{order: d1}]\n", (16, 5), "expects silent and has finds"),
        (LONG + "    expect: warning\n    because: x\n", (16, 5), "because goes with a silent case"),
        (LONG + "    expect: silent\n    not_evaluated: [x]\n", (16, 5), "write expect: not evaluated"),
        (LONG + "    expect: warning\n    fhir: fixtures/bundles/x.json\n", (16, 5), "fhir: and lines of a patient"),
        (LONG.replace("days: 35d", "dayz: 35d") + "    expect: silent\n", (12, 5), 'nothing is done with "dayz"'),
    ],
)
def test_keys_that_contradict_each_other_are_named(
    tmp_path: Path, case: str, place: tuple[int, int], told: str
) -> None:
    with pytest.raises(RuleError) as error:
        outcomes(tmp_path, case)
    assert told in str(error.value)
    assert error.value.line == place[0]


def lines_of(folder: Path, patients: str) -> list[str]:
    text = HEAD.replace("    - patient: {age: 45}\n    - visit v1: {date: -400d}\n", patients)
    (folder / "fixtures/cases").mkdir(parents=True, exist_ok=True)
    path = folder / "fixtures/cases/x.yaml"
    path.write_text(text + "  - name: nothing\n    patient: naive\n    expect: silent\n")
    return [name for name, _ in read_file(path).lines(0)]


def test_a_template_is_a_patient_or_the_beginning_of_one(tmp_path: Path) -> None:
    (tmp_path / "fixtures/patients").mkdir(parents=True)
    (tmp_path / "fixtures/patients/adult.yaml").write_text("lines:\n  - patient: {age: 45}\n")
    use = "{use: fixtures/patients/adult.yaml}"
    assert lines_of(tmp_path, f"    {use}\n") == ["patient"]
    assert lines_of(tmp_path, f"    - {use}\n    - visit v1: {{date: -4d}}\n") == ["patient", "visit v1"]


@pytest.mark.parametrize(
    ("use", "told"),
    [
        ("fixtures/../../secret.yaml", "is outside fixtures/"),
        ("/etc/passwd", "is not below fixtures/"),
        ("fixtures/patients/none.yaml", "there is no file"),
        ("fixtures/cases/x.yaml", "is no template"),
    ],
)
def test_a_template_is_never_taken_from_outside(tmp_path: Path, use: str, told: str) -> None:
    (tmp_path.parent / "secret.yaml").write_text("lines: []\n")
    with pytest.raises(RuleError, match="R212") as error:
        lines_of(tmp_path, f"    {{use: {use}}}\n")
    assert told in str(error.value)


def fhir_case(folder: Path, document: object, *, hook: str = "order-sign") -> bytes:
    (folder / "fixtures").mkdir(exist_ok=True)
    (folder / "fixtures/chart.json").write_text(json.dumps(document))
    (folder / "cases.yaml").write_text(
        f"{HEAD}  - name: as it stands\n    fhir: fixtures/chart.json\n    hook: {hook}\n    expect: silent\n"
    )
    (case,) = read_cases(folder / "cases.yaml")
    return case.request


PATIENT = {"resourceType": "Patient", "id": "p"}
DRAFT = {"resourceType": "MedicationRequest", "id": "m", "status": "draft"}


def test_a_bundle_is_asked_about_as_if_all_of_it_had_been_found(tmp_path: Path) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}, {"resource": DRAFT}]}
    request = orjson.loads(fhir_case(tmp_path, bundle))
    assert request["context"]["patientId"] == "p"
    assert [e["resource"]["id"] for e in request["context"]["draftOrders"]["entry"]] == ["m"]
    assert request["prefetch"]["encounters"]["total"] == 0


def test_a_hook_request_is_asked_byte_for_byte_and_on_one_day(tmp_path: Path) -> None:
    document = {"hook": "order-sign", "context": {"patientId": "p"}}
    assert fhir_case(tmp_path, document) == json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"hook": "patient-view"}, "is a patient-view request"),
        ({"resourceType": "Patient"}, "neither a Bundle nor a hook request"),
        ({"resourceType": "Bundle", "entry": []}, "has 0 patients"),
    ],
)
def test_a_file_that_is_no_chart_is_named(tmp_path: Path, document: object, told: str) -> None:
    with pytest.raises(RuleError, match="R202") as error:
        fhir_case(tmp_path, document)
    assert told in str(error.value)


def fills(body: str) -> list[str]:
    from cds.authoring.notation import Writer

    writer = Writer(__import__("datetime").date(2026, 3, 2))
    writer.line("fills l", {"drug": "lorazepam 0.5", **read_body(body)})
    return [r["whenHandedOver"] for r in writer.charted]


def read_body(text: str) -> dict[str, object]:
    from ruamel.yaml import YAML

    loaded: dict[str, object] = YAML(typ="safe").load(text)
    return loaded


def test_times_without_take_is_the_number_of_fills() -> None:
    expected = ["2025-12-08", "2026-01-05", "2026-02-02"]
    assert fills("{from: -84d, every: 28d, times: 3, days_supply: 28}") == expected
    assert fills("{from: -84d, every: 28d, fills: 3, days_supply: 28, take: 1, times: 2}") == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{from: -84d, every: 28d, times: 3, fills: 3, days_supply: 28}", "leave one out"),
        ("{from: -84d, every: 28d, days_supply: 28}", "every says nothing of a single fill"),
        ("{from: -84d, times: 0, days_supply: 28}", "0 fills: at least 1"),
        ("{from: -84d, day_supply: 28}", "lacks 'days_supply'"),
    ],
)
def test_fills_that_contradict_themselves_are_named(body: str, told: str) -> None:
    from cds.authoring.notation import NotationError

    with pytest.raises(NotationError, match=told):
        fills(body)


def test_a_case_on_which_two_engines_differ_fails(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(HEAD + LONG + "    expect: warning\n")
    counted = iter([0, 1])
    (outcome,) = run(
        read_cases(tmp_path / "cases.yaml", sweep=False),
        DOOR,
        rules=DOOR.evaluator("UTC").rules,
        facts=DOOR.facts,
        disagreements=lambda: next(counted),
    )
    assert outcome.problem == "the two engines differ"
    assert outcome.state == "fail"
