"""Suggested changes are written as valid R4, and a changed draft is the client's own but for the change."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from decimal import Decimal
from typing import Any

import fhirkit
import orjson
import pytest

from cds.errors import FactError
from cds.fhir.codes import REQUIRED_CODES
from cds.fhir.out import OutContext, action_json
from cds.findings import Action, SuggestionId

TODAY = dt.date(2026, 3, 1)
DRAFT: dict[str, Any] = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "meta": {"profile": []},
    "extension": [{"url": "https://ehr.example/own", "valueString": "kept"}],
    "status": "draft",
    "intent": "order",
    "category": {"coding": [{"code": "community"}]},  # not R4, but the client's own
    "medicationCodeableConcept": {"text": "alprazolam 0.5 MG", "coding": None},
    "subject": {"reference": "Patient/p1"},
    "dosageInstruction": [
        {
            "text": "0.5 mg twice daily",
            "patientInstruction": "",
            "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [
                {"type": {"coding": [{"code": "calculated"}]}, "doseQuantity": {"value": 0.5, "unit": "mg"}},
                {"type": {"coding": [{"code": "ordered"}]}, "doseQuantity": {"value": 0.5, "unit": "mg", "code": "mg"}},
            ],
        }
    ],
    "dispenseRequest": {
        "numberOfRepeatsAllowed": 5,
        "quantity": {"value": 60, "unit": "tablet", "code": "{tbl}"},
        "performer": {"reference": "Organization/1"},
    },
    "unknownElement": {"a": [1, None, {}]},
}


def context(draft: Any = None) -> OutContext:
    numbers = itertools.count(1)
    return OutContext(
        patient_ref="Patient/p1",
        today=TODAY,
        time_zone="Europe/Berlin",
        drafts={"MedicationRequest/d1": json.dumps(DRAFT if draft is None else draft).encode()},
        user_ref="Practitioner/9",
        encounter_ref="Encounter/e1",
        new_id=lambda: f"new-{next(numbers)}",
    )


def update(kind: SuggestionId, changes: dict[str, Any], draft: Any = None) -> dict[str, Any]:
    found = action_json(Action("update", kind, "Change", "MedicationRequest/d1", changes), context(draft))
    assert (found["type"], found["description"]) == ("update", "Change")
    resource: dict[str, Any] = found["resource"]
    return resource


def create(kind: SuggestionId, changes: dict[str, Any], target: str | None = None) -> dict[str, Any]:
    found = action_json(Action("create", kind, "Do it", target, changes), context())
    assert found["type"] == "create"
    resource: dict[str, Any] = found["resource"]
    return resource


MEDICATION = {"text": "sertraline 50 MG Oral Tablet", "rxcui": "312941"}
CREATED: list[tuple[SuggestionId, dict[str, Any]]] = [
    ("S-STOP-OLD", {"old": "MedicationRequest/o1", "reason": "replaced"}),
    ("S-XTAPER", {"old": "MedicationRequest/o1", "medication": MEDICATION, "end_day": 14}),
    (
        "S-TAPER",
        {
            "medication": MEDICATION,
            "steps": [
                {"start_day": 0, "end_day": 13, "dose_mg": Decimal("1.5")},
                {"start_day": 14, "end_day": 27, "dose_mg": 1, "times_per_day": 2},
            ],
        },
    ),
    ("S-TAPER", {"old": "MedicationRequest/o1", "medication": MEDICATION, "steps": []}),
    (
        "S-DOSE",
        {"old": "MedicationRequest/o1", "medication": MEDICATION, "dose_value": 2, "dose_unit": "tablet", "times": 1},
    ),
    ("S-LAB", {"test": "HbA1c", "day": 14}),
    ("S-LAB", {"test": "lipids", "day": 14}),
    ("S-LAB", {"test": "clozapine level", "day": 7}),
    ("S-FU", {"day": 14}),
    ("S-CALL", {"day": 7}),
    ("S-PHQ", {"questionnaire": "PHQ-9"}),
    ("S-PHQ", {"questionnaire": "GAD-7"}),
    ("S-ALT", {"medication": {"text": "buspirone"}}),
    ("S-THER", {"therapy": "CBT for insomnia"}),
    ("S-REVIEW", {}),
]


@pytest.fixture(scope="session")
def r4() -> Any:
    import fhir.resources.R4B as models  # slow to import: only here

    return models


def empties(tree: Any) -> list[Any]:
    """Every null and empty value in the tree."""
    if tree is None or tree in ("", [], {}):
        return [tree]
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [found for value in inner for found in empties(value)]


@pytest.mark.parametrize(("kind", "changes"), CREATED)
def test_a_created_resource_is_valid_r4_with_an_id_and_nothing_empty(
    kind: SuggestionId, changes: dict[str, Any], r4: Any
) -> None:
    resource = create(kind, changes)
    r4.get_fhir_model_class(resource["resourceType"]).model_validate_json(orjson.dumps(resource))
    assert fhirkit.validate(orjson.dumps(resource)) == []
    assert resource["id"] == "new-1"
    assert empties(resource) == []


@pytest.mark.parametrize(("kind", "changes"), CREATED)
def test_a_created_resource_holds_only_codes_of_the_required_value_sets(
    kind: SuggestionId, changes: dict[str, Any]
) -> None:
    resource = create(kind, changes)
    for element, allowed in REQUIRED_CODES[resource["resourceType"]].items():
        if element == "participant.status":
            assert {p["status"] for p in resource["participant"]} <= allowed
        else:
            assert resource[element] in allowed, element


def test_the_table_of_required_codes_is_what_the_r4_models_list(r4: Any) -> None:
    for resource_type, elements in REQUIRED_CODES.items():
        for path, codes in elements.items():
            if path == "participant.status":
                model = r4.appointment.AppointmentParticipant
            else:
                model = r4.get_fhir_model_class(resource_type)
            listed = model.model_fields[path.split(".")[-1]].json_schema_extra["enum_values"]
            if "+" in listed:  # the models cut long lists short
                assert set(listed) - {"+"} < codes, f"{resource_type}.{path}"
            elif listed:
                assert set(listed) == codes, f"{resource_type}.{path}"


@pytest.mark.parametrize(("kind", "changes"), CREATED)
def test_nothing_created_is_signed_and_everything_is_about_the_patient(
    kind: SuggestionId, changes: dict[str, Any]
) -> None:
    resource = create(kind, changes)
    assert resource["status"] in {"draft", "proposed", "requested"}
    subject = resource.get("subject") or resource.get("for") or resource["participant"][0]["actor"]
    assert subject == {"reference": "Patient/p1"}


def test_a_delete_names_the_draft_by_its_relative_reference() -> None:
    found = action_json(Action("delete", "S-DEL", "Remove this draft", "MedicationRequest/d1"), context())
    assert found == {"type": "delete", "description": "Remove this draft", "resourceId": "MedicationRequest/d1"}


def test_shortening_changes_supply_refills_and_quantity_and_keeps_the_unit() -> None:
    request = update("S-SHORT", {"days": 14, "refills": 0, "quantity": Decimal("28")})["dispenseRequest"]
    assert request == {
        "numberOfRepeatsAllowed": 0,
        "quantity": {"value": 28, "unit": "tablet", "code": "{tbl}"},
        "performer": {"reference": "Organization/1"},
        "expectedSupplyDuration": {"value": 14, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
    }


def test_shortening_without_a_known_quantity_leaves_no_quantity_that_contradicts_it() -> None:
    assert "quantity" not in update("S-SHORT", {"days": 14, "refills": 0, "quantity": None})["dispenseRequest"]


def test_an_update_keeps_order_extensions_and_odd_shapes_and_drops_only_empties() -> None:
    changed = update("S-SHORT", {"days": 14, "refills": 0, "quantity": 28})
    assert list(changed) == [name for name in DRAFT if name != "meta"]
    assert changed["unknownElement"] == {"a": [1]}
    assert changed["medicationCodeableConcept"] == {"text": "alprazolam 0.5 MG"}
    for name in ("extension", "category", "status", "intent", "subject"):
        assert changed[name] == DRAFT[name]
    line = {k: v for k, v in DRAFT["dosageInstruction"][0].items() if v}
    assert changed["dosageInstruction"] == [line]


def test_a_null_that_aligns_a_list_with_its_extensions_stays() -> None:
    event = {"event": ["2026-03-01", None], "_event": [None, {"id": "x"}]}
    changed = update("S-SHORT", {"days": 7}, DRAFT | {"dosageInstruction": [{"timing": event}]})
    assert changed["dosageInstruction"][0]["timing"] == event


@pytest.mark.parametrize("number", ["1.50", "0.10000000000000000001", "1e999", "12345678901234567890123", "2", "0.5"])
def test_a_number_of_the_draft_is_written_as_it_was_sent(number: str) -> None:
    raw = b'{"resourceType":"MedicationRequest","id":"d1","x":{"value":%s}}' % number.encode()
    base = context()
    sent = OutContext(base.patient_ref, TODAY, "UTC", {"MedicationRequest/d1": raw}, base.new_id)
    found = action_json(Action("update", "S-SHORT", "Change", "MedicationRequest/d1", {"days": 7}), sent)
    assert b'"value":%s}' % number.encode() in orjson.dumps(found)


def test_a_new_dose_replaces_the_ordered_one_and_what_contradicts_it() -> None:
    line = update("S-DOSE", {"dose_value": Decimal("0.25"), "dose_unit": "mg"})["dosageInstruction"][0]
    ordered = {"coding": [{"code": "ordered"}]}
    assert line["doseAndRate"] == [{"type": ordered, "doseQuantity": {"value": 0.25, "unit": "mg", "code": "mg"}}]
    assert "text" not in line
    assert line["timing"] == DRAFT["dosageInstruction"][0]["timing"]


def test_a_new_dose_for_two_orders_names_the_one_whose_place_it_takes() -> None:
    changes = {"dose_value": 20, "dose_unit": "mg", "replaces": "MedicationRequest/old"}
    assert update("S-DOSE", changes)["priorPrescription"] == {"reference": "MedicationRequest/old"}
    own = DRAFT | {"priorPrescription": {"reference": "MedicationRequest/own"}}
    assert update("S-DOSE", changes, own)["priorPrescription"] == {"reference": "MedicationRequest/own"}


def test_a_new_dose_in_another_unit_brings_its_own_code() -> None:
    before = [{"doseAndRate": [{"doseRange": {"low": {"value": 1}}}]}]
    line = update("S-DOSE", {"dose_value": 20, "dose_unit": "mg"}, DRAFT | {"dosageInstruction": before})
    dose = {"value": 20, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    assert line["dosageInstruction"] == [{"doseAndRate": [{"doseQuantity": dose}]}]


@pytest.mark.parametrize("lines", [None, [], [{}, {}], {"text": "x"}, ["x"]])
def test_a_dose_on_anything_but_one_line_is_not_changed(lines: Any) -> None:
    with pytest.raises(FactError):
        update("S-DOSE", {"dose_value": 20, "dose_unit": "mg"}, DRAFT | {"dosageInstruction": lines})


def test_an_update_validates_no_worse_than_the_draft_that_came(r4: Any) -> None:
    sound = DRAFT | {
        "category": [DRAFT["category"]],
        "medicationCodeableConcept": {"text": "x"},
        "meta": {"versionId": "1"},
    }
    sound = {k: v for k, v in sound.items() if k != "unknownElement"}
    sound["dosageInstruction"] = [{k: v for k, v in DRAFT["dosageInstruction"][0].items() if v}]
    r4.get_fhir_model_class("MedicationRequest").model_validate(sound)
    for kind, changes in (("S-SHORT", {"days": 14, "quantity": 28}), ("S-DOSE", {"dose_value": 1, "dose_unit": "mg"})):
        changed = update(kind, changes, sound)  # type: ignore[arg-type]
        r4.get_fhir_model_class("MedicationRequest").model_validate_json(orjson.dumps(changed))


def test_a_follow_up_is_proposed_three_days_around_its_day() -> None:
    assert create("S-FU", {"day": 14})["requestedPeriod"] == [{"start": "2026-03-12", "end": "2026-03-18"}]


@pytest.mark.parametrize(("day", "first", "last"), [(3, "2026-03-02", "2026-03-07"), (-9, "2026-03-02", "2026-03-02")])
def test_a_follow_up_is_never_before_tomorrow(day: int, first: str, last: str) -> None:
    assert create("S-FU", {"day": day})["requestedPeriod"] == [{"start": first, "end": last}]


def test_a_cross_taper_replaces_the_old_order_and_ends() -> None:
    made = create("S-XTAPER", CREATED[1][1])
    assert made["priorPrescription"] == {"reference": "MedicationRequest/o1"}
    assert made["dosageInstruction"][0]["timing"] == {"repeat": {"boundsPeriod": {"end": "2026-03-15"}}}
    coding = made["medicationCodeableConcept"]["coding"][0]
    assert (coding["system"], coding["code"]) == ("http://www.nlm.nih.gov/research/umls/rxnorm", "312941")


def test_a_taper_has_its_steps_in_sequence() -> None:
    first, second = create("S-TAPER", CREATED[2][1])["dosageInstruction"]
    assert (first["sequence"], second["sequence"]) == (1, 2)
    assert first["doseAndRate"][0]["doseQuantity"]["value"] == 1.5
    assert first["timing"]["repeat"]["boundsPeriod"] == {"start": "2026-03-01", "end": "2026-03-14"}
    assert second["timing"]["repeat"]["frequency"] == 2


def test_an_alternative_leaves_the_dose_to_the_prescriber() -> None:
    made = create("S-ALT", {"medication": {"text": "buspirone", "rxcui": None}})
    assert "dosageInstruction" not in made
    assert made["medicationCodeableConcept"] == {"text": "buspirone"}


def test_a_review_is_the_task_that_silences_its_rule() -> None:
    coding = create("S-REVIEW", {}, "MedicationRequest/o1")["code"]["coding"][0]
    assert (coding["system"], coding["code"]) == ("urn:psychmed:task", "risk-benefit-review")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Action("update", "S-SHORT", "x", "MedicationRequest/other", {"days": 7}), "not in the request"),
        (Action("update", "S-SHORT", "x", None, {"days": 7}), "names no draft"),
        (Action("update", "S-FU", "x", "MedicationRequest/d1", {}), "no update"),
        (Action("create", "S-DEL", "x", None, {}), "no create"),
        (Action("create", "S-PHQ", "x", None, {"questionnaire": "Jane"}), "no such questionnaire"),
    ],
)
def test_an_action_that_cannot_be_written_says_why(action: Action, reason: str) -> None:
    with pytest.raises(FactError, match=reason):
        action_json(action, context())
