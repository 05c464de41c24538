"""Shared fixtures. `PSYCHMED_REQUIRE=all` turns a skip for a missing tool into a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a busy machine generates inputs says nothing of the code.
settings.register_profile("project", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("project")

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT / ".." / "shared" / "data"


def missing(reason: str, *, required: bool = True) -> None:
    """Skip the test, or fail it where everything is required."""
    if required and os.environ.get("PSYCHMED_REQUIRE") == "all":
        pytest.fail(f"required here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of synthetic charts, drug facts and third-party requests that stands beside a development checkout."""
    if not SHARED_DATA.is_dir():
        # Not required even in CI: the project builds and passes without that folder.
        missing("needs ../shared/data", required=False)
    return SHARED_DATA.resolve()
