"""The service as a child process on a free loopback port: one for the whole session, stopped at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests

ROOT = Path(__file__).resolve().parents[2]
MAX_BODY_BYTES = 2 * 1024 * 1024
TODAY = "2026-03-02"
LISTENING = "psychmed listening on "


@dataclass
class RunningService:
    """A started service: where it is, and the process that is it."""

    url: str
    process: subprocess.Popen[str]
    stderr: IO[str]

    def log(self) -> str:
        """What it has written to standard error so far."""
        return _all(self.stderr)

    def post(self, service: str, body: Any = None, **options: Any) -> requests.Response:
        """POST to one service; a dict goes as JSON, bytes as they are."""
        if isinstance(body, bytes):
            options.setdefault("headers", {"Content-Type": "application/json"})
            return requests.post(f"{self.url}/cds-services/{service}", data=body, timeout=30, **options)
        return requests.post(f"{self.url}/cds-services/{service}", json=body, timeout=30, **options)


@contextmanager
def running(**environment: str) -> Iterator[RunningService]:
    """Start `python -m hooks`, yield it when it answers, stop it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PSYCHMED_")}
    # A file and not a pipe: nobody reads it while the service writes a line for each request.
    stderr = tempfile.NamedTemporaryFile("w")  # noqa: SIM115 - closed below, after the process that writes it
    process = subprocess.Popen(
        [sys.executable, "-m", "hooks", "--port", "0"],
        cwd=ROOT,
        env={**inherited, "PSYCHMED_TIME_ZONE": "UTC", "PSYCHMED_TODAY": TODAY, **environment},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    assert process.stdout is not None
    process.stderr = Path(stderr.name).open(encoding="utf-8")  # noqa: SIM115 - closed below
    try:
        address = next((line for line in process.stdout if line.startswith(LISTENING)), None)
        assert address is not None, f"the service did not start: {_all(stderr)}"
        yield RunningService(address.removeprefix(LISTENING).strip(), process, stderr)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()
        stderr.close()


def wait_for(said: Callable[[], bool], seconds: float = 40) -> None:
    """Wait until it holds. Raises AssertionError when it does not in time."""
    until = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def _all(stderr: IO[str]) -> str:
    # By its name: the service writes on at the place that this file object has.
    return Path(stderr.name).read_text("utf-8")
