"""Worker processes that may be killed: the pool is rebuilt and the work tried again, a bounded number of times."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Final

from cds.audit.job import AuditError

_MOST_TRIES: Final = 3
_MOST_IN_VAIN: Final = 3 * _MOST_TRIES
_TICK_S: Final = 0.25


@dataclass(slots=True)
class Task:
    """A part of the work. run: a function of a module, with its arguments; it returns nothing that is large."""

    name: str
    run: Callable[..., Any]
    arguments: tuple[Any, ...]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """A task that was given up, and why."""

    task: Task
    why: str


class Workers:
    """A pool of processes. prepare: called in each of them before anything else."""

    def __init__(self, count: int, prepare: Callable[[], None]) -> None:
        self.count = count
        self._prepare = prepare
        self._pool: ProcessPoolExecutor | None = None

    def run(self, tasks: Sequence[Task], *, done: Callable[[Task, Any], None], tick: Callable[[], None]) -> list[Lost]:
        """Run all tasks, in any order. Returns those that were given up: whoever runs them in the end decides.

        A task during which a process ended is tried again by itself, so that it is known whose fault it is.
        Raises AuditError when a worker meets an error of the disk: the others would, too.
        """
        waiting = deque(tasks)
        suspects: deque[Task] = deque()
        running: dict[Future[Any], Task] = {}
        lost: list[Lost] = []
        in_vain = 0  # ends of processes since the last task that was done
        while waiting or suspects or running:
            if suspects:
                if not running:
                    self._start(suspects.popleft(), running)
            else:
                while waiting and len(running) < self.count:
                    self._start(waiting.popleft(), running)
            wait(running, timeout=_TICK_S, return_when=FIRST_COMPLETED)
            tick()
            broken = False
            for future in [f for f in running if f.done()]:
                task = running.pop(future)
                error = future.exception()
                if error is None:
                    in_vain = 0
                    done(task, future.result())
                elif isinstance(error, BrokenProcessPool | MemoryError):
                    broken = True
                    self._again(task, suspects, lost)
                elif isinstance(error, AuditError):
                    raise error
                elif isinstance(error, OSError):
                    raise AuditError(f"{task.name}: {error.strerror or type(error).__name__}") from error
                else:
                    lost.append(Lost(task, f"internal: {type(error).__name__}"))
            if broken:
                for task in running.values():
                    self._again(task, suspects, lost)
                running.clear()
                self.close()
                in_vain += 1
                if in_vain >= _MOST_IN_VAIN:
                    raise AuditError("worker processes end again and again: out of memory, or not allowed to start")
        return lost

    def _again(self, task: Task, suspects: deque[Task], lost: list[Lost]) -> None:
        task.tries += 1
        if task.tries >= _MOST_TRIES:
            lost.append(Lost(task, f"the process ended {task.tries} times (killed, or out of memory)"))
        else:
            suspects.append(task)

    def _start(self, task: Task, running: dict[Future[Any], Task]) -> None:
        for attempt in (1, 2, 3):
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    self.count, mp_context=context, initializer=_begin, initargs=(self._prepare,)
                )
            try:
                running[self._pool.submit(task.run, *task.arguments)] = task
                return
            except BrokenProcessPool:  # a process ended while nothing ran
                self.close()
                if attempt == 3:
                    raise AuditError("worker processes end as soon as they start") from None

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


class InThisProcess:
    """For an input that is worked through before a process has started. What ends a process ends the run."""

    count = 1

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare: Callable[[], None] | None = prepare

    def run(self, tasks: Sequence[Task], *, done: Callable[[Task, Any], None], tick: Callable[[], None]) -> list[Lost]:
        """As `Workers.run`, one task after the other."""
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        lost: list[Lost] = []
        for task in tasks:
            try:
                found = task.run(*task.arguments)
            except AuditError:
                raise
            except OSError as error:
                raise AuditError(f"{task.name}: {error.strerror or type(error).__name__}") from error
            except Exception as error:
                lost.append(Lost(task, f"internal: {type(error).__name__}"))
            else:
                done(task, found)
            tick()
        return lost

    def close(self) -> None:
        """Nothing is open."""


def _begin(prepare: Callable[[], None]) -> None:
    """In the new process: end with the parent, leave Ctrl-C to it, and get ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare()


def _end_with_parent() -> None:
    started_by = multiprocessing.parent_process()
    if started_by is not None:
        started_by.join()
        os._exit(1)
