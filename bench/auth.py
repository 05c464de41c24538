"""What a token costs: the check by itself, and a request with and without it in the same run: python bench/auth.py

The check: from the Authorization header to the caller, keys cached, a new jti each time. The request: order-sign over
HTTP with one worker and one connection, two services side by side, calls in turn, so that both meet the same machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.charts import TODAY, request_of
from cds.auth_settings import AuthSettings
from hooks.auth.authenticator import Authenticator
from tests.hooks.issuer import ISSUER, claims, jwks, signed

ROOT = Path(__file__).resolve().parents[1]
CHECKS = 400
CALLS = 300
WARM = 20
RESOURCES = (50, 300)
ALGORITHMS = ("ES384", "RS384")
SERVICE = "psychmed-order-sign"
BASE = "https://cds.example.org"
ENDPOINT = f"{BASE}/cds-services/{SERVICE}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.json"
        keys.write_bytes(jwks())
        auth = {"clients": {"ehr": {"issuer": ISSUER, "jwks_file": str(keys)}}}
        print("the check by itself, CPU µs")
        print(f"{'':>16}{'p50':>10}{'p99':>10}")
        for algorithm in ALGORITHMS:
            show(algorithm, check_alone(auth, algorithm))
        shared = {**auth, "replay_file": str(Path(folder) / "used.sqlite")}
        show("RS384, file", check_alone(shared, "RS384"))
        print("\norder-sign over HTTP, ms; the ratio is to the request without auth")
        print(f"{'resources':>10}{'':>16}{'p50':>10}{'p99':>10}{'p50 ratio':>12}{'p99 ratio':>12}")
        with served() as without, served(PSYCHMED_AUTH=json.dumps(auth), PSYCHMED_BASE_URL=BASE) as with_auth:
            for size in RESOURCES:
                requests_of(size, without, with_auth)


def check_alone(auth: dict[str, object], algorithm: str) -> list[float]:
    """Microseconds of each check."""
    authenticator = Authenticator(AuthSettings.model_validate(auth))
    headers = [f"Bearer {token}" for token in tokens(CHECKS, algorithm)]
    now = time.time()  # noqa: TID251

    async def run() -> list[float]:
        found = []
        for header in headers:
            start = time.process_time()
            await authenticator.authenticate([header], ENDPOINT, now)
            found.append((time.process_time() - start) * 1e6)
        return found

    return asyncio.run(run())


def requests_of(size: int, without: str, with_auth: str) -> None:
    body = request_of(size)
    session = requests.Session()

    def call(url: str, token: str | None) -> float:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        start = time.perf_counter()
        answer = session.post(f"{url}/cds-services/{SERVICE}", data=body, headers=headers, timeout=30)
        took = (time.perf_counter() - start) * 1000
        assert answer.status_code == 200, answer.text
        return took

    work: dict[str, Callable[[int], float]] = {"off": lambda _: call(without, None)}
    for algorithm in ALGORITHMS:
        made = tokens(CALLS + WARM, algorithm)
        work[algorithm] = lambda n, made=made: call(with_auth, made[n])
    found: dict[str, list[float]] = {name: [] for name in work}
    for number in range(CALLS + WARM):
        for name, ask in work.items():
            took = ask(number)
            if number >= WARM:
                found[name].append(took)
    floor = figures(found["off"])
    for name, taken in found.items():
        p50, p99 = figures(taken)
        print(f"{size:>10}{name:>16}{p50:>10.2f}{p99:>10.2f}{p50 / floor[0]:>12.2f}{p99 / floor[1]:>12.2f}")


def tokens(count: int, algorithm: str) -> list[str]:
    now = time.time()  # noqa: TID251
    return [signed(claims(now, aud=ENDPOINT, exp=int(now) + 3000), algorithm=algorithm) for _ in range(count)]


def figures(taken: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]


def show(name: str, taken: list[float]) -> None:
    p50, p99 = figures(taken)
    print(f"{name:>16}{p50:>10.0f}{p99:>10.0f}")


@contextmanager
def served(**environment: str) -> Iterator[str]:
    """A service on a free port, direct engine, stopped at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")}
    day = {"PSYCHMED_TIME_ZONE": "UTC", "PSYCHMED_TODAY": TODAY.isoformat(), "PSYCHMED_ENGINE": "direct"}
    process = subprocess.Popen(
        [sys.executable, "-m", "hooks", "--port", "0"],
        cwd=ROOT,
        env={**inherited, **day, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if line.startswith("psychmed listening on "))
        yield line.removeprefix("psychmed listening on ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


if __name__ == "__main__":
    main()
