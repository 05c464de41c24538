"""durable-rules decides, `direct` re-derives meanwhile; where they differ or durable-rules fails, `direct` answers.

So a fault in durable-rules never costs an answer, and a wrong answer of either is counted and logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from types import TracebackType

from cds.engine.child_process import Clock
from cds.engine.direct import DirectEngine
from cds.engine.durable import DEADLINE_S, DEATHS_PER_HOUR, DurableEngine, EngineCounters
from cds.errors import EngineError
from cds.model import Fact, Match, RuleSpec

_log = logging.getLogger(__name__)


class VerifiedEngine:
    """Both engines on the same rules. `counters` is for metrics, `durable` for what is left of it."""

    def __init__(
        self,
        specs: Sequence[RuleSpec],
        *,
        deadline_s: float = DEADLINE_S,
        deaths_per_hour: int = DEATHS_PER_HOUR,
        clock: Clock = time.monotonic,
    ) -> None:
        """Compile for both, and start the child. Raises EngineError when the rules or durable-rules do not work."""
        self._direct = DirectEngine(specs)
        self.durable = DurableEngine(specs, deadline_s=deadline_s, deaths_per_hour=deaths_per_hour, clock=clock)

    @property
    def counters(self) -> EngineCounters:
        """What happened since the start."""
        return self.durable.counters

    def evaluate(self, facts: Sequence[Fact]) -> list[Match]:
        """Return every match, sorted by key; within the deadline when the child fails."""
        self.counters.evaluations += 1
        try:
            ticket = self.durable.begin(facts)
        except EngineError as error:
            _log.info("durable-rules did not take an evaluation: %s", error)
            return self._direct.evaluate(facts)
        answer: list[Match] | None = None
        try:
            derived = self._direct.evaluate(facts)
        finally:
            # Whatever happens to `direct`, the child's answer must be taken off the pipe.
            try:
                answer = self.durable.finish(ticket)
            except EngineError as error:
                _log.warning("durable-rules did not answer an evaluation: %s", error)
        if answer is not None and [match.key for match in answer] != [match.key for match in derived]:
            self.counters.disagreements += 1
            differing = {match.rule for match in answer if match not in derived}
            differing |= {match.rule for match in derived if match not in answer}
            # Rule ids only: refs and fields belong to a patient.
            _log.error("durable-rules and direct differ on rules: %s", ", ".join(sorted(differing)))
        return derived

    def close(self) -> None:
        """End the child."""
        self.durable.close()

    def __enter__(self) -> VerifiedEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
