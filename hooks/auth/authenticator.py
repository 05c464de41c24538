"""From the Authorization header of a request to the client that sent it, or a refusal whose reason stays here."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cds.auth_settings import AuthClient, AuthSettings
from cds.errors import CdsError
from hooks.auth.checks import CHECKS, Situation
from hooks.auth.fetch import KeysError
from hooks.auth.keys import Clock, KeyRing, key_ring
from hooks.auth.replay import ReplayStore
from hooks.auth.token import Token, TokenFormError, bearer, parse_token
from hooks.auth.verify import StandIn, signed_with

log = logging.getLogger("psychmed.hooks.auth")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: the site's name of the client, and what its token says that may be logged."""

    client: str
    issuer: str
    tenant: str | None
    token_id: str


@dataclass(slots=True)
class Refused(CdsError):
    """Why a request is not let in. For the log; the answer is the same for every reason.

    reason: form, issuer, key, signature, replay, or the name of a check. client: None until the issuer is known.
    """

    reason: str
    client: str | None = None

    def __str__(self) -> str:
        return f"{self.reason} (client {self.client or 'unknown'})"


class Authenticator:
    """The clients of a site with their keys, and the tokens that were used.

    replay: the tokens used so far, from before a reload of the settings.
    Raises KeysError or ReplayError when a file of the settings cannot be used.
    """

    def __init__(self, auth: AuthSettings, clock: Clock = time.monotonic, replay: ReplayStore | None = None) -> None:
        if auth.ca_file is not None and not auth.ca_file.is_file():
            raise KeysError(f"ca_file: there is no file {auth.ca_file}")
        self.auth = auth
        self.rings: dict[str, KeyRing] = {
            name: key_ring(name, client, auth, clock) for name, client in auth.clients.items()
        }
        self.replay = replay or ReplayStore(auth.replay_file, auth.replay_entries)
        self._by_issuer = {client.issuer: name for name, client in auth.clients.items()}
        self._stand_in = StandIn()

    def client_of(self, token: Token) -> tuple[str, AuthClient] | None:
        """The client with the token's issuer, its name first."""
        issuer = token.claims.get("iss")
        name = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        return None if name is None else (name, self.auth.clients[name])

    async def authenticate(self, authorization: Sequence[str], endpoint: str | None, now: float) -> Caller:
        """Let a request in.

        authorization: every Authorization header; endpoint: the address called, None when the site did not say it;
        now: seconds since 1970. In this order: form, issuer, audience, times, subject, tenant, algorithm, jku,
        signature, jti. What depends on the settings costs a signature check even when it fails before.
        Raises Refused; ReplayError when it cannot be said whether the token was used.
        """
        try:
            token = parse_token(bearer(authorization))
        except TokenFormError:
            raise Refused("form") from None
        found = self.client_of(token)
        if found is None:
            self._stand_in.check(token)
            raise Refused("issuer")
        name, client = found
        endpoints = frozenset() if endpoint is None else frozenset({endpoint})
        situation = Situation(endpoints, now, self.auth.clock_skew_seconds)
        for reason, check in CHECKS:
            if check(token, client, situation) is not None:
                self._stand_in.check(token)
                raise Refused(reason, name)
        keys = await self.rings[name].find(token)
        if not keys:
            self._stand_in.check(token)
            raise Refused("key", name)
        if not signed_with(token, keys):
            raise Refused("signature", name)
        token_id = str(token.claims["jti"])
        until = float(token.claims["exp"]) + self.auth.clock_skew_seconds
        if not self.replay.first_use(client.issuer, token_id, until=until, now=now):
            raise Refused("replay", name)
        return Caller(name, client.issuer, token.claims.get("tenant"), token_id)
