"""`psychmed drugs why`: each kind of question, and the exit code."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cds.cli.main import app


def why(*asked: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["drugs", "why", *asked])
    return result.exit_code, result.stdout


@pytest.mark.parametrize(
    ("asked", "step", "drug"),
    [
        ("312941", "rxnorm", "sertraline (RxNorm 36437): 50 mg; class SSRI"),
        ("0002-3230-30", "ndc", "olanzapine (RxNorm 61381): 3 mg; class AP"),
        ("00002323030", "ndc", "fluoxetine (RxNorm 4493): 25 mg; class SSRI"),
        ("Zoloft 50mg tablet", "name-strength", "sertraline (RxNorm 36437): 50 mg"),
        ("Lithium", "name-ingredient", "lithium (RxNorm 6448): strength not known"),
    ],
)
def test_a_code_or_a_text_is_explained(asked: str, step: str, drug: str) -> None:
    code, said = why(asked)
    assert code == 0
    assert f"identified by {step}: " in said
    assert drug in said


def test_a_conflict_says_why_and_ends_with_one() -> None:
    code, said = why("312941", "--display", "fluoxetine 20 mg")
    assert code == 1
    assert "rxnorm: 312941 is sertraline 50 MG Oral Tablet [SCD]" in said
    assert "conflict: a display or the text names another drug than the code" in said


def test_what_is_not_identified_ends_with_one() -> None:
    code, said = why("sertraline 100 mg daily")
    assert code == 1
    assert "unidentified" in said


def test_a_system_of_its_own_can_be_named() -> None:
    code, said = why("S50", "--system", "urn:oid:1.2.3", "--display", "sertraline")
    assert code == 0
    assert "site-table: the site's tables do not hold the code" in said
