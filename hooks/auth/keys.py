"""A client's keys: cached, fetched again when old or when a kid is unknown, at a bounded rate, one fetch at a time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cds.auth_settings import AuthClient, AuthSettings
from hooks.auth.fetch import KeysError, fetch_jwks, read_jwks_file
from hooks.auth.token import Token
from hooks.auth.verify import Keys, PublicKey, read_keys

log = logging.getLogger("psychmed.hooks.auth")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Seconds: keys older than `fresh` are fetched again while they serve, older than `keep` they serve no more."""

    fresh: float
    keep: float
    refetch: float
    timeout: float


class KeySource:
    """The keys at one address or in one file.

    clock: seconds that never go back. Used from one event loop; a load runs in a thread of its own, which a server
    that never ends its answer can hold, but only one, and nobody waits for it longer than the timeout.
    """

    def __init__(self, name: str, load: Callable[[], bytes], limits: KeyLimits, clock: Clock = time.monotonic) -> None:
        self.name = name
        self.problem: str | None = None
        self._load = load
        self._limits = limits
        self._clock = clock
        self._keys: Keys = {}
        self._loaded_at = -float("inf")
        self._attempted_at = -float("inf")
        self._running: asyncio.Future[None] | None = None

    def load_now(self) -> Keys:
        """Load in the caller's thread, for the start of the service. Raises KeysError."""
        self._attempted_at = self._clock()
        self._keys = read_keys(self._load())
        self._loaded_at = self._attempted_at
        return self._keys

    async def find(self, key_id: str, algorithm: str) -> tuple[PublicKey, ...]:
        """The keys with this kid for this algorithm; none when the source, asked again if it may be, has none."""
        age = self._clock() - self._loaded_at
        if age > self._limits.keep:
            # Keys that could not be confirmed for so long may have been withdrawn.
            self._keys = {}
        place = (key_id, algorithm)
        if place not in self._keys:
            await self._refresh()
        elif age > self._limits.fresh:
            self._start()
        return self._keys.get(place, ())

    def has(self, key_id: str, algorithm: str) -> bool:
        """Whether the key is known without asking; it may be too old."""
        return (key_id, algorithm) in self._keys

    @property
    def known(self) -> tuple[str, ...]:
        """The kids that are known, for an administrator."""
        return tuple(dict.fromkeys(key_id for key_id, _ in self._keys))

    async def _refresh(self) -> None:
        running = self._start()
        if running is None:
            return
        left = self._attempted_at + self._limits.timeout - self._clock()
        await asyncio.wait({running}, timeout=max(left, 0))
        if not running.done():
            self.problem = f"no answer within {self._limits.timeout:g} s"

    def _start(self) -> asyncio.Future[None] | None:
        """The load that runs, or a new one; None when the last one was too short a time ago."""
        if self._running is not None:
            return self._running
        now = self._clock()
        if now - self._attempted_at < self._limits.refetch:
            return None
        self._attempted_at = now
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish(keys: Keys | None, problem: str | None) -> None:
            self._running = None
            self.problem = problem
            if keys is not None:
                self._keys = keys
                self._loaded_at = self._clock()
            else:
                log.warning("keys of %s could not be read: %s", self.name, problem)
            if not done.done():
                done.set_result(None)

        def work() -> None:
            keys, problem = None, None
            try:
                keys = read_keys(self._load())
            except KeysError as error:
                problem = str(error)
            except Exception as error:
                # Without this a defect here would leave the source loading for ever.
                problem = type(error).__name__
            # The loop may be gone: the service stopped while the server let us wait.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, keys, problem)

        threading.Thread(target=work, name="psychmed-keys", daemon=True).start()
        # Only once the thread has started; `finish` cannot have run, for it runs in this loop.
        self._running = done
        return done


class KeyRing:
    """Every source of keys that the site lists for one client."""

    def __init__(self, file: KeySource | None, addresses: dict[str, KeySource]) -> None:
        self.file = file
        self.addresses = addresses

    def sources(self, token: Token) -> tuple[KeySource, ...]:
        """Where the key of a token may come from.

        A token with a `jku` names its source among the listed ones; without one all of them count, for the site knows
        them without being told. The file counts always.
        """
        named = token.header.get("jku")
        if named is None or not self.addresses:
            listed = tuple(self.addresses.values())
        else:
            listed = (self.addresses[named],) if named in self.addresses else ()
        return listed if self.file is None else (self.file, *listed)

    async def find(self, token: Token) -> tuple[PublicKey, ...]:
        """The keys of the first source that has any for the token; sources that must be asked are asked together."""
        sources = self.sources(token)
        for source in sources:
            if source.has(token.key_id, token.algorithm) and (keys := await source.find(token.key_id, token.algorithm)):
                return keys
        found = await asyncio.gather(*(source.find(token.key_id, token.algorithm) for source in sources))
        return next((keys for keys in found if keys), ())


def key_ring(name: str, client: AuthClient, auth: AuthSettings, clock: Clock = time.monotonic) -> KeyRing:
    """The sources of one client. Raises KeysError when its file cannot be read or holds no key that could be used."""
    limits = KeyLimits(
        auth.keys_fresh_seconds, auth.keys_keep_seconds, auth.keys_refetch_seconds, auth.keys_timeout_seconds
    )
    file = None
    if client.jwks_file is not None:
        file = KeySource(
            f"client {name} (jwks_file)", functools.partial(read_jwks_file, client.jwks_file), limits, clock
        )
        try:
            keys = file.load_now()
        except KeysError as error:
            raise KeysError(f"jwks_file of client {name}: {error}") from None
        if not any(algorithm in client.algorithms for _, algorithm in keys):
            wanted = ", ".join(client.algorithms)
            raise KeysError(f"jwks_file of client {name}: {client.jwks_file} has no key with a kid for {wanted}")
    addresses = {
        url: KeySource(
            f"client {name} ({url})",
            functools.partial(fetch_jwks, url, seconds=auth.keys_timeout_seconds, ca_file=auth.ca_file),
            limits,
            clock,
        )
        for url in client.jku
    }
    return KeyRing(file, addresses)
