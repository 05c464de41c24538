"""One child process that runs durable-rules: start, ask, listen with a deadline, kill."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from cds.errors import EngineError

Clock = Callable[[], float]

_ROOT: Final = str(Path(__file__).resolve().parents[2])
_ALARM_S: Final = 2.0  # a hang ends by itself after this, also when the parent is gone
_READ: Final = 1 << 16
# durable-rules allocates about a megabyte for each evaluation; without these glibc gives it back and faults it in anew
# every time, which more than doubles the time of an evaluation. Other C libraries ignore them.
_MALLOC: Final = {
    "MALLOC_TOP_PAD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}


class LateError(EngineError):
    """No answer within the deadline."""


class DeadError(EngineError):
    """The process is gone."""


class ChildProcess:
    """A loaded child. Not for threads."""

    def __init__(self, program: Any, *, timeout_s: float, clock: Clock = time.monotonic) -> None:
        """Start a process and load the program. Raises EngineError when that fails, with the child's reason."""
        self._clock = clock
        self._buffer = bytearray()
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            # -P: a file of the working directory must not stand in for a module.
            [sys.executable, "-P", "-m", "cds.engine.durable_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a crash prints could hold a patient's data
            bufsize=0,
            env={**os.environ, **_MALLOC, "PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out_of = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._into, False)
        os.set_blocking(self._out_of, False)
        try:
            until = clock() + timeout_s
            self.send(encode({"load": program, "alarm": _ALARM_S}), until)
            answer = self.receive(until)
            if "error" in answer:
                raise EngineError(answer["error"])
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, body: bytes, until: float) -> None:
        """Write one encoded frame. Raises LateError when the child does not take it by `until`, DeadError."""
        rest = memoryview(len(body).to_bytes(4, "big") + body)
        while rest:
            try:
                rest = rest[os.write(self._into, rest) :]
            except BlockingIOError:
                self._wait(self._into, select.POLLOUT, until)
            except OSError as error:
                raise DeadError("the child process of durable-rules is gone") from error

    def receive(self, until: float) -> dict[str, Any]:
        """Read one frame. Raises LateError when it is not there by `until`, DeadError."""
        while (frame := self._frame()) is None:
            try:
                read = os.read(self._out_of, _READ)
            except BlockingIOError:
                self._wait(self._out_of, select.POLLIN, until)
                continue
            if not read:
                raise DeadError("the child process of durable-rules is gone")
            self._buffer += read
        return frame

    def _frame(self) -> dict[str, Any] | None:
        if len(self._buffer) < 4:
            return None
        end = 4 + int.from_bytes(self._buffer[:4], "big")
        if len(self._buffer) < end:
            return None
        frame: dict[str, Any] = orjson.loads(self._buffer[4:end])
        del self._buffer[:end]
        return frame

    def _wait(self, descriptor: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        left = until - self._clock()
        if left <= 0 or not poll.poll(left * 1000):
            raise LateError("durable-rules did not answer in time")

    def kill(self) -> None:
        """End the process now; it may be hanging, so nothing is asked of it."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


def encode(frame: Mapping[str, Any]) -> bytes:
    """The JSON of a frame. Raises TypeError for what JSON cannot hold; NaN and infinity become null."""
    return orjson.dumps(frame, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)
