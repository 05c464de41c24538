"""Authentication over HTTP: a running service, a JWKS server, and the same bare 401 for every reason."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from hooks.serve import shared_replay
from tests.hooks.issuer import EC_KID, ISSUER, KeyServer, claims, ec_key, forged, jwks, key_server, public_jwk, signed
from tests.hooks.service import ROOT, RunningService, running

SIGN = "psychmed-order-sign"
ORIGIN = "https://ehr.example.org"
BASE = "https://cds.example.org/psychmed"


@dataclass
class Site:
    """A service with one client whose keys come from `keys`."""

    service: RunningService
    keys: KeyServer

    def token(self, path: str = f"/cds-services/{SIGN}", **changes: Any) -> str:
        header = changes.pop("header", {"jku": self.keys.url})
        more = {name: changes.pop(name) for name in ("key", "algorithm") if name in changes}
        return signed(claims(time.time(), **{"aud": BASE + path, **changes}), header=header, **more)  # noqa: TID251

    def get(self, path: str, token: str | None = None, **headers: str) -> requests.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.get(self.service.url + path, headers=headers, timeout=30)


def auth_of(keys: KeyServer, **group: Any) -> str:
    client = {"issuer": ISSUER, "jku": [keys.url], **group.pop("client", {})}
    return json.dumps({"http_jku_on_loopback": True, "clients": {"ehr": client}, **group})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    environment = {"PSYCHMED_BASE_URL": BASE, "PSYCHMED_CORS_ORIGINS": ORIGIN}
    with key_server() as keys, running(PSYCHMED_AUTH=auth_of(keys), **environment) as service:
        yield Site(service, keys)


def call(site: Site, body: Any, token: str | None, **headers: str) -> requests.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return site.service.post(SIGN, body, headers=headers)


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_x2_a_good_token_gets_cards(site: Site, order_sign: Callable[..., dict[str, Any]], algorithm: str) -> None:
    answer = call(site, order_sign(), site.token(algorithm=algorithm))
    assert answer.status_code == 200
    assert "cards" in answer.json()


def test_x2_a_token_is_good_once_over_http_too(site: Site, order_sign: Callable[..., dict[str, Any]]) -> None:
    token = site.token()
    assert [call(site, order_sign(), token).status_code for _ in range(3)] == [200, 401, 401]


def test_d15_discovery_needs_a_token_for_its_own_address(site: Site) -> None:
    assert site.get("/cds-services").status_code == 401
    assert site.get("/cds-services", site.token()).status_code == 401
    answer = site.get("/cds-services", site.token("/cds-services"))
    assert answer.status_code == 200
    assert answer.json()["services"]


def test_f6_feedback_is_authenticated_for_its_own_address(site: Site) -> None:
    path = f"/cds-services/{SIGN}/feedback"
    where = site.service.url + path
    stranger = requests.post(where, json={"feedback": []}, timeout=30)
    of_the_service = {"Authorization": f"Bearer {site.token()}"}
    known = {"Authorization": f"Bearer {site.token(path)}"}
    assert stranger.status_code == 401
    assert requests.post(where, json={"feedback": []}, headers=of_the_service, timeout=30).status_code == 401
    assert requests.post(where, json={"feedback": []}, headers=known, timeout=30).status_code != 401


def test_s6_every_refusal_is_the_same_bare_401(site: Site, order_sign: Callable[..., dict[str, Any]]) -> None:
    good = site.token()
    used = site.token()
    assert call(site, order_sign(), used).status_code == 200
    now = time.time()  # noqa: TID251
    aud = f"{BASE}/cds-services/{SIGN}"
    refused: dict[str, str | None] = {
        "none at all": None,
        "no token": "hello",
        "unsigned": forged(claims(now, aud=aud), {"typ": "JWT", "kid": EC_KID, "alg": "none"}),
        "shared secret": forged(claims(now, aud=aud), {"typ": "JWT", "kid": EC_KID, "alg": "HS384"}, b"secret"),
        "stranger": site.token(iss="https://stranger.example.org"),
        "audience": site.token("/cds-services"),
        "expired": site.token(iat=now - 600, exp=now - 300),
        "lifetime": site.token(exp=now + 90_000),
        "jku": site.token(header={"jku": "https://attacker.example/keys"}),
        "unknown key": site.token(header={"kid": "unknown"}),
        "signature": site.token(key=ec_key("stranger")),
        "changed": good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB"),
        "used": used,
    }
    answers = {name: call(site, order_sign(), token) for name, token in refused.items()}
    seen = {
        (
            a.status_code,
            a.content,
            tuple(
                sorted((k, v) for k, v in a.headers.items() if k.lower() not in ("date", "x-request-id", "connection"))
            ),
        )
        for a in answers.values()
    }
    assert len(seen) == 1, {name: (a.status_code, a.text) for name, a in answers.items()}
    status, body, headers = seen.pop()
    assert status == 401
    assert dict(headers)["www-authenticate"] == "Bearer"
    assert json.loads(body)["issue"][0]["diagnostics"] == "not authorized"


def test_the_door_is_before_the_body_and_the_address(site: Site) -> None:
    assert site.service.post(SIGN, b"no json").status_code == 401
    assert site.service.post("psychmed-none", {}).status_code == 401
    assert site.get("/anything").status_code == 401
    assert requests.put(f"{site.service.url}/cds-services", timeout=30).status_code == 401
    token = site.token("/cds-services/psychmed-none")
    assert site.service.post("psychmed-none", {}, headers={"Authorization": f"Bearer {token}"}).status_code == 404


def test_a_large_body_without_a_token_is_refused_without_being_waited_for(site: Site) -> None:
    host, port = site.service.url.removeprefix("http://").split(":")
    head = [f"POST /cds-services/{SIGN} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        # Ten megabytes are announced, and one byte comes.
        connection.sendall("\r\n".join([*head, "Content-Length: 10000000", "", "{"]).encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")


def test_probes_and_pages_for_the_patient_need_no_token(site: Site) -> None:
    assert site.get("/health").status_code == 200
    assert site.get("/education").status_code == 200
    assert site.get("/education/none").status_code == 404


@pytest.mark.parametrize("path", ["/cds-services", f"/cds-services/{SIGN}", f"/cds-services/{SIGN}/feedback"])
def test_x13_a_preflight_is_answered_before_anyone_asks_for_a_token(site: Site, path: str) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = requests.options(site.service.url + path, headers=asked, timeout=30)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Authorization", "Content-Type"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert requests.options(site.service.url + path, timeout=30).status_code == 401


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://elsewhere.example", None)])
def test_x14_only_a_listed_origin_may_read_a_401_and_credentials_are_never_allowed(
    site: Site, origin: str, allowed: str | None
) -> None:
    answer = site.get("/cds-services", Origin=origin)
    assert answer.status_code == 401
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_x11_a_new_key_of_the_client_is_learned_while_the_service_runs(
    order_sign: Callable[..., dict[str, Any]],
) -> None:
    with (
        key_server() as keys,
        running(PSYCHMED_AUTH=auth_of(keys, keys_refetch_seconds=1), PSYCHMED_BASE_URL=BASE) as service,
    ):
        site = Site(service, keys)
        assert call(site, order_sign(), site.token()).status_code == 200
        keys.body = jwks(public_jwk(ec_key("second"), "2nd/+="))
        time.sleep(1.1)
        second = site.token(key=ec_key("second"), header={"kid": "2nd/+=", "jku": keys.url})
        assert call(site, order_sign(), second).status_code == 200
        assert call(site, order_sign(), site.token()).status_code == 401


def test_x10_the_log_has_the_reason_and_neither_token_nor_what_it_says(
    order_sign: Callable[..., dict[str, Any]],
) -> None:
    with key_server() as keys, running(PSYCHMED_AUTH=auth_of(keys), PSYCHMED_BASE_URL=BASE) as service:
        site = Site(service, keys)
        tokens = [
            site.token(jti="telling-jti"),
            site.token(iss="https://telling.example.org/\nFAKE LINE"),
            site.token("/telling"),
            site.token(key=ec_key("stranger"), sub="telling-sub"),
        ]
        assert [call(site, order_sign(), token).status_code for token in tokens] == [200, 401, 401, 401]
        service.process.send_signal(signal.SIGTERM)
        assert service.process.stderr is not None
        log = service.process.stderr.read()
        service.process.wait(20)
    for told in ("issuer (client unknown)", "audience (client ehr)", "signature (client ehr)"):
        assert told in log
    assert "telling" not in log
    assert "FAKE" not in log
    for token in tokens:
        assert not any(part in log for part in token.split("."))


def test_x9_a_token_is_good_once_although_there_are_several_workers(
    order_sign: Callable[..., dict[str, Any]],
) -> None:
    with (
        key_server() as keys,
        running(PSYCHMED_AUTH=auth_of(keys), PSYCHMED_BASE_URL=BASE, PSYCHMED_WORKERS="2") as service,
    ):
        site = Site(service, keys)
        token = site.token()
        # A new connection each time, so that both workers are asked.
        statuses = [call(site, order_sign(), token, Connection="close").status_code for _ in range(12)]
    assert sorted(statuses) == [200] + [401] * 11


def test_one_worker_or_no_client_needs_no_file_for_used_tokens() -> None:
    from cds.settings import Settings

    plain = Settings(time_zone="UTC", workers=4)
    with shared_replay(plain) as settings:
        assert settings is plain


def test_without_a_base_url_the_loopback_address_itself_is_the_audience(
    order_sign: Callable[..., dict[str, Any]],
) -> None:
    with key_server() as keys, running(PSYCHMED_AUTH=auth_of(keys, open_discovery=True)) as service:
        site = Site(service, keys)
        own = site.token(aud=f"{service.url}/cds-services/{SIGN}")
        assert call(site, order_sign(), own).status_code == 200
        # What the Host header claims is nothing.
        claimed = site.token(aud=f"http://attacker.example/cds-services/{SIGN}")
        assert call(site, order_sign(), claimed, Host="attacker.example").status_code == 401
        # Discovery was opened by the site, and nothing else with it.
        assert site.get("/cds-services").status_code == 200
        assert call(site, order_sign(), None).status_code == 401
        assert requests.post(f"{service.url}/cds-services", timeout=30).status_code == 401


def test_a_full_store_of_used_tokens_is_a_503(order_sign: Callable[..., dict[str, Any]]) -> None:
    with (
        key_server() as keys,
        running(PSYCHMED_AUTH=auth_of(keys, replay_entries=1), PSYCHMED_BASE_URL=BASE) as service,
    ):
        site = Site(service, keys)
        assert call(site, order_sign(), site.token()).status_code == 200
        full = call(site, order_sign(), site.token())
        assert (full.status_code, full.headers["Retry-After"]) == (503, "30")
        assert call(site, order_sign(), site.token(key=ec_key("stranger"))).status_code == 401


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a service that is expected to refuse to start."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")}
    return subprocess.run(
        [sys.executable, "-m", "hooks", "--port", "0", *arguments],
        cwd=ROOT,
        env=inherited | {"PSYCHMED_TIME_ZONE": "UTC"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cds.example.org"])
def test_x1_the_service_does_not_start_open_where_others_reach_it(host: str) -> None:
    refused = start("--host", host)
    assert refused.returncode == 1
    for remedy in ("auth", "127.0.0.1", "--insecure"):
        assert remedy in refused.stderr


def test_x1_insecure_starts_it_and_says_so_in_the_log() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "hooks", "--host", "0.0.0.0", "--port", "0", "--insecure"],
        cwd=ROOT,
        env=environment | {"PSYCHMED_TIME_ZONE": "UTC"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "psychmed listening on" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert "no token is checked" in log


def test_insecure_and_clients_contradict_each_other() -> None:
    with key_server() as keys:
        refused = start("--insecure", PSYCHMED_AUTH=auth_of(keys))
    assert refused.returncode == 1
    assert "contradict" in refused.stderr


def test_without_base_url_and_audience_nobody_could_call_and_that_is_told() -> None:
    with key_server() as keys:
        refused = start("--host", "0.0.0.0", PSYCHMED_AUTH=auth_of(keys))
    assert refused.returncode == 1
    assert "base_url" in refused.stderr
    assert "ehr" in refused.stderr


def test_a_file_of_keys_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    clients = {"ehr": {"issuer": ISSUER, "jwks_file": str(tmp_path / "none.json")}}
    refused = start(PSYCHMED_AUTH=json.dumps({"clients": clients}))
    assert refused.returncode == 1
    assert "jwks_file of client ehr" in refused.stderr
