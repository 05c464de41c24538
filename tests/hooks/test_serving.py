"""Starting, stopping, browser origins, and the last resort."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
import requests
from starlette.requests import Request

from cds.errors import HookRequestError
from cds.settings import Settings
from hooks.body import read_body
from hooks.clock import today_at
from hooks.guard import LastResort
from hooks.serve import ServeError, is_loopback, reserve_port, serve
from tests.conftest import missing
from tests.hooks.service import ROOT, RunningService, running

ORIGIN = "https://ehr.example.org"
SIGN = "psychmed-order-sign"


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run a service that is expected to refuse to start."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")}
    command = [sys.executable, "-m", "hooks", "--port", "0"]
    return subprocess.run(
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_service_does_not_start_without_a_time_zone() -> None:
    refused = start()
    assert refused.returncode == 1
    assert "time_zone is not set" in refused.stderr
    assert "PSYCHMED_TIME_ZONE" in refused.stderr


def test_a_pinned_day_is_refused_where_others_can_reach_the_service() -> None:
    refused = start(PSYCHMED_TIME_ZONE="UTC", PSYCHMED_TODAY="2026-03-02", PSYCHMED_HOST="0.0.0.0")
    assert refused.returncode == 1
    assert "PSYCHMED_TODAY" in refused.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("10.0.0.1", False), ("ehr.example.org", False)],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_port_that_is_taken_is_told_and_not_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=str(port)):
            serve(Settings(time_zone="UTC", port=port))


def test_a_reserved_port_is_kept_from_others() -> None:
    port, holder = reserve_port("127.0.0.1", 0)
    if holder is None:
        missing("a system on which sockets can share a bound port")
    with holder, pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_a_request_in_flight_is_answered_when_the_service_is_stopped(order_sign: Callable[..., dict[str, Any]]) -> None:
    with running() as service:
        host, port = service.url.removeprefix("http://").split(":")
        body = requests.Request("POST", service.url, json=order_sign()).prepare().body
        assert isinstance(body, bytes)
        head = [f"POST /cds-services/{SIGN} HTTP/1.1", "Host: x", "Content-Type: application/json"]
        head += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall("\r\n".join(head).encode() + body[:50])
            # Half of the body is on its way when the signal comes; the rest follows.
            threading.Timer(0.5, lambda: connection.sendall(body[50:])).start()
            service.process.send_signal(signal.SIGTERM)
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
        assert received.startswith(b"HTTP/1.1 200")
        assert service.process.wait(20) == 0


def test_an_interrupt_stops_the_service_too() -> None:
    with running() as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0


def test_health_names_rules_and_engine(service: RunningService) -> None:
    state = requests.get(f"{service.url}/health", timeout=30).json()
    assert state["status"] == "ok"
    assert state["rules_version"]
    assert state["engine"] in ("direct", "durable", "verified")


def test_a_response_says_that_the_day_is_pinned(
    service: RunningService, order_sign: Callable[..., dict[str, Any]]
) -> None:
    evaluation = service.post(SIGN, order_sign()).json()["extension"]["org.psychmed.evaluation"]
    assert (evaluation["today"], evaluation["today_pinned"]) == ("2026-03-02", True)


def test_today_is_the_date_at_the_site_and_not_in_utc() -> None:
    east, west = zoneinfo.ZoneInfo("Pacific/Kiritimati"), zoneinfo.ZoneInfo("Etc/GMT+11")
    # 25 hours apart: at every moment the two sites have different dates.
    assert today_at(east) - today_at(west) in (dt.timedelta(days=1), dt.timedelta(days=2))
    assert today_at(east, dt.date(2026, 3, 2)) == dt.date(2026, 3, 2)


def test_a_preflight_from_a_listed_origin_is_allowed(service: RunningService) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = requests.options(f"{service.url}/cds-services/{SIGN}", headers=asked, timeout=30)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_from_elsewhere_is_refused(service: RunningService) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{service.url}/cds-services/{SIGN}", headers=asked, timeout=30)
    assert answer.status_code == 403
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://elsewhere.example", None)])
def test_only_a_listed_origin_may_read_an_answer(service: RunningService, origin: str, allowed: str | None) -> None:
    for path in ("cds-services", "cds-services/none"):  # a success and an error
        answer = requests.get(f"{service.url}/{path}", headers={"Origin": origin}, timeout=30)
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in answer.headers["Vary"]


def test_a_browser_may_read_the_id_of_its_request(service: RunningService) -> None:
    for path in ("cds-services", "cds-services/none"):
        listed = requests.get(f"{service.url}/{path}", headers={"Origin": ORIGIN}, timeout=30)
        assert listed.headers["Access-Control-Expose-Headers"] == "X-Request-Id"
        assert listed.headers["X-Request-Id"]
        other = requests.get(f"{service.url}/{path}", headers={"Origin": "https://elsewhere.example"}, timeout=30)
        assert "Access-Control-Expose-Headers" not in other.headers


def test_a_defect_is_a_bare_500_and_its_text_reaches_neither_answer_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("Zebulon Quux, born 1980")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    asyncio.run(LastResort(broken)({"type": "http", "method": "POST", "headers": []}, receive, send))
    assert sent[0]["status"] == 500
    assert b"OperationOutcome" in sent[1]["body"]
    assert b"Zebulon" not in sent[1]["body"]
    assert "RuntimeError" in caplog.text
    assert "Zebulon" not in caplog.text


def test_a_client_that_stops_sending_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr("hooks.body.READ_SECONDS", 0.02)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")]}
    with pytest.raises(HookRequestError) as caught:
        asyncio.run(read_body(Request(scope, receive), 1000))
    assert caught.value.status == 408
