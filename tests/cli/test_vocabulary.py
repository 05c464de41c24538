"""`psychmed vocabulary`: every kind has a page, and the page says where the kind comes from."""

from __future__ import annotations

import importlib

from cds.authoring.cases import case_files, read_cases
from cds.authoring.vocabulary_pages import pages
from cds.cli.doors import EngineDoor
from cds.facts.rests_on import RESTS_ON
from cds.fhir.records import RESOURCE_TYPES
from cds.rules.vocabulary import vocabulary
from cds.shipped import shipped
from tests.cli.chart_folders import as_json, psychmed


def test_every_kind_is_listed_with_what_it_is() -> None:
    done = psychmed("vocabulary")
    assert done.exit_code == 0
    listed = {line.split("  ")[0].strip() for line in done.stdout.splitlines()}
    assert vocabulary().kinds.keys() <= listed


def test_a_page_says_types_units_values_and_what_absence_means() -> None:
    done = psychmed("vocabulary", "trial")
    assert done.exit_code == 0
    assert "adequate_days  days, in d; where the dose is not known, days at any dose" in done.stdout
    assert "rests on  MedicationRequest, MedicationDispense" in done.stdout
    switch = psychmed("vocabulary", "switch").stdout
    assert "one of: stopped, ended, end-planned, same-class" in switch
    assert "left out: there is nothing to say" in switch


def test_every_kind_is_made_by_a_module_that_says_what_it_does() -> None:
    for page in pages():
        assert importlib.import_module(page.module).__doc__, page.name
        assert page.module_says
        assert page.what


def test_a_kind_that_does_not_exist_ends_with_2_and_the_nearest_word() -> None:
    done = psychmed("vocabulary", "exposures")
    assert done.exit_code == 2
    assert 'did you mean "exposure"?' in done.stderr


def test_as_json_every_field_stands_with_its_type() -> None:
    (page,) = as_json(psychmed("vocabulary", "gate", "--format", "json"))
    assert [(f["name"], f["type"], f["values"]) for f in page["fields"]] == [
        ("name", "code", ["deceased", "hospice", "palliative", "inpatient"])
    ]


def test_facts_of_the_shipped_cases_rest_on_the_resources_that_are_named() -> None:
    assert RESTS_ON.keys() == vocabulary().kinds.keys()
    assert {kind for types in RESTS_ON.values() for kind in types} <= RESOURCE_TYPES.keys()
    door = EngineDoor()
    wrong: set[tuple[str, str]] = set()
    for file in case_files(shipped("fixtures/cases")):
        for case in read_cases(file, sweep=False)[::4]:
            for fact in door.facts(case):
                types = {ref.partition("/")[0] for ref in fact.evidence}
                wrong |= {(fact.kind, kind) for kind in types - set(RESTS_ON[fact.kind])}
    assert wrong == set()
