"""One GET of a FHIR server, held to an allowance of time and bytes that all reads of a call share.

The name of a host is resolved once for each connection, and the connection goes to the very address that the guard
saw: a name that changes its mind between check and use changes nothing. Redirects are not followed at all. Proxies,
.netrc and cookies are not used: each could carry a token where it does not belong.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from hooks.reads.guard import Guard, NotAllowed

# Its lines quote whole addresses, and those hold the patient's id.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

_CHUNK: Final = 16 * 1024
_SHORTEST_WAIT: Final = 0.01
_HEADERS: Final = {
    "Accept": "application/fhir+json",
    # A compressed answer could be a thousand times larger than what was counted.
    "Accept-Encoding": "identity",
    "User-Agent": "psychmed-cds",
}
_now = time.monotonic


class NoAnswer(Exception):
    """A read that failed; the message names the kind of failure and nothing of the address or the answer.

    status: of HTTP; 0 when there was none.
    """

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class Allowance:
    """Time and bytes that the reads of one call may still use. deadline: on the monotonic clock."""

    def __init__(self, deadline: float, most_bytes: int) -> None:
        self._deadline = deadline
        self._bytes = most_bytes
        self._lock = threading.Lock()
        self._watched: set[socket.socket] = set()
        self._stopped = False

    def seconds(self) -> float:
        """Time left; raises NoAnswer when there is none."""
        left = self._deadline - _now()
        if self._stopped or left <= 0:
            raise NoAnswer("not in time")
        return left

    def spend(self, count: int) -> None:
        """Count bytes that arrived, or that a server announces; raises NoAnswer when they are too many."""
        with self._lock:
            self._bytes -= count
            if self._bytes < 0:
                raise NoAnswer("too many bytes")

    def stop(self) -> None:
        """End the reads still under way: a server that sends a byte a second would hold its thread for hours."""
        with self._lock:
            self._stopped = True
            for handle in self._watched:
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def during(self) -> Iterator[None]:
        """While a thread reads on this allowance."""
        _current.allowance = self
        _current.handles = set()
        try:
            yield
        finally:
            with self._lock:
                self._watched -= _current.handles
                for handle in _current.handles:
                    handle.close()
            _current.allowance = None

    def watch(self, connection: socket.socket) -> None:
        """Know a connection of the current thread, so that `stop` can end it.

        By a second handle of our own: TLS takes the first one away, and a connection that is not kept alive is closed
        by name while its answer is still being read.
        """
        handle = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if self._stopped:
                handle.close()
                raise NoAnswer("not in time")
            self._watched.add(handle)
            _current.handles.add(handle)


class _Current(threading.local):
    allowance: Allowance | None = None
    handles: set[socket.socket]


_current = _Current()


class FhirClient:
    """GETs with pooled connections; one for a worker process, used by many threads."""

    def __init__(self, guard: Guard, *, threads: int, ca_file: Path | None = None) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(ca_file) if ca_file is not None else True
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        adapter = _GuardedAdapter(guard, threads)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def get(self, url: str, token: str, allowance: Allowance) -> bytes:
        """The body of a 200. Raises NoAnswer for everything else."""
        with allowance.during():
            try:
                return self._get(url, token, allowance)
            except NoAnswer:
                raise
            except Exception as error:
                # The text of the error holds the address.
                allowance.seconds()
                raise NoAnswer(type(error).__name__) from None

    def _get(self, url: str, token: str, allowance: Allowance) -> bytes:
        wait = max(allowance.seconds(), _SHORTEST_WAIT)
        headers = {**_HEADERS, "Authorization": f"Bearer {token}"}
        with self._session.get(url, headers=headers, timeout=wait, stream=True, allow_redirects=False) as response:
            if response.status_code != 200:
                raise NoAnswer(f"HTTP {response.status_code}", status=response.status_code)
            if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise NoAnswer("a compressed answer")
            chunks: list[bytes] = []
            for chunk in response.iter_content(_CHUNK):
                allowance.spend(len(chunk))
                chunks.append(chunk)
            return b"".join(chunks)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: Guard, threads: int) -> None:
        self._guard = guard
        super().__init__(pool_connections=16, pool_maxsize=threads, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._guard)


def _guarded_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections go only where the guard says. urllib3 makes them from classes, hence closures."""

    class Guarded(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            host = self.host.strip("[]")
            try:
                found = guard.addresses(host, self.port or 0)
            except NotAllowed as error:
                raise NewConnectionError(self, str(error)) from None
            except OSError:
                raise NewConnectionError(self, "no such name") from None
            made = self._connect(found)
            if _current.allowance is not None:
                _current.allowance.watch(made)
            return made

        def _connect(self, addresses: list[str]) -> socket.socket:
            problem: OSError | None = None
            for address in addresses:
                wait = _current.allowance.seconds() if _current.allowance is not None else 1.0
                try:
                    made = socket.create_connection((address, self.port), timeout=max(wait, _SHORTEST_WAIT))
                except OSError as error:
                    problem = error
                else:
                    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return made
            raise NewConnectionError(self, type(problem).__name__)

        def request(self, *arguments: Any, **options: Any) -> None:
            if _current.allowance is not None and self.sock is not None:  # a pooled connection that another call made
                _current.allowance.watch(self.sock)
            super().request(*arguments, **options)

    class GuardedTls(Guarded, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Guarded

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTls

    return {"http": Pool, "https": TlsPool}
