"""The rule engines behind one port: compile specifications, evaluate facts.

`direct` is our own matcher and defines the meaning; `durable` is durable-rules in a child process; `verified` asks
both and is the default wherever durable-rules works.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Protocol, Self

from cds.errors import EngineError
from cds.model import Comparison, Fact, Match, Pattern, RuleEngine, RuleSpec

__all__ = ["EngineName", "OpenEngine", "available", "compile_engine", "default_engine"]

EngineName = Literal["direct", "durable", "verified"]


class OpenEngine(RuleEngine, Protocol):
    """A compiled engine that may own a child process: close it, or use it as a context manager."""

    def close(self) -> None:
        """Release what the engine owns."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def compile_engine(
    specs: Sequence[RuleSpec], which: EngineName, *, deadline_s: float = 0.05, deaths_per_hour: int = 5
) -> OpenEngine:
    """Compile specifications for an engine; create it after a fork, never before.

    deadline_s: how long an evaluation waits for the child; deaths_per_hour: after so many the child stays off.
    Raises EngineError when a specification has no meaning, or durable-rules cannot hold it or does not work.
    """
    if which == "direct":
        from cds.engine.direct import DirectEngine

        return DirectEngine(specs)
    if which == "durable":
        from cds.engine.durable import DurableEngine

        return DurableEngine(specs, deadline_s=deadline_s, deaths_per_hour=deaths_per_hour)
    from cds.engine.verified import VerifiedEngine

    return VerifiedEngine(specs, deadline_s=deadline_s, deaths_per_hour=deaths_per_hour)


def available() -> dict[str, str]:
    """Say of `direct` and `durable` "works", or in one line why not: by an import and an evaluation in a child."""
    return {"direct": "works", "durable": _durable()}


def default_engine() -> EngineName:
    """`verified` where durable-rules works, `direct` elsewhere."""
    return "verified" if available()["durable"] == "works" else "direct"


def _durable() -> str:
    is_one = Comparison("value", "is", 1.0)
    spec = RuleSpec("probe", (Pattern("a", "probe", (is_one,)),), (Pattern("b", "absent"),))
    facts = [Fact("probe", "1", {"value": 1.0}), Fact("probe", "2", {"value": 2.0})]
    try:
        with compile_engine([spec], "durable", deadline_s=5.0) as engine:
            found = engine.evaluate(facts)
    except (EngineError, OSError) as error:
        return str(error).replace("\n", " ")
    if found != [Match("probe", (facts[0],))]:
        return "gives a wrong answer"
    return "works"
