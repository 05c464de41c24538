"""What a worker process does: take a piece of the input apart, or evaluate a partition and write its files."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cds.audit.asking import Asker
from cds.audit.extract import Range, extract
from cds.audit.folder import PartDone, RunFolder, write
from cds.audit.inputs import InputFile
from cds.audit.job import Job
from cds.audit.partition import audit_partition, row_batches
from cds.audit.schema import DATASETS
from cds.audit.shuffle import Shuffled, piece_name
from cds.evaluate import Evaluator


@dataclass(slots=True)
class _Worker:
    """What a process keeps between tasks. cut: with which types the evaluator was last asked."""

    job: Job
    folder: RunFolder
    files: list[InputFile]
    parts: int
    rows: int
    evaluator: Evaluator | None = None
    shuffled: Shuffled | None = None


_worker: _Worker | None = None


def prepare(
    job: Job, out: Path, files: list[InputFile], parts: int, *, rows: int, evaluator: Evaluator | None = None
) -> None:
    """Called once in each process. rows: bytes of rows that it may hold at a time. evaluator: where there is one."""
    global _worker  # noqa: PLW0603 - one per process, set before any task
    _worker = _Worker(job, RunFolder(out), files, parts, rows, evaluator)


def _here() -> _Worker:
    assert _worker is not None, "prepare was not called"
    return _worker


def extract_piece(number: int, ranges: list[Range]) -> None:
    """Write one piece of the shuffle."""
    w = _here()
    target = w.folder.pieces / piece_name(number)
    extract(ranges, w.files, w.job, target, parts=w.parts, flush_bytes=w.rows)


def evaluate_part(part: int, cut: list[str]) -> PartDone:
    """Write the files of one partition, and say what came of it."""
    w = _here()
    if w.evaluator is None:
        w.evaluator = w.job.evaluator()
        # Rules and tables stay: looking through them again and again costs more than the charts do.
        gc.collect()
        gc.freeze()
    if w.shuffled is None:
        w.shuffled = Shuffled(w.folder.work)
    asker = Asker(w.job, w.evaluator, shared=w.shuffled, cut=frozenset(cut))
    rows = row_batches(w.shuffled.patients(part, w.job.patients, at_once=w.rows))
    done = _write_part(w.folder, part, audit_partition(rows, asker=asker))
    write(w.folder.done_file(part), msgspec.json.encode(done))
    return done


def _write_part(folder: RunFolder, part: int, outcomes: Iterator[Any]) -> PartDone:
    """Outcomes to one Parquet file of each data set, by the same names as ever."""
    done = PartDone(0, 0, 0, None)
    targets = {name: folder.part_file(name, part) for name in DATASETS}
    begun = {name: path.with_name(f".{path.name}.{os.getpid()}") for name, path in targets.items()}
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(pq.ParquetWriter(begun[name], schema, compression="zstd"))
            for name, schema in DATASETS.items()
        }
        for batch in outcomes:
            for name, schema in DATASETS.items():
                rows = batch.column(name).flatten()
                writers[name].write_batch(pa.RecordBatch.from_arrays(rows.flatten(), schema=schema))
                if name == "findings":
                    done.findings += len(rows)
            done.patients += len(batch)
            latest = max((day for day in batch.column("latest").to_pylist() if day is not None), default=None)
            if latest is not None:
                done.latest = max(done.latest or "", latest.isoformat())
            done.resources += _resources(batch)
    for name, path in targets.items():
        with begun[name].open("rb") as file:
            os.fsync(file.fileno())
        begun[name].rename(path)
    return done


def _resources(batch: Any) -> int:
    """Resources of the patients of a batch; in a replay a patient has several rows."""
    total = 0
    for rows in batch.column("patients").to_pylist():
        total += max((row["resources"] for row in rows), default=0)
    return total
