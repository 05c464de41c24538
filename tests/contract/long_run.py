"""The long run: `python -m tests.contract.long_run --checks 200000 --seed 1 [--processes 2]`.

Prints figures; ends with 1 when engines differ, one crashes, or the run was not worth enough.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.contract.suite import FACT_SETS, Figures
from tests.contract.worker import run_part

SEEDS_A_PART = 500


def main() -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    seeds = -(-wanted.checks // FACT_SETS)
    parts = [(first, min(SEEDS_A_PART, seeds - first)) for first in range(0, seeds, SEEDS_A_PART)]
    begun = time.perf_counter()
    figures = Figures()
    failures = []
    with ThreadPoolExecutor(wanted.processes) as pool:
        for outcome in pool.map(lambda part: run_part(wanted.seed + part[0], part[1]), parts):
            figures.add(outcome.figures)
            if outcome.failure is not None:
                failures.append(outcome.failure)
                print(outcome.failure, flush=True)
    seconds = time.perf_counter() - begun
    print(f"seeds {wanted.seed} to {wanted.seed + seeds - 1}: {figures.checks} checks in {seconds:.0f} s")
    print(f"disagreements and crashes: {len(failures)}")
    print(figures.table())
    shortfalls = figures.shortfalls()
    print("\n".join(shortfalls))
    return 1 if failures or shortfalls else 0


if __name__ == "__main__":
    sys.exit(main())
