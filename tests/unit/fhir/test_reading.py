"""Bundles, wrappers and nulls of one patient: nothing of another patient is used, nothing sent costs the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cds.errors import HookRequestError
from cds.fhir import records as r
from cds.fhir.reading import Reading, SearchState, Source, normalize_reference


def condition(own: str, patient: str | None = "Patient/p1", **elements: Any) -> dict[str, Any]:
    subject = {} if patient is None else {"subject": {"reference": patient}}
    return {"resourceType": "Condition", "id": own} | subject | elements


def draft(own: str = "d1", patient: str = "Patient/p1", **elements: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "id": own, "subject": {"reference": patient}} | elements


def bundle(*resources: Any, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": x} for x in resources]} | members


def add(reading: Reading, value: Any, source: Source = "prefetch") -> SearchState:
    return reading.add(json.dumps(value).encode(), "prefetch.x", source=source)


def ids(reading: Reading, resource_type: str = "Condition") -> list[str | None]:
    return [x.id for x in reading.records.get(resource_type, [])]


PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01"}
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
NOTHING_FOUND = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-found"}]}
PARTLY = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "incomplete"}]}


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, "complete"),
        (bundle(), "complete"),
        ({"resourceType": "Bundle", "total": 0}, "complete"),
        (condition("c1"), "complete"),
        (bundle(condition("c1"), total=1), "complete"),
        (FAILED, "failed"),
        (NOTHING_FOUND, "failed"),  # in place of the answer
        (bundle(FAILED), "failed"),
        (bundle(condition("c1"), NOTHING_FOUND), "complete"),  # beside the answer
        (bundle(condition("c1"), PARTLY), "truncated"),
        (bundle(condition("c1"), total=2), "truncated"),
        (bundle(condition("c1"), total="2"), "truncated"),
        (bundle(condition("c1"), link=[{"relation": "next", "url": "u"}]), "truncated"),
        (bundle(condition("c1"), link={"relation": "next", "url": "u"}), "truncated"),
        (bundle(condition("c1"), link=[{"relation": "self", "url": "u"}]), "complete"),
        ({"resourceType": "Bundle", "entry": [{"response": {"status": "404"}}]}, "failed"),
        ({"resourceType": "Bundle", "entry": [{"response": {"status": "200", "outcome": FAILED}}]}, "failed"),
        ({"resource": bundle(condition("c1")), "response": {"status": "200 OK"}}, "complete"),
        ({"resource": None, "response": {"status": "403 Forbidden"}}, "failed"),
        ({"resource": FAILED, "response": {"status": "200 OK"}}, "failed"),
        ([condition("c1"), condition("c2")], "complete"),
        ("not FHIR", "failed"),
        (bundle(bundle(condition("c1"), total=3)), "truncated"),
    ],
)
def test_the_state_of_a_search_says_whether_its_absence_means_anything(value: Any, state: SearchState) -> None:
    assert add(Reading("p1"), value) == state


def test_nothing_at_all_is_absent_and_text_that_is_no_json_has_failed() -> None:
    reading = Reading("p1")
    assert reading.add(b"", "prefetch.x", source="prefetch") == "absent"
    assert reading.add(b"nonsense", "prefetch.x", source="prefetch") == "failed"
    assert [b.where for b in reading.bad] == ["prefetch.x"]


def test_included_resources_do_not_count_towards_the_total() -> None:
    include = {"resource": {"resourceType": "Medication", "id": "m"}, "search": {"mode": "include"}}
    value = bundle(draft(), total=2)
    value["entry"].append(include)
    assert add(Reading("p1"), value) == "truncated"


@pytest.mark.parametrize(
    "value",
    [
        bundle(condition("c1")),
        {"type": "searchset", "entry": [{"resource": condition("c1")}]},
        {"resourceType": "Bundle", "entry": {"resource": condition("c1")}},
        {"resourceType": "Bundle", "entry": [condition("c1")]},
        {"resourceType": "Bundle", "entry": [None, {"resource": None}, {"resource": condition("c1")}]},
        {"resourceType": "Bundle", "entry": [{"resource": {"resource": condition("c1"), "response": {}}}]},
        {"response": {"status": "200 OK"}, "resource": condition("c1")},
        bundle(bundle(condition("c1"))),
        [condition("c1")],
        [bundle(condition("c1")), None],
    ],
)
def test_a_resource_is_found_in_every_wrapping_seen_in_the_wild(value: Any) -> None:
    reading = Reading("p1")
    add(reading, value)
    assert ids(reading) == ["c1"]
    assert reading.bad == []


def test_one_bad_resource_costs_no_other_and_is_named_by_its_place() -> None:
    reading = Reading("p1")
    add(reading, bundle(condition("c1"), condition("c2", code=5), 7, condition("c4")))
    assert ids(reading) == ["c1", "c4"]
    assert {(b.where, b.reason) for b in reading.bad} == {
        ("prefetch.x.entry[1]", "$.code: expected an object"),
        ("prefetch.x.entry[2]", "not readable as JSON"),
    }


def test_unknown_types_are_counted_not_bad() -> None:
    reading = Reading("p1")
    add(reading, bundle({"resourceType": "CarePlan", "id": "x"}, {"resourceType": "Zebra"}, condition("c1")))
    assert reading.ignored == {"CarePlan": 1, "Zebra": 1}
    assert reading.bad == []
    assert ids(reading) == ["c1"]


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1", "p1", "https://ehr.example/fhir/Patient/p1", "Patient/p1/_history/4", "urn:uuid:p1",
        "http://a/b/Patient/p1/_history/1",
    ],
)  # fmt: skip
def test_every_way_of_writing_the_patient_is_this_patient(reference: str) -> None:
    reading = Reading("Patient/p1")
    add(reading, bundle(condition("c1", reference)))
    assert (ids(reading), reading.other_patient) == (["c1"], 0)


@pytest.mark.parametrize("reference", ["Patient/p2", "p2", "https://x/Patient/p2", "urn:uuid:p2", "Group/p1", "#p1"])
def test_a_resource_of_another_patient_is_dropped_and_counted(reference: str) -> None:
    reading = Reading("p1")
    add(reading, bundle(condition("c1", reference), condition("c2")))
    assert (ids(reading), reading.other_patient) == (["c2"], 1)


def test_other_subject_elements_tell_the_patient_as_well() -> None:
    other = {"reference": "Patient/p2"}
    participants = [{"actor": {"reference": "Practitioner/9"}}, {"actor": other}]
    reading = Reading("p1")
    add(
        reading,
        bundle(
            {"resourceType": "AllergyIntolerance", "id": "1", "patient": other},
            {"resourceType": "Task", "id": "1", "for": other},
            {"resourceType": "Appointment", "id": "1", "participant": participants},
            {"resourceType": "Encounter", "id": "1", "patient": other},  # DSTU2
        ),
    )  # fmt: skip
    assert (reading.records, reading.other_patient) == ({}, 4)


@pytest.mark.parametrize("first", [True, False])
def test_an_appointment_of_a_group_is_of_each_patient_who_takes_part(first: bool) -> None:
    group = [{"actor": {"reference": f"Patient/{n}"}} for n in ("p2", "p1")]
    appointment = {"resourceType": "Appointment", "id": "1", "participant": group[::-1] if first else group}
    reading = Reading("p1")
    add(reading, bundle(appointment))
    assert (list(reading.records), reading.other_patient) == (["Appointment"], 0)
    reading = Reading(None)
    add(reading, bundle(appointment, condition("c1", "Patient/p1")))
    assert (sorted(reading.records), reading.patient_id) == (["Appointment", "Condition"], "p1")


def test_a_patient_known_by_its_full_url_is_the_subject_of_what_refers_to_that() -> None:
    entries = [
        {"resource": condition("c1", "urn:uuid:aaa")},
        {"fullUrl": "urn:uuid:aaa", "resource": PATIENT},
        {"resource": condition("c2", "urn:uuid:bbb")},
    ]
    reading = Reading("p1")
    add(reading, {"resourceType": "Bundle", "entry": entries})
    assert (ids(reading), reading.other_patient) == (["c1"], 1)


def test_without_a_patient_id_the_patient_that_was_sent_decides() -> None:
    reading = Reading(None)
    add(reading, bundle(condition("c1"), PATIENT, condition("c2", "Patient/p2")), "chart")
    assert (reading.patient_id, ids(reading), reading.other_patient) == ("p1", ["c1"], 1)


def test_without_patient_id_and_patient_one_common_subject_is_the_patient_and_two_are_nobody() -> None:
    one, two = Reading(None), Reading(None)
    add(one, bundle(condition("c1"), condition("c2")), "chart")
    add(two, bundle(condition("c1"), condition("c2", "Patient/p2")), "chart")
    assert (ids(one), one.patient_id) == (["c1", "c2"], "p1")
    assert (ids(two), two.other_patient) == ([], 2)


@pytest.mark.parametrize("source", ["prefetch", "context"])
def test_a_patient_with_another_id_in_a_request_is_refused(source: Source) -> None:
    with pytest.raises(HookRequestError) as refused:
        add(Reading("p2"), PATIENT, source)
    assert refused.value.status == 400
    assert "p1" not in str(refused.value)


def test_a_patient_with_another_id_in_a_chart_is_dropped() -> None:
    reading = Reading("p2")
    add(reading, PATIENT, "chart")
    assert (reading.records, reading.other_patient) == ({}, 1)


def test_a_draft_for_another_patient_is_refused() -> None:
    with pytest.raises(HookRequestError) as refused:
        add(Reading("p1"), bundle(draft(), draft("d2", "Patient/p2")), "context")
    assert refused.value.status == 400


def test_a_draft_that_refers_to_the_full_url_of_the_prefetched_patient_is_this_patients() -> None:
    reading = Reading("p1")
    add(reading, {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:aaa", "resource": PATIENT}]})
    add(reading, bundle(draft("d1", "urn:uuid:aaa")), "context")
    assert ids(reading, "MedicationRequest") == ["d1"]


def test_a_resource_that_says_nobody_is_used_and_counted() -> None:
    reading = Reading("p1")
    add(reading, bundle(condition("c1", None), condition("c2", "")))
    assert (ids(reading), reading.no_subject) == (["c1", "c2"], 2)


def test_of_two_versions_the_one_changed_last_is_kept_whatever_the_order() -> None:
    old = condition("c1", meta={"lastUpdated": "2026-01-01T23:00:00Z"}, recordedDate="2026-01-01")
    new = condition("c1", meta={"lastUpdated": "2026-01-01T19:00:00-05:00"}, recordedDate="2026-01-02")
    for pair in ((old, new), (new, old)):
        reading = Reading("p1")
        add(reading, bundle(*pair))
        (kept,) = reading.of(r.Condition)
        assert kept.recorded_date == "2026-01-02"


@pytest.mark.parametrize("context_first", [True, False])
def test_the_version_of_the_context_wins_over_the_prefetched_one(context_first: bool) -> None:
    charted = bundle(draft(status="active", meta={"lastUpdated": "2030-01-01T00:00:00Z"}))
    sent = bundle(draft(status="stopped"))
    reading = Reading("p1")
    parts: list[tuple[Any, Source]] = [(sent, "context"), (charted, "prefetch")]
    for value, source in parts if context_first else reversed(parts):
        add(reading, value, source)
    (kept,) = reading.of(r.MedicationRequest)
    assert kept.status == "stopped"
    assert json.loads(reading.raws["MedicationRequest/d1"])["status"] == "stopped"


def test_the_bytes_of_drafts_are_kept_as_sent_and_only_of_the_context() -> None:
    reading = Reading("p1")
    sent = b'{"resourceType":"MedicationRequest","id":"d1","x": 1.50,"subject":{"reference":"p1"}}'
    reading.add(b'{"entry":[{"resource":%s}]}' % sent, "context.draftOrders", source="context")
    add(reading, bundle(draft("m1")), "prefetch")
    assert reading.raws == {"MedicationRequest/d1": sent}


def test_a_draft_that_cannot_be_echoed_is_read_but_its_bytes_are_not_kept() -> None:
    reading = Reading("p1")
    raw = b'{"resourceType":"MedicationRequest","id":"d1","note":"\xff","subject":{"reference":"p1"}}'
    reading.add(raw, "context.draftOrders", source="context")
    assert (ids(reading, "MedicationRequest"), reading.raws) == (["d1"], {})


def test_an_id_that_still_carries_its_type_loses_it() -> None:
    reading = Reading("p1")
    add(reading, bundle(draft("MedicationRequest/d1"), PATIENT | {"id": "Patient/p1"}), "context")
    assert ids(reading, "MedicationRequest") == ["d1"]
    assert ids(reading, "Patient") == ["p1"]
    assert list(reading.raws) == ["MedicationRequest/d1"]


def test_what_was_left_out_of_a_resource_is_noted_apart_from_bad_ones() -> None:
    reading = Reading("p1")
    add(reading, bundle(condition("c1", encounter=5)))
    assert ids(reading) == ["c1"]
    assert [(n.where, n.reason) for n in reading.noted] == [
        ("prefetch.x.entry[0]", "left out $.encounter: expected an object")
    ]
    assert reading.bad == []


def test_a_bundle_nested_beyond_reason_is_bad_not_an_exception() -> None:
    reading = Reading("p1")
    value: Any = condition("c1")
    for _ in range(20):
        value = bundle(value)
    assert add(reading, value) == "failed"
    assert reading.add(b'{"entry":' * 50_000, "prefetch.y", source="prefetch") == "failed"
    assert [b.reason for b in reading.bad] == ["nested too deeply", "nested too deeply"]


def test_a_single_line_of_an_export_is_read_like_an_entry() -> None:
    reading = Reading("p1")
    for line in (condition("c1"), condition("c2", "Patient/p2"), {"resourceType": "Claim"}):
        reading.add_resource(json.dumps(line).encode(), "Condition.ndjson:1")
    assert (ids(reading), reading.other_patient, reading.ignored) == (["c1"], 1, {"Claim": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MedicationRequest/1", "MedicationRequest/1"),
        ("https://ehr.example/fhir/MedicationRequest/1", "MedicationRequest/1"),
        ("MedicationRequest/1/_history/3", "MedicationRequest/1"),
        (" Patient/p1 ", "Patient/p1"),
        ("p1", "p1"),
        ("urn:uuid:p1", "urn:uuid:p1"),
        ("#med", "#med"),
        ("Practitioner?identifier=http://npi|9", "Practitioner?identifier=http://npi|9"),
        ("https://ehr.example/x", "https://ehr.example/x"),
        ("", ""),
    ],
)
def test_a_reference_is_brought_to_type_and_id(text: str, expected: str) -> None:
    assert normalize_reference(text) == expected


def test_a_urn_is_located_by_full_url_or_by_the_id_it_holds() -> None:
    reading = Reading("p1")
    medication = {"resourceType": "Medication", "id": "med"}
    add(reading, {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:m-1", "resource": medication}]})
    add(reading, bundle(condition("c-uuid")))
    assert reading.locate("urn:uuid:m-1") == "Medication/med"
    assert reading.locate("urn:uuid:c-uuid") == "Condition/c-uuid"
    assert reading.locate("urn:uuid:nobody") == "urn:uuid:nobody"


@pytest.mark.parametrize("raw", [b'{"entry":[' + b"{}," * 2_000_000 + b"{}]}", b"[" + b"1," * 5_000_000 + b"1]"])
def test_a_text_made_to_fill_the_memory_is_refused_unread(raw: bytes) -> None:
    reading = Reading("p1")
    assert reading.add(raw, "prefetch.x", source="prefetch") == "failed"
    assert [b.reason for b in reading.bad] == ["too many values"]
