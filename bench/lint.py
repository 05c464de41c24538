"""Seconds of `psychmed lint` over all shipped rules and cases, as a ratio to parsing the same files once.

The floor is ruamel.yaml, which gives line and column of every value: less cannot be read. Run: python bench/lint.py
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ruamel.yaml import YAML

from cds.authoring.lint import every_file, lint

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    files = every_file([], None)
    texts = [path.read_text(encoding="utf-8") for path in files]

    def floor() -> None:
        for text in texts:
            YAML(typ="rt").load(text)

    pairs = [(seconds(floor), seconds(lambda: lint([], today=dt.date(2026, 11, 21)))) for _ in range(ROUNDS)]
    parsing, linting = (statistics.median(column) for column in zip(*pairs, strict=True))
    lines = sum(text.count("\n") for text in texts)
    print(f"lint   {len(files)} files, {lines} lines: {linting:.2f} s; parsing alone {parsing:.2f} s")
    print(f"ratio  {linting / parsing:.2f}")


if __name__ == "__main__":
    main()
