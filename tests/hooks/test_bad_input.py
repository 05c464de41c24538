"""Bad input over real HTTP: the right status, an OperationOutcome that names the problem, nothing of the patient."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from hooks.discovery import PREFETCH
from tests.hooks.service import MAX_BODY_BYTES, RunningService

Build = Callable[..., dict[str, Any]]
SIGN = "psychmed-order-sign"
# Stands wherever a request may hold something of a patient; no answer may contain it.
SECRET = "Zebulon-Quux"
SECONDS = 5.0


def check_outcome(answer: requests.Response, status: int, word: str) -> None:
    assert answer.status_code == status
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue["severity"] == "error"
    assert word in issue["diagnostics"]
    assert SECRET not in answer.text


def test_malformed_json_is_a_400(service: RunningService) -> None:
    check_outcome(service.post(SIGN, b'{"hook": "order-sign", "' + SECRET.encode()), 400, "well-formed")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"12", b"null"])
def test_json_that_is_no_object_is_a_400(service: RunningService, body: bytes) -> None:
    check_outcome(service.post(SIGN, body), 400, "object")


def test_an_empty_body_is_a_400(service: RunningService) -> None:
    check_outcome(service.post(SIGN, b""), 400, "well-formed")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_a_400(service: RunningService, number: str) -> None:
    check_outcome(service.post(SIGN, f'{{"hook": {number}}}'.encode()), 400, "well-formed")


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""],
)
def test_another_content_type_is_a_415(service: RunningService, order_sign: Build, media_type: str) -> None:
    answer = service.post(SIGN, json.dumps(order_sign()).encode(), headers={"Content-Type": media_type})
    check_outcome(answer, 415, "UTF-8" if "charset" in media_type else "application/json")


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json;charset=UTF-8", "Application/JSON", "application/fhir+json; charset=utf-8"],
)
def test_json_under_its_usual_names_is_accepted(service: RunningService, order_sign: Build, media_type: str) -> None:
    answer = service.post(SIGN, json.dumps(order_sign()).encode(), headers={"Content-Type": media_type})
    assert answer.status_code == 200


def test_a_compressed_body_is_a_415(service: RunningService) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    check_outcome(service.post(SIGN, b"\x1f\x8b", headers=headers), 415, "Content-Encoding")


@pytest.mark.parametrize("path", [f"cds-services/{SECRET}", f"cds-services/{SIGN}/", f"{SECRET}", "cds-services/"])
def test_an_unknown_service_or_address_is_a_404(service: RunningService, order_sign: Build, path: str) -> None:
    answer = requests.post(f"{service.url}/{path}", json=order_sign(), timeout=30)
    check_outcome(answer, 404, "no such")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"cds-services/{SIGN}", {"POST"}),
        ("PUT", f"cds-services/{SIGN}", {"POST"}),
        ("DELETE", f"cds-services/{SIGN}", {"POST"}),
        ("POST", "cds-services", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_a_405_that_names_the_allowed_ones(
    service: RunningService, method: str, path: str, allowed: set[str]
) -> None:
    answer = requests.request(method, f"{service.url}/{path}", timeout=30)
    check_outcome(answer, 405, "method")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


def test_a_body_with_an_announced_length_over_the_limit_is_a_413(service: RunningService) -> None:
    check_outcome(service.post(SIGN, b" " * (MAX_BODY_BYTES + 1)), 413, str(MAX_BODY_BYTES))


def test_a_body_without_a_length_is_counted_and_a_413(service: RunningService) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    answer = requests.post(
        f"{service.url}/cds-services/{SIGN}",
        data=chunks(),
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    check_outcome(answer, 413, str(MAX_BODY_BYTES))


def test_a_body_of_exactly_the_limit_is_read(service: RunningService, order_sign: Build) -> None:
    body = json.dumps(order_sign()).encode()
    assert service.post(SIGN, body + b" " * (MAX_BODY_BYTES - len(body))).status_code == 200


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_a_missing_field_is_named(service: RunningService, order_sign: Build, field: str) -> None:
    request = order_sign()
    del request[field]
    check_outcome(service.post(SIGN, request), 400, f"{field} is missing")


@pytest.mark.parametrize("field", ["patientId", "draftOrders"])
@pytest.mark.parametrize("value", [None, "absent"])
def test_a_missing_field_of_the_context_is_named(
    service: RunningService, order_sign: Build, field: str, value: str | None
) -> None:
    request = order_sign(**{field: None})
    if value == "absent":
        del request["context"][field]
    check_outcome(service.post(SIGN, request), 400, f"context.{field} is missing")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hook": 7}, "hook is not a string"),
        ({"hookInstance": ["x"]}, "hookInstance is not a string"),
        ({"context": SECRET}, "context is not an object"),
        ({"context": {"patientId": {"id": SECRET}}}, "context.patientId is not a string"),
        ({"prefetch": [SECRET]}, "prefetch is not an object"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    service: RunningService, order_sign: Build, change: dict[str, Any], word: str
) -> None:
    check_outcome(service.post(SIGN, order_sign() | change), 400, word)


@pytest.mark.parametrize("drafts", [SECRET, [SECRET], 3])
def test_draft_orders_that_are_no_bundle_are_named(service: RunningService, order_sign: Build, drafts: Any) -> None:
    check_outcome(service.post(SIGN, order_sign(draftOrders=drafts)), 400, "context.draftOrders")


def test_selections_that_are_no_list_are_named(service: RunningService, order_sign: Build) -> None:
    request = order_sign(selections=SECRET) | {"hook": "order-select"}
    check_outcome(service.post("psychmed-order-select", request), 400, "context.selections")


def test_another_hook_than_the_services_is_a_400(service: RunningService, order_sign: Build) -> None:
    check_outcome(service.post("psychmed-patient-view", order_sign()), 400, "patient-view")


def test_a_draft_of_another_patient_is_a_400(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    request["context"]["draftOrders"]["entry"][0]["resource"]["subject"] = {"reference": f"Patient/{SECRET}"}
    check_outcome(service.post(SIGN, request), 400, "patient")


def test_a_patient_resource_of_another_patient_is_a_400(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    request["prefetch"]["patient"]["id"] = SECRET
    check_outcome(service.post(SIGN, request), 400, "patient")


def test_another_patients_chart_resource_is_dropped_and_counted(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    condition = {"resourceType": "Condition", "id": "c9", "subject": {"reference": f"Patient/{SECRET}"}}
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "entry": [{"resource": condition}]}
    answer = service.post(SIGN, request)
    assert answer.status_code == 200
    assert SECRET not in answer.text
    assert answer.json()["extension"]["org.psychmed.evaluation"]["ignored_resources"]["other-patient"] == 1


def test_nothing_sent_at_all_is_a_412(service: RunningService) -> None:
    request = {"hook": "patient-view", "hookInstance": "x", "context": {"patientId": SECRET}}
    check_outcome(service.post("psychmed-patient-view", request), 412, "")


def test_text_that_is_not_utf8_is_a_400(service: RunningService, order_sign: Build) -> None:
    body = json.dumps(order_sign()).encode().replace(b"349332", b"\xff\xfe")
    check_outcome(service.post(SIGN, body), 400, "UTF-8")


def test_a_byte_order_mark_is_skipped(service: RunningService, order_sign: Build) -> None:
    assert service.post(SIGN, b"\xef\xbb\xbf" + json.dumps(order_sign()).encode()).status_code == 200


@pytest.mark.parametrize("place", ["hook", "prefetch", "draft"])
def test_deep_nesting_is_answered_in_bounded_time(service: RunningService, order_sign: Build, place: str) -> None:
    depth = 400_000
    deep = b"[" * depth + b"]" * depth
    if place == "hook":
        body = b'{"hook":' + deep + b"}"
    elif place == "prefetch":
        body = json.dumps(order_sign() | {"prefetch": {"conditions": "DEEP"}}).encode().replace(b'"DEEP"', deep)
    else:
        body = json.dumps(order_sign()).encode().replace(b'"349332"', deep)
    started = time.monotonic()
    check_outcome(service.post(SIGN, body), 400, "nested")
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999999", "9" * 100_000])
def test_an_enormous_number_is_a_bad_resource_in_bounded_time(
    service: RunningService, order_sign: Build, number: str
) -> None:
    request = order_sign()
    good = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}
    bad = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        "effectiveDateTime": "2026-02-20",
        "valueQuantity": {"value": "HUGE"},
    }
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "entry": [{"resource": good}]}
    request["prefetch"]["observations"] = {"resourceType": "Bundle", "entry": [{"resource": bad}]}
    body = json.dumps(request).replace('"HUGE"', number).encode()
    started = time.monotonic()
    answer = service.post(SIGN, body)
    assert time.monotonic() - started < SECONDS
    assert answer.status_code == 200
    places = [bad["where"] for bad in answer.json()["extension"]["org.psychmed.evaluation"]["bad_resources"]]
    assert places == ["prefetch.observations.entry[0]"]


def test_one_broken_resource_costs_only_itself(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    request["prefetch"]["conditions"] = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Condition", "id": "c1", "onsetDateTime": {"text": SECRET}}},
            {"resource": {"resourceType": "Condition", "id": "c2", "subject": {"reference": "Patient/p1"}}},
        ],
    }
    answer = service.post(SIGN, request)
    assert answer.status_code == 200
    (bad,) = answer.json()["extension"]["org.psychmed.evaluation"]["bad_resources"]
    assert bad["where"] == "prefetch.conditions.entry[0]"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "lines", ["GET / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n", "POST /cds-services/x HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_does_not_stop_the_service(service: RunningService, lines: str) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(lines.encode())
        connection.recv(1024)
    assert requests.get(f"{service.url}/health", timeout=30).status_code == 200


def test_a_client_that_leaves_in_the_middle_does_not_stop_the_service(service: RunningService) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    headers = ("Host: x", "Content-Type: application/json", "Content-Length: 900")
    head = "\r\n".join([f"POST /cds-services/{SIGN} HTTP/1.1", *headers, "", "{"])
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode())
    assert requests.get(f"{service.url}/health", timeout=30).status_code == 200


def lorazepam(own: Any, **fields: Any) -> dict[str, Any]:
    """A draft of 90 days of lorazepam, which brings a B-01 card where the chart is empty."""
    return {
        "resourceType": "MedicationRequest",
        "id": own,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "197901"}]
        },
        "dispenseRequest": {"expectedSupplyDuration": {"value": 90, "code": "d"}},
        **fields,
    }


def with_drafts(order_sign: Build, *drafts: dict[str, Any]) -> dict[str, Any]:
    """The request with these drafts, every search answered with nothing."""
    request = order_sign(draftOrders={"resourceType": "Bundle", "entry": [{"resource": d} for d in drafts]})
    request["prefetch"] |= {key: None for key in PREFETCH if key != "patient"}
    return request


def specs(answer: requests.Response) -> list[str]:
    return [card["extension"]["org.psychmed.finding"]["spec"] for card in answer.json()["cards"]]


def not_evaluated(answer: requests.Response) -> dict[str, str]:
    return {n["spec"]: n["reason"] for n in answer.json()["extension"]["org.psychmed.evaluation"]["not_evaluated"]}


@pytest.mark.parametrize("own", ["d1", 7, ["x"], {"a": 1}, "", None, "a\u0000|`<b>\n" + "x" * 200])
def test_a_draft_is_judged_whatever_its_id(service: RunningService, order_sign: Build, own: Any) -> None:
    answer = service.post(SIGN, with_drafts(order_sign, lorazepam(own)))
    assert answer.status_code == 200
    assert specs(answer) == ["B-01"]
    detail = answer.json()["cards"][0]["detail"]
    assert not set("`<\x00") & set(detail)
    assert max(map(len, detail.splitlines())) < 500


def test_of_two_drafts_with_one_id_both_are_judged(service: RunningService, order_sign: Build) -> None:
    harmless = lorazepam("d1", dispenseRequest={"expectedSupplyDuration": {"value": 7, "code": "d"}})
    for pair in ((lorazepam("d1"), harmless), (harmless, lorazepam("d1"))):
        assert specs(service.post(SIGN, with_drafts(order_sign, *pair))) == ["B-01"]


def test_a_draft_that_cannot_be_read_leaves_no_rule_silent(service: RunningService, order_sign: Build) -> None:
    answer = service.post(SIGN, with_drafts(order_sign, lorazepam("d1", status={"text": SECRET})))
    assert answer.status_code == 200
    assert set(not_evaluated(answer).values()) == {"draft orders: 1 could not be read"}
    assert answer.json()["extension"]["org.psychmed.evaluation"]["evaluated"] == []
    assert SECRET not in answer.text


def test_a_search_with_a_broken_record_is_no_evidence_of_absence(service: RunningService, order_sign: Build) -> None:
    request = with_drafts(order_sign, lorazepam("d1"))
    broken = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "code": 5}
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "entry": [{"resource": broken}]}
    (card,) = service.post(SIGN, request).json()["cards"]
    assert card["indicator"] == "info", "a level lower: an exempting diagnosis may stand in what could not be read"
    assert "Not checked: problem list: some records could not be read" in card["detail"]


def test_a_duplicate_is_shown_beside_a_broken_record_and_says_so(service: RunningService, order_sign: Build) -> None:
    request = with_drafts(order_sign, lorazepam("d1"))
    request["context"]["draftOrders"]["entry"][0]["resource"]["dispenseRequest"] = {
        "expectedSupplyDuration": {"value": 20, "code": "d"}
    }
    code = [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "197589"}]  # diazepam 10 mg
    current = lorazepam(
        "m1", status="active", authoredOn="2026-02-20", medicationCodeableConcept={"coding": code},
        dispenseRequest={"expectedSupplyDuration": {"value": 60, "code": "d"}, "numberOfRepeatsAllowed": 3},
    )  # fmt: skip
    entries = [{"resource": current}, {"resource": lorazepam("m2", status={"a": 1})}]
    request["prefetch"]["medication_requests"] = {"resourceType": "Bundle", "entry": entries}
    answer = service.post(SIGN, request)
    assert specs(answer) == ["A-02"]
    assert "medication history: some records could not be read" in answer.json()["cards"][0]["detail"]
    del entries[0]
    assert "A-02" in not_evaluated(service.post(SIGN, request))


@pytest.mark.parametrize("count", [101, 2000])
def test_more_drafts_than_anybody_signs_are_answered_in_time(
    service: RunningService, order_sign: Build, count: int
) -> None:
    request = with_drafts(order_sign, *(lorazepam(f"d{n}") for n in range(count)))
    start = time.perf_counter()
    answer = service.post(SIGN, request)
    assert time.perf_counter() - start < SECONDS
    assert answer.status_code == 200
    assert set(not_evaluated(answer).values()) == {"more than 100 orders in one call"}


def test_a_hundred_drafts_are_judged_in_time(service: RunningService, order_sign: Build) -> None:
    start = time.perf_counter()
    answer = service.post(SIGN, with_drafts(order_sign, *(lorazepam(f"d{n}") for n in range(100))))
    assert time.perf_counter() - start < SECONDS
    found = [f["spec"] for f in answer.json()["extension"]["org.psychmed.evaluation"]["findings"]]
    assert {spec: found.count(spec) for spec in found} == {"B-01": 100, "A-01": 99}
    assert len(answer.json()["cards"]) == 4


def test_bad_resources_are_listed_up_to_a_hundred_and_counted(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "entry": [5] * 20_000}
    answer = service.post(SIGN, request)
    bad = answer.json()["extension"]["org.psychmed.evaluation"]["bad_resources"]
    assert len(bad) == 101
    assert bad[-1] == {"where": "…", "reason": "and 19900 more"}
    assert len(answer.content) < 50_000


def test_a_long_prefetch_key_does_not_come_back_whole(service: RunningService, order_sign: Build) -> None:
    request = order_sign()
    request["prefetch"]["k" * 100_000] = 5
    answer = service.post(SIGN, request)
    assert answer.status_code == 200
    assert len(answer.content) < 5_000


def test_the_name_of_an_unidentified_medicine_is_shown_cleaned_and_short(
    service: RunningService, order_sign: Build
) -> None:
    text = "<img src=x> | [click](http://evil.example) `rm` " + "x" * 100_000
    unknown = lorazepam("d2", medicationCodeableConcept={"text": text})
    answer = service.post(SIGN, with_drafts(order_sign, lorazepam("d1"), unknown))
    (card,) = answer.json()["cards"]
    assert "could not be identified" in card["detail"]
    assert "http://evil" not in card["detail"]
    assert "<img" not in answer.text
    assert len(answer.content) < 10_000
