"""Whatever is sent, reading it answers; and the order in which it is sent changes nothing."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cds.errors import HookRequestError
from cds.fhir.reading import Reading, Source

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "active", "Patient/p1", "Patient/p2", "urn:uuid:u1", "2026-03", "1e999999999", "30", "next"])
    | st.text(max_size=5)
)
NAMES = st.sampled_from(
    [
        "resourceType", "entry", "resource", "response", "outcome", "issue", "severity", "link", "relation", "total",
        "fullUrl", "search", "mode", "id", "meta", "lastUpdated", "status", "category", "coding", "code", "text",
        "subject", "patient", "reference", "participant", "actor", "dosageInstruction", "timing", "repeat", "period",
        "doseAndRate", "doseQuantity", "value", "valueQuantity", "component", "contained", "class", "item", "answer",
    ]
)  # fmt: skip
TYPES = st.sampled_from(
    [
        "Bundle", "OperationOutcome", "Patient", "MedicationRequest", "Observation", "Encounter", "Condition",
        "Appointment", "QuestionnaireResponse", "Medication", "CarePlan", "Nonsense",
    ]
)  # fmt: skip
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=6)
        | st.builds(lambda t, d: {"resourceType": t} | d, TYPES, st.dictionaries(NAMES, inner, max_size=6))
    ),
    max_leaves=25,
)
SOURCES = st.sampled_from(["prefetch", "context", "chart"])

CHART: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01"},
    {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"coding": [{"code": "312941"}]},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 50, "unit": "mg"}}]}],
    },
    {
        "resourceType": "Observation",
        "id": "o1",
        "subject": {"reference": "urn:uuid:u1"},
        "valueQuantity": {"value": 1.5},
    },
    {"resourceType": "Encounter", "id": "e1", "class": {"code": "AMB"}, "subject": {"reference": "p1"}},
    {"resourceType": "Condition", "id": "c1", "code": {"text": "x"}, "subject": {"reference": "Patient/p2"}},
]


def read(value: Any, source: Source = "prefetch", patient: str | None = "p1") -> Reading:
    reading = Reading(patient)
    reading.add(json.dumps(value).encode(), "prefetch.x", source=source)
    return reading


def outcome(reading: Reading) -> Any:
    """Everything a reading says, without the places, which follow the order sent."""
    return (
        msgspec.json.encode(reading.records),
        sorted(b.reason for b in reading.bad),
        sorted(reading.ignored.items()),
        reading.other_patient,
        reading.no_subject,
    )


@given(st.binary(max_size=200), SOURCES, st.none() | st.just("p1"))
def test_no_bytes_raise(raw: bytes, source: Source, patient: str | None) -> None:
    reading = Reading(patient)
    with suppress(HookRequestError):
        reading.add(raw, "x", source=source)
        assert reading.records is not None


@settings(max_examples=300)
@given(TREES, SOURCES, st.none() | st.just("p1"))
def test_no_json_raises_but_the_refusal_of_another_patient(tree: Any, source: Source, patient: str | None) -> None:
    with suppress(HookRequestError):
        reading = read(tree, source, patient)
        assert reading.records is not None
        assert reading.other_patient >= 0


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


@settings(max_examples=300)
@given(st.data())
def test_one_mutated_element_costs_at_most_its_own_resource(data: st.DataObject) -> None:
    index = data.draw(st.integers(1, len(CHART) - 1))
    changed = copy.deepcopy(CHART)
    path = data.draw(st.sampled_from(places(changed[index])[1:]))
    target: Any = changed[index]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = data.draw(TREES)
    with suppress(HookRequestError):  # the change may have made it a Patient of another id
        reading = read({"resourceType": "Bundle", "entry": [{"resource": x} for x in changed]})
        kept = {(t, x.id) for t, records in reading.records.items() for x in records}
        for n, resource in enumerate(CHART):
            if n != index and resource["subject" if n else "resourceType"] in ("Patient", {"reference": "p1"}):
                assert (resource["resourceType"], resource["id"]) in kept


VERSIONS = st.sampled_from(
    [
        *CHART,
        {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "recordedDate": "2026-01-01"},
        {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "recordedDate": "2026-01-02"},
        {
            "resourceType": "Condition",
            "id": "c1",
            "subject": {"reference": "Patient/p1"},
            "meta": {"lastUpdated": "2026-01-01T00:00:00Z"},
        },
        {"resourceType": "Condition", "subject": {"reference": "p1"}},
        {"resourceType": "Condition", "code": "text", "subject": {}},
        {"resourceType": "Condition", "id": "c9", "code": 5},
        {"resourceType": "CarePlan"},
        {"resourceType": "Nonsense"},
        {"resourceType": "Bundle", "entry": [{"resource": CHART[1]}]},
        None,
    ]
)


@settings(max_examples=200)
@given(st.lists(VERSIONS, max_size=8), st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_entries_does_not_matter(resources: list[Any], random: Any, named: bool) -> None:
    entries = [{"resource": x} for x in resources]
    if named:
        entries = [e | ({"fullUrl": "urn:uuid:u1"} if e["resource"] == CHART[0] else {}) for e in entries]
    shuffled = entries[:]
    random.shuffle(shuffled)
    source: Source = "prefetch"
    as_sent = read({"resourceType": "Bundle", "entry": entries}, source)
    as_shuffled = read({"resourceType": "Bundle", "entry": shuffled}, source)
    assert outcome(as_sent) == outcome(as_shuffled)


@settings(max_examples=100)
@given(st.lists(VERSIONS, max_size=6))
def test_the_fast_way_and_entry_by_entry_read_the_same(resources: list[Any]) -> None:
    fast = read({"resourceType": "Bundle", "entry": [{"resource": x} for x in resources if x]}, "chart")
    slow = read([x for x in resources if x], "chart")
    assert outcome(fast) == outcome(slow)
