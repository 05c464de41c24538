"""`psychmed jwt-check`: why the service refuses a client's token, check by check."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer

from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.settings import Settings


def jwt_check(
    token: Annotated[str, typer.Argument(help="the JWT, or - to read it from standard input (kept out of ps)")],
    *,
    settings: Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="the address the client called; default: any address of ours")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="when it was sent, as 2026-03-02T10:00:00Z; default: now")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="do not fetch keys from a jku")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Say why a client's JWT is refused, check by check. The token is neither printed nor used up."""
    from cds.settings import load_settings
    from hooks.auth.authenticator import Authenticator
    from hooks.auth.explain import explain
    from hooks.clock import seconds_now

    try:
        now = seconds_now() if at is None else _moment(at)
        chosen = load_settings(settings)
        if not chosen.auth.clients:
            raise CdsError("the settings list no client under auth: no token is checked (docs/security.md)")
        text = _bare(sys.stdin.read(100_000) if token == "-" else token)
        endpoints = frozenset({url}) if url is not None else _endpoints(chosen)
        authenticator = Authenticator(chosen.auth)
        findings = asyncio.run(explain(authenticator, text, endpoints, now, fetch=not offline))
    except CdsError as error:
        typer.echo(f"psychmed: {error}", err=True)
        raise typer.Exit(2) from None
    authenticator.replay.close()
    failed = [finding for finding in findings if finding.state == "failed"]
    undecided = any(f.check in ("key", "signature") and f.state == "not checked" for f in findings)
    verdict = "refused" if failed else "undecided" if undecided else "accepted"
    if output == "json":
        rows = [{"check": f.check, "state": f.state, "told": f.told} for f in findings]
        typer.echo(orjson.dumps({"verdict": verdict, "checks": rows}, option=orjson.OPT_INDENT_2).decode())
    else:
        for finding in findings:
            typer.echo(f"{finding.check:<10} {finding.state:<12} {finding.told}".rstrip())
        first = f" (the service stops at {failed[0].check})" if failed else ""
        typer.echo(f"{verdict}{first}")
    raise typer.Exit(0 if verdict == "accepted" else 1)


def _bare(text: str) -> str:
    """The token of what was copied: a whole header line, or with the scheme, or alone."""
    text = text.strip()
    for prefix in ("authorization:", "bearer "):
        if text.lower().startswith(prefix):
            text = text[len(prefix) :].strip()
    return text


def _endpoints(settings: Settings) -> frozenset[str]:
    from cds.addresses import is_loopback
    from hooks.auth.middleware import DISCOVERY
    from hooks.discovery import BY_ID

    if settings.base_url is not None:
        base = settings.base_url
    elif is_loopback(settings.host):
        base = f"http://{settings.host}:{settings.port}"
    else:
        return frozenset()
    services = [f"{base}{DISCOVERY}/{service}" for service in BY_ID]
    return frozenset({base + DISCOVERY, *services, *(f"{service}/feedback" for service in services)})


def _moment(text: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CdsError("--at: write a moment as 2026-03-02T10:00:00Z") from None
    if moment.tzinfo is None:
        raise CdsError("--at: the moment needs its zone, as 2026-03-02T10:00:00Z")
    return moment.timestamp()
