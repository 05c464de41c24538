"""The service as a child process on a free loopback port: one for the whole session, stopped at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    process = subprocess.Popen(
        [sys.executable, "-m", "hooks", "--port", "0"],
        cwd=ROOT,
        env={**inherited, "PSYCHMED_TIME_ZONE": "UTC", "PSYCHMED_TODAY": TODAY, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        address = next((line for line in process.stdout if line.startswith(LISTENING)), None)
        assert address is not None, f"the service did not start: {process.stderr.read()}"
        yield RunningService(address.removeprefix(LISTENING).strip(), process)
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
