"""How the work is cut: pieces of the input, partitions of patients, and the memory that each process may hold.

Pieces and partitions follow from the input alone, so that the same input gives the same files whatever the machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cds.audit.extract import Range
from cds.audit.inputs import InputFile
from cds.audit.job import AuditError

_MB: Final = 1 << 20
_SMALLEST_PIECE, _LARGEST_PIECE = 4 * _MB, 128 * _MB
_PIECES: Final = 64
# What a compressed file of an export is when it is not, and how much of it goes through the shuffle.
_INFLATED: Final = 12
_PARTITION: Final = 32 * _MB
_FEWEST_PARTS, _MOST_PARTS = 8, 2048

# Measured: this process, and one that has loaded rules, drug table and Arrow, before it holds any rows.
_MAIN_BYTES: Final = 120 * _MB
_WORKER_BYTES: Final = 160 * _MB
_LEAST_ROOM: Final = 40 * _MB


def pieces_of(files: Sequence[InputFile]) -> list[list[Range]]:
    """Pieces of about equal size: ranges of large files, small files together. A compressed file is never divided."""
    total = sum(f.size for f in files)
    size = min(max(total // _PIECES, _SMALLEST_PIECE), _LARGEST_PIECE)
    pieces: list[list[Range]] = []
    held: list[Range] = []
    room = size
    for number, file in enumerate(files):
        if file.kind == "lines" and not file.compressed and file.size > size:
            count = -(-file.size // size)
            step = -(-file.size // count)
            bounds = [*range(0, file.size, step), file.size]
            pieces += [[Range(number, low, high)] for low, high in itertools.pairwise(bounds)]
            continue
        if held and file.size > room:
            pieces.append(held)
            held, room = [], size
        held.append(Range(number, 0, None))
        room -= file.size
    return [*pieces, held] if held else pieces


def parts_of(files: Sequence[InputFile]) -> int:
    """How many partitions: each a share of the input that takes seconds."""
    total = sum(f.size * (_INFLATED if f.compressed else 1) for f in files)
    return min(max(-(-total // _PARTITION), _FEWEST_PARTS), _MOST_PARTS)


@dataclass(frozen=True, slots=True)
class Budget:
    """workers: how many processes fit. rows: bytes of rows that one of them holds at a time."""

    workers: int
    rows: int


def budget_of(memory: int, workers: int) -> Budget:
    """Share the memory of the whole tree of processes. Raises AuditError when not even one worker fits."""
    for count in range(workers, 0, -1):
        room = (memory - _MAIN_BYTES) // count - _WORKER_BYTES
        if room >= _LEAST_ROOM:
            # Rows are held as they are, packed for writing, and decoded: about four times their size together.
            return Budget(count, min(room // 4, 256 * _MB))
    least = (_MAIN_BYTES + _WORKER_BYTES + _LEAST_ROOM) // _MB
    raise AuditError(f"--memory: an audit needs at least {least} MB")
