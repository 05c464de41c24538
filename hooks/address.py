"""Where clients reach the service."""

from __future__ import annotations

from typing import Any

from cds.settings import Settings


def base_url(settings: Settings, scope: Any) -> str | None:
    """The address in front of every path: as the site says, else our own loopback address; never what a header claims.

    scope: of the ASGI request.
    """
    if settings.base_url is not None:
        return settings.base_url
    host, port = scope.get("server") or ("", None)
    return f"http://{host}:{port}" if host in {"127.0.0.1", "localhost"} and port else None
