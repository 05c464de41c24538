"""Run the service: find the port, start the workers, say when it is ready, stop cleanly."""

from __future__ import annotations

import functools
import http.client
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from cds.errors import CdsError
from cds.settings import Settings
from hooks.app import WorkerState
from hooks.logs import SERVER_LOGS, configure
from hooks.metrics import Metrics
from hooks.reload import Current, LoadSettings, Reloadable

READY_SECONDS = 30.0
_POLL_SECONDS = 0.05


class ServeError(CdsError):
    """The service cannot start: what is wrong, and what to do."""


def refuse(settings: Settings, host: str) -> None:
    """Raises ServeError for settings that must not meet real patients: asked at the start and at each reload."""
    if settings.today is not None and not is_loopback(host):
        raise ServeError(f"PSYCHMED_TODAY pins the date and is refused on {host}: unset it, or listen on 127.0.0.1")


def serve(settings: Settings, reload: LoadSettings | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests already accepted are answered first.

    reload: reads the settings again when SIGHUP asks for it; without it SIGHUP is ignored.
    Prints `psychmed listening on http://HOST:PORT` once a request would be answered.
    Raises ServeError when the address cannot be used or a pinned date could meet real patients.
    """
    refuse(settings, settings.host)
    port, holder = reserve_port(settings.host, settings.port)
    configure()
    # Workers add up what they counted through a folder that only this user can read.
    shared = tempfile.TemporaryDirectory(prefix="psychmed-") if settings.workers > 1 else None
    current = Current(settings, reload, Path(shared.name) if shared is not None else None)
    server = Granian(
        target="psychmed",
        address=settings.host,
        port=port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=SERVER_LOGS,
    )
    parent = os.getpid()

    def hangup(*_: object) -> None:
        if os.getpid() != parent:
            # A worker that is still starting has this handler until it has its own.
            current.early = True
        elif reload is not None:
            processes = [worker.inner for worker in server.wrks]
            workers = [pid for process in processes if (pid := getattr(process, "pid", None))]
            current.pass_on(workers, lambda new: refuse(new, settings.host))

    # The timer fires after the workers are forked: a thread that runs during a fork is asking for trouble.
    late = threading.Event()

    def announce() -> None:
        if _wait_until_ready(settings.host, port):
            # A worker that dies at start would die again; one that has served is replaced.
            server.respawn_failed_workers = True
        else:
            late.set()
            os.kill(os.getpid(), signal.SIGTERM)

    ready = threading.Timer(2 * _POLL_SECONDS, announce)
    ready.daemon = True
    server.on_startup(ready.start)
    # After granian has set its own handler, which would replace the workers.
    server.on_startup(lambda: signal.signal(signal.SIGHUP, hangup))
    try:
        server.serve(target_loader=functools.partial(load_app, current), wrap_loader=False)
    finally:
        ready.cancel()
        if shared is not None:
            shared.cleanup()
        if holder is not None:
            holder.close()
    if late.is_set():
        raise ServeError(f"the service was not ready after {READY_SECONDS:.0f} seconds")


def load_app(current: Current) -> Reloadable:
    """The application of one worker, made inside the worker: rules, engine and its child process are its own."""
    configure()
    try:
        return Reloadable(current, WorkerState(metrics=Metrics(current.folder)))
    except CdsError as error:
        print(f"psychmed cannot start: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reserve_port(host: str, port: int) -> tuple[int, socket.socket | None]:
    """Find out whether the port is free, or which one is, before the workers bind it.

    Returns the port and, where the system can share a bound port, a socket that keeps it from other programs
    until the workers have it. It never listens, so no connection goes to it.
    Raises ServeError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Without SO_REUSEPORT: with it, two services would share a port without noticing.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            found: int = probe.getsockname()[1]
        if not (sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")):
            return found, None
        holder = socket.socket(family, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, found))
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port}: {error.strerror}; choose another host or port") from None
    return found, holder


def _wait_until_ready(host: str, port: int) -> bool:
    """Print the address once the service answers there; False when it does not."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up:
        connection = http.client.HTTPConnection(reachable, port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                shown = f"[{host}]" if ":" in host else host
                print(f"psychmed listening on http://{shown}:{port}", flush=True)
                return True
        except OSError:
            time.sleep(_POLL_SECONDS)
        finally:
            connection.close()
    return False
