"""`psychmed drugs coverage`: medicines of charts that no rule sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.chart_folders import as_json, chart, psychmed


def medicine(own: str, **concept: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "id": own, "status": "active", "medicationCodeableConcept": concept}


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """Two charts: sertraline in both (a psychiatric class), lisinopril in one, a local code in both, a text in one."""
    local = {"coding": [{"system": "urn:site:drugs", "code": "L-77", "display": "Lozenge for Jane Doe"}]}
    sertraline = "order s: {drug: sertraline 50, take: 1, authored: -10d}"
    lisinopril = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "314076"}]}
    chart(tmp_path / "c", "a", sertraline, also=(medicine("l", **lisinopril), medicine("x", **local)))
    chart(
        tmp_path / "c", "b", sertraline,
        also=(medicine("x", **local), medicine("y", **local), medicine("t", text="the blue ones of Jane Doe")),
    )  # fmt: skip
    return tmp_path / "c"


def test_records_and_charts_are_counted(charts: Path) -> None:
    done = psychmed("drugs", "coverage", charts, "--format", "json")
    assert done.exit_code == 1, "some could not be identified"
    found = as_json(done)
    assert found["charts"] == 2
    assert found["records"]["identified"] == {"records": 3, "charts": 2}
    assert found["records"]["unidentified"] == {"records": 4, "charts": 2}
    assert found["no_class_in_use"] == [{"ingredient": "lisinopril", "class": "ACEI", "records": 1, "charts": 1}]
    assert found["not_identified"] == [
        {"status": "unidentified", "code": "urn:site:drugs L-77", "records": 3, "charts": 2},
        {"status": "unidentified", "code": "no code", "records": 1, "charts": 1},
    ]
    assert "AP" in found["classes_not_held"]
    assert "SRI" not in found["classes_not_held"]


def test_what_was_written_is_shown_only_when_asked_for(charts: Path) -> None:
    done = psychmed("drugs", "coverage", charts)
    assert "Jane Doe" not in done.output
    assert "urn:site:drugs L-77" in done.stdout
    assert "the blue ones of Jane Doe" in psychmed("drugs", "coverage", charts, "--show-text").stdout


def test_ingredients_that_no_chart_holds_are_told_when_asked_for(charts: Path) -> None:
    found = as_json(psychmed("drugs", "coverage", charts, "--verbose", "--format", "json"))
    assert "lithium" in found["ingredients_not_held"]
    assert not {"sertraline", "lisinopril", "amlodipine"} & set(found["ingredients_not_held"])


def test_charts_whose_medicines_are_all_known_end_with_0(tmp_path: Path) -> None:
    chart(tmp_path / "c", "a", "order s: {drug: sertraline 50, take: 1, authored: -10d}")
    done = psychmed("drugs", "coverage", tmp_path / "c")
    assert done.exit_code == 0, done.output
    assert "not identified: none" in done.stdout


def test_an_export_of_synthetic_charts_is_counted(shared_data: Path) -> None:
    found = as_json(psychmed("drugs", "coverage", shared_data / "fhir/smart_bulk_10", "--format", "json"))
    assert found["charts"] == 13
    assert sum(n["records"] for n in found["records"].values()) == 1745
