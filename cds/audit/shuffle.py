"""The shuffle: one file for each finished piece of the input, in it the rows of each partition, and an index of all.

A piece is written under another name and renamed when it is on the disk: what has its name is finished. Each of its
segments holds the rows of some patients of one partition, compressed; a patient's rows may stand in many segments.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec
import pyarrow as pa

from cds.audit.compact import decode_record, record_row
from cds.audit.job import AuditError
from cds.fhir import records as r
from cds.intake.shared import keys_of

_MAGIC: Final = b"PSYMED01"
_ROW_OVERHEAD: Final = 90  # bytes that a row costs in memory beside its own
Rows = list[tuple[str, list[bytes]]]

_encode: Final = msgspec.msgpack.Encoder().encode
_rows: Final = msgspec.msgpack.Decoder(Rows)
_shared: Final = msgspec.msgpack.Decoder(list[bytes])


class Segment(msgspec.Struct, array_like=True, frozen=True):
    """part: -1 for records of no one patient. raw: its size once decompressed."""

    part: int
    offset: int
    length: int
    raw: int


class InputProblem(msgspec.Struct, array_like=True, frozen=True):
    """line: counted from the start of the piece of its file (1 = the first); 0 for the whole file."""

    piece: int
    line: int
    kind: str
    resource_type: str


class Extracted(msgspec.Struct):
    """What came of one piece of the input. lines, bad: for each of its ranges of a file. cut: types not read whole.

    unread: ranges that broke off. names: of organisations and places, by reference.
    """

    lines: list[int] = []
    bad: list[int] = []
    unread: list[int] = []
    problems: list[InputProblem] = []
    cut: list[str] = []
    resources: int = 0
    bytes: int = 0
    names: dict[str, str] = {}
    segments: list[Segment] = []


_extracted: Final = msgspec.msgpack.Decoder(Extracted)


def part_of(patient: str, parts: int) -> int:
    """The partition of a patient: the same on every machine."""
    return zlib.crc32(patient.encode("utf-8", "surrogatepass")) % parts


class PieceWriter:
    """Collects rows and writes them partition by partition whenever `flush_bytes` of them are in memory."""

    def __init__(self, path: Path, *, parts: int, flush_bytes: int) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}")
        self._file = self._temporary.open("wb")
        self._parts, self._flush_bytes = parts, flush_bytes
        self._rows: defaultdict[str, list[bytes]] = defaultdict(list)
        self._records: list[bytes] = []
        self._held = 0
        self._segments: list[Segment] = []
        self._codec = pa.Codec("zstd", compression_level=1)

    def add(self, patient: str, row: bytes) -> None:
        self._rows[patient].append(row)
        self._held += len(row) + _ROW_OVERHEAD

    def add_shared(self, record: r.Resource) -> None:
        row = record_row(record)
        self._records.append(row)
        self._held += len(row) + _ROW_OVERHEAD

    def hold(self, size: int) -> None:
        """Count memory that is freed at the next flush."""
        self._held += size

    @property
    def full(self) -> bool:
        return self._held >= self._flush_bytes

    def flush(self) -> None:
        """Write what is held, patients in order within each partition."""
        by_part: defaultdict[int, Rows] = defaultdict(list)
        for patient in sorted(self._rows):
            by_part[part_of(patient, self._parts)].append((patient, self._rows[patient]))
        for part in sorted(by_part):
            self._write(part, _encode(by_part.pop(part)))
        if self._records:
            self._write(-1, _encode(self._records))
        self._rows.clear()
        self._records.clear()
        self._held = 0

    def _write(self, part: int, raw: bytes) -> None:
        data = self._codec.compress(raw, asbytes=True)
        self._segments.append(Segment(part, self._file.tell(), len(data), len(raw)))
        try:
            self._file.write(data)
        except OSError as error:  # not to be taken for an input that broke off
            raise AuditError(f"--out: cannot be written: {error.strerror}") from None

    def finish(self, extracted: Extracted) -> None:
        """Write the rest and what came of the piece, and give the file its name."""
        self.flush()
        extracted.segments = self._segments
        footer = _encode(extracted)
        self._file.write(footer + len(footer).to_bytes(8, "little") + _MAGIC)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.rename(self._path)

    def __enter__(self) -> PieceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()
        if kind is not None:
            self._temporary.unlink(missing_ok=True)


def read_extracted(path: Path) -> Extracted:
    """What came of a finished piece. Raises ValueError for a file that is none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 16))
        tail = file.read(16)
        if len(tail) < 16 or tail[8:] != _MAGIC:
            raise ValueError("no piece of a shuffle")
        length = int.from_bytes(tail[:8], "little")
        file.seek(size - 16 - length)
        return _extracted.decode(file.read(length))


def piece_name(number: int) -> str:
    return f"piece-{number:05}.rows"


# The index -----------------------------------------------------------------------------------------------------------


def write_index(path: Path, pieces: Path, numbers: Sequence[int]) -> None:
    """Where each partition's segments are, and the records of no one patient by their keys: one SQLite file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    db = sqlite3.connect(temporary)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TABLE segment (part INTEGER, piece INTEGER, offset INTEGER, length INTEGER, raw INTEGER)")
        db.execute("CREATE TABLE shared (key TEXT, record BLOB)")
        for number in numbers:
            file = pieces / piece_name(number)
            segments = read_extracted(file).segments
            rows = [(s.part, number, s.offset, s.length, s.raw) for s in segments if s.part >= 0]
            db.executemany("INSERT INTO segment VALUES (?, ?, ?, ?, ?)", rows)
            for segment in segments:
                if segment.part < 0:
                    for row in _shared.decode(_read(file, segment)):
                        keys = keys_of(decode_record(row))
                        db.executemany("INSERT INTO shared VALUES (?, ?)", [(key, row) for key in keys])
        db.execute("CREATE INDEX by_part ON segment (part)")
        db.execute("CREATE INDEX by_key ON shared (key)")
        db.commit()
    finally:
        db.close()
    with temporary.open("rb") as file_:
        os.fsync(file_.fileno())
    temporary.rename(path)


def _read(path: Path, segment: Segment) -> bytes:
    with path.open("rb") as file:
        file.seek(segment.offset)
        data = file.read(segment.length)
    raw: bytes = pa.decompress(data, decompressed_size=segment.raw, codec="zstd", asbytes=True)
    return raw


class Shuffled:
    """The rows of a finished shuffle. Also `SharedRecords`: records of no one patient, looked up on the disk."""

    def __init__(self, work: Path) -> None:
        self._pieces = work / "pieces"
        self._db = sqlite3.connect(f"file:{work / 'index.sqlite'}?mode=ro", uri=True, check_same_thread=False)
        self._has_shared = self._db.execute("SELECT 1 FROM shared LIMIT 1").fetchone() is not None
        self._remembered: dict[str, list[r.Resource]] = {}

    def find(self, key: str) -> Iterable[r.Resource]:
        if not self._has_shared:
            return ()
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) > 5000:
                self._remembered.clear()
            rows = self._db.execute("SELECT record FROM shared WHERE key = ? ORDER BY record", (key,))
            found = self._remembered[key] = [decode_record(row) for (row,) in rows]
        return found

    def raw_bytes(self, part: int) -> int:
        """Size of a partition in memory, roughly."""
        found = self._db.execute("SELECT coalesce(sum(raw), 0) FROM segment WHERE part = ?", (part,)).fetchone()
        return int(found[0])

    def _segments(self, part: int) -> Iterator[Rows]:
        query = "SELECT piece, offset, length, raw FROM segment WHERE part = ? ORDER BY piece, offset"
        for piece, offset, length, raw in self._db.execute(query, (part,)).fetchall():
            yield _rows.decode(_read(self._pieces / piece_name(piece), Segment(part, offset, length, raw)))

    def patients(
        self, part: int, wanted: frozenset[str] | None = None, *, at_once: int
    ) -> Iterator[tuple[str, list[bytes]]]:
        """(patient, rows) of a partition in the order of patients. at_once: bytes of rows held in memory together.

        A partition larger than that is read several times, a range of patients each time.
        """
        for low, high in self._ranges(part, at_once):
            held: defaultdict[str, list[bytes]] = defaultdict(list)
            for rows in self._segments(part):
                for patient, of_patient in rows:
                    if low <= patient and (high is None or patient < high) and (wanted is None or patient in wanted):
                        held[patient] += of_patient
            for patient in sorted(held):
                yield patient, held.pop(patient)

    def _ranges(self, part: int, at_once: int) -> list[tuple[str, str | None]]:
        if self.raw_bytes(part) <= at_once:
            return [("", None)]
        sizes: defaultdict[str, int] = defaultdict(int)
        for rows in self._segments(part):
            for patient, of_patient in rows:
                sizes[patient] += sum(map(len, of_patient)) + _ROW_OVERHEAD * len(of_patient)
        starts, held = [""], 0
        for patient in sorted(sizes):
            if held and held + sizes[patient] > at_once:
                starts.append(patient)
                held = 0
            held += sizes[patient]
        return list(zip(starts, [*starts[1:], None], strict=True))

    def close(self) -> None:
        self._db.close()
