"""What surrounds every request: browser origins, and the last resort when a defect of ours shows."""

from __future__ import annotations

import logging
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hooks.outcome import outcome

log = logging.getLogger("psychmed.hooks")

_PREFLIGHT_SECONDS = "600"


class LastResort:
    """Turns an unexpected exception into a bare 500.

    Only its type is logged: message and traceback of a defect can hold what was in the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            log.error("request failed: %s", type(error).__name__)
            if not started:
                await outcome(500, "the service failed on this request")(scope, receive, send)


class Cors:
    """Answers browsers from the listed origins, preflights included. Credentials are never allowed.

    Our own and not Starlette's, whose refusal of a preflight is plain text and not an OperationOutcome.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" and self.origins else None
        if origin is None:
            await self.app(scope, receive, send)
            return
        allowed = "*" in self.origins or origin in self.origins
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            # Vary on the refusal too: a cache must not keep it for an origin that is on the list.
            refusal = outcome(403, "this origin is not on the list", {"Vary": "Origin"})
            preflight = self._preflight(origin) if allowed else refusal
            await preflight(scope, receive, send)
            return

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if allowed:
                    headers["Access-Control-Allow-Origin"] = origin
                    # Who reports a fault from a browser can name the request.
                    headers["Access-Control-Expose-Headers"] = "X-Request-Id"
            await send(message)

        await self.app(scope, receive, with_header)

    @staticmethod
    def _preflight(origin: str) -> Response:
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
            "Vary": "Origin",
        }
        return Response(status_code=204, headers=headers)
