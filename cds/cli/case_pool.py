"""Case files examined in as many processes as there are processors."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

from cds.authoring.cases import read_file
from cds.authoring.examine import Examined, SharedHunt, Wanted, examine, examine_facts, is_fact_file, together
from cds.authoring.mutation.shared import shared_mutants
from cds.cli.doors import EngineDoor
from cds.drugs.table import drug_table
from cds.rules.load import load_shared


@dataclass(frozen=True, slots=True)
class Job:
    """Case files to examine, and how. files: (path, name to show). shared: mutants of shared parameters too."""

    files: tuple[tuple[Path, str], ...]
    wanted: Wanted
    engine: str = "direct"
    rules_dir: tuple[Path, ...] = ()
    shared: bool = False


class _Worker:
    """One process: its door is opened once. Set up before a fork where the engine may be."""

    def __init__(self, job: Job, shared: SharedHunt | None) -> None:
        self.job = job
        self.door = EngineDoor(engine=job.engine, rules_dir=job.rules_dir)
        self.rules = self.door.evaluator("UTC").rules
        self.shared = shared

    def examine(self, path: Path, shown_as: str) -> Examined:
        if is_fact_file(path):
            return examine_facts(path, shown_as, self.door, self.job.wanted)
        return examine(read_file(path, shown_as=shown_as), self.door, self.rules, self.job.wanted, self.shared)


_worker: _Worker | None = None


def _set_up(job: Job, shared: SharedHunt | None) -> None:
    global _worker  # noqa: PLW0603
    if _worker is None:
        _worker = _Worker(job, shared)


def _examine(file: tuple[Path, str]) -> Examined:
    assert _worker is not None
    return _worker.examine(*file)


def examine_all(job: Job) -> tuple[list[Examined], list[str] | None]:
    """Every file of a job, in its order; and the mutants of shared parameters that no case notices, where wanted.

    Raises CdsError for a file that cannot be read.
    """
    global _worker  # noqa: PLW0603
    _worker = None
    drug_table()
    shared = _shared_hunt() if job.shared else None
    forks = "fork" in multiprocessing.get_all_start_methods()
    processes = min(len(os.sched_getaffinity(0)), len(job.files)) if forks else 1
    if processes < 2:
        _set_up(job, shared)
        examined = [_examine(file) for file in job.files]
    else:
        examined = _in_processes(job, shared, processes)
    examined = together(examined)
    if shared is None:
        return examined, None
    return examined, [m.wording for m, seen in zip(shared.mutants, shared.noticed, strict=True) if not seen]


def _shared_hunt() -> SharedHunt:
    mutants = shared_mutants(load_shared([]))
    return SharedHunt(mutants, RawArray("b", len(mutants)))


def _in_processes(job: Job, shared: SharedHunt | None, processes: int) -> list[Examined]:
    if job.engine == "direct":
        _set_up(job, shared)  # an engine that owns a process is opened after the fork
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_set_up, initargs=(job, shared)) as pool:
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
