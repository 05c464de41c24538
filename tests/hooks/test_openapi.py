"""The OpenAPI document is one, and what the service answers is what the document says."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from hooks.demo import SCENES, dated
from hooks.discovery import SERVICES
from hooks.kinds import KINDS
from hooks.openapi import openapi_document
from hooks.schemas import request_name
from tests.hooks.service import ROOT, TODAY, RunningService

DOCUMENT = openapi_document()


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator that knows the components."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def check(answer: requests.Response, path: str, method: str = "get") -> None:
    """Raises AssertionError unless the document has this answer at this address."""
    described = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
    if "content" not in described:
        assert answer.content == b""
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    value = answer.json() if media_type == "application/json" else answer.text
    problems = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in validator(schema).iter_errors(value)]
    assert not problems, problems
    assert "X-Request-Id" in answer.headers


def test_it_is_an_openapi_3_1_document() -> None:
    OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).validate()


def test_it_is_served_as_written(service: RunningService) -> None:
    answer = requests.get(f"{service.url}/openapi.json", timeout=30)
    assert answer.json() == DOCUMENT
    check(answer, "/openapi.json")


def test_every_service_and_every_hook_has_its_place() -> None:
    assert {f"/cds-services/{service.id}" for service in SERVICES} < set(DOCUMENT["paths"])
    requests_of = {request_name(hook) for hook in KINDS if hook != "batch"}
    assert requests_of < set(DOCUMENT["components"]["schemas"])


def examples() -> list[tuple[str, dict[str, Any]]]:
    schemas = DOCUMENT["components"]["schemas"]
    return [(hook, schemas[request_name(hook)]["examples"][0]) for hook in sorted(set(KINDS) - {"batch"})]


@pytest.mark.parametrize(("hook", "example"), examples(), ids=lambda v: v if isinstance(v, str) else "")
def test_the_example_of_a_hook_is_valid_and_answered(
    service: RunningService, hook: str, example: dict[str, Any]
) -> None:
    assert not list(validator({"$ref": f"#/components/schemas/{request_name(hook)}"}).iter_errors(example))
    answer = service.post(f"psychmed-{hook}", example)
    assert answer.status_code == 200, answer.text
    check(answer, f"/cds-services/psychmed-{hook}", "post")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.file)
def test_cards_with_suggestions_are_valid(service: RunningService, scene: Any) -> None:
    text = (ROOT / "fixtures/requests" / scene.file).read_text("utf-8")
    request = dated(text, dt.date.fromisoformat(TODAY))
    answer = service.post(f"psychmed-{request['hook']}", request)
    assert answer.json()["cards"]
    check(answer, f"/cds-services/psychmed-{request['hook']}", "post")


@pytest.mark.parametrize(
    "path", ["/cds-services", "/education", "/health", "/ready", "/metrics"]
)  # fmt: skip
def test_what_is_fetched_is_as_described(service: RunningService, path: str) -> None:
    answer = requests.get(service.url + path, timeout=30)
    assert answer.status_code == 200
    check(answer, path)


def test_a_page_for_the_patient_and_a_page_that_is_not_there_are_as_described(service: RunningService) -> None:
    index = requests.get(f"{service.url}/education", timeout=30).text
    topic = index.partition('href="/education/')[2].partition('"')[0]
    for name, status in ((topic, 200), ("none", 404)):
        answer = requests.get(f"{service.url}/education/{name}", timeout=30)
        assert answer.status_code == status
        check(answer, "/education/{topic}")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [(b"{", {}, 400), (b"{}", {"Content-Type": "text/plain"}, 415), (b" " * 3_000_000, {}, 413)],
)  # fmt: skip
def test_errors_are_as_described(service: RunningService, body: bytes, headers: dict[str, str], status: int) -> None:
    headers = {"Content-Type": "application/json"} | headers
    for path in ("/cds-services/psychmed-order-sign", "/cds-services/psychmed-order-sign/feedback"):
        answer = requests.post(service.url + path, data=body, headers=headers, timeout=30)
        assert answer.status_code == status
        check(answer, path.replace("psychmed-order-sign/", "{id}/"), "post")


def test_a_call_without_data_is_refused_as_described(service: RunningService) -> None:
    request = {"hook": "patient-view", "hookInstance": "x", "context": {"userId": "Practitioner/u", "patientId": "p"}}
    answer = service.post("psychmed-patient-view", request)
    assert answer.status_code == 412
    check(answer, "/cds-services/psychmed-patient-view", "post")


def test_requests_of_others_are_answered_as_described(service: RunningService, shared_data: Path) -> None:
    files = sorted(p for p in (shared_data / "cds-hooks").rglob("*.json") if "responses" not in p.parts)
    assert len(files) == 114
    for file in files:
        body = file.read_bytes()
        hook = json.loads(body)["hook"]
        check(service.post(f"psychmed-{hook}", body), f"/cds-services/psychmed-{hook}", "post")


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ({"summary": "x" * 140}, "too long"),
        ({"summary": ""}, "non-empty"),
        ({"suggestions": [{"label": "x", "uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2719", "isRecommended": True}]},
         "selectionBehavior"),
        ({"indicator": "hard-stop"}, "hard-stop"),
        ({"detail": None}, "None"),
    ],
)  # fmt: skip
def test_the_schema_refuses_a_card_that_breaks_the_standard(card: dict[str, Any], problem: str) -> None:
    coding = {"code": "r", "system": "urn:psychmed:rule", "display": "R"}
    finding = {"rule": "r", "spec": "A-01", "version": "1", "level": "info"}
    right = {
        "uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
        "summary": "s",
        "indicator": "info",
        "source": {"label": "l", "topic": coding},
        "extension": {"org.psychmed.finding": finding},
    }
    schema = validator({"$ref": "#/components/schemas/Card"})
    assert not list(schema.iter_errors(right))
    assert any(problem in error.message for error in schema.iter_errors(right | card))
