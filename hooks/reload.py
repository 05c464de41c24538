"""New settings without a restart: a worker builds a second application beside the one that serves, then exchanges them.

granian would answer SIGHUP with new worker processes. Those lose what the old ones remember, and connections that wait
in the queue of a worker that is replaced are reset. Here no socket is touched: requests that have begun end in the
application they began in, later ones go to the new one, and a file that will not do changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from cds.errors import CdsError
from cds.settings import Settings
from hooks.app import WorkerState, build_app

if TYPE_CHECKING:
    from starlette.applications import Starlette

log = logging.getLogger("psychmed.settings")

# Bound when the service starts, so that a reload cannot change them.
FIXED = ("host", "port", "workers")
LoadSettings = Callable[[], Settings]


@dataclass(slots=True)
class _Inside:
    """One application while it serves. busy: requests that run in it."""

    app: Starlette
    life: Any
    busy: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Reloadable:
    """An ASGI application whose inside is built anew on SIGHUP.

    current: the settings to begin with, and how to read them as they are written now.
    """

    def __init__(self, current: Current, state: WorkerState) -> None:
        """Build the first inside. Raises CdsError."""
        self.settings = settings = current.settings
        self._current = current
        self._load = current.load
        self._state = state
        self._first: Starlette | None = build_app(settings, state=state)
        self._inside: _Inside | None = None
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        inside = self._inside
        assert inside is not None
        inside.busy += 1
        try:
            await inside.app(scope, receive, send)
        finally:
            inside.busy -= 1
            if not inside.busy:
                inside.idle.set()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        assert self._first is not None
        self._inside = await _enter(self._first)
        self._first = None
        loop = asyncio.get_running_loop()
        if self._load is not None:
            loop.add_signal_handler(signal.SIGHUP, self._asked)
            if self._current.early:
                self._asked()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._load is not None:
            loop.remove_signal_handler(signal.SIGHUP)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._inside.life.__aexit__(None, None, None)
        self._state.metrics.save()
        await send({"type": "lifespan.shutdown.complete"})

    def _asked(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self) -> bool:
        """Exchange the inside; whether it was done. A setting that will not do is logged, and the old ones stay."""
        assert self._load is not None
        async with self._one_at_a_time:
            try:
                # In a thread, so that requests are answered meanwhile.
                settings = await asyncio.to_thread(self._load)
                app = await asyncio.to_thread(build_app, settings, None, self._state)
                new = await _enter(app)
            except CdsError as error:
                log.error("settings not reloaded, the old ones stay: %s", error)
                self._counted("refused")
                return False
            except Exception as error:
                log.error("settings not reloaded, the old ones stay: %s", type(error).__name__)
                self._counted("refused")
                return False
            old, self._inside, self.settings = self._inside, new, settings
            self._counted("done")
            log.info("settings reloaded")
            assert old is not None
            while old.busy:
                old.idle.clear()
                await old.idle.wait()
            await old.life.__aexit__(None, None, None)
            return True

    def _counted(self, result: str) -> None:
        self._state.metrics.count("psychmed_settings_reloads_total", result)
        self._state.metrics.save()


async def _enter(app: Starlette) -> _Inside:
    life = app.router.lifespan_context(app)
    await life.__aenter__()
    return _Inside(app, life)


@dataclass(slots=True)
class Current:
    """The settings that the service runs on, in the process that watches over the workers.

    started: those of the start; address and number of workers stay what they were there.
    folder: where workers share what they counted; None with a single worker.
    early: set in a worker that was asked to reload while it was still starting.
    """

    started: Settings
    load: LoadSettings | None
    folder: Path | None = None
    early: bool = False
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = self.started

    def pass_on(self, workers: Iterable[int], refuse: Callable[[Settings], None]) -> None:
        """On SIGHUP: read the settings once, and let every worker do the same when they will do.

        workers: their process ids. refuse: raises CdsError for settings that this service must not run on.
        """
        assert self.load is not None
        try:
            settings = self.load()
            refuse(settings)
        except CdsError as error:
            log.error("settings not reloaded, the old ones stay: %s", error)
            return
        fixed = [name for name in FIXED if getattr(settings, name) != getattr(self.started, name)]
        if fixed:
            log.warning("settings that need a restart stay as they were: %s", ", ".join(fixed))
        # A worker that is started later begins with these.
        self.settings = settings
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)
