"""Tasks for worker processes that end badly."""

from __future__ import annotations

import os
import signal


def ready() -> None:
    """Nothing to prepare."""


def work(number: int) -> int:
    """What every task does; the seventh ends its process, as a crash of an extension would."""
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
