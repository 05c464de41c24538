"""Where the shipped knowledge is: inside the wheel at `cds/_shipped`, in a checkout at its top.

`importlib.resources.files("rules")` would merge in any folder of that name from the current directory; this does not.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped folder or file `name` ("rules", "fixtures/cases", "rules/tables/class_pairs.csv")."""
    inside_wheel = _PACKAGE / "_shipped" / name
    return inside_wheel if inside_wheel.exists() else _PACKAGE.parent / name


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of the shipped table `rules/tables/<name>.csv`; lines that start with # are its notes."""
    with shipped(f"rules/tables/{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))
