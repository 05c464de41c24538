"""Skips what needs durable-rules where it is not installed."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.conftest import missing


@pytest.fixture(scope="session")
def durable_rules() -> None:
    """Skip where durable-rules is not installed; it cannot be on Python 3.13 and later."""
    if importlib.util.find_spec("durable_rules_engine") is None:
        missing("needs durable-rules", required=sys.version_info < (3, 13))
