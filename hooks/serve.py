"""Run the service: find the port, start the workers, say when it is ready, stop cleanly."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from cds.addresses import is_loopback
from cds.errors import CdsError
from cds.settings import Settings
from hooks.app import WorkerState
from hooks.auth.exposure import check_exposure
from hooks.auth.replay import ReplayStore
from hooks.logs import SERVER_LOGS, configure
from hooks.metrics import Metrics
from hooks.reload import Current, LoadSettings, Reloadable

READY_SECONDS = 30.0
_POLL_SECONDS = 0.05


class ServeError(CdsError):
    """The service cannot start: what is wrong, and what to do."""


def refuse(settings: Settings, host: str, *, insecure: bool) -> None:
    """Raises CdsError for settings that must not meet real patients: asked at the start and at each reload."""
    if settings.today is not None and not is_loopback(host):
        raise ServeError(f"PSYCHMED_TODAY pins the date and is refused on {host}: unset it, or listen on 127.0.0.1")
    check_exposure(settings.model_copy(update={"host": host}), insecure=insecure)


def serve(settings: Settings, reload: LoadSettings | None = None, *, insecure: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; requests already accepted are answered first.

    reload: reads the settings again when SIGHUP asks for it; without it SIGHUP is ignored.
    Prints `psychmed listening on http://HOST:PORT` once a request would be answered.
    insecure: answer without JWT checking where others can reach the service.
    Raises ServeError when the address cannot be used or a pinned date could meet real patients, ExposureError when
    strangers could be answered, KeysError and ReplayError when a file that `auth` names cannot be used.
    """
    configure()
    refuse(settings, settings.host, insecure=insecure)
    with shared_replay(settings) as shared:
        _serve(shared, reload, insecure=insecure)


def _serve(settings: Settings, reload: LoadSettings | None, *, insecure: bool) -> None:
    port, holder = reserve_port(settings.host, settings.port)
    # Workers add up what they counted through a folder that only this user can read.
    shared = tempfile.TemporaryDirectory(prefix="psychmed-") if settings.workers > 1 else None
    folder = Path(shared.name) if shared is not None else None
    load = functools.partial(_reloaded, reload, settings, folder) if reload is not None else None
    current = Current(settings, load, folder)
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
            current.pass_on(workers, lambda new: refuse(new, settings.host, insecure=insecure))

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


def _reloaded(load: LoadSettings, started: Settings, folder: Path | None) -> Settings:
    """The settings of now, with the file of used tokens that the workers share, as `shared_replay` has it."""
    settings = load()
    if folder is None or not settings.auth.clients or settings.auth.replay_file is not None:
        return settings
    used = started.auth.replay_file or folder / "used-tokens.sqlite"
    if not used.exists():
        # The parent of the workers comes here before they do.
        ReplayStore(used, settings.auth.replay_entries).close()
    return settings.model_copy(update={"auth": settings.auth.model_copy(update={"replay_file": used})})


@contextlib.contextmanager
def shared_replay(settings: Settings) -> Iterator[Settings]:
    """The settings with a file for used tokens when several workers must know of each other's."""
    if settings.workers == 1 or not settings.auth.clients or settings.auth.replay_file is not None:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="psychmed-") as folder:
        auth = settings.auth.model_copy(update={"replay_file": Path(folder) / "used-tokens.sqlite"})
        # Made here, so that the workers do not make it at the same moment.
        ReplayStore(auth.replay_file, auth.replay_entries).close()
        yield settings.model_copy(update={"auth": auth})


def load_app(current: Current) -> Reloadable:
    """The application of one worker, made inside the worker: rules, engine and its child process are its own."""
    configure()
    try:
        return Reloadable(current, WorkerState(metrics=Metrics(current.folder)))
    except CdsError as error:
        print(f"psychmed cannot start: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


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
