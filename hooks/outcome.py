"""HTTP errors as a FHIR OperationOutcome: what is wrong with the call, never anything of the patient."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.responses import Response

JSON = "application/json"

# HTTP status -> FHIR issue-type. What is not listed is "processing".
_ISSUE_TYPE = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    412: "incomplete",
    413: "too-long",
    415: "not-supported",
    500: "exception",
    503: "transient",
}


def outcome(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error response. message: safe to send back, so made of our own words and field names only."""
    body = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": _ISSUE_TYPE.get(status, "processing"), "diagnostics": message}],
    }
    return Response(orjson.dumps(body), status, headers=headers, media_type=JSON)
