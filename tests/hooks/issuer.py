"""A CDS client with keys of its own: it makes tokens, and a JWKS server on loopback publishes its keys."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org/fhir"
ENDPOINT = "https://cds.example.org/cds-services/psychmed-order-sign"
# As an EHR makes them: base64, not base64url.
EC_KID = "ec+key/1="
RSA_KID = "rsa+key/1=="
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@functools.cache
def rsa_key(name: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each name: making one takes long."""
    del name
    return rsa.generate_private_key(65_537, bits)


@functools.cache
def ec_key(name: str = "first") -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ec.SECP384R1())


def public_jwk(key: Key, kid: str | None, **more: Any) -> dict[str, Any]:
    algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    found = algorithm.to_jwk(key.public_key(), as_dict=True)
    found.pop("key_ops", None)
    return {**found, **({} if kid is None else {"kid": kid}), **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys or (public_jwk(ec_key(), EC_KID), public_jwk(rsa_key(), RSA_KID))}).encode()


def claims(now: float, **changes: Any) -> dict[str, Any]:
    """Good claims with changes; a claim set to None is left out."""
    good = {"iss": ISSUER, "aud": ENDPOINT, "iat": int(now), "exp": int(now) + 300, "jti": str(uuid.uuid4())}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(
    body: dict[str, Any], *, algorithm: str = "ES384", key: Key | None = None, header: dict[str, Any] | None = None
) -> str:
    """A token; header members set to None are left out."""
    chosen: Key = key or (ec_key() if algorithm == "ES384" else rsa_key())
    kid = EC_KID if algorithm == "ES384" else RSA_KID
    return jwt.encode(body, chosen, algorithm, headers={"kid": kid, **(header or {})})


def forged(body: dict[str, Any], header: dict[str, Any], secret: bytes | None = None) -> str:
    """A token made by hand: unsigned, or signed with a shared secret."""
    parts = [_segment(json.dumps(part).encode()) for part in (header, body)]
    made = b"" if secret is None else hmac.new(secret, ".".join(parts).encode(), hashlib.sha384).digest()
    return ".".join([*parts, _segment(made)])


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class KeyServer:
    """What the server answers next, and what it was asked."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def key_server(body: bytes = b"", tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
    """A JWKS server on a free loopback port, over https when given a context; stopped at the end."""
    state = KeyServer(body=body or jwks())
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append({"path": self.path, **self.headers})
            stopping.wait(state.delay)
            self.send_response(state.status)
            for name, value in {"Content-Length": str(len(state.body)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            step = 1 if state.drip else len(state.body)
            try:
                for start in range(0, len(state.body), step or 1):
                    if stopping.is_set():
                        return
                    self.wfile.write(state.body[start : start + step])
                    time.sleep(state.drip)
            except OSError:
                pass  # the service does not wait for ever

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        state.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}/keys"
        try:
            yield state
        finally:
            stopping.set()
            server.shutdown()
