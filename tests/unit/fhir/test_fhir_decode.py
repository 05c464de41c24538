"""One resource at a time: what real traffic gets wrong is put right, what cannot be is a bad resource."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from cds.fhir import records as r
from cds.fhir.decode import Ignored, Repaired, read_resource
from cds.findings import BadResource

_R = TypeVar("_R", bound=r.Record)


def read(resource: dict[str, Any] | bytes) -> Any:
    raw = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    found = read_resource(raw, "here")
    return found.record if isinstance(found, Repaired) else found


def order(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order"} | elements


def reason(resource: dict[str, Any] | bytes) -> str:
    found = read(resource)
    assert isinstance(found, BadResource), found
    assert found.where == "here"
    return found.reason


def test_a_medication_request_is_read_with_its_elements_under_their_r4_names() -> None:
    m = read(
        order(
            category=[{"coding": [{"code": "community"}]}],
            medicationCodeableConcept={"text": "sertraline 50 MG"},
            dosageInstruction=[
                {
                    "timing": {"repeat": {"frequency": 2, "period": 1.5, "periodUnit": "d"}},
                    "doseAndRate": [{"doseQuantity": {"value": 0.5, "unit": "mg"}}],
                    "asNeededBoolean": True,
                }
            ],
            dispenseRequest={"numberOfRepeatsAllowed": 3, "expectedSupplyDuration": {"value": 30, "code": "d"}},
        )
    )
    assert isinstance(m, r.MedicationRequest)
    assert m.category[0].coding[0].code == "community"
    line = m.dosage_instruction[0]
    assert line.as_needed_boolean is True
    assert line.timing
    assert line.timing.repeat
    assert (line.timing.repeat.frequency, line.timing.repeat.period) == (2, Decimal("1.5"))
    assert line.dose_and_rate[0].dose_quantity
    assert line.dose_and_rate[0].dose_quantity.value == Decimal("0.5")
    assert m.dispense_request
    assert m.dispense_request.number_of_repeats_allowed == 3
    assert m.dispense_request.expected_supply_duration
    assert str(m.dispense_request.expected_supply_duration.value) == "30"


def test_encounter_class_and_task_for_are_read_under_names_python_allows() -> None:
    assert read({"resourceType": "Encounter", "class": {"code": "IMP"}}).class_.code == "IMP"
    assert read({"resourceType": "Task", "for": {"reference": "Patient/1"}}).subject.reference == "Patient/1"


@pytest.mark.parametrize("category", [{"coding": [{"code": "inpatient"}]}, [{"coding": [{"code": "inpatient"}]}]])
def test_category_is_read_as_object_and_as_list_by_every_type(category: Any) -> None:
    assert read(order(category=category)).category[0].coding[0].code == "inpatient"
    statement = read({"resourceType": "MedicationStatement", "category": category})
    assert statement.category.coding[0].code == "inpatient"


def test_two_categories_where_one_belongs_keep_all_codes() -> None:
    two = [{"coding": [{"code": "inpatient"}]}, {"coding": [{"code": "discharge"}]}]
    statement = read({"resourceType": "MedicationDispense", "category": two})
    assert [c.code for c in statement.category.coding] == ["inpatient", "discharge"]


def test_a_status_sent_as_text_is_its_code() -> None:
    condition = read({"resourceType": "Condition", "clinicalStatus": "active"})
    assert condition.clinical_status.coding[0].code == "active"


def test_a_text_where_a_concept_belongs_is_its_text_never_a_code() -> None:
    m = read(order(medicationCodeableConcept="321988"))
    assert (m.medication_codeable_concept.text, m.medication_codeable_concept.coding) == ("321988", ())


def test_a_coding_where_a_concept_belongs_is_wrapped() -> None:
    m = read(order(medicationCodeableConcept={"system": "urn:x", "code": "1"}))
    assert m.medication_codeable_concept.coding[0].system == "urn:x"


@pytest.mark.parametrize(
    "value", ["IMP", {"code": "IMP"}, {"coding": [{"code": "IMP"}]}, [{"coding": [{"code": "IMP"}]}]]
)
def test_an_encounter_class_is_read_from_text_coding_concept_and_list(value: Any) -> None:
    assert read({"resourceType": "Encounter", "class": value}).class_.code == "IMP"


def test_an_encounter_without_class_is_read() -> None:
    assert read({"resourceType": "Encounter", "status": "finished"}).class_ is None


def test_numbers_as_text_and_text_as_numbers_are_read() -> None:
    m = read(order(id=17, dispenseRequest={"quantity": {"value": "30"}, "numberOfRepeatsAllowed": "2"}))
    assert m.id == "17"
    assert m.dispense_request.quantity.value == 30
    assert m.dispense_request.number_of_repeats_allowed == 2


def test_truth_as_text_and_nulls_and_single_objects_for_lists_are_read() -> None:
    m = read(
        order(
            reasonCode=[None, {"text": "x"}],
            encounter=None,
            dosageInstruction={"asNeededBoolean": "true", "text": None},
        )
    )
    assert m.dosage_instruction[0].as_needed_boolean is True
    assert [c.text for c in m.reason_code] == ["x"]


def test_a_sig_sent_as_plain_text_is_the_text_of_the_dosage() -> None:
    assert read(order(dosageInstruction="one daily")).dosage_instruction[0].text == "one daily"


def test_an_id_longer_than_fhir_allows_is_kept() -> None:
    assert read(order(id="x" * 194)).id == "x" * 194


def test_contained_resources_of_other_types_do_not_cost_the_medication() -> None:
    contained = [{"resourceType": "Practitioner", "code": 5}, {"resourceType": "Medication", "id": "d"}]
    assert [c.id for c in read(order(contained=contained)).contained] == ["d"]


def test_an_unreadable_reason_is_left_out_and_named() -> None:
    raw = json.dumps(order(reasonCode=[5, {"text": "x"}])).encode()
    found = read_resource(raw, "here")
    assert isinstance(found, Repaired)
    assert found.dropped == ("$.reasonCode[0]: expected an object",)
    assert isinstance(found.record, r.MedicationRequest)
    assert [c.text for c in found.record.reason_code] == ["x"]


def test_one_unreadable_dosage_line_takes_its_neighbours_along() -> None:
    lines = [{"doseAndRate": [{"doseQuantity": {"value": 20}}]}, {"timing": 5}]
    found = read_resource(json.dumps(order(dosageInstruction=lines)).encode(), "here")
    assert isinstance(found, Repaired)
    assert isinstance(found.record, r.MedicationRequest)
    assert found.record.dosage_instruction == ()  # half a regimen would be a wrong dose
    assert found.dropped == ("$.dosageInstruction[1].timing: expected an object",)


@pytest.mark.parametrize(
    ("elements", "place"),
    [
        ({"status": ["active", "stopped"]}, "$.status"),
        ({"intent": {"x": 1}}, "$.intent"),
        ({"subject": 5}, "$.subject"),
        ({"authoredOn": {}}, "$.authoredOn"),
        ({"medicationCodeableConcept": {"coding": [5]}}, "$.medicationCodeableConcept.coding[0]"),
        ({"category": [5]}, "$.category[0]"),
        ({"doNotPerform": "perhaps"}, "$.doNotPerform"),
        ({"dispenseRequest": {"quantity": {"value": "many"}}}, "$.dispenseRequest.quantity.value"),
        ({"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": "two"}}]}]}, "$.dosageInstruction[0]."),
    ],
)
def test_what_changes_the_meaning_is_never_left_out(elements: dict[str, Any], place: str) -> None:
    assert reason(order(**elements)).startswith(place)


@pytest.mark.parametrize(
    "number", ["1e999999999", "-1e12", "1e9999999999999999999999", "9" * 31, "9" * 5_000_000, '"NaN"', '"Infinity"']
)
def test_a_number_out_of_range_makes_the_resource_bad_in_bounded_time(number: str) -> None:
    raw = b'{"resourceType":"Observation","valueQuantity":{"value":%s}}' % number.encode()
    begin = time.process_time()
    assert reason(raw)
    assert time.process_time() - begin < 2


def test_the_reason_for_a_huge_exponent_says_so() -> None:
    assert reason(b'{"resourceType":"Observation","valueQuantity":{"value":1e999999999}}').endswith(
        "number out of range"
    )
    assert reason(
        b'{"resourceType":"MedicationRequest","dosageInstruction":[{"timing":{"repeat":{"period":1e999999999}}}]}'
    ).endswith("number out of range")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not readable as JSON"),
        (b'{"resourceType":"Condition"', "not readable as JSON"),
        (b'{"resourceType":"Condition","id":"\xff"}', "invalid UTF-8"),
        (b'{"resourceType":"Condition","x":' + b"[" * 100_000, "nested too deeply"),
        (b"{}", "no resourceType"),
        (b'{"resourceType":5}', "an element has the wrong type"),
        (b'{"resourceType":"Condition","code":{"coding":[' + b"{}," * 400_000 + b"{}]}}", "larger than 1 MiB"),
    ],
)
def test_what_is_no_resource_is_bad_and_said_in_words_about_the_format(raw: bytes, words: str) -> None:
    assert reason(raw) == words


def test_no_reason_quotes_the_content() -> None:
    for found in (reason(order(status=["Jane Doe", "x"])), reason(b'{"resourceType":"Condition","id":"\xffJane Doe"}')):
        assert "Jane" not in found


def test_a_type_no_rule_reads_is_ignored_whatever_it_holds() -> None:
    assert read({"resourceType": "CarePlan", "status": 5}) == Ignored("CarePlan")
    assert read({"resourceType": "Jane Doe 1970"}) == Ignored("unknown")
