"""The service as an OpenAPI 3.1 document: written once, as data, and served at `/openapi.json`.

Tests hold the service to it from both sides: its own answers are valid, and generated requests find no other answer.
"""

from __future__ import annotations

from typing import Any

import orjson

from hooks.discovery import SERVICES
from hooks.outcome import JSON
from hooks.schemas import SCHEMAS, ref, request_schema

VERSION = "1.0.0"  # of this contract: CDS Hooks 2.0 and what is ours beside it
_OUTCOME: dict[str, Any] = {JSON: {"schema": ref("OperationOutcome")}}
_ID_HEADER: dict[str, Any] = {
    "X-Request-Id": {
        "description": "The request's own X-Request-Id where it was short and plain, else one of ours.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
}
_ERRORS = {
    400: "Not JSON, not this hook, not complete, or of another patient.",
    401: "The site wants a token and this one will not do; the answer does not say why.",
    404: "There is no such page or service.",
    408: "The body did not arrive in time.",
    412: "Neither the patient nor any medication was sent, and they could not be read.",
    413: "The body is too large.",
    415: "Not application/json in UTF-8, or compressed.",
    500: "A defect of the service.",
    503: "No token can be checked now; try again later.",
}


def _answer(description: str, schema: str | None = None, media_type: str = JSON) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description, "headers": _ID_HEADER}
    if media_type != JSON:
        answer["content"] = {media_type: {"schema": {"type": "string"}}}
    elif schema is not None:
        answer["content"] = {JSON: {"schema": ref(schema)}}
    return answer


def _errors(*statuses: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(s): {"description": _ERRORS[s], "content": _OUTCOME, "headers": _ID_HEADER} for s in statuses
    }
    return found


def _get(name: str, summary: str, answer: dict[str, Any], *statuses: int, tag: str = "operations") -> dict[str, Any]:
    responses = {"200": answer, **_errors(*statuses, 500)}
    return {"get": {"operationId": name, "summary": summary, "tags": [tag], "responses": responses}}


def _post(name: str, summary: str, schema: dict[str, Any], answer: dict[str, Any], *statuses: int) -> dict[str, Any]:
    body = {"required": True, "content": {JSON: {"schema": schema}}}
    responses = {"200": answer, **_errors(*statuses, 401, 408, 413, 415, 500, 503)}
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "tags": ["hooks"],
            "security": [{}, {"jwt": []}],
            "requestBody": body,
            "responses": dict(sorted(responses.items())),
        }
    }


def openapi_document() -> dict[str, Any]:
    """The whole document."""
    discovery = _get(
        "discovery", "The services and their prefetch templates", _answer("Discovery", "Discovery"), tag="hooks"
    )
    discovery["get"] |= {"security": [{}, {"jwt": []}]}
    paths: dict[str, Any] = {"/cds-services": discovery}
    for service in SERVICES:
        cards = _answer("Cards, and what was not evaluated", "CdsResponse")
        schema = request_schema(service.hook)
        paths[f"/cds-services/{service.id}"] = _post(service.hook, service.title, schema, cards, 400, 412)
    feedback = _post("feedback", "What became of cards", ref("Feedback"), _answer("Taken; no body"), 400, 404)
    known = {"type": "string", "enum": [service.id for service in SERVICES]}
    feedback["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": known}]
    paths["/cds-services/{id}/feedback"] = feedback
    page = _get("page", "One page for the patient", _answer("A page", media_type="text/html"), 404, tag="education")
    page["parameters"] = [
        {"name": "topic", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ]
    paths["/education"] = _get(
        "pages", "Pages for the patient", _answer("All pages", media_type="text/html"), tag="education"
    )
    paths["/education/{topic}"] = page
    paths["/health"] = _get("health", "Alive", _answer("Alive", "Health"))
    ready = _get("ready", "Whether traffic may come", _answer("It may", "Ready"))
    ready["get"]["responses"]["503"] = _answer("Not one rule is loaded", "Ready")
    paths["/ready"] = ready
    paths["/metrics"] = _get("metrics", "Counters of all workers", _answer("Prometheus text", media_type="text/plain"))
    paths["/openapi.json"] = _get(
        "openapi", "This document", {**_answer("OpenAPI 3.1"), "content": {JSON: {"schema": {"type": "object"}}}}
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "psychmed-cds",
            "version": VERSION,
            "summary": "CDS Hooks 2.0 for psychiatric medicines",
            "description": "The clinical content is a draft that no clinician has signed off.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": "hooks"}, {"name": "education"}, {"name": "operations"}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


OPENAPI_JSON = orjson.dumps(openapi_document())
