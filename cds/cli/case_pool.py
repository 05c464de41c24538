"""Case files examined in as many processes as there are processors."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cds.authoring.cases import read_file
from cds.authoring.examine import Examined, Wanted, examine, examine_facts, is_fact_file
from cds.authoring.mutation.shared import SharedMutant, shared_mutants
from cds.cli.doors import EngineDoor
from cds.drugs.table import drug_table


@dataclass(frozen=True, slots=True)
class Job:
    """Case files to examine, and how. files: (path, name to show)."""

    files: tuple[tuple[Path, str], ...]
    wanted: Wanted
    engine: str = "direct"
    rules_dir: tuple[Path, ...] = ()
    shared: bool = False


class _Worker:
    """One process: its door is opened once. Set up before a fork where the engine may be."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.door = EngineDoor(engine=job.engine, rules_dir=job.rules_dir)
        self.rules = self.door.evaluator("UTC").rules
        self.shared: list[SharedMutant] = shared_mutants(self.rules.shared) if job.shared else []

    def examine(self, path: Path, shown_as: str) -> Examined:
        if is_fact_file(path):
            return examine_facts(path, shown_as, self.door, self.job.wanted)
        return examine(read_file(path, shown_as=shown_as), self.door, self.rules, self.job.wanted, self.shared)


_worker: _Worker | None = None


def _set_up(job: Job) -> None:
    global _worker  # noqa: PLW0603
    if _worker is None:
        _worker = _Worker(job)


def _examine(file: tuple[Path, str]) -> Examined:
    assert _worker is not None
    return _worker.examine(*file)


def examine_all(job: Job) -> list[Examined]:
    """Every file of a job, in its order. Raises CdsError for one that cannot be read."""
    global _worker  # noqa: PLW0603
    processes = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, len(job.files))
    _worker = None
    drug_table()
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():
        _set_up(job)
        return [_examine(file) for file in job.files]
    if job.engine == "direct":
        _set_up(job)  # an engine that owns a process is opened after the fork
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_set_up, initargs=(job,)) as pool:
        # The longest first, so that none is left to wait for at the end.
        started = {file: pool.submit(_examine, file) for file in _by_size(job.files)}
        try:
            return [started[file].result() for file in job.files]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _by_size(files: Sequence[tuple[Path, str]]) -> list[tuple[Path, str]]:
    return sorted(files, key=lambda file: -file[0].stat().st_size)


def rules_of(files: Sequence[tuple[Path, str]]) -> dict[Path, str]:
    """The rule that each case file is about."""
    return {path: read_file(path, shown_as=shown).rule for path, shown in files}
