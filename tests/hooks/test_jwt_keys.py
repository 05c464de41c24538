"""X7, X8, X11: keys from listed addresses over a JWKS server on loopback: cached, rotated, bounded in every way."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds.auth_settings import AuthSettings
from hooks.auth.authenticator import Authenticator, Refused
from hooks.auth.fetch import MOST_BYTES, KeysError, fetch_jwks
from hooks.auth.verify import MOST_KEYS, read_keys
from tests.hooks.issuer import (
    EC_KID,
    ENDPOINT,
    ISSUER,
    RSA_KID,
    KeyServer,
    claims,
    ec_key,
    jwks,
    key_server,
    public_jwk,
    rsa_key,
    signed,
)

NOW = 1_772_445_600.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


def site(clock: Clock, *urls: str, **changes: Any) -> Authenticator:
    client = {"issuer": ISSUER, "jku": urls, **changes.pop("client", {})}
    group = {"http_jku_on_loopback": True, "keys_timeout_seconds": 2, **changes}
    return Authenticator(AuthSettings.model_validate({"clients": {"ehr": client}, **group}), clock)


async def outcome_of(authenticator: Authenticator, **token: Any) -> str:
    text = signed(claims(NOW), **token)
    try:
        return (await authenticator.authenticate([f"Bearer {text}"], ENDPOINT, NOW)).client
    except Refused as refusal:
        return refusal.reason


def test_x11_keys_are_fetched_once_and_cached(server: KeyServer, clock: Clock) -> None:
    async def run() -> list[str]:
        authenticator = site(clock, server.url)
        with_jku = await outcome_of(authenticator, header={"jku": server.url})
        return [with_jku, await outcome_of(authenticator), await outcome_of(authenticator, algorithm="RS384")]

    assert asyncio.run(run()) == ["ehr", "ehr", "ehr"]
    assert len(server.asked) == 1


def test_x11_a_new_key_is_fetched_when_its_kid_is_unknown(server: KeyServer, clock: Clock) -> None:
    async def run() -> list[str]:
        authenticator = site(clock, server.url)
        seen = [await outcome_of(authenticator)]
        server.body = jwks(public_jwk(ec_key("second"), "second"))
        clock.seconds += 10
        seen.append(await outcome_of(authenticator, key=ec_key("second"), header={"kid": "second"}))
        # The withdrawn key is no longer good.
        seen.append(await outcome_of(authenticator))
        return seen

    assert asyncio.run(run()) == ["ehr", "ehr", "key"]
    assert len(server.asked) == 2


def test_x11_unknown_kids_do_not_make_us_fetch_faster_than_the_site_allows(server: KeyServer, clock: Clock) -> None:
    async def run() -> None:
        authenticator = site(clock, server.url, keys_refetch_seconds=10)
        for step in range(30):
            assert await outcome_of(authenticator, header={"kid": f"made up {step}"}) == "key"
            clock.seconds += 1
        assert await outcome_of(authenticator) == "ehr"

    asyncio.run(run())
    assert len(server.asked) == 3


def test_x11_requests_that_wait_for_the_same_keys_share_one_fetch(server: KeyServer, clock: Clock) -> None:
    async def run() -> list[str]:
        server.delay = 0.2
        authenticator = site(clock, server.url)
        return await asyncio.gather(*(outcome_of(authenticator) for _ in range(20)))

    assert asyncio.run(run()) == ["ehr"] * 20
    assert len(server.asked) == 1


def test_x11_old_keys_serve_while_new_ones_are_fetched(server: KeyServer, clock: Clock) -> None:
    async def run() -> None:
        authenticator = site(clock, server.url, keys_fresh_seconds=100)
        assert await outcome_of(authenticator) == "ehr"
        clock.seconds += 101
        server.delay = 0.3
        started = time.perf_counter()
        assert await outcome_of(authenticator) == "ehr"
        assert time.perf_counter() - started < 0.2
        server.body = jwks(public_jwk(rsa_key(), RSA_KID))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if authenticator.rings["ehr"].addresses[server.url].known == (RSA_KID,):
                break
        assert await outcome_of(authenticator) == "key"

    asyncio.run(run())
    assert len(server.asked) == 2


def test_x11_keys_that_could_not_be_confirmed_for_a_day_are_not_used(server: KeyServer, clock: Clock) -> None:
    async def run() -> None:
        authenticator = site(clock, server.url)
        assert await outcome_of(authenticator) == "ehr"
        server.status = 500
        clock.seconds += 86_000
        assert await outcome_of(authenticator) == "ehr"
        source = authenticator.rings["ehr"].addresses[server.url]
        while source.problem is None:
            await asyncio.sleep(0.02)
        clock.seconds += 500
        assert await outcome_of(authenticator) == "key"
        server.status = 200
        clock.seconds += 10
        assert await outcome_of(authenticator) == "ehr"

    asyncio.run(run())


def test_x7_an_unlisted_jku_is_never_asked(server: KeyServer, clock: Clock) -> None:
    with key_server() as elsewhere:
        assert asyncio.run(outcome_of(site(clock, server.url), header={"jku": elsewhere.url})) == "jku"
        assert elsewhere.asked == []
    assert server.asked == []


def test_x7_a_token_that_names_one_listed_jku_is_not_checked_with_the_keys_of_another(
    server: KeyServer, clock: Clock
) -> None:
    async def run() -> list[str]:
        with key_server(jwks(public_jwk(ec_key("second"), "second"))) as second:
            authenticator = site(clock, server.url, second.url)
            mine: dict[str, Any] = {"key": ec_key("second"), "header": {"kid": "second", "jku": server.url}}
            right: dict[str, Any] = {"key": ec_key("second"), "header": {"kid": "second", "jku": second.url}}
            bare: dict[str, Any] = {"key": ec_key("second"), "header": {"kid": "second"}}
            return [await outcome_of(authenticator, **token) for token in (mine, right, bare)]

    assert asyncio.run(run()) == ["key", "ehr", "ehr"]


def test_x7_a_redirect_is_not_followed(server: KeyServer, clock: Clock) -> None:
    with key_server() as elsewhere:
        server.status, server.headers = 302, {"Location": elsewhere.url}
        assert asyncio.run(outcome_of(site(clock, server.url))) == "key"
        assert (len(server.asked), elsewhere.asked) == (1, [])


@pytest.mark.parametrize("status", [204, 301, 307, 308, 401, 404, 500, 503])
def test_keys_that_come_with_another_status_are_not_used(server: KeyServer, clock: Clock, status: int) -> None:
    server.status = status
    if status == 204:
        server.body = b" "
    assert asyncio.run(outcome_of(site(clock, server.url))) == "key"


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1, null, {}]}', b"\xff"]
)
def test_what_is_no_jwks_has_no_keys(server: KeyServer, clock: Clock, body: bytes) -> None:
    server.body = body
    assert asyncio.run(outcome_of(site(clock, server.url))) == "key"


def test_a_fault_of_the_key_server_does_not_cost_the_keys_it_gave_before(server: KeyServer, clock: Clock) -> None:
    async def run() -> None:
        authenticator = site(clock, server.url)
        assert await outcome_of(authenticator) == "ehr"
        server.body = b"<html>maintenance</html>"
        clock.seconds += 20
        assert await outcome_of(authenticator, header={"kid": "unknown"}) == "key"
        assert await outcome_of(authenticator) == "ehr"

    asyncio.run(run())


def test_an_answer_that_is_too_large_is_not_read(server: KeyServer, clock: Clock) -> None:
    server.body = jwks() + b" " * MOST_BYTES
    with pytest.raises(KeysError, match="larger than"):
        fetch_jwks(server.url, seconds=5)
    server.headers = {"Content-Length": str(10**9)}
    with pytest.raises(KeysError, match="larger than"):
        fetch_jwks(server.url, seconds=5)
    assert asyncio.run(outcome_of(site(clock, server.url))) == "key"


def test_a_jwks_with_too_many_keys_is_refused() -> None:
    key = public_jwk(ec_key(), EC_KID)
    assert read_keys(jwks(*[key] * MOST_KEYS))
    with pytest.raises(KeysError, match="more than"):
        read_keys(jwks(*[key] * (MOST_KEYS + 1)))


def test_a_compressed_answer_is_refused(server: KeyServer) -> None:
    server.body, server.headers = gzip.compress(jwks()), {"Content-Encoding": "gzip"}
    with pytest.raises(KeysError, match="compressed"):
        fetch_jwks(server.url, seconds=5)
    assert server.asked[0]["Accept-Encoding"] == "identity"


def test_a_server_that_does_not_answer_is_not_waited_for(server: KeyServer, clock: Clock) -> None:
    server.delay = 20
    started = time.perf_counter()
    assert asyncio.run(outcome_of(site(clock, server.url, keys_timeout_seconds=0.3))) == "key"
    assert time.perf_counter() - started < 3


def test_a_server_that_sends_byte_by_byte_gets_no_new_time_for_each(server: KeyServer) -> None:
    server.drip = 0.05
    started = time.perf_counter()
    with pytest.raises(KeysError, match="in time"):
        fetch_jwks(server.url, seconds=0.4)
    assert time.perf_counter() - started < 3


def test_a_server_that_drips_its_header_holds_one_thread_and_no_request(clock: Clock) -> None:
    stop = threading.Event()

    def drip(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken:
            taken.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.05):
                taken.sendall(b"X: y\r\n")

    async def run() -> float:
        authenticator = site(clock, f"http://127.0.0.1:{listening.getsockname()[1]}/", keys_timeout_seconds=0.3)
        started = time.perf_counter()
        for _ in range(3):
            assert await outcome_of(authenticator) == "key"
            clock.seconds += 20
        assert sum(thread.name == "psychmed-keys" for thread in threading.enumerate()) <= before + 1
        return time.perf_counter() - started

    before = sum(thread.name == "psychmed-keys" for thread in threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        assert asyncio.run(run()) < 3
        stop.set()
        thread.join(5)


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """A self-signed certificate with its key, in one file."""
    key, day = ec_key("tls"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "keys")])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA384())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(made.public_bytes(Encoding.PEM) + secret)
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "server.pem"


def test_over_https_the_certificate_must_be_one_that_the_site_trusts(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As some machines have it; it must not win over what the site says.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.certs.where())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))))
    with key_server(tls=context) as server:
        with pytest.raises(KeysError, match="certificate"):
            fetch_jwks(server.url, seconds=5)
        trusted = site(clock, server.url, http_jku_on_loopback=False, ca_file=tmp_path / "ca.pem")
        assert asyncio.run(outcome_of(trusted)) == "ehr"
        assert asyncio.run(outcome_of(site(clock, server.url))) == "key"


def test_over_https_the_certificate_must_be_that_of_the_host(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, x509.DNSName("elsewhere.example")))
    with key_server(tls=context) as server, pytest.raises(KeysError, match="certificate"):
        fetch_jwks(server.url, seconds=5, ca_file=tmp_path / "ca.pem")


def test_addresses_that_must_be_asked_are_asked_together(clock: Clock) -> None:
    async def run() -> str:
        authenticator = site(clock, first.url, second.url)
        return await outcome_of(authenticator)

    with key_server() as first, key_server() as second:
        first.status, first.delay, second.delay = 500, 0.6, 0.6
        started = time.perf_counter()
        assert asyncio.run(run()) == "ehr"
        assert time.perf_counter() - started < 1.1


def test_nobody_listening_is_told_without_the_path_of_a_machine(server: KeyServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(KeysError, match=f"127.0.0.1:{port} cannot be reached"):
        fetch_jwks(f"http://127.0.0.1:{port}/keys", seconds=2)


def test_no_credentials_of_the_machine_go_to_the_key_server(
    server: KeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    fetch_jwks(server.url, seconds=5)
    assert {name.lower() for name in server.asked[0]}.isdisjoint({"authorization", "cookie"})


def test_a_new_key_in_the_file_is_read_without_a_restart(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks())

    async def run() -> list[str]:
        authenticator = site(clock, client={"jwks_file": file})
        file.write_bytes(jwks(public_jwk(ec_key("second"), "second")))
        clock.seconds += 10
        return [await outcome_of(authenticator, key=ec_key("second"), header={"kid": "second"})]

    assert asyncio.run(run()) == ["ehr"]


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), (b"no json", "not JSON"), (b'{"keys": []}', "no key with a kid"),
     (b" " * (MOST_BYTES + 1), "larger than")],
    ids=["missing", "text", "empty", "large"],
)  # fmt: skip
def test_a_file_without_a_usable_key_stops_the_start(
    tmp_path: Path, clock: Clock, content: bytes | None, told: str
) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeysError, match=told) as caught:
        site(clock, client={"jwks_file": file})
    assert "client ehr" in str(caught.value)


def test_a_ca_file_that_is_not_there_stops_the_start(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(KeysError, match="ca_file"):
        site(clock, "https://ehr.example.org/keys", ca_file=tmp_path / "none.pem")


def test_of_a_private_key_only_the_public_part_is_read() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from jwt.algorithms import ECAlgorithm

    private = {**ECAlgorithm.to_jwk(ec_key(), as_dict=True), "kid": EC_KID}
    assert "d" in private
    (key,) = read_keys(jwks(private))[EC_KID, "ES384"]
    assert isinstance(key, EllipticCurvePublicKey)
