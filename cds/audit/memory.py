"""What a tree of processes holds in memory, from /proc: shared pages are counted once, by shares (PSS)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

_PROC = Path("/proc")


def tree_bytes(pid: int) -> int:
    """Memory of a process and all its descendants; 0 where the system does not tell."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children[parent].append(int(entry.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += _bytes_of(one)
        waiting += children[one]
    return total


def _parent(entry: Path) -> int | None:
    try:
        # The name of the command stands in parentheses and may hold anything.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _bytes_of(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # it has ended
    return 0
