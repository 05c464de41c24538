"""durable-rules behind the protocol of `durable_compile` and `durable_child`, in a child process with a deadline.

A child that is late or dead is killed and replaced by a new one, off the caller's path: until that is ready,
evaluations raise EngineError at once. After a number of deaths within an hour it stays off.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from cds.engine.child_process import ChildProcess, Clock, LateError, encode
from cds.engine.durable_compile import compile_program
from cds.errors import EngineError
from cds.model import Fact, Match, RuleSpec

START_S: Final = 10.0
DEADLINE_S: Final = 0.05
DEATHS_PER_HOUR: Final = 5
_HOUR_S: Final = 3600.0
_PAUSE_S: Final = 0.5  # after a start that failed


@dataclass(slots=True)
class EngineCounters:
    """What happened since the start, for metrics.

    evaluations: asked for. disagreements: durable-rules and `direct` differed. late: no answer within the deadline.
    deaths: children lost for any reason, the late ones included. restarts: children that took over.
    refused: evaluations that durable-rules answered with an error. unchecked: none was asked, because it was starting,
    busy or off. disabled: 1 when it stays off.
    """

    evaluations: int = 0
    disagreements: int = 0
    late: int = 0
    deaths: int = 0
    restarts: int = 0
    refused: int = 0
    unchecked: int = 0
    disabled: int = 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """An evaluation under way: its child and number, its facts, and when the answer must be there."""

    child: ChildProcess
    number: int
    facts: Sequence[Fact]
    until: float


class DurableEngine:
    """Rules in a child process. One evaluation at a time (DR9); threads wait for each other, within the deadline."""

    def __init__(
        self,
        specs: Sequence[RuleSpec],
        *,
        deadline_s: float = DEADLINE_S,
        deaths_per_hour: int = DEATHS_PER_HOUR,
        clock: Clock = time.monotonic,
    ) -> None:
        """Compile and start the child. Raises EngineError when the rules or durable-rules do not work."""
        self.counters = EngineCounters()
        self._specs = tuple(specs)
        self._program = compile_program(specs)
        self._kinds = frozenset(self._program.kinds)
        self._deadline_s = deadline_s
        self._deaths_per_hour = deaths_per_hour
        self._clock = clock
        self._deaths: deque[float] = deque()
        self._busy = threading.Lock()
        self._number = 0
        self._closed = False
        self._starter: threading.Thread | None = None
        self._child: ChildProcess | None = ChildProcess(self._program, timeout_s=START_S)

    def evaluate(self, facts: Sequence[Fact]) -> list[Match]:
        """Return every match, sorted by key. Raises EngineError when the child is late, dead, starting or off."""
        self.counters.evaluations += 1
        return self.finish(self.begin(facts))

    def begin(self, facts: Sequence[Fact]) -> Ticket:
        """Hand an evaluation to the child; `finish` must follow. Raises EngineError."""
        until = self._clock() + self._deadline_s
        if not self._busy.acquire(timeout=self._deadline_s):
            self.counters.unchecked += 1
            raise EngineError("durable-rules is busy")
        try:
            child = self._child
            if child is None:
                self.counters.unchecked += 1
                raise EngineError("durable-rules is off" if self.counters.disabled else "durable-rules is starting")
            self._number += 1
            asked = [fact for fact in facts if fact.kind in self._kinds]
            ticket = Ticket(child, self._number, asked, until)
            try:
                body = _frame(ticket.number, asked)
            except EngineError:
                self.counters.refused += 1
                raise
            try:
                child.send(body, until)
            except EngineError as error:
                self._lose(error)
                raise
        except BaseException:
            self._busy.release()
            raise
        return ticket

    def finish(self, ticket: Ticket) -> list[Match]:
        """Wait for the answer, at most to the deadline. Raises EngineError."""
        try:
            try:
                answer = ticket.child.receive(ticket.until)
            except EngineError as error:
                self._lose(error)
                raise
        finally:
            self._busy.release()
        if "error" in answer or answer["n"] != ticket.number:
            self.counters.refused += 1
            raise EngineError(answer.get("error", "durable-rules answered another question"))
        matches = [self._match(rule, bound, ticket.facts) for rule, bound in answer["found"]]
        return sorted(matches, key=lambda match: match.key)

    def _match(self, rule: int, bound: Sequence[int | list[int]], facts: Sequence[Fact]) -> Match:
        return Match(
            self._specs[rule].id,
            tuple(
                facts[at] if isinstance(at, int) else tuple(sorted((facts[n] for n in at), key=lambda fact: fact.ref))
                for at in bound
            ),
        )

    def _lose(self, error: EngineError) -> None:
        """The child is late or dead: count it, and replace it unless that has happened too often."""
        child, self._child = self._child, None
        self.counters.late += isinstance(error, LateError)
        self._count_death()
        # The kill too is off the caller's path: it waits for the process to be gone.
        self._starter = threading.Thread(target=self._replace, args=(child,), name="durable-restart", daemon=True)
        self._starter.start()

    def _count_death(self) -> None:
        now = self._clock()
        self.counters.deaths += 1
        self._deaths.append(now)
        while now - self._deaths[0] > _HOUR_S:
            self._deaths.popleft()
        if len(self._deaths) >= self._deaths_per_hour:
            self.counters.disabled = 1

    def _replace(self, lost: ChildProcess | None) -> None:
        if lost is not None:
            lost.kill()
        while not self._closed and not self.counters.disabled:
            try:
                child = ChildProcess(self._program, timeout_s=START_S)
            except (EngineError, OSError):
                self._count_death()
                time.sleep(_PAUSE_S)
                continue
            with self._busy:
                if self._closed:
                    child.kill()
                    return
                self.counters.restarts += 1
                self._child = child
                return

    def wait_until_ready(self, timeout_s: float = START_S) -> bool:
        """Wait for a restart under way; whether there is a child now. For tests and for a graceful start."""
        starter = self._starter
        if starter is not None:
            starter.join(timeout_s)
        return self._child is not None

    def close(self) -> None:
        """End the child for good."""
        with self._busy:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()
        if self._starter is not None:
            self._starter.join(START_S)

    def __enter__(self) -> DurableEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def inject_fault(self, fault: str) -> None:
        """Make the next evaluations of this child fail; it listens only under PSYCHMED_TEST_FAULT."""
        child: Any = self._child
        child.send(encode({"fault": fault}), self._clock() + START_S)


def _frame(number: int, facts: Sequence[Fact]) -> bytes:
    """An evaluation for the child. Raises EngineError for values that JSON cannot hold."""
    try:
        body = encode({"n": number, "facts": [(fact.kind, fact.fields) for fact in facts]})
    except TypeError as error:
        raise EngineError("a fact holds a value that JSON cannot") from error
    # Facts hold no null, so that the word is the mark of a NaN or an infinity, or part of a text.
    if b"null" in body:
        numbers = (value for fact in facts for value in fact.fields.values() if not isinstance(value, str))
        if not all(map(math.isfinite, numbers)):
            raise EngineError("a fact holds a number that is not finite")
    return body
