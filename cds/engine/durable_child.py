"""The child process that runs durable-rules: `python -m cds.engine.durable_child`.

A fault in durable-rules is a segfault, or a hang that holds the interpreter's lock (DR15); here it costs nobody else
anything. Frames on stdin and stdout: four bytes of length, big-endian, then JSON.
    {"load": program, "alarm": seconds}      -> {"ready": true} or {"error": text}
    {"n": number, "facts": [[kind, fields]]} -> {"n": number, "found": [[rule, [fact or [facts]]]]} or {"n", "error"}
Facts are named by their place in the batch. The process ends when stdin closes.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import orjson

from cds.engine.durable_limits import SHORT, check_number, check_text
from cds.engine.durable_text import UNKNOWN, as_text, type_letter
from cds.errors import EngineError
from cds.model import Scalar

SID: Final = "0"  # DR9: one constant session, gone after each evaluation
FACTS: Final = 10_000  # DR9: ids are compared by hash; those of "0" to "9999" differ
TEST_FAULT: Final = "PSYCHMED_TEST_FAULT"

Ids = tuple[int, ...]
Bound = tuple[int | Ids, ...]
Channels = tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]]


class Executor:
    """One loaded program. Not for threads: one evaluation at a time (DR9)."""

    def __init__(self, program: Mapping[str, Any]) -> None:
        """Load a program as `durable_compile.Program` has it, as plain JSON. Raises ImportError, EngineError."""
        self._program = program
        self._kinds: Mapping[str, str] = program["kinds"]
        self._channels = {kind: _channels(rows) for kind, rows in program["fields"].items()}
        self._handles: list[int] = []
        self._create()

    def _create(self) -> None:
        # DR1: the C module alone; no Host, no timers, no callbacks. Imported late: it may be missing, or crash.
        import durable_rules_engine as engine

        self._handles = []
        for number, ruleset in enumerate(self._program["rulesets"]):
            try:
                self._handles.append(engine.create_ruleset(f"rules{number}", ruleset))
            except Exception as error:
                raise EngineError(f"durable-rules refuses the rules: {error}") from error

    def close(self) -> None:
        """Free the rulesets."""
        import durable_rules_engine as engine

        for handle in self._handles:
            engine.delete_ruleset(handle)
        self._handles = []

    def evaluate(self, facts: Sequence[tuple[str, Mapping[str, Scalar]]]) -> list[tuple[int, Bound]]:
        """Return the rules that hold, by their place in the program, and the facts they bind, by theirs in `facts`.

        In no particular order, without duplicates.
        Raises EngineError when durable-rules did not read all facts, or cannot hold one of them.
        """
        batch = self._batch(facts)
        frames: dict[str, list[Mapping[str, Any]]] = {}
        try:
            for handle in self._handles:
                self._run(handle, batch, frames)
        except Exception as error:
            # DR14: whatever went wrong, the handle is dirty. It is left behind, and never deleted: that may crash.
            self._create()
            if isinstance(error, EngineError):
                raise
            raise EngineError(f"durable-rules failed: {type(error).__name__}") from error
        plans = enumerate(self._program["plans"])
        return list({match for number, plan in plans for match in _matches(number, plan, frames)})

    def _batch(self, facts: Sequence[tuple[str, Mapping[str, Scalar]]]) -> str:
        if len(facts) > FACTS:
            raise EngineError(f"more than {FACTS} facts")
        # DR3: were the first fact not read, the engine would hand out a session that does not exist, and crash on it.
        batch: list[dict[str, Any]] = [{"id": "head", "sid": SID, "$head": 1}]
        for number, (kind, fields) in enumerate(facts):
            code = self._kinds.get(kind)
            if code is None:
                continue
            # DR3: flat, never empty, no nulls.
            fact: dict[str, Any] = {"id": str(number), "sid": SID, "k": code, "o": 1.0}
            channels = self._channels.get(kind)
            if channels is not None:
                _spell(fact, fields, channels)
            batch.append(fact)
        # DR2: `go` comes last in the same batch, so that nothing fires before all facts are in.
        batch.append({"id": "go", "sid": SID, "$go": 1, "o": 1.0})
        try:
            return orjson.dumps(batch).decode()
        except TypeError as error:
            raise EngineError("a fact holds text that is not valid Unicode") from error

    def _run(self, handle: int, batch: str, frames: dict[str, list[Mapping[str, Any]]]) -> None:
        """Evaluate one shard and add its frames by rule name."""
        import durable_rules_engine as engine

        _, state = engine.assert_facts(handle, batch)
        started = engine.start_action_for_state(handle, state)
        message = started[1] if started else None
        done = False
        while message:
            for name, bound in orjson.loads(message).items():
                if name == "done":
                    done = True
                else:
                    frames.setdefault(name, []).extend(bound)
            message = engine.complete_and_start_action(handle, state)
        if not done:
            raise EngineError("durable-rules did not read all facts")  # DR3
        engine.delete_state(handle, SID)  # DR4: safe because `done` fired


def _channels(rows: Sequence[Sequence[str]]) -> Channels:
    """The fields to send as text, as type and as number, each with its property."""
    texts, letters, numbers = ([(row[0], row[at]) for row in rows if row[at]] for at in (1, 2, 3))
    return texts, letters, numbers


def _spell(fact: dict[str, Any], fields: Mapping[str, Scalar], channels: Channels) -> None:
    """Add the properties that rules read; see `durable_compile` for their meaning."""
    texts, letters, numbers = channels
    for name, prop in texts:
        value = fields.get(name)
        if isinstance(value, str) and len(value) > SHORT:
            check_text(value, "a fact")
        fact[prop] = UNKNOWN if value is None else as_text(value)
    for name, prop in letters:
        value = fields.get(name)
        fact[prop] = UNKNOWN if value is None else type_letter(value)
    for name, prop in numbers:
        value = fields.get(name)
        amount = 0.0 if value is None or isinstance(value, str | bool) else value + 0.0
        check_number(amount, "a fact")
        fact[prop] = amount


def _matches(
    number: int, plan: Mapping[str, Any], frames: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[tuple[int, Bound]]:
    """Turn the frames of one specification into matches: distinct facts, counts, the order of its patterns."""
    mains = frames.get(plan["main"] or "")
    if not mains:
        return
    groups = [(group, _collect(group, frames)) for group in plan["groups"]]
    unless = [(group, _collect(group, frames)) for group in plan["unless"]]
    names = [f"p{place}" for place in range(plan["singles"])]
    for frame in mains:
        singles = tuple([int(frame[name]["id"]) for name in names])
        if len(set(singles)) < len(singles):
            continue
        # DR11: the length of a group is compared here.
        if any(len(members.get(_key(group, singles), ())) >= group["at_least"] for group, members in unless):
            continue
        taken = set(singles)
        grouped: list[Ids] = []
        for group, members in groups:
            free = members.get(_key(group, singles), set()) - taken
            if len(free) < group["at_least"]:
                break
            taken |= free
            grouped.append(tuple(sorted(free)))
        else:
            yield number, tuple([grouped[at] if is_group else singles[at] for is_group, at in plan["order"]])


def _key(group: Mapping[str, Any], singles: Ids) -> Ids:
    return tuple(singles[place] for place in group["keys"])


def _collect(group: Mapping[str, Any], frames: Mapping[str, list[Mapping[str, Any]]]) -> dict[Ids, set[int]]:
    """The members of a group for each way to bind the single patterns it refers to."""
    members: dict[Ids, set[int]] = {}
    for frame in frames.get(group["query"], ()):
        key = tuple(int(frame[f"p{place}"]["id"]) for place in group["keys"])
        members.setdefault(key, set()).add(int(frame["g"]["id"]))
    return members


def read_frame(stream: BinaryIO) -> Any:
    """Read one frame; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(int.from_bytes(head, "big"))
    return orjson.loads(body)


def _write_frame(stream: BinaryIO, frame: Mapping[str, Any]) -> None:
    body = orjson.dumps(frame)
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def _load(frame: Mapping[str, Any]) -> Executor:
    try:
        return Executor(frame["load"])
    except ImportError as error:
        raise EngineError(f"cannot import durable-rules: {error}") from error


def _fail(fault: str) -> None:
    """What durable-rules does at its worst, on request of a test."""
    if fault == "hang":
        import durable_rules_engine as engine

        handle = engine.create_ruleset("hang", '{"r":{"all":[{"m":{"a":1}}]}}')
        engine.assert_facts(handle, '[{"a":1},{}]')
    if fault == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "exit":
        os._exit(3)


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer frames until the stream ends."""
    executor: Executor | None = None
    alarm = 0.0
    fault = os.environ.get(TEST_FAULT, "")  # a fault named there is there from the first evaluation on
    while (frame := read_frame(source)) is not None:
        if "load" in frame:
            try:
                executor, alarm = _load(frame), frame["alarm"]
                _write_frame(sink, {"ready": True})
            except EngineError as error:
                _write_frame(sink, {"error": str(error)})
            continue
        if "fault" in frame:
            fault = frame["fault"] if os.environ.get(TEST_FAULT) else ""
            continue
        # A hang holds the interpreter, so that the end of stdin would go unseen: the alarm's default ends the process.
        signal.setitimer(signal.ITIMER_REAL, alarm)
        try:
            _fail(fault)
            assert executor is not None
            answer: dict[str, Any] = {"n": frame["n"], "found": executor.evaluate(frame["facts"])}
            if fault == "wrong":
                answer["found"] = []
        except Exception as error:
            # Whatever it is, the next evaluation must find a child; other texts than ours may quote a fact.
            answer = {"n": frame["n"], "error": str(error) if isinstance(error, EngineError) else type(error).__name__}
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _write_frame(sink, answer)


def main() -> None:
    """Serve the parent. An interrupt from the terminal is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An evaluation leaves no cycles; collecting them would only make single answers late.
    gc.freeze()
    gc.set_threshold(100_000)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
