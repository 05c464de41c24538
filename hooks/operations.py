"""What operators ask: is it alive, may traffic come, what has it counted, what does it speak. Nothing of a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hooks.metrics import CONTENT_TYPE, Metrics
from hooks.openapi import OPENAPI_JSON
from hooks.outcome import JSON

if TYPE_CHECKING:
    from cds.evaluate import Evaluator


@dataclass(frozen=True, slots=True)
class Operations:
    """The handlers."""

    evaluator: Evaluator
    metrics: Metrics

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/ready", self.ready, methods=["GET"]),
            Route("/metrics", self.scrape, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
        ]

    async def health(self, request: Request) -> Response:
        """`GET /health`: alive, and with which rules and engine."""
        del request
        state = {
            "status": "ok",
            "rules_version": self.evaluator.rules_version,
            "engine": self.evaluator.engine_name,
        }
        return Response(orjson.dumps(state), media_type=JSON)

    async def ready(self, request: Request) -> Response:
        """`GET /ready`: 200 when a question would be decided by rules, else 503.

        A durable-rules that is off is no reason to stay away: `direct` answers alone, and the state says so.
        """
        del request
        counters = getattr(self.evaluator.engine, "counters", None)
        rules = [rule for rule in self.evaluator.rules.rules if rule.status in ("active", "silent")]
        state: dict[str, Any] = {
            "status": "ready" if rules else "not ready",
            "rules": len(rules),
            "rules_left_out": len({problem.path for problem in self.evaluator.problems}),
            "rules_version": self.evaluator.rules_version,
            "engine": self.evaluator.engine_name,
            "durable_rules_off": bool(counters is not None and counters.disabled),
        }
        return Response(orjson.dumps(state), 200 if rules else 503, media_type=JSON)

    async def scrape(self, request: Request) -> Response:
        """`GET /metrics`: the counters of all workers in Prometheus' text format."""
        del request
        # Named in full: Starlette would add a charset to a text type that has one.
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`: requests, answers and errors, as OpenAPI 3.1."""
        del request
        return Response(OPENAPI_JSON, media_type=JSON)
