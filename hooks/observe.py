"""What is counted and logged of every request, whatever becomes of it: outermost of all, and nothing of a patient."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds.findings import Evaluation
from hooks import logs
from hooks.cards import FINDING_EXTENSION
from hooks.discovery import BY_ID
from hooks.education import PATH as EDUCATION_PATH
from hooks.metrics import Metrics

RECORD = "psychmed.record"
SAVE_SECONDS = 1.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDPOINTS = {f"/{name}": name for name in ("cds-services", "health", "ready", "metrics", "openapi.json")}
# Asked every few seconds by machines; only their failures are worth a line.
_PROBES = frozenset({"health", "ready", "metrics"})


@dataclass(slots=True)
class Record:
    """What the handlers tell about a request: counts for its log line."""

    counts: dict[str, int] = field(default_factory=dict)


def endpoint_of(path: str) -> tuple[str, str]:
    """The endpoint and the hook of an address, in our own words: an address can hold anything."""
    if path in _ENDPOINTS:
        return _ENDPOINTS[path], ""
    first, _, rest = path.removeprefix("/").partition("/")
    if f"/{first}" == EDUCATION_PATH:
        return "education", ""
    name, slash, last = rest.partition("/")
    service = BY_ID.get(name) if first == "cds-services" else None
    if service is None or (slash and last != "feedback"):
        return "unknown", ""
    return "feedback" if slash else "service", service.hook


def note_evaluation(request: Request, metrics: Metrics, evaluation: Evaluation, cards: list[dict[str, Any]]) -> None:
    """Count what an evaluation came to. cards: as they are sent."""
    for card in cards:
        metrics.count("psychmed_cards_total", card["extension"][FINDING_EXTENSION]["spec"], card["indicator"])
    for rule in {missing.spec for missing in evaluation.not_evaluated}:
        metrics.count("psychmed_not_evaluated_total", rule)
    note(
        request,
        cards=len(cards),
        findings=len(evaluation.findings),
        evaluated=len(set(evaluation.evaluated)),
        not_evaluated=len({missing.spec for missing in evaluation.not_evaluated}),
        bad_resources=len(evaluation.bad_resources),
    )


def note(request: Request, **counts: int) -> None:
    """Numbers for the request's log line."""
    record = request.scope.get(RECORD)
    if isinstance(record, Record):
        record.counts.update(counts)


class Observed:
    """Gives a request its id, its duration, its log line and its place in the metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log_requests: bool = True) -> None:
        self.app = app
        self.metrics = metrics
        self.log_requests = log_requests
        self._saving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        identity = logs.request_id(Headers(scope=scope).get("x-request-id"))
        token = logs.REQUEST_ID.set(identity)
        record = scope[RECORD] = Record()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = identity
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self._finished(scope, record, status, time.perf_counter() - started)
            logs.REQUEST_ID.reset(token)

    def _finished(self, scope: Scope, record: Record, status: int, seconds: float) -> None:
        endpoint, hook = endpoint_of(scope["path"])
        # 0: the client went away before an answer.
        self.metrics.count("psychmed_requests_total", endpoint, hook, str(status))
        self.metrics.observe("psychmed_request_seconds", seconds, endpoint, hook)
        if self.metrics.folder is not None and not self._saving:
            self._saving = True
            asyncio.get_running_loop().call_later(SAVE_SECONDS, self._save)
        if self.log_requests and not (endpoint in _PROBES and status == 200):
            method = scope["method"] if scope["method"] in _METHODS else "other"
            line: dict[str, Any] = {"method": method, "endpoint": endpoint}
            line |= {"hook": hook} if hook else {}
            logs.request_line({**line, "status": status, "ms": round(seconds * 1000, 2), **record.counts})

    def _save(self) -> None:
        self._saving = False
        self.metrics.save()
