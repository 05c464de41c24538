"""New settings on SIGHUP while requests go on, and requests in flight when the service is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import missing
from tests.hooks.issuer import EC_KID, ISSUER, claims, ec_key, jwks, public_jwk, signed
from tests.hooks.service import RunningService, running, wait_for
from tests.hooks.test_metrics import value_of

SIGN = "psychmed-order-sign"
GOOD = "time_zone: UTC\nengine: direct\n"
EVALUATION = "org.psychmed.evaluation"


def messages(service: RunningService) -> list[str]:
    return [json.loads(line)["message"] for line in service.log().splitlines()]


def version(service: RunningService) -> str:
    return str(requests.get(f"{service.url}/health", timeout=30).json()["rules_version"])


class Hammer:
    """Clients that ask without a pause, each on a connection that it keeps, until they are told to stop."""

    def __init__(self, service: RunningService, body: dict[str, Any], clients: int = 3) -> None:
        self.failed: list[str] = []
        self.answered = 0
        self._stop = threading.Event()
        self._ask = (f"{service.url}/cds-services/{SIGN}", body)
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        url, body = self._ask
        with requests.Session() as session:
            while not self._stop.is_set():
                try:
                    answer = session.post(url, json=body, timeout=30)
                    self.answered += 1
                    if answer.status_code != 200:
                        self.failed.append(str(answer.status_code))
                except requests.RequestException as error:
                    self.failed.append(type(error).__name__)

    def __enter__(self) -> Hammer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


@pytest.mark.parametrize("workers", [1, 2])
def test_settings_are_reloaded_without_dropping_a_request(
    tmp_path: Path, order_sign: Callable[..., dict[str, Any]], workers: int
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site), PSYCHMED_WORKERS=str(workers)) as service:
        before = version(service)
        with Hammer(service, order_sign()) as hammer:
            wait_for(lambda: hammer.answered > 20)
            site.write_text(GOOD + "rules:\n  same-class-pair:\n    status: silent\n")
            service.process.send_signal(signal.SIGHUP)
            wait_for(lambda: messages(service).count("settings reloaded") == workers)
            so_far = hammer.answered
            wait_for(lambda: hammer.answered > so_far + 20)
        assert hammer.failed == []
        # Each on a connection of its own, so that every worker is asked.
        assert {version(service) for _ in range(10)}.isdisjoint({before})
        wait_for(lambda: value_of(service, "psychmed_settings_reloads_total", result="done") == workers)
        assert service.process.poll() is None


def test_what_was_counted_and_known_outlives_a_reload(
    tmp_path: Path, order_sign: Callable[..., dict[str, Any]]
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site)) as service:
        service.post(SIGN, order_sign())
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings reloaded" in messages(service))
        service.post(SIGN, order_sign())
        where = {"endpoint": "service", "hook": "order-sign", "status": "200"}
        assert value_of(service, "psychmed_requests_total", **where) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_x9_a_used_token_stays_used_when_the_settings_are_reloaded(
    tmp_path: Path, order_sign: Callable[..., dict[str, Any]], workers: int
) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(public_jwk(ec_key(), EC_KID)))
    client = f"{{issuer: {ISSUER}, jwks_file: {tmp_path}/keys.json, audience: [https://cds.example.org/any]}}"
    auth = f"auth:\n  clients:\n    ehr: {client}\n"
    site = tmp_path / "site.yaml"
    site.write_text(GOOD + auth)
    with running(PSYCHMED_SETTINGS=str(site), PSYCHMED_WORKERS=str(workers)) as service:

        def asked(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
            return service.post(SIGN, order_sign(), headers=headers).status_code

        def token() -> str:
            return signed(claims(time.time(), aud="https://cds.example.org/any"))  # noqa: TID251

        used, later = token(), token()
        assert asked(used) == 200
        site.write_text(GOOD + auth + "  replay_entries: 50\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: messages(service).count("settings reloaded") == workers)
        assert {asked(used) for _ in range(6)} == {401}
        # And not because nobody is let in any more.
        assert [asked(later), asked(later)] == [200, 401]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("time_zone: UTC\nengine: steam\n", "site.yaml:2:1: SET002 engine: Input should be"),
        (GOOD + "rulez: {}\n", "site.yaml:3:1: SET002 rulez is not a setting (did you mean rules?)"),
        (GOOD + "port: [\n", "not YAML"),
        (GOOD + "drugs: {release: /nowhere/release.db}\n", "there is no such release"),
    ],
)
def test_a_file_that_will_not_do_changes_nothing_and_is_logged(tmp_path: Path, broken: str, told: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site)) as service:
        before = version(service)
        site.write_text(broken)
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any(told in message for message in messages(service)))
        assert any(message.startswith("settings not reloaded, the old ones stay") for message in messages(service))
        assert version(service) == before
        # And a file that is mended is taken.
        site.write_text(GOOD + "rules:\n  same-class-pair:\n    status: silent\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: version(service) != before)


def test_what_is_bound_at_the_start_stays_and_is_told(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site)) as service:
        site.write_text(GOOD + "workers: 3\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings reloaded" in messages(service))
        assert "settings that need a restart stay as they were: workers" in messages(service)


def test_a_worker_that_dies_is_replaced_by_one_with_the_settings_of_late(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site)) as service:
        site.write_text(GOOD + "rules:\n  same-class-pair:\n    status: silent\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings reloaded" in messages(service))
        after = version(service)
        worker = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        if not worker.exists():
            missing("a kernel that lists the children of a process")
        os.kill(int(worker.read_text().split()[0]), signal.SIGKILL)

        def back() -> bool:
            try:
                return version(service) == after
            except requests.RequestException:
                return False

        time.sleep(0.3)
        wait_for(back)


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_in_flight_are_answered_when_the_service_is_stopped(
    order_sign: Callable[..., dict[str, Any]], workers: int
) -> None:
    with running(PSYCHMED_WORKERS=str(workers), PSYCHMED_ENGINE="direct") as service:
        host, port = service.url.removeprefix("http://").split(":")
        body = json.dumps(order_sign()).encode()
        head = [f"POST /cds-services/{SIGN} HTTP/1.1", "Host: x", "Content-Type: application/json"]
        head += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
        connections = [socket.create_connection((host, int(port)), timeout=20) for _ in range(12)]
        try:
            # Half of each body is on its way when the signal comes; the rest follows, later for each.
            for connection in connections:
                connection.sendall("\r\n".join(head).encode() + body[:50])
            time.sleep(0.3)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            answers = []
            for connection in connections:
                time.sleep(0.05)
                connection.sendall(body[50:])
                received = b""
                while chunk := connection.recv(65_536):
                    received += chunk
                answers.append(received.partition(b"\r\n")[0])
        finally:
            for connection in connections:
                connection.close()
        assert answers == [b"HTTP/1.1 200 OK"] * 12
        assert service.process.wait(20) == 0


def test_a_worker_that_is_still_starting_is_not_forgotten(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(GOOD)
    with running(PSYCHMED_SETTINGS=str(site), PSYCHMED_WORKERS="3") as service:
        # As soon as one worker answers, with the others perhaps not there yet.
        site.write_text(GOOD + "rules:\n  same-class-pair:\n    status: silent\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: messages(service).count("settings reloaded") == 3)
