"""An audit on one machine: plan, extract, index, evaluate, in worker processes; after a crash, what is left of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cds.audit import tasks
from cds.audit.describe import describe, version
from cds.audit.extract import Range
from cds.audit.folder import Manifest, PartDone, RunFolder, write_json
from cds.audit.inputs import InputFile, digest_of, list_inputs
from cds.audit.job import AuditError, Job
from cds.audit.memory import tree_bytes
from cds.audit.plan import Budget, budget_of, parts_of, pieces_of
from cds.audit.schema import PROBLEMS
from cds.audit.select import first_patients
from cds.audit.shuffle import Extracted, piece_name, read_extracted, write_index
from cds.audit.workers import InThisProcess, Lost, Task, Workers
from cds.evaluate import Evaluator
from cds.intake.lines import types_lost

Stage = Literal["extract", "evaluate"]
_SAMPLE_S: Final = 0.5
_SMALL: Final = 1 << 20


class Progress(Protocol):
    """Who shows how far a run is."""

    def stage(self, name: Stage, total: int, done: int) -> None:
        """A stage begins: bytes to extract, or partitions to evaluate, some of them done in an earlier run."""
        ...

    def advance(self, by: int, *, patients: int = 0) -> None:
        """So much of the stage is done."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is made, which changes nothing in what it finds. memory: bytes for all processes together."""

    memory: int = 2 << 30
    workers: int = 0
    restart: bool = False


@dataclass(slots=True)
class _Run:
    """Working state. now: the caller's clock, as ISO text."""

    job: Job
    folder: RunFolder
    manifest: Manifest
    budget: Budget
    progress: Progress
    now: Callable[[], str]
    peak: int = 0
    sampled: float = 0.0

    def tick(self) -> None:
        moment = time.monotonic()
        if moment - self.sampled >= _SAMPLE_S:
            self.sampled = moment
            self.peak = max(self.peak, tree_bytes(os.getpid()))


def run_audit(
    export: str, out: Path, job: Job, options: Options, *, progress: Progress, now: Callable[[], str]
) -> dict[str, Any]:
    """Evaluate every patient of an export into the files of `out`; returns what `run.json` says.

    Run again after a crash, it goes on. Raises AuditError when the folder holds another run, or nothing can be read.
    """
    budget = budget_of(options.memory, options.workers or os.cpu_count() or 1)
    if _is_read_with(export, out):
        raise AuditError("--out: lies in the export, and would be read with it: name a folder beside the export")
    files, left_out = list_inputs(export)
    evaluator = job.evaluator()
    try:
        digest = job.digest(evaluator, digest_of(files), version())
        folder = RunFolder(out)
        with folder.locked():
            if options.restart:
                folder.restart()
            manifest = folder.read_manifest()
            if manifest is None:
                first = None if job.limit is None else first_patients(files, job.limit, job.patients)
                chosen = job if first is None else replace(job, patients=first)
                manifest = _plan(chosen, digest, files, left_out, now())
                folder.begin(manifest)
            elif manifest.digest != digest:
                raise AuditError(
                    "--out: holds an audit of other files, rules, settings, date or options; "
                    "name another folder, or --restart to do this one from the beginning"
                )
            folder.sweep()
            patients = None if manifest.patients is None else frozenset(manifest.patients)
            run = _Run(replace(job, patients=patients), folder, manifest, budget, progress, now)
            described = describe(job, evaluator)
            found = _carry_out(run, options, evaluator)
            report = {**described, **found}
            write_json(folder.run_file, report)
            if not report["patients"] and not report["failed_parts"] and not report["unread_files"]:
                raise AuditError(f"{export}: no patient to audit in these files")
            missing = len(job.patients or ()) - report["patients"]
            if job.patients and missing > 0 and not report["failed_parts"]:
                progress.note(f"{missing} of the {len(job.patients)} patients asked for are not in the export")
            return report
    finally:
        evaluator.close()


def _is_read_with(export: str, out: Path) -> bool:
    """Whether the files of `out` would be files of the export: hidden folders and those that begin with _ are not."""
    if "://" in export or not Path(export).is_dir():
        return False
    root, inner = Path(export).resolve(), out.resolve()
    return inner.is_relative_to(root) and not any(p.startswith((".", "_")) for p in inner.relative_to(root).parts)


def _plan(job: Job, digest: str, files: list[InputFile], left_out: list[str], started: str) -> Manifest:
    return Manifest(
        format=1,
        digest=digest,
        files=files,
        left_out=left_out,
        pieces=pieces_of(files),
        parts=parts_of(files),
        patients=None if job.patients is None else sorted(job.patients),
        hook=job.hook,
        rules=None if job.rules is None else list(job.rules),
        started=started,
    )


def _carry_out(run: _Run, options: Options, evaluator: Evaluator) -> dict[str, Any]:
    manifest, folder = run.manifest, run.folder
    prepare = partial(tasks.prepare, run.job, folder.path, manifest.files, manifest.parts, rows=run.budget.rows)
    small = sum(f.size for f in manifest.files) < _SMALL and not options.workers
    workers: Workers | InThisProcess = (
        InThisProcess(partial(prepare, evaluator=evaluator)) if small else Workers(run.budget.workers, prepare)
    )
    for name in manifest.left_out:
        run.progress.note(f"{name}: left out, the folder is read as an export (NDJSON)")
    seconds = {}
    try:
        began = time.monotonic()
        lost_pieces = _extract(run, workers)
        seconds["extract"] = time.monotonic() - began
        began = time.monotonic()
        whole = [n for n in range(len(manifest.pieces)) if (folder.pieces / piece_name(n)).exists()]
        extracted = {n: read_extracted(folder.pieces / piece_name(n)) for n in whole}
        cut = types_cut(folder, manifest)
        if not (folder.work / "index.sqlite").exists():
            write_index(folder.work / "index.sqlite", folder.pieces, whole)
        seconds["shuffle"] = time.monotonic() - began
        began = time.monotonic()
        lost_parts = _evaluate(run, workers, sorted(cut))
        seconds["evaluate"] = time.monotonic() - began
    finally:
        workers.close()
    folder.sweep()  # a worker that was killed left what it had begun
    return _summary(
        run,
        memory=options.memory,
        workers=workers.count,
        extracted=extracted,
        lost=[*lost_pieces, *lost_parts],
        seconds=seconds,
    )


def _extract(run: _Run, workers: Workers | InThisProcess) -> list[Lost]:
    manifest, folder = run.manifest, run.folder
    sizes = [sum(_size(manifest.files, part) for part in piece) for piece in manifest.pieces]
    left = [n for n in range(len(sizes)) if not (folder.pieces / piece_name(n)).exists()]
    if any(folder.part_done(part) for part in range(manifest.parts)):
        left = []  # a piece that was given up stays so: partitions were evaluated without it
    if left:
        (folder.work / "index.sqlite").unlink(missing_ok=True)
    run.progress.stage("extract", sum(sizes), sum(sizes) - sum(sizes[n] for n in left))
    order = sorted(left, key=lambda n: -sizes[n])
    todo = [Task(f"piece {n}", tasks.extract_piece, (n, manifest.pieces[n])) for n in order]
    return workers.run(todo, done=lambda task, _: run.progress.advance(sizes[task.arguments[0]]), tick=run.tick)


def _size(files: Sequence[InputFile], part: Range) -> int:
    return (files[part.file].size if part.end is None else part.end) - part.start


def types_cut(folder: RunFolder, manifest: Manifest) -> set[str]:
    """Types of which not all was read: for everybody, their search was not read to its end."""
    there = [n for n in range(len(manifest.pieces)) if (folder.pieces / piece_name(n)).exists()]
    cut = {name for n in there for name in read_extracted(folder.pieces / piece_name(n)).cut}
    for number in set(range(len(manifest.pieces))).difference(there):
        for part in manifest.pieces[number]:
            cut |= types_lost(manifest.files[part.file].name, set())
    return cut


def _evaluate(run: _Run, workers: Workers | InThisProcess, cut: list[str]) -> list[Lost]:
    parts = run.manifest.parts
    left = [part for part in range(parts) if run.folder.part_done(part) is None]
    run.progress.stage("evaluate", parts, parts - len(left))
    todo = [Task(f"partition {part}", tasks.evaluate_part, (part, cut)) for part in left]

    def done(_: Task, found: PartDone) -> None:
        run.progress.advance(1, patients=found.patients)

    return workers.run(todo, done=done, tick=run.tick)


def _summary(
    run: _Run,
    *,
    memory: int,
    workers: int,
    extracted: dict[int, Extracted],
    lost: Sequence[Lost],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The part of run.json that the run itself knows; the problems of the input are written beside it."""
    manifest, folder = run.manifest, run.folder
    done = [found for part in range(manifest.parts) if (found := folder.part_done(part)) is not None]
    inputs = _inputs(manifest, extracted)
    _write_problems(folder.path / "problems" / "input.parquet", _problems(manifest, extracted))
    run.tick()
    return {
        "started": manifest.started,
        "finished": run.now(),
        "inputs": inputs,
        "left_out": manifest.left_out,
        "unread_files": sorted(
            {
                manifest.files[manifest.pieces[n][part].file].name
                for n, found in extracted.items()
                for part in found.unread
            }
        ),
        "patients": sum(found.patients for found in done),
        "findings": sum(found.findings for found in done),
        "resources": sum(found.resources for found in extracted.values()),
        "parts": manifest.parts,
        "failed_parts": _failed(manifest, extracted, lost),
        "units": {k: v for found in extracted.values() for k, v in sorted(found.names.items())},
        "memory": memory,
        "workers": workers,
        "peak_memory": run.peak,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "shuffle_bytes": sum(s.length for found in extracted.values() for s in found.segments),
        "input_bytes": sum(f.size for f in manifest.files),
        "data_date": max((found.latest for found in done if found.latest), default=None),
    }


def _failed(manifest: Manifest, extracted: dict[int, Extracted], lost: Sequence[Lost]) -> list[dict[str, str]]:
    """Parts that were given up, in this run, or pieces of the input in an earlier one."""
    failed = {one.task.name: one.why for one in lost}
    for number in range(len(manifest.pieces)):
        if number not in extracted:
            failed.setdefault(f"piece {number}", "given up in an earlier run: --restart reads it again")
    return [{"part": name, "why": why} for name, why in failed.items()]


def _inputs(manifest: Manifest, extracted: dict[int, Extracted]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"file": f.name, "bytes": f.size, "lines": 0, "bad_lines": 0} for f in manifest.files]
    for number, found in extracted.items():
        for part, lines, bad in zip(manifest.pieces[number], found.lines, found.bad, strict=True):
            row = rows[part.file]
            row["lines"] += lines
            row["bad_lines"] += bad
    return rows


def _problems(manifest: Manifest, extracted: dict[int, Extracted]) -> Iterator[dict[str, Any]]:
    """Problems with the lines of their files: a piece counts from its own start."""
    before: dict[int, int] = {}
    for number in sorted(extracted):
        found = extracted[number]
        starts = []
        for part, lines in zip(manifest.pieces[number], found.lines, strict=True):
            starts.append(before.get(part.file, 0))
            before[part.file] = starts[-1] + lines
        for p in found.problems:
            name = manifest.files[manifest.pieces[number][p.piece].file].name
            line = starts[p.piece] + p.line if p.line else 0
            yield {"file": name, "line": line, "kind": p.kind, "resource_type": p.resource_type}


def _write_problems(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with pq.ParquetWriter(temporary, PROBLEMS, compression="zstd") as writer:
        held: list[dict[str, Any]] = []
        for row in rows:
            held.append(row)
            if len(held) == 10_000:
                writer.write_batch(pa.RecordBatch.from_pylist(held, schema=PROBLEMS))
                held = []
        writer.write_batch(pa.RecordBatch.from_pylist(held, schema=PROBLEMS))
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.rename(path)
