"""Reading a JWKS: over https from a listed address, bounded in size and time, or from a file."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from cds.errors import CdsError

MOST_BYTES = 256 * 1024
_CHUNK = 16 * 1024


class KeysError(CdsError):
    """Keys cannot be had, and why: for the log and for an administrator."""


def fetch_jwks(url: str, *, seconds: float, ca_file: Path | None = None) -> bytes:
    """GET one listed address. No redirect is followed, no credential sent, nothing compressed accepted.

    seconds: for the whole answer; a server that drips its header can hold the thread longer, never the caller.
    Raises KeysError.
    """
    end = time.monotonic() + seconds
    try:
        with requests.Session() as session:
            # Proxies of the environment are the site's own; a .netrc entry must not be sent.
            session.auth = _no_credentials
            with session.get(
                url,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                allow_redirects=False,
                stream=True,
                # Given with the request: REQUESTS_CA_BUNDLE of the environment would win over the session's.
                verify=True if ca_file is None else str(ca_file),
                timeout=seconds,
            ) as answer:
                return _body(answer, end)
    except requests.exceptions.SSLError:
        raise KeysError(f"the TLS certificate of {_host(url)} cannot be verified (ca_file?)") from None
    except requests.exceptions.Timeout:
        raise KeysError(f"{_host(url)} did not answer within {seconds:g} s") from None
    except (requests.exceptions.RequestException, OSError) as error:
        raise KeysError(f"{_host(url)} cannot be reached ({type(error).__name__})") from None


def read_jwks_file(path: Path) -> bytes:
    """Raises KeysError when the file cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise KeysError(f"{path} is larger than {MOST_BYTES} bytes")
    return raw


def _body(answer: requests.Response, end: float) -> bytes:
    if 300 <= answer.status_code < 400:
        raise KeysError("the answer is a redirect, and none is followed: list the address it leads to")
    if answer.status_code != 200:
        raise KeysError(f"the answer is HTTP {answer.status_code}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise KeysError("the answer is compressed")
    found = bytearray()
    # read1 returns what has arrived: a server that sends byte by byte must not get a new timeout for each.
    while chunk := answer.raw.read1(_CHUNK):
        found += chunk
        if len(found) > MOST_BYTES:
            raise KeysError(f"the answer is larger than {MOST_BYTES} bytes")
        if time.monotonic() > end:
            raise KeysError("the answer did not end in time")
    return bytes(found)


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _host(url: str) -> str:
    return urlsplit(url).netloc
