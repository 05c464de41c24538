"""The door: every address needs a token, but for the few that cannot have one."""

from __future__ import annotations

import logging

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cds.settings import Settings
from hooks.address import base_url
from hooks.auth.authenticator import Authenticator, Caller, Refused
from hooks.auth.checks import shown
from hooks.auth.replay import ReplayError
from hooks.clock import seconds_now
from hooks.outcome import outcome

log = logging.getLogger("psychmed.hooks.auth")

# Asked by machines without a key (probes, a metrics scraper), or opened by a person in a browser. None shows a patient.
OPEN_PATHS = frozenset({"/health", "/ready", "/metrics", "/openapi.json", "/education"})
OPEN_FOLDER = "/education/"
DISCOVERY = "/cds-services"
CALLER = "psychmed.caller"
_RETRY_SECONDS = "30"


class RequireToken:
    """Answers 401 unless the token is good; the answer is the same for every reason, and the log has the reason.

    The caller is left in the scope as `psychmed.caller`. What a later part of the service adds is closed until it is
    listed here.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator, settings: Settings) -> None:
        self.app = app
        self.authenticator = authenticator
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or self._is_open(scope["path"], scope["method"]):
            await self.app(scope, receive, send)
            return
        try:
            scope[CALLER] = await self._caller(scope)
        except Refused as refusal:
            log.warning("refused: %s", refusal)
            await _unauthorized()(scope, receive, send)
            return
        except ReplayError as error:
            # Only the holder of a client's key gets here, so saying that it is our trouble tells a stranger nothing.
            log.error("no token can be let in: %s", error)
            await _busy()(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        front = base_url(self.settings, scope)
        endpoint = None if front is None else front + scope["path"]
        authorization = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        caller = await self.authenticator.authenticate(authorization, endpoint, seconds_now())
        log.debug("client %s tenant %s jti %s", caller.client, shown(caller.tenant or "-"), shown(caller.token_id))
        return caller

    def _is_open(self, path: str, method: str) -> bool:
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return True
        return self.settings.auth.open_discovery and path == DISCOVERY and method in ("GET", "HEAD")


def _unauthorized() -> Response:
    return outcome(401, "not authorized", {"WWW-Authenticate": "Bearer"})


def _busy() -> Response:
    return outcome(503, "no token can be accepted now: try again later", {"Retry-After": _RETRY_SECONDS})
