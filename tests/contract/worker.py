"""Runs a part of the suite in a process of its own, so that a crash costs that process and names its seed.

`python -m tests.contract.worker <first seed> <seeds>` writes a line with each seed before it starts, and at the end one
line of JSON with the figures, or with what was wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.contract.suite import DisagreementError, Figures, check_seed

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of a part, or the failure with its seed."""

    figures: Figures
    failure: str | None


def run_part(first: int, seeds: int, timeout_s: float = 900.0) -> Outcome:
    """Run seeds in a worker process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.worker", str(first), str(seeds)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    timer = threading.Timer(timeout_s, process.kill)
    timer.start()
    last = ""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            last = line
    timer.cancel()
    code = process.wait()
    if not last.startswith("{"):
        return Outcome(Figures(), f"the worker ended with {code} at {last.strip() or 'its start'}")
    answer = json.loads(last)
    figures = Figures(answer["checks"])
    figures.found.update(answer["found"])
    return Outcome(figures, answer["failure"])


def main() -> None:
    """Run the seeds named by the arguments."""
    first, seeds = map(int, sys.argv[1:3])
    figures = Figures()
    failure = None
    for seed in range(first, first + seeds):
        print(f"seed {seed}", flush=True)
        if os.environ.get("PSYCHMED_TEST_CRASH_AT") == str(seed):
            os.kill(os.getpid(), signal.SIGSEGV)
        try:
            check_seed(seed, figures)
        except DisagreementError as error:
            failure = str(error)
            break
    print(json.dumps({"checks": figures.checks, "found": figures.found, "failure": failure}), flush=True)


if __name__ == "__main__":
    main()
