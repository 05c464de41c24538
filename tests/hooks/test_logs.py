"""Structured logs: every line is JSON with the id of its request, and none holds anything of a patient or a token."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from hooks.logs import REQUEST_ID, JsonLines, request_id
from tests.hooks.service import RunningService, running, wait_for

SIGN = "psychmed-order-sign"
# Everything of a patient, a user or a token that the requests below carry.
NAME, FAMILY, MRN, SSN, PHONE, BIRTH = "Zebulon", "Quuxworthy", "MRN7734519", "999-41-7781", "555-0199", "1951-07-23"
PATIENT, DRAFT, USER, ENCOUNTER = "patzq81723", "drafzq5512", "userzq9981", "enczq4410"
TEXT, TOKEN, KEY, COMMENT = "heard voices", "eyJhbGciOiJub25lIn0.c2VjcmV0", "prefetchzq", "commentzq"
SECRETS = (NAME, FAMILY, MRN, SSN, PHONE, BIRTH, PATIENT, DRAFT, USER, ENCOUNTER, TEXT, TOKEN, KEY, COMMENT)
STATUSES = [200, 400, 400, 400, 400, 415, 413, 404, 200, 400, 400, 404, 404, 404, 405]


def full(**context: Any) -> dict[str, Any]:
    """An order-sign request with an identifier wherever one can stand."""
    patient = {
        "resourceType": "Patient",
        "id": PATIENT,
        "birthDate": BIRTH,
        "name": [{"given": [NAME], "family": FAMILY}],
        "identifier": [{"value": MRN}, {"value": SSN}],
        "telecom": [{"value": PHONE}],
    }
    draft = {
        "resourceType": "MedicationRequest",
        "id": DRAFT,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT}", "display": NAME},
        "note": [{"text": TEXT}],
        "medicationCodeableConcept": {"coding": [{"system": "x", "code": MRN}], "text": f"{NAME} 50 mg"},
    }
    return {
        "hook": "order-sign",
        "hookInstance": f"{NAME}-{MRN}",
        "fhirServer": f"https://ehr.example/{MRN}",
        "fhirAuthorization": {"access_token": TOKEN, "token_type": "Bearer", "scope": TEXT, "subject": USER},
        "context": {
            "userId": f"Practitioner/{USER}",
            "patientId": PATIENT,
            "encounterId": ENCOUNTER,
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
            **context,
        },
        "prefetch": {
            "patient": patient,
            KEY: {"resourceType": "Condition", "id": 3, "subject": NAME, "code": TEXT},
            "conditions": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition", "x": NAME}}]},
        },
        "extension": {NAME: MRN, "org.psychmed.memory": [{"spec": NAME, "date": "yesterday"}]},
    }


def fire(service: RunningService) -> None:
    """Requests that are answered 200, 400, 404, 405, 413 and 415, each with all that it can carry."""
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": f"{NAME} {FAMILY}", "User-Agent": NAME}
    query = {"name": NAME, "mrn": MRN}

    def post(path: str, body: Any, status: int, **more: str) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers, **more}
        answer = requests.post(service.url + path, data=data, headers=sent, params=query, timeout=30)
        assert answer.status_code == status, answer.text
        return answer

    sign = f"/cds-services/{SIGN}"
    post(sign, full(), 200)
    post(sign, full(patientId=f"{PATIENT}-2"), 400)
    post(sign, full(draftOrders=NAME), 400)
    post(sign, f'{{"hook": "{NAME}", "{MRN}"'.encode(), 400)
    post(sign, {"hook": NAME, "hookInstance": MRN}, 400)
    post(sign, f"{NAME}&{MRN}".encode(), 415, **{"Content-Type": f"text/{FAMILY}"})
    post(sign, NAME.encode() * 400_000, 413)
    post(f"/cds-services/{MRN}", full(), 404)
    told = {"card": MRN, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T08:00:00Z"}
    reason = {"reason": {"code": NAME, "system": TEXT}, "userComment": COMMENT}
    post(f"{sign}/feedback", {"feedback": [{**told, "overrideReason": reason}]}, 200)
    post(f"{sign}/feedback", {"feedback": [{**told, "outcome": NAME}]}, 400)
    post(f"{sign}/feedback", {"feedback": [{**told, "outcomeTimestamp": BIRTH}]}, 400)
    for path in (f"/{MRN}", f"/Patient/{PATIENT}", f"/education/{NAME}"):
        assert requests.get(service.url + path, headers=headers, params=query, timeout=30).status_code == 404
    assert requests.delete(service.url + sign, headers=headers, params=query, timeout=30).status_code == 405


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[str, str, RunningService]]:
    """The log and the metrics of a service that has seen requests full of identifiers."""
    with running(PSYCHMED_MEMORY="process", PSYCHMED_MAX_BODY_BYTES="2000000") as service:
        fire(service)
        wait_for(lambda: len(service.log().splitlines()) >= len(STATUSES))
        yield service.log(), requests.get(f"{service.url}/metrics", timeout=30).text, service


def test_no_log_line_holds_anything_of_a_patient_a_user_or_a_token(told: tuple[str, str, RunningService]) -> None:
    log = told[0]
    assert len(log.splitlines()) >= len(STATUSES)
    assert [secret for secret in SECRETS if secret.lower() in log.lower()] == []


def test_no_metric_holds_anything_of_a_patient_a_user_or_a_token(told: tuple[str, str, RunningService]) -> None:
    metrics = told[1]
    assert "psychmed_feedback_total{" in metrics
    assert [secret for secret in SECRETS if secret.lower() in metrics.lower()] == []


def test_every_line_is_json_and_every_request_has_one(told: tuple[str, str, RunningService]) -> None:
    lines = [json.loads(line) for line in told[0].splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    asked = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in asked] == [
        200,
        400,
        400,
        400,
        400,
        415,
        413,
        404,
        200,
        400,
        400,
        404,
        404,
        404,
        405,
    ]
    first = asked[0]
    assert (first["method"], first["endpoint"], first["hook"]) == ("POST", "service", "order-sign")
    assert first["ms"] > 0
    assert first["bad_resources"] >= 1
    assert first["not_evaluated"] >= 1
    assert len({line["request_id"] for line in asked}) == len(asked)


def test_probes_leave_no_line(told: tuple[str, str, RunningService]) -> None:
    service = told[2]
    before = len(service.log().splitlines())
    for path in ("/health", "/ready", "/metrics"):
        requests.get(service.url + path, timeout=30)
    assert len(service.log().splitlines()) == before


def test_a_plain_request_id_is_taken_over_and_another_is_made(told: tuple[str, str, RunningService]) -> None:
    service = told[2]
    ours = str(uuid.uuid4())
    answer = requests.get(f"{service.url}/cds-services", headers={"X-Request-Id": ours}, timeout=30)
    assert answer.headers["X-Request-Id"] == ours
    # The line is written when the answer has gone out.
    wait_for(lambda: any(json.loads(line)["request_id"] == ours for line in service.log().splitlines()))
    made = requests.get(f"{service.url}/none", headers={"X-Request-Id": "two words"}, timeout=30)
    assert made.status_code == 404
    assert made.headers["X-Request-Id"] not in ("two words", "")


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, 'a"b', "a\nb", "ä", "a/b", "a;b"])
def test_an_id_that_is_not_short_and_plain_is_not_ours_to_repeat(given: str | None) -> None:
    assert request_id(given) != given
    assert len(request_id(given)) == 32


def line(record: logging.LogRecord) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(JsonLines().format(record))
    return shown


def test_of_what_a_library_logs_the_values_are_left_out() -> None:
    record = logging.LogRecord("urllib3.pool", logging.WARNING, "x.py", 1, "Retrying %s: %r", (NAME, MRN), None)
    assert line(record)["message"] == "Retrying %s: %r"


def test_of_an_exception_only_its_type_is_told() -> None:
    try:
        raise ValueError(NAME)
    except ValueError as error:
        caught = (type(error), error, error.__traceback__)
    record = logging.LogRecord("psychmed.hooks", logging.ERROR, "x.py", 1, "failed", (), caught)
    shown = line(record)
    assert shown["error"] == "ValueError"
    assert NAME not in str(shown)


def test_a_line_within_a_request_carries_its_id_and_a_message_that_does_not_fit_is_no_error() -> None:
    token = REQUEST_ID.set("r1")
    try:
        shown = line(logging.LogRecord("psychmed.hooks", logging.INFO, "x.py", 1, "%d rules", ("x",), None))
    finally:
        REQUEST_ID.reset(token)
    assert (shown["request_id"], shown["message"]) == ("r1", "%d rules")


def test_request_lines_can_be_switched_off() -> None:
    with running(PSYCHMED_LOG_REQUESTS="false", PSYCHMED_ENGINE="direct") as service:
        assert requests.get(f"{service.url}/none", timeout=30).status_code == 404
        assert service.log() == ""
