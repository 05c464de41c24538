"""JSON Schemas (2020-12) of what the service takes and gives: the components of its OpenAPI document, as data.

Requests are described as CDS Hooks 2.0 wants them; the service understands more than that (docs/running.md). Answers
are described as narrowly as they are made: every rule of the standard that a schema can hold is in here.
"""

from __future__ import annotations

from typing import Any

from hooks.kinds import KINDS, UNDERSTOOD_AT

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_UUID: Schema = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_DATE: Schema = {"type": "string", "format": "date"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_INDICATOR: Schema = {"enum": ["info", "warning", "critical"]}
_REFERENCE: Schema = {"type": "string", "pattern": "^[A-Z][A-Za-z]+/[^/\\s]+$"}
_EXTENSION: Schema = {"type": "object", "description": "By reverse domain name; what is not ours is ignored."}
_CHANNEL_COUNTS: Schema = {"type": "object", "additionalProperties": _COUNT}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Schema, *, least: int = 0) -> Schema:
    return {"type": "array", "items": items} | ({"minItems": least} if least else {})


def _object(required: str, properties: dict[str, Schema], *, closed: bool = False, **more: Any) -> Schema:
    """required: names, separated by blanks. closed: nothing else may stand there."""
    schema: Schema = {"type": "object", "required": required.split(), "properties": properties, **more}
    return schema | ({"additionalProperties": False} if closed else {})


_CONTEXT: dict[str, Schema] = {
    "userId": {"type": "string", "description": "Type/id of the user", "examples": ["Practitioner/123"]},
    "patientId": _TEXT | {"examples": ["1288992"]},
    "encounterId": _TEXT,
}
_ORDERS: Schema = {"$ref": "#/components/schemas/Bundle", "description": "The orders that are to be judged."}
_ENCOUNTER_KNOWN = ("encounter-start", "encounter-discharge")
_EXAMPLE_ORDER = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/1288992"},
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "312938"}],
        "text": "sertraline 25 MG Oral Tablet",
    },
    "dispenseRequest": {"expectedSupplyDuration": {"value": 30, "unit": "d"}},
}


def _request(hook: str) -> Schema:
    """The request of one hook."""
    orders = KINDS[hook].orders
    properties = dict(_CONTEXT)
    required = ["patientId"] if hook == "medication-refill" else ["userId", "patientId"]
    required += ["encounterId"] if hook in _ENCOUNTER_KNOWN else []
    example = {"userId": "Practitioner/123", "patientId": "1288992"}
    example |= {"encounterId": "89284"} if hook in _ENCOUNTER_KNOWN else {}
    if orders is not None:
        properties[orders] = _ORDERS
        required.append(orders)
        example[orders] = {"resourceType": "Bundle", "entry": [{"resource": _EXAMPLE_ORDER}]}  # type: ignore[assignment]
    if hook == "order-select":
        properties["selections"] = _list(_REFERENCE) | {"description": "The orders that advice should focus on."}
        required.append("selections")
        example["selections"] = ["MedicationRequest/d1"]  # type: ignore[assignment]
    if hook == "appointment-book":
        properties["appointments"] = ref("Bundle")
        required.append("appointments")
        example["appointments"] = {"resourceType": "Bundle", "entry": []}  # type: ignore[assignment]
    envelope: dict[str, Schema] = {
        "hook": {"const": hook},
        "hookInstance": _TEXT | {"format": "uuid"},
        "context": _object(" ".join(required), properties),
        "prefetch": ref("Prefetch"),
        "fhirServer": {"type": "string", "format": "uri"},
        "fhirAuthorization": ref("FhirAuthorization"),
        "extension": _EXTENSION,
    }
    patient = {"resourceType": "Patient", "id": "1288992", "birthDate": "1980-05-05"}
    whole = {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": example}
    return _object("hook hookInstance context", envelope) | {"examples": [whole | {"prefetch": {"patient": patient}}]}


def request_name(hook: str) -> str:
    """The component that is the request of a hook."""
    return "".join(part.title() for part in hook.split("-")) + "Request"


_REQUESTS: dict[str, Schema] = {request_name(hook): _request(hook) for hook in KINDS if hook != "batch"}


def request_schema(hook: str) -> Schema:
    """What the service of a hook takes: its request, and those of withdrawn hooks that are understood there."""
    others = sorted(UNDERSTOOD_AT.get(hook, ()))
    if not others:
        return ref(request_name(hook))
    return {"anyOf": [ref(request_name(name)) for name in (hook, *others)]}


_INCOMING: dict[str, Schema] = {
    "FhirResource": _object("resourceType", {"resourceType": _TEXT}, description="A FHIR R4 resource."),
    "Bundle": _object(
        "resourceType",
        {"resourceType": {"const": "Bundle"}, "entry": _list(_object("resource", {"resource": ref("FhirResource")}))},
    ),
    "Prefetch": {
        "type": "object",
        "description": "The keys of discovery. Null: looked for, nothing there. Absent: not looked for.",
        "additionalProperties": {"anyOf": [ref("FhirResource"), {"type": "null"}]},
    },
    "FhirAuthorization": _object(
        "access_token token_type expires_in scope subject",
        {
            "access_token": _TEXT,
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer"},
            "scope": _TEXT,
            "subject": _TEXT,
            "patient": _TEXT,
        },
    ),
    "Feedback": _object(
        "feedback",
        {"feedback": _list(ref("FeedbackEntry")) | {"maxItems": 1000}},
        examples=[
            {
                "feedback": [
                    {
                        "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
                        "outcome": "overridden",
                        "outcomeTimestamp": "2026-03-02T08:00:00Z",
                        "overrideReason": {"reason": {"code": "other", "system": "urn:psychmed:override-reason"}},
                    }
                ]
            }
        ],
    ),
    "FeedbackEntry": _object(
        "card outcome outcomeTimestamp",
        {
            "card": _TEXT | {"description": "uuid of a card; one that is not known (any more) is taken too"},
            "outcome": {"enum": ["accepted", "overridden"]},
            "outcomeTimestamp": {"type": "string", "format": "date-time"},
            "acceptedSuggestions": _list(_object("id", {"id": {"type": "string"}})),
            "overrideReason": _object(
                "",
                {
                    "reason": _object(
                        "code", {"code": _TEXT, "system": {"type": "string"}, "display": {"type": "string"}}
                    ),
                    "userComment": {"type": "string", "description": "never read, stored or logged"},
                },
            ),
        },
        allOf=[
            {
                "if": {"properties": {"outcome": {"const": "accepted"}}, "required": ["outcome"]},
                "then": {
                    "required": ["acceptedSuggestions"],
                    "properties": {"acceptedSuggestions": {"minItems": 1}},
                },
            }
        ],
    ),
}

_CARDS: dict[str, Schema] = {
    "Coding": _object("code system display", {"code": _TEXT, "system": _TEXT, "display": _TEXT}, closed=True),
    "Source": _object(
        "label topic",
        {"label": _TEXT, "url": {"type": "string", "pattern": "^https?://"}, "topic": ref("Coding")},
        closed=True,
    ),
    "Link": _object(
        "label url type",
        {
            "label": _TEXT,
            "url": {"type": "string", "pattern": "^https?://"},
            "type": {"enum": ["absolute", "smart"]},
            "appContext": _TEXT,
        },
        closed=True,
        allOf=[{"if": {"required": ["appContext"]}, "then": {"properties": {"type": {"const": "smart"}}}}],
    ),
    "Action": _object(
        "type description",
        {
            "type": {"enum": ["create", "update", "delete"]},
            "description": _TEXT,
            "resource": _object("resourceType id", {"resourceType": _TEXT, "id": _TEXT}),
            "resourceId": _REFERENCE,
        },
        closed=True,
        allOf=[
            {
                "if": {"properties": {"type": {"const": "delete"}}},
                "then": {"required": ["resourceId"], "properties": {"resource": False}},
                "else": {"required": ["resource"], "properties": {"resourceId": False}},
            }
        ],
    ),
    "Suggestion": _object(
        "label uuid isRecommended",
        {
            "label": _TEXT,
            "uuid": _UUID,
            "isRecommended": {"type": "boolean"},
            "actions": _list(ref("Action"), least=1),
        },
        closed=True,
    ),
    "Card": _object(
        "uuid summary indicator source extension",
        {
            "uuid": _UUID,
            "summary": _TEXT | {"maxLength": 139, "pattern": "^[^\\n]+$"},
            "detail": _TEXT | {"description": "GitHub-flavoured Markdown without HTML"},
            "indicator": _INDICATOR,
            "source": ref("Source"),
            "suggestions": _list(ref("Suggestion"), least=1),
            "selectionBehavior": {"enum": ["any", "at-most-one"]},
            "overrideReasons": _list(ref("Coding"), least=1),
            "links": _list(ref("Link"), least=1),
            "extension": _object("org.psychmed.finding", {"org.psychmed.finding": ref("FindingExtension")}),
        },
        closed=True,
        dependentRequired={"suggestions": ["selectionBehavior"], "selectionBehavior": ["suggestions"]},
    ),
    "FindingExtension": _object(
        "rule spec version level",
        {
            "rule": _TEXT,
            "spec": _TEXT,
            "version": _TEXT,
            "level": _TEXT,
            **dict.fromkeys(("looked_at", "missing", "absorbed", "items"), _list(_TEXT, least=1)),
        },
    ),
    "Evaluation": _object(
        "rules_version engine today findings withheld evaluated not_evaluated ignored_resources bad_resources "
        "medications clinical_review",
        {
            "rules_version": _TEXT,
            "engine": {"enum": ["direct", "durable", "verified"]},
            "today": _DATE,
            "today_pinned": {"const": True},
            "findings": _list(ref("Finding")),
            "withheld": _list(
                _object("spec indicator reason", {"spec": _TEXT, "indicator": _INDICATOR, "reason": _TEXT})
            ),
            "evaluated": _list(_TEXT),
            "not_evaluated": _list(_object("spec reason", {"spec": _TEXT, "reason": _TEXT})),
            "ignored_resources": _CHANNEL_COUNTS,
            "bad_resources": _list(_object("where reason", {"where": _TEXT, "reason": _TEXT})),
            "medications": _CHANNEL_COUNTS,
            "clinical_review": _TEXT,
        },
        description="What was and was not looked at; the same for the same request.",
    ),
    "Finding": _object(
        "spec rule version level indicator summary evidence disposition",
        {
            "spec": _TEXT,
            "rule": _TEXT,
            "version": _TEXT,
            "level": _TEXT,
            "indicator": _INDICATOR,
            "summary": _TEXT,
            "evidence": _list(_TEXT),
            "disposition": {"enum": ["shown", "absorbed", "budget", "suppressed", "silent", "throttled"]},
        },
    ),
    "CdsResponse": _object(
        "cards extension",
        {
            "cards": _list(ref("Card")),
            "extension": _object("org.psychmed.evaluation", {"org.psychmed.evaluation": ref("Evaluation")}),
        },
        closed=True,
    ),
}

_OTHERS: dict[str, Schema] = {
    "Discovery": _object("services", {"services": _list(ref("ServiceEntry"))}, closed=True),
    "ServiceEntry": _object(
        "id hook title description",
        {
            "id": {"type": "string", "pattern": "^[a-z0-9-]+$"},
            "hook": {"enum": sorted(hook for hook in KINDS if hook != "batch")},
            "title": _TEXT,
            "description": _TEXT,
            "usageRequirements": _TEXT,
            "prefetch": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
            "extension": _EXTENSION,
        },
        closed=True,
    ),
    "OperationOutcome": _object(
        "resourceType issue",
        {
            "resourceType": {"const": "OperationOutcome"},
            "issue": _list(
                _object(
                    "severity code diagnostics", {"severity": {"const": "error"}, "code": _TEXT, "diagnostics": _TEXT}
                ),
                least=1,
            ),
        },
    ),
    "Health": _object(
        "status rules_version engine", {"status": {"const": "ok"}, "rules_version": _TEXT, "engine": _TEXT}
    ),
    "OpenApi": _object("openapi info paths", {"openapi": {"type": "string", "pattern": "^3\\.1\\."}}),
    "Ready": _object(
        "status rules rules_left_out rules_version engine durable_rules_off",
        {
            "status": {"enum": ["ready", "not ready"]},
            "rules": _COUNT,
            "rules_left_out": _COUNT,
            "rules_version": _TEXT,
            "engine": _TEXT,
            "durable_rules_off": {"type": "boolean"},
        },
    ),
}

SCHEMAS: dict[str, Schema] = {**_REQUESTS, **_INCOMING, **_CARDS, **_OTHERS}
