"""A small FHIR server for clients that read their prefetch themselves: reads, and searches by patient."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class FhirServer:
    """Where it is, and what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(resources: Sequence[dict[str, Any]]) -> Iterator[FhirServer]:
    """Serve these resources under `/fhir` on loopback, and stop at the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            parts = urlsplit(self.path)
            kind, _, name = parts.path.removeprefix("/fhir/").partition("/")
            if name:
                found = [r for r in resources if (r["resourceType"], r["id"]) == (kind, name)]
                self._answer(200 if found else 404, found[0] if found else {"resourceType": "OperationOutcome"})
                return
            patient = parse_qs(parts.query).get("patient", [""])[0]
            entries = [
                {"resource": r} for r in resources if r["resourceType"] == kind and of(r) == f"Patient/{patient}"
            ]
            self._answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

        def _answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = FhirServer(f"http://127.0.0.1:{server.server_address[1]}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def of(resource: dict[str, Any]) -> str:
    """Whose resource it is."""
    reference = resource.get("subject") or resource.get("patient") or {}
    return str(reference.get("reference", ""))
