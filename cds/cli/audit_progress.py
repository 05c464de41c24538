"""How far an audit is, with rate and time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from cds.audit.run import Stage

_EVERY_S = 10.0
_DOING = {"extract": "reading the export", "evaluate": "evaluating patients"}


class PlainProgress:
    """A line on standard error every ten seconds, and one at the end of each stage."""

    def __init__(self) -> None:
        self._stage: Stage = "extract"
        self._total = self._done = self._before = self._patients = 0
        self._began = self._said = 0.0

    def stage(self, name: Stage, total: int, done: int) -> None:
        self._stage, self._total, self._done, self._before, self._patients = name, total, done, done, 0
        self._began = self._said = time.monotonic()
        again = f", {_share(done, total)} % done before" if done else ""
        self.note(f"{_DOING[name]}: {_amount(name, total)}{again}")

    def advance(self, by: int, *, patients: int = 0) -> None:
        self._done += by
        self._patients += patients
        now = time.monotonic()
        if self._done >= self._total or now - self._said >= _EVERY_S:
            self._said = now
            self.note(f"{_DOING[self._stage]}: {_share(self._done, self._total)} %{self._rate(now - self._began)}")

    def _rate(self, seconds: float) -> str:
        made = self._done - self._before
        if seconds <= 0 or not made:
            return ""
        left = (self._total - self._done) * seconds / made
        rate = f"{self._patients / seconds:.0f} patients/s"
        if self._stage == "extract":
            rate = f"{made / seconds / 1e6:.1f} MB/s"
        return f", {rate}" + (f", {_time(left)} left" if self._done < self._total else f", {_time(seconds)}")

    def note(self, text: str) -> None:
        typer.echo(f"psychmed: {text}", err=True)

    def close(self) -> None:
        """Nothing is open."""


class BarProgress:
    """A bar for each stage on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._bar: Bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._task: TaskID | None = None
        self._stage: Stage = "extract"
        self._began = 0.0
        self._made = self._patients = 0

    def stage(self, name: Stage, total: int, done: int) -> None:
        self._stage, self._began, self._made, self._patients = name, time.monotonic(), 0, 0
        self._task = self._bar.add_task(_DOING[name], total=total, completed=done, rate="")

    def advance(self, by: int, *, patients: int = 0) -> None:
        if self._task is None:
            return
        self._made += by
        self._patients += patients
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = f"{self._made / seconds / 1e6:.1f} MB/s" if self._stage == "extract" else ""
        rate = f"{self._patients / seconds:.0f} patients/s" if self._stage == "evaluate" else rate
        self._bar.update(self._task, advance=by, rate=rate)

    def note(self, text: str) -> None:
        self._bar.console.print(f"psychmed: {text}", markup=False, highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


def _share(done: int, total: int) -> int:
    return 100 * done // total if total else 100


def _amount(stage: Stage, total: int) -> str:
    if stage == "evaluate":
        return f"{total} partitions"
    return f"{total / 1e6:.1f} MB" if total >= 100_000 else f"{total / 1e3:.1f} kB"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
