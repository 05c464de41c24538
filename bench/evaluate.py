"""Bytes to findings against the floor, `orjson.loads` of the same bytes in the same run: python bench/evaluate.py"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.charts import TODAY, request_of
from cds.evaluate import Evaluator
from cds.settings import load_settings
from hooks.request import read_call

ROUNDS = 40
GOALS = {50: 1.0, 300: 0.6, 2000: 0.6}


def main() -> None:
    evaluator = Evaluator(load_settings(time_zone="America/New_York", engine="direct"))
    verified = Evaluator(load_settings(time_zone="America/New_York", engine="auto"))
    print(f"CPU ms, minimum of {ROUNDS}, order shuffled, gc frozen; engine direct, then {verified.engine_name}")
    columns = ("resources", "kB", "floor", "read", "direct", "ratio", "goal", f"{verified.engine_name} +")
    print("".join(f"{name:>12}" for name in columns))
    for size, goal in GOALS.items():
        body = request_of(size)
        work: dict[str, Callable[[], object]] = {
            "floor": lambda body=body: orjson.loads(body),
            "read": lambda body=body: read_call(body, "order-sign"),
            "direct": lambda body=body: evaluator.evaluate(read_call(body, "order-sign"), today=TODAY),
            "verified": lambda body=body: verified.evaluate(read_call(body, "order-sign"), today=TODAY),
        }
        found = measure(work)
        ratio = found["direct"] / found["floor"]
        figures = (len(body) / 1000, found["floor"], found["read"], found["direct"], ratio, goal)
        print(f"{size:>12}" + "".join(f"{f:>12.2f}" for f in (*figures, found["verified"] - found["direct"])))
    evaluator.close()
    verified.close()


def measure(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least CPU milliseconds of each piece of work, taken in shuffled order."""
    best = dict.fromkeys(work, float("inf"))
    for call in work.values():
        call()
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        names = list(work)
        random.shuffle(names)
        for name in names:
            start = time.process_time()
            work[name]()
            best[name] = min(best[name], (time.process_time() - start) * 1000)
    gc.unfreeze()
    return best


if __name__ == "__main__":
    main()
