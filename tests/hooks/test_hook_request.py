"""A request's envelope to a HookCall: drafts, stops, selections, and what became of each search."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.errors import HookRequestError
from cds.evaluate import HookCall
from cds.fhir.records import MedicationRequest
from cds.model import Hook
from hooks.discovery import PREFETCH, searched_type
from hooks.request import read_call

PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05"}


def order(own_id: str | None, status: str = "draft", **fields: Any) -> dict[str, Any]:
    resource = {"resourceType": "MedicationRequest", "id": own_id, "status": status, "intent": "order", **fields}
    resource.setdefault("subject", {"reference": "Patient/p1"})
    return {name: value for name, value in resource.items() if value is not None}


def bundle(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources], **fields}


def call(hook: Hook = "order-sign", prefetch: Any = None, **context: Any) -> HookCall:
    request = {
        "hook": hook,
        "hookInstance": "any text",
        "context": {"userId": "Practitioner/u1", "patientId": "p1", "draftOrders": bundle(order("d1")), **context},
        "prefetch": {"patient": PATIENT} if prefetch is None else prefetch,
    }
    return read_call(json.dumps(request).encode(), hook)


@pytest.mark.parametrize("patient_id", ["p1", "Patient/p1", "https://ehr.example.org/fhir/Patient/p1", " p1 "])
def test_the_patient_id_is_bare_whatever_the_client_writes(patient_id: str) -> None:
    assert call(patientId=patient_id).patient_id == "p1"


def test_an_id_longer_than_64_characters_passes() -> None:
    long_id = "e" + "x.-" * 64
    assert call(draftOrders=bundle(order(long_id))).draft_refs == (f"MedicationRequest/{long_id}",)


def test_the_encounter_is_optional_and_null_is_none() -> None:
    assert call().encounter is None
    assert call(encounterId=None).encounter is None
    assert call(encounterId="Encounter/e1").encounter == "e1"


def test_drafts_come_in_the_order_of_the_bundle_whatever_their_status() -> None:
    orders = bundle(order("d2", "active"), order("d1"), order("d3", "on-hold", intent="proposal"))
    refs = ("MedicationRequest/d2", "MedicationRequest/d1", "MedicationRequest/d3")
    assert call(draftOrders=orders).draft_refs == refs


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed"])
def test_an_ended_order_among_the_drafts_is_a_stop_and_no_draft(status: str) -> None:
    found = call(draftOrders=bundle(order("old", status), order("d1")))
    assert found.stops == ("MedicationRequest/old",)
    assert found.draft_refs == ("MedicationRequest/d1",)


def test_a_draft_entered_in_error_is_neither() -> None:
    found = call(draftOrders=bundle(order("oops", "entered-in-error"), order("d1")))
    assert found.stops == ()
    assert found.draft_refs == ("MedicationRequest/d1",)


def test_one_broken_draft_leaves_the_others_and_is_counted() -> None:
    broken = {"resourceType": "MedicationRequest", "id": "d0", "status": {"a": 1}}
    found = call(draftOrders=bundle(broken, order("d1")))
    assert "MedicationRequest/d1" in found.draft_refs
    assert [bad.where for bad in found.reading.bad] == ["context.draftOrders.entry[0]"]
    assert found.unread_drafts == 1


@pytest.mark.parametrize("own", [["x"], {"a": 1}, "", None, True])
def test_a_draft_whose_id_cannot_be_read_is_judged_and_never_changed(own: Any) -> None:
    found = call(draftOrders=bundle(order("d1") | {"id": own}))
    assert found.draft_refs == ("MedicationRequest/draft-1",)
    assert found.reading.raws == {}, "the client knows no draft of that id"


def test_two_different_drafts_with_one_id_are_both_judged() -> None:
    found = call(draftOrders=bundle(order("d1"), order("d1") | {"note": [{"text": "another"}]}))
    assert len(found.draft_refs) == len(set(found.draft_refs)) == 2
    assert set(found.reading.raws) == {"MedicationRequest/d1"}
    assert [bad.where for bad in found.reading.bad] == ["context.draftOrders.entry[1]"]


def test_a_draft_sent_twice_word_for_word_is_one() -> None:
    assert call(draftOrders=bundle(order("d1"), order("d1"))).draft_refs == ("MedicationRequest/d1",)


def test_a_made_id_is_never_the_id_of_another_draft() -> None:
    found = call(draftOrders=bundle(order(None), order("draft-1")))
    assert len(set(found.draft_refs)) == 2


def test_a_search_with_a_resource_that_cannot_be_read_is_not_complete() -> None:
    bad = {"resourceType": "Encounter", "id": "e1", "status": {"a": 1}}
    found = call(prefetch={"encounters": bundle(bad), "conditions": bundle(bad), "appointments": bundle()})
    assert found.searches["Encounter"] == "damaged"
    assert found.searches["Appointment"] == "complete"


def test_a_bundle_without_a_type_and_orders_without_a_wrapper_are_understood() -> None:
    assert call(draftOrders={"entry": [order("d1")]}).draft_refs == ("MedicationRequest/d1",)


def test_one_bare_order_in_place_of_the_bundle_is_understood() -> None:
    found = call(draftOrders=order("d1"))
    assert found.draft_refs == ("MedicationRequest/d1",)
    assert [record.id for record in found.reading.records["MedicationRequest"]] == ["d1"]


def test_an_order_without_an_id_is_judged_all_the_same() -> None:
    found = call(draftOrders=bundle(order("d1"), order(None)))
    assert len(found.draft_refs) == 2
    read = {f"MedicationRequest/{record.id}" for record in found.reading.records["MedicationRequest"]}
    assert read == set(found.draft_refs)


def test_an_empty_bundle_of_drafts_is_an_answer() -> None:
    assert call(draftOrders={"resourceType": "Bundle"}).draft_refs == ()


@pytest.mark.parametrize("resource_type", ["MedicationOrder", "DeviceRequest", "NutritionOrder"])
def test_orders_of_other_kinds_or_versions_do_no_harm(resource_type: str) -> None:
    other = {"resourceType": resource_type, "id": "x1", "patient": {"reference": "Patient/p1"}}
    found = call(draftOrders=bundle(other, order("d1")))
    assert "MedicationRequest/d1" in found.draft_refs
    assert found.reading.ignored == {resource_type: 1}


def test_draft_orders_are_read_at_order_hooks_only() -> None:
    found = call("patient-view")
    assert found.draft_refs == ()
    assert "MedicationRequest" not in found.reading.records


@pytest.mark.parametrize(
    "selection", ["MedicationRequest/d1", "d1", "https://ehr.example.org/MedicationRequest/d1/_history/2"]
)
def test_selections_name_drafts_however_they_are_written(selection: str) -> None:
    found = call("order-select", draftOrders=bundle(order("d1"), order("d2")), selections=[selection])
    assert found.selected == frozenset({"MedicationRequest/d1"})
    assert found.draft_refs == ("MedicationRequest/d1", "MedicationRequest/d2")


def test_without_selections_order_select_is_about_every_draft() -> None:
    assert call("order-select").selected is None
    assert call("order-select", selections=[]).selected == frozenset()


def test_a_selection_that_was_not_sent_is_told_and_the_others_count() -> None:
    orders = bundle(order("d1"), order("d2"))
    found = call("order-select", draftOrders=orders, selections=["MedicationRequest/gone", "MedicationRequest/d2"])
    assert found.selected == frozenset({"MedicationRequest/d2"})
    assert [bad.where for bad in found.reading.bad] == ["context.selections[0]"]


def test_selections_of_which_none_was_sent_leave_every_draft_to_judge() -> None:
    assert call("order-select", selections=["MedicationRequest/gone"]).selected is None


def test_selections_say_nothing_at_order_sign() -> None:
    assert call("order-sign", selections=["MedicationRequest/other"]).selected is None


def test_a_key_that_is_absent_was_not_looked_for() -> None:
    assert call(prefetch={"patient": PATIENT}).searches == {"Patient": "complete"}


def test_a_null_key_was_looked_for_and_found_nothing() -> None:
    found = call(prefetch={"patient": PATIENT, "conditions": None, "encounters": bundle()})
    assert found.searches == {"Patient": "complete", "Condition": "complete", "Encounter": "complete"}


@pytest.mark.parametrize("prefetch", [None, {}])
def test_prefetch_is_optional(prefetch: Any) -> None:
    request = {"hook": "patient-view", "hookInstance": "x", "context": {"patientId": "p1"}, "prefetch": prefetch}
    assert read_call(json.dumps(request).encode(), "patient-view").searches == {}


def test_a_failed_search_is_no_empty_one() -> None:
    error = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    assert call(prefetch={"encounters": error}).searches == {"Encounter": "failed"}


def test_a_page_of_several_is_a_truncated_search() -> None:
    page = bundle(type="searchset", link=[{"relation": "next", "url": "https://ehr.example.org/next"}])
    assert call(prefetch={"encounters": page}).searches == {"Encounter": "truncated"}


def test_of_two_searches_of_one_type_the_worse_counts() -> None:
    error = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    assert call(prefetch={"Condition": error, "conditions": bundle()}).searches == {"Condition": "failed"}


def test_resources_under_a_strange_key_are_used_but_prove_no_search() -> None:
    condition = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}
    found = call(prefetch={"item3": bundle(condition)})
    assert found.searches == {}
    assert [record.id for record in found.reading.records["Condition"]] == ["c1"]


def test_a_wrapped_value_is_unwrapped() -> None:
    wrapped = {"response": {"status": "200 OK"}, "resource": PATIENT}
    assert [record.id for record in call(prefetch={"item1": wrapped}).reading.records["Patient"]] == ["p1"]


def test_a_draft_that_is_also_in_the_chart_is_one_order_and_the_drafts_version_wins() -> None:
    found = call(
        prefetch={"medication_requests": bundle(order("d1", "active"))}, draftOrders=bundle(order("d1", "on-hold"))
    )
    assert [record.status for record in found.reading.of(MedicationRequest)] == ["on-hold"]


def test_every_prefetch_key_of_ours_names_its_type() -> None:
    assert {key: searched_type(key) for key in PREFETCH} == {key: kind for key, (kind, _) in PREFETCH.items()}


@pytest.mark.parametrize(
    ("key", "resource_type"), [("Condition", "Condition"), ("conditions", "Condition"), ("item1", None), ("", None)]
)
def test_a_key_that_is_a_type_name_names_its_type(key: str, resource_type: str | None) -> None:
    assert searched_type(key) == resource_type


def test_errors_say_nothing_of_what_was_sent() -> None:
    with pytest.raises(HookRequestError) as caught:
        call(draftOrders=bundle(order("d1", subject={"reference": "Patient/Zebulon"})))
    assert caught.value.status == 400
    assert "Zebulon" not in caught.value.message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resourceType", "id", "entry", "resource", "status", "subject"]), inner)
    ),
    max_leaves=8,
)


def status_of(body: bytes, hook: Hook) -> int:
    try:
        read_call(body, hook)
    except HookRequestError as error:
        return error.status
    return 200


@given(
    value=JSON_VALUES,
    place=st.sampled_from(["hook", "hookInstance", "prefetch", "context", "patientId", "draftOrders", "selections"]),
    hook=st.sampled_from(["order-select", "order-sign", "patient-view"]),
)
def test_whatever_stands_in_a_field_is_read_or_refused(value: Any, place: str, hook: Hook) -> None:
    request: dict[str, Any] = {
        "hook": hook,
        "hookInstance": "x",
        "context": {"patientId": "p1", "draftOrders": bundle(order("d1"))},
        "prefetch": {"patient": PATIENT, "conditions": value},
    }
    target = request if place in request else request["context"]
    target[place] = value
    assert status_of(json.dumps(request).encode(), hook) in (200, 400)


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive_are_refused(body: bytes) -> None:
    assert status_of(body, "order-sign") == 400


def test_an_appointment_that_cannot_be_read_spoils_a_search_that_is_read_later_too() -> None:
    request = {
        "hook": "appointment-book",
        "hookInstance": "any text",
        "context": {"patientId": "p1", "appointments": {"entry": [{"resource": "tomorrow"}]}},
        "prefetch": {"patient": PATIENT},
    }
    found = read_call(json.dumps(request).encode(), "appointment-book")
    assert "Appointment" not in found.searches
    assert "Appointment" in found.reading.bad_types
