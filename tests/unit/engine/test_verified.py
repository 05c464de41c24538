"""A fault in durable-rules never costs an answer: hang, crash, wrong answer, too many deaths, no orphan."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds.engine import available, compile_engine, default_engine
from cds.engine.durable import DurableEngine
from cds.engine.durable_child import TEST_FAULT
from cds.engine.verified import VerifiedEngine
from cds.errors import EngineError
from cds.model import Comparison, Fact, Match, Pattern, RuleSpec

ROOT = Path(__file__).resolve().parents[3]
SPEC = RuleSpec("too-long", (Pattern("course", "episode", (Comparison("duration_days", "at least", 28.0),)),))
FACTS = [Fact("episode", "e1", {"duration_days": 30.0}), Fact("episode", "e2", {"duration_days": 3.0})]
ANSWER = [Match("too-long", (FACTS[0],))]
DEADLINE_S = 0.25

pytestmark = pytest.mark.usefixtures("durable_rules")


class Clock:
    """Real time, plus what a test adds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[VerifiedEngine]:
    monkeypatch.setenv(TEST_FAULT, "1")
    with VerifiedEngine([SPEC], deadline_s=DEADLINE_S, deaths_per_hour=3, clock=clock) as engine:
        yield engine


def timed(engine: VerifiedEngine) -> float:
    begun = time.monotonic()
    assert engine.evaluate(FACTS) == ANSWER
    return time.monotonic() - begun


def test_both_engines_agree_and_are_counted(engine: VerifiedEngine) -> None:
    for _ in range(3):
        timed(engine)
    counters = engine.counters
    assert (counters.evaluations, counters.disagreements, counters.unchecked, counters.refused) == (3, 0, 0, 0)


def test_a_hang_costs_no_answer_and_no_more_than_the_deadline(engine: VerifiedEngine) -> None:
    engine.durable.inject_fault("hang")
    assert timed(engine) < DEADLINE_S + 0.2
    assert (engine.counters.late, engine.counters.deaths) == (1, 1)


@pytest.mark.parametrize("fault", ["segfault", "exit"])
def test_a_crash_costs_no_answer_and_no_wait(engine: VerifiedEngine, fault: str) -> None:
    engine.durable.inject_fault(fault)
    assert timed(engine) < DEADLINE_S
    assert (engine.counters.late, engine.counters.deaths) == (0, 1)


def test_the_evaluation_after_a_loss_does_not_wait_for_the_new_child(engine: VerifiedEngine) -> None:
    engine.durable.inject_fault("segfault")
    timed(engine)
    assert timed(engine) < DEADLINE_S
    assert engine.durable.wait_until_ready()
    checked_before = engine.counters.evaluations - engine.counters.unchecked
    timed(engine)
    assert engine.counters.restarts == 1
    assert engine.counters.evaluations - engine.counters.unchecked == checked_before + 1


def test_after_too_many_deaths_within_an_hour_it_stays_off(engine: VerifiedEngine) -> None:
    for _ in range(3):
        engine.durable.wait_until_ready()
        engine.durable.inject_fault("segfault")
        timed(engine)
    assert not engine.durable.wait_until_ready()
    assert engine.counters.disabled == 1
    timed(engine)
    assert engine.counters.unchecked >= 1


def test_deaths_more_than_an_hour_apart_do_not_add_up(engine: VerifiedEngine, clock: Clock) -> None:
    for _ in range(5):
        engine.durable.wait_until_ready()
        engine.durable.inject_fault("segfault")
        timed(engine)
        clock.ahead += 1801.0
    assert engine.durable.wait_until_ready()
    assert (engine.counters.deaths, engine.counters.disabled) == (5, 0)


def test_a_wrong_answer_is_counted_logged_without_the_patient_and_not_used(
    engine: VerifiedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.durable.inject_fault("wrong")
    with caplog.at_level(logging.INFO):
        timed(engine)
    assert engine.counters.disagreements == 1
    assert "too-long" in caplog.text
    assert "e1" not in caplog.text


def test_what_durable_rules_cannot_read_is_answered_by_direct(engine: VerifiedEngine) -> None:
    tiny = [*FACTS, Fact("episode", "e3", {"duration_days": 1e-7})]
    assert engine.evaluate(tiny) == ANSWER
    assert (engine.counters.refused, engine.counters.deaths) == (1, 0)
    assert timed(engine) < DEADLINE_S


def test_a_fault_cannot_be_asked_for_outside_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEST_FAULT, raising=False)
    with DurableEngine([SPEC], deadline_s=5.0) as engine:
        engine.inject_fault("wrong")
        assert engine.evaluate(FACTS) == ANSWER


def test_a_durable_engine_alone_says_that_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEST_FAULT, "1")
    with DurableEngine([SPEC], deadline_s=DEADLINE_S) as engine:
        engine.inject_fault("hang")
        with pytest.raises(EngineError, match="in time"):
            engine.evaluate(FACTS)
        assert engine.wait_until_ready()
        assert engine.evaluate(FACTS) == ANSWER


def test_a_large_chart_goes_through_the_pipe() -> None:
    facts = [Fact("episode", f"{n:05}", {"duration_days": float(n), "note": "x" * 200}) for n in range(3000)]
    with compile_engine([SPEC], "durable", deadline_s=20.0) as engine:
        assert len(engine.evaluate(facts)) == 3000 - 28


def test_closing_ends_the_child() -> None:
    engine = DurableEngine([SPEC])
    child = engine._child
    assert child is not None
    engine.close()
    assert not _alive(child.pid)
    with pytest.raises(EngineError):
        engine.evaluate(FACTS)


HOST = """
import sys, time
from cds.engine.durable import DurableEngine
from cds.model import Pattern, RuleSpec
engine = DurableEngine([RuleSpec("r", (Pattern("a", "a"),))], deadline_s=60.0)
if sys.argv[1] == "hang":
    engine.inject_fault("hang")
    engine.begin([])
print(engine._child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "hang"])
def test_no_child_outlives_a_parent_that_is_killed(state: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HOST, state],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, TEST_FAULT: "1"},
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        assert _alive(child)
        parent.kill()
        parent.wait()
    until = time.monotonic() + 10.0
    while _alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has collected yet is dead all the same.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_an_interrupt_of_the_terminal_leaves_the_child_alone() -> None:
    with DurableEngine([SPEC], deadline_s=5.0) as engine:
        assert engine._child is not None
        os.kill(engine._child.pid, signal.SIGINT)
        assert engine.evaluate(FACTS) == ANSWER


def test_both_engines_are_available_here() -> None:
    assert available() == {"direct": "works", "durable": "works"}
    assert default_engine() == "verified"


@pytest.fixture
def broken_durable_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """durable-rules as it is on Python 3.13: installed, and its import fails."""
    (tmp_path / "durable_rules_engine.py").write_text("raise ImportError('undefined symbol\\nin two lines')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("broken_durable_rules")
def test_where_the_import_fails_direct_is_the_default_and_the_reason_one_line() -> None:
    assert available() == {
        "direct": "works",
        "durable": "cannot import durable-rules: undefined symbol in two lines",
    }
    assert default_engine() == "direct"
    with pytest.raises(EngineError, match="cannot import durable-rules"):
        compile_engine([SPEC], "verified")


@pytest.mark.usefixtures("broken_durable_rules")
def test_direct_needs_no_durable_rules() -> None:
    with compile_engine([SPEC], "direct") as engine:
        assert engine.evaluate(FACTS) == ANSWER
