"""Where the clients of others are, and the service that they talk to."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.demo import SCENES, dated
from tests.conftest import missing
from tests.hooks.service import ROOT, TODAY, RunningService, running

INTEROP = Path(sys.prefix) / "interop"
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


@pytest.fixture(scope="session")
def cds() -> Iterator[RunningService]:
    """The service on the pinned day."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js and the npm packages of the tests."""
    found = shutil.which("node", path=PATH)
    if found is None or not (INTEROP / "node/node_modules/@medplum/core").is_dir():
        missing("needs Node.js and @medplum/core: make interop")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def healthchain() -> Path:
    """The Python of the environment that has healthchain."""
    python = INTEROP / "healthchain/bin/python"
    if not python.exists():
        missing("needs healthchain in an environment of its own: make interop")
    return python


@pytest.fixture(scope="session")
def scenes() -> dict[str, dict[str, Any]]:
    """The requests of the demo on the pinned day, by file; each brings a card."""
    day = dt.date.fromisoformat(TODAY)
    return {s.file: dated((ROOT / "fixtures/requests" / s.file).read_text("utf-8"), day) for s in SCENES}


def without_ids(answer: dict[str, Any]) -> str:
    """An answer without the identifiers that are new in each."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items() if k not in ("uuid", "id")}
        return [kept(v) for v in value] if isinstance(value, list) else value

    return json.dumps(kept(answer), sort_keys=True)
