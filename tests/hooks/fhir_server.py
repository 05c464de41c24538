"""A FHIR server of our own on 127.0.0.1 that can fail in every way a real one does. It stops with its `with` block."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BASE = "/fhir"
SLOW_SECONDS = 0.15  # late, and still in time


@dataclass
class Asked:
    """One request that arrived: its path below the base with the query, and its headers in lower case."""

    path: str
    headers: dict[str, str]


@dataclass
class FhirServer:
    """What the server holds and how it behaves.

    resources: by type, then by id. page_size: entries of one page. behave: what to do for a type instead of answering;
    `behave_later` from the second page on. asked: everything that arrived, wherever it was sent.
    """

    port: int = 0
    scheme: str = "http"
    resources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    page_size: int = 100
    with_total: bool = True
    behave: dict[str, str] = field(default_factory=dict)
    behave_later: dict[str, str] = field(default_factory=dict)
    elsewhere: str = "http://127.0.0.1:1/fhir"
    asked: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The base, as a client would name it in fhirServer."""
        return f"{self.scheme}://127.0.0.1:{self.port}{BASE}"

    def reset(self) -> None:
        """An empty server that behaves."""
        self.resources, self.behave, self.behave_later, self.page_size = {}, {}, {}, 100
        self.with_total = True
        self.asked.clear()

    def add(self, *resources: dict[str, Any]) -> None:
        """Hold resources."""
        for resource in resources:
            self.resources.setdefault(resource["resourceType"], {})[resource["id"]] = resource

    def asked_for(self, resource_type: str) -> list[Asked]:
        """The requests for a type."""
        return [asked for asked in self.asked if asked.path.strip("/").split("/")[0].split("?")[0] == resource_type]

    def page(self, resource_type: str, offset: int = 0) -> dict[str, Any]:
        """A page of the search for a type, as the server answers it and as a client would prefetch it."""
        held = list(self.resources.get(resource_type, {}).values())
        shown = held[offset : offset + self.page_size]
        bundle: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [{"relation": "self", "url": f"{self.url}/{resource_type}"}],
            "entry": [{"resource": resource, "search": {"mode": "match"}} for resource in shown],
        }
        if self.with_total:
            bundle["total"] = len(held)
        if offset + self.page_size < len(held):
            following = f"{self.url}/{resource_type}?_offset={offset + self.page_size}"
            bundle["link"].append({"relation": "next", "url": following})
        return bundle


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    fhir: FhirServer

    def do_GET(self) -> None:
        """Answer, or fail as told."""
        path = self.path.removeprefix(BASE)
        self.fhir.asked.append(Asked(path, {name.lower(): value for name, value in self.headers.items()}))
        parts = urlsplit(path)
        resource_type, _, own = parts.path.strip("/").partition("/")
        query = dict(parse_qsl(parts.query))
        offset = int(query.get("_offset", "0"))
        behaviour = (self.fhir.behave_later if offset else self.fhir.behave).get(resource_type, "ok")
        if "redirected" in query:
            behaviour = "ok"
        if behaviour.isdecimal():
            self._json(int(behaviour), _outcome("error"))
        elif (faulty := getattr(self, f"_{behaviour.replace('-', '_')}", None)) is not None:
            faulty(resource_type, offset)
        elif own:
            found = self.fhir.resources.get(resource_type, {}).get(own)
            self._json(200, found) if found is not None else self._json(404, _outcome("error"))
        else:
            self._json(200, self.fhir.page(resource_type, offset))

    # Ways to fail. Each takes the type and the offset.

    def _silent(self, resource_type: str, offset: int) -> None:
        self.fhir.stopping.wait(30)
        self.close_connection = True

    def _slow(self, resource_type: str, offset: int) -> None:
        self.fhir.stopping.wait(SLOW_SECONDS)
        self._json(200, self.fhir.page(resource_type, offset))

    def _drip(self, resource_type: str, offset: int) -> None:
        """The header at once, then a byte of the body now and then: no single wait is long."""
        body = json.dumps(self.fhir.page(resource_type, offset)).encode()
        self._head(200, {"Content-Length": str(len(body) + 100_000)})
        self._drop_by_drop(body + b" " * 100_000)

    def _drip_and_close(self, resource_type: str, offset: int) -> None:
        body = json.dumps(self.fhir.page(resource_type, offset)).encode()
        self._head(200, {"Content-Length": str(len(body) + 100_000), "Connection": "close"})
        self._drop_by_drop(body + b" " * 100_000)

    def _drip_headers(self, resource_type: str, offset: int) -> None:
        self._drop_by_drop(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n" + b"X-More: 1\r\n" * 1000)

    def _redirect(self, resource_type: str, offset: int) -> None:
        self._head(302, {"Location": f"{self.fhir.elsewhere}/{resource_type}", "Content-Length": "0"})

    def _redirect_here(self, resource_type: str, offset: int) -> None:
        self._head(307, {"Location": f"{self.fhir.url}/{resource_type}?redirected=1", "Content-Length": "0"})

    def _huge(self, resource_type: str, offset: int) -> None:
        """Without a length, and without an end."""
        self._head(200, {"Connection": "close"})
        self.close_connection = True
        try:
            while not self.fhir.stopping.is_set():
                self.wfile.write(b" " * 65536)
        except OSError:
            pass

    def _huge_announced(self, resource_type: str, offset: int) -> None:
        self._head(200, {"Content-Length": str(10**12), "Connection": "close"})
        self.close_connection = True

    def _gzip_bomb(self, resource_type: str, offset: int) -> None:
        body = gzip.compress(b" " * 100_000_000, 1)
        self._head(200, {"Content-Length": str(len(body)), "Content-Encoding": "gzip"})
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def _cut(self, resource_type: str, offset: int) -> None:
        body = json.dumps(self.fhir.page(resource_type, offset)).encode()
        self._head(200, {"Content-Length": str(len(body)), "Connection": "close"})
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def _hang_up(self, resource_type: str, offset: int) -> None:
        self.close_connection = True

    def _html(self, resource_type: str, offset: int) -> None:
        self._body(200, b"<html>Please log in</html>", "text/html")

    def _null(self, resource_type: str, offset: int) -> None:
        self._body(200, b"null")

    def _nothing(self, resource_type: str, offset: int) -> None:
        self._body(200, b"")

    def _outcome(self, resource_type: str, offset: int) -> None:
        self._json(200, _outcome("error"))

    def _outcome_entry(self, resource_type: str, offset: int) -> None:
        page = self.fhir.page(resource_type, offset)
        page["entry"].append({"resource": _outcome("error"), "search": {"mode": "outcome"}})
        self._json(200, page)

    def _circle(self, resource_type: str, offset: int) -> None:
        page = self.fhir.page(resource_type, 0)
        page["link"] = [{"relation": "next", "url": f"{self.fhir.url}/{resource_type}?_offset={offset or 1}"}]
        self._json(200, page)

    def _endless(self, resource_type: str, offset: int) -> None:
        page = self.fhir.page(resource_type, 0)
        page["link"] = [{"relation": "next", "url": f"{self.fhir.url}/{resource_type}?_offset={offset + 1}"}]
        self._json(200, page)

    def _next_elsewhere(self, resource_type: str, offset: int) -> None:
        page = self.fhir.page(resource_type, 0)
        page["link"] = [{"relation": "next", "url": f"{self.fhir.elsewhere}/{resource_type}?_offset=1"}]
        self._json(200, page)

    def _other_patient(self, resource_type: str, offset: int) -> None:
        self._json(200, {"resourceType": "Patient", "id": "someone-else", "birthDate": "1950-01-01"})

    def _older(self, resource_type: str, offset: int) -> None:
        page = self.fhir.page(resource_type, offset)
        older = {"resourceType": "MedicationOrder", "id": "o1", "patient": {"reference": "Patient/p1"}}
        page["entry"] = [{"resource": older}]
        self._json(200, page | {"total": 1})

    # Writing.

    def _json(self, status: int, value: Any) -> None:
        self._body(status, json.dumps(value).encode())

    def _body(self, status: int, body: bytes, media_type: str = "application/fhir+json") -> None:
        self._head(status, {"Content-Type": media_type, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Set-Cookie": "session=other-users; Path=/", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _drop_by_drop(self, text: bytes) -> None:
        self.close_connection = True
        try:
            for number in range(len(text)):
                self.wfile.write(text[number : number + 1])
                self.wfile.flush()
                if self.fhir.stopping.wait(0.05):
                    return
        except OSError:
            pass

    def log_message(self, *args: Any) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


def _outcome(severity: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "exception"}]}


@contextmanager
def fhir_server(certificate: Path | None = None) -> Iterator[FhirServer]:
    """Start one on a free port; certificate: PEM with its key, for https."""
    server = FhirServer(scheme="http" if certificate is None else "https")
    handler: Callable[..., BaseHTTPRequestHandler] = type("Handler", (_Handler,), {"fhir": server})
    listening = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        listening.shutdown()
        listening.server_close()
        thread.join(5)
