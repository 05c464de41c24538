"""The claims of a token against what the site says of its client.

Each check returns None, or for an administrator what is wrong and what to change. Values of the token are shortened
and made printable first: they are whatever the sender wrote. Nothing here is a secret, so no comparison needs constant
time.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cds.auth_settings import AuthClient
from hooks.auth.token import LONGEST_NAME, Token

_LONGEST_SHOWN = 120
_MILLISECONDS = 10_000_000_000  # in seconds this is the year 2286


@dataclass(frozen=True, slots=True)
class Situation:
    """What the token must fit. endpoints: addresses that count as the one called; now: seconds since 1970."""

    endpoints: frozenset[str]
    now: float
    skew: int


Check = Callable[[Token, AuthClient, Situation], str | None]


def shown(value: object) -> str:
    """A value of the token as one short printable text."""
    text = value if isinstance(value, str) else repr(value)
    line = "".join(c if c.isprintable() else "?" for c in text[: _LONGEST_SHOWN + 1])
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…"


def audience(token: Token, client: AuthClient, at: Situation) -> str | None:
    """`aud` is, or is an array with, the address called or one that the site accepts from this client."""
    claim = token.claims.get("aud")
    given = claim if isinstance(claim, list) else [claim]
    values = [value for value in given if isinstance(value, str) and value]
    if not values or len(values) != len(given):
        return "aud is missing, or no text and no array of texts"
    accepted = at.endpoints | frozenset(client.audience)
    if accepted.isdisjoint(values):
        wanted = ", ".join(sorted(accepted)) or "none: set base_url, or audience of the client"
        return f"aud is {shown(', '.join(values))}; accepted: {wanted}"
    return None


def times(token: Token, client: AuthClient, at: Situation) -> str | None:
    """`exp` and `iat` are there, `nbf` may be; the token is valid now and not for longer than the client may say."""
    values: dict[str, float] = {}
    for name in ("iat", "exp", "nbf"):
        claim = token.claims.get(name)
        if claim is None and name == "nbf" and name not in token.claims:
            continue
        if isinstance(claim, bool) or not isinstance(claim, int | float) or not math.isfinite(claim):
            return f"{name} is missing or no number"
        if claim >= _MILLISECONDS:
            return f"{name} lies after the year 2286: milliseconds instead of seconds?"
        values[name] = claim
    issued, expires = values["iat"], values["exp"]
    clock = f"it is {_moment(at.now)} here, {at.skew} s of skew are allowed"
    if at.now >= expires + at.skew:
        return f"expired at {_moment(expires)}; {clock}"
    if issued > at.now + at.skew:
        return f"iat is {_moment(issued)}, in the future; {clock}"
    if values.get("nbf", issued) > at.now + at.skew:
        return f"not valid before {_moment(values['nbf'])}; {clock}"
    if expires <= issued:
        return "exp is not after iat"
    if expires - issued > client.max_lifetime_seconds:
        return f"valid for {expires - issued:.0f} s; max_lifetime_seconds is {client.max_lifetime_seconds}"
    return None


def subject(token: Token, client: AuthClient, at: Situation) -> str | None:
    """`sub` is one of the client's, where the site lists them."""
    del at
    return _listed("sub", token.claims.get("sub"), client.subject, "subject")


def tenant(token: Token, client: AuthClient, at: Situation) -> str | None:
    """`tenant` is one of the client's, where the site lists them; where it is given it is a text."""
    del at
    claim = token.claims.get("tenant")
    if claim is not None and not isinstance(claim, str):
        return "tenant is no text"
    return _listed("tenant", claim, client.tenants, "tenants")


def algorithm(token: Token, client: AuthClient, at: Situation) -> str | None:
    """The algorithm is one that the site allows this client."""
    del at
    if token.algorithm not in client.algorithms:
        return f"alg is {token.algorithm}; algorithms of the client: {', '.join(client.algorithms)}"
    return None


def key_address(token: Token, client: AuthClient, at: Situation) -> str | None:
    """A `jku` is on the client's list. A client without a list has its keys in a file, and its jku is never used."""
    del at
    claim = token.header.get("jku")
    if claim is None or not client.jku:
        return None
    if claim not in client.jku:
        return f"jku is {shown(claim)}; jku of the client: {', '.join(client.jku)}"
    return None


def token_id(token: Token, client: AuthClient, at: Situation) -> str | None:
    """`jti` is there, so that the token can be refused the second time."""
    del client, at
    claim = token.claims.get("jti")
    if not isinstance(claim, str) or not 0 < len(claim) <= LONGEST_NAME:
        return f"jti is missing, or no text of 1 to {LONGEST_NAME} characters"
    return None


# In this order, after the issuer and before the signature.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("audience", audience),
    ("times", times),
    ("subject", subject),
    ("tenant", tenant),
    ("algorithm", algorithm),
    ("jku", key_address),
    ("jti", token_id),
)


def _listed(name: str, claim: Any, accepted: tuple[str, ...], setting: str) -> str | None:
    if not accepted or claim in accepted:
        return None
    if claim is None:
        return f"{name} is missing; {setting} of the client: {', '.join(accepted)}"
    return f"{name} is {shown(claim)}; {setting} of the client: {', '.join(accepted)}"


def _moment(seconds: float) -> str:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"
