"""Whether an address may be asked. A client names its FHIR server itself, so nothing it names is trusted:
only hosts on the site's list, https unless the site says otherwise, and no address inside the site's network
unless the site says so of that host.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from cds.settings import FhirServer

_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_URL: Final = re.compile(r"[\x21-\x7e]{1,8192}")  # no space, no control character, nothing outside ASCII


class NotAllowed(Exception):
    """An address that must not be asked; the message says why in our own words, never with the address."""


@dataclass(frozen=True, slots=True)
class Base:
    """A FHIR server that may be asked: origin and path under which all its addresses lie. path: "" or "/fhir"."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address that `/Patient/1` is appended to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


class Guard:
    """The site's list."""

    def __init__(self, servers: Iterable[FhirServer]) -> None:
        self._listed: dict[tuple[str, str, int], FhirServer] = {}
        for server in servers:
            parts = urlsplit(f"//{server.host}")
            for scheme in ("https", "http") if server.plain_http else ("https",):
                self._listed[scheme, parts.hostname or "", parts.port or _PORTS[scheme]] = server

    def base(self, url: str) -> Base:
        """The server that `fhirServer` names. Raises NotAllowed unless it stands on the list."""
        base, query = _split(url)
        if query:
            raise NotAllowed("fhirServer has a query")
        if (base.scheme, base.host, base.port) not in self._listed:
            named = any((base.host, base.port) == (host, port) for _, host, port in self._listed)
            raise NotAllowed("not https" if base.scheme == "http" and named else "the host is not on the site's list")
        return Base(base.scheme, base.host, base.port, base.path.rstrip("/"))

    def same_server(self, url: str, base: Base) -> str:
        """A link of the server's own answer, to be followed with the token. Raises NotAllowed for any other server."""
        if url.startswith("/"):
            raise NotAllowed("a link without a server")
        if "://" not in url:  # relative to the base, as some servers write it
            url = f"{base.url}/{url}"
        found, _ = _split(url)
        inside = found.path == base.path or found.path.startswith(base.path + "/")
        if (found.scheme, found.host, found.port) != (base.scheme, base.host, base.port) or not inside:
            raise NotAllowed("a link to another server")
        return url

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a listed host, once for each connection. Raises NotAllowed, or OSError when there is no such name.

        One bad address among several refuses them all: a name that leads both outside and inside is a trick.
        """
        server = next((s for (_, h, p), s in self._listed.items() if (h, p) == (host, port)), None)
        if server is None:
            raise NotAllowed("the host is not on the site's list")
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for address in found:
            if not may_connect(address, private=server.private):
                raise NotAllowed("the name leads to an address that is not public")
        return list(dict.fromkeys(found))


def may_connect(address: str, *, private: bool) -> bool:
    """Whether an IP address may be connected to. Link-local ones, where clouds hand out credentials, never."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = _inner(ip) if isinstance(ip, ipaddress.IPv6Address) else ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if ip.is_loopback or not ip.is_global:
        return private and (ip.is_loopback or not ip.is_reserved)
    return True


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), where the connection would end."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _split(url: str) -> tuple[Base, str]:
    """An absolute http(s) address taken apart, and its query. Raises NotAllowed for anything odd in it."""
    if not _URL.fullmatch(url) or "\\" in url:
        raise NotAllowed("not an address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("not an address") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotAllowed("not an http address")
    if "@" in parts.netloc or parts.fragment:
        raise NotAllowed("an address with a user or a fragment")
    # Twice, for %252e: what stands behind the server may decode once more.
    if any(part in (".", "..") for part in re.split(r"[/\\]", unquote(unquote(parts.path)))):
        raise NotAllowed("an address that climbs")
    return Base(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port, parts.path), parts.query
