"""Files of an audit: written whole or not at all, for the owner's eyes alone, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

# What a spreadsheet would run as a formula. OWASP, CSV injection: = + - @ tab and carriage return, full-width too.
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠|")


def defused(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what would start one."""
    if not isinstance(value, str) or not value:
        return value
    start = value.lstrip(" \u00a0\ufeff")[:1]
    return "'" + value if start in _FORMULA and start else value


@contextmanager
def private(path: Path) -> Iterator[IO[bytes]]:
    """A file for the owner alone (0600) that appears under its name when it is complete."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], *, note: str = "") -> int:
    """Write a CSV (UTF-8, header first, note above it) and return the number of rows."""
    written = 0
    with private(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
        if note:
            text.write(f"# {note}\r\n")
        writer = csv.writer(text)
        writer.writerow(header)
        for row in rows:
            writer.writerow([defused("" if value is None else value) for value in row])
            written += 1
        text.flush()
    return written


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write NDJSON and return the number of lines."""
    written = 0
    with private(path) as file:
        for line in lines:
            file.write(line + b"\n")
            written += 1
    return written


def write_bytes(path: Path, content: bytes) -> None:
    with private(path) as file:
        file.write(content)
