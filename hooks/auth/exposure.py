"""Whether the service may start where it is told to listen: with JWT checking, on loopback, or `--insecure`."""

from __future__ import annotations

import logging

from cds.addresses import is_loopback
from cds.errors import CdsError
from cds.settings import Settings

log = logging.getLogger("psychmed.hooks.auth")


class ExposureError(CdsError):
    """The service would answer strangers, or refuse everybody: what to set."""


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Check the settings before the workers start.

    insecure: the administrator asked for a service that answers everyone who reaches it.
    Raises ExposureError; KeysError and ReplayError when a file that `auth` names cannot be used.
    """
    auth = settings.auth
    loopback = is_loopback(settings.host)
    if not auth.clients:
        if loopback:
            return
        if not insecure:
            raise ExposureError(
                f"nobody is asked for a token on {settings.host}: list the clients under auth (docs/security.md), "
                "listen on 127.0.0.1, or start with --insecure"
            )
        log.warning("--insecure: everyone who reaches %s is answered, and no token is checked", settings.host)
        return
    if insecure:
        raise ExposureError("--insecure and clients under auth contradict each other: drop one of them")
    if settings.base_url is None and not loopback:
        nameless = [name for name, client in auth.clients.items() if not client.audience]
        if nameless:
            raise ExposureError(
                f"no audience can be accepted from {', '.join(nameless)}: set base_url to the address that clients "
                "call, or audience of the client"
            )
    from hooks.auth.authenticator import Authenticator

    Authenticator(auth).replay.close()
