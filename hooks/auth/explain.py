"""Why a token is refused, check by check, for the administrator who holds it. The service itself tells nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cds.auth_settings import AuthClient
from hooks.auth.authenticator import Authenticator
from hooks.auth.checks import CHECKS, Situation, shown
from hooks.auth.keys import KeySource
from hooks.auth.token import ALGORITHMS, Token, TokenFormError, parse_token
from hooks.auth.verify import PublicKey, signed_with

State = Literal["passed", "failed", "not checked"]
_NAMES = ("form", "issuer", *(name for name, _ in CHECKS), "key", "signature", "replay")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a token: what came out, and what to do. Holds values of claims, never the token."""

    check: str
    state: State
    told: str = ""


async def explain(
    authenticator: Authenticator, text: str, endpoints: frozenset[str], now: float, *, fetch: bool = True
) -> list[Finding]:
    """Every check, also after the first that fails, in the service's order.

    endpoints: the address called, or all of ours; now: seconds since 1970; fetch: whether keys are read from a jku.
    The token is not used up.
    """
    try:
        token = parse_token(text)
    except TokenFormError as error:
        return _rest([Finding("form", "failed", str(error))])
    findings = [Finding("form", "passed", f"alg {token.algorithm}, kid {shown(token.key_id)}")]
    found = authenticator.client_of(token)
    if found is None:
        known = ", ".join(c.issuer for c in authenticator.auth.clients.values()) or "none: auth.clients is empty"
        told = f"iss is {shown(token.claims.get('iss'))}; issuers of the clients: {known}"
        return _rest([*findings, Finding("issuer", "failed", told)])
    name, client = found
    findings.append(Finding("issuer", "passed", f"client {name}"))
    situation = Situation(endpoints, now, authenticator.auth.clock_skew_seconds)
    for check_name, check in CHECKS:
        problem = check(token, client, situation)
        findings.append(Finding(check_name, "passed" if problem is None else "failed", problem or ""))
    findings.extend(await _key_and_signature(authenticator, name, client, token, fetch=fetch))
    findings.append(_replay(authenticator, client, token))
    return findings


def _rest(findings: list[Finding]) -> list[Finding]:
    return [*findings, *(Finding(name, "not checked") for name in _NAMES[len(findings) :])]


async def _key_and_signature(
    authenticator: Authenticator, name: str, client: AuthClient, token: Token, *, fetch: bool
) -> list[Finding]:
    del client
    ring = authenticator.rings[name]
    sources = [source for source in ring.sources(token) if fetch or source is ring.file]
    if not sources:
        reason = "no listed source of keys for it (see jku)" if fetch else "keys of a jku are not read offline"
        return [Finding("key", "failed" if fetch else "not checked", reason), Finding("signature", "not checked")]
    keys: tuple[PublicKey, ...] = ()
    for source in sources:
        keys = await source.find(token.key_id, token.algorithm)
        if keys:
            break
    if not keys:
        others = [await _for_other_algorithm(source, token) for source in sources]
        told = "; ".join(_about(source, other) for source, other in zip(sources, others, strict=True))
        return [Finding("key", "failed", told), Finding("signature", "not checked")]
    signed = signed_with(token, keys)
    problem = "" if signed else "made with another key than the one with this kid, or the token was changed"
    return [Finding("key", "passed", source.name), Finding("signature", "passed" if signed else "failed", problem)]


async def _for_other_algorithm(source: KeySource, token: Token) -> str | None:
    for algorithm in sorted(ALGORITHMS - {token.algorithm}):
        if await source.find(token.key_id, algorithm):
            return algorithm
    return None


def _about(source: KeySource, other: str | None) -> str:
    if source.problem is not None:
        return f"{source.name}: {source.problem}"
    if other is not None:
        return f"{source.name}: the key with this kid is for {other}"
    kids = ", ".join(shown(kid) for kid in source.known[:10]) or "none"
    return (
        f"{source.name}: no key with this kid; usable kids: {kids} (not usable: without kid, for encryption, "
        "RSA under 2048 bits, other curves than P-384)"
    )


def _replay(authenticator: Authenticator, client: AuthClient, token: Token) -> Finding:
    jti = token.claims.get("jti")
    if authenticator.auth.replay_file is None or not isinstance(jti, str):
        return Finding("replay", "not checked", "used tokens are in the memory of the running service")
    if authenticator.replay.was_used(client.issuer, jti):
        return Finding("replay", "failed", "a token with this jti was used: a client makes a new one for each request")
    return Finding("replay", "passed")
