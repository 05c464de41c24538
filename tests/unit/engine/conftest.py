"""Skips what needs durable-rules where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parents[3])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.conftest import missing  # noqa: E402


@pytest.fixture(scope="session")
def durable_rules() -> None:
    """Skip where durable-rules is not installed; it cannot be on Python 3.13 and later."""
    if importlib.util.find_spec("durable_rules_engine") is None:
        missing("needs durable-rules", required=sys.version_info < (3, 13))
