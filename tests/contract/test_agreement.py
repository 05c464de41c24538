"""The bounded form of the contract: some thousands of checks, in processes of their own; the long run is `long_run`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from cds.engine import compile_engine
from tests.contract.suite import FACT_SETS, Figures, compare, rulesets
from tests.contract.worker import run_part

FIRST_SEED = 20_261_121
SEEDS = 750

pytestmark = pytest.mark.usefixtures("durable_rules")


def test_engines_agree_on_thousands_of_random_checks_that_are_worth_it() -> None:
    figures = Figures()
    half = SEEDS // 2
    with ThreadPoolExecutor(2) as pool:
        for outcome in pool.map(run_part, (FIRST_SEED, FIRST_SEED + half), (half, half)):
            assert outcome.failure is None
            figures.add(outcome.figures)
    assert figures.checks == SEEDS * FACT_SETS
    print(figures.table())
    assert figures.shortfalls() == []


def test_a_crash_of_a_worker_is_a_failure_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYCHMED_TEST_CRASH_AT", str(FIRST_SEED + 2))
    outcome = run_part(FIRST_SEED, 5)
    assert outcome.failure == f"the worker ended with -11 at seed {FIRST_SEED + 2}"


@pytest.mark.parametrize("which", ["durable", "verified"])
def test_engines_agree_through_the_pipe_too(which: str) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + 12):
        specs, fact_sets = rulesets(seed)
        with compile_engine(specs, "direct") as direct, compile_engine(specs, which, deadline_s=10.0) as engine:  # type: ignore[arg-type]
            for number, (_, facts) in enumerate(fact_sets):
                compare(which, engine.evaluate, facts, direct.evaluate(facts), f"seed {seed}, check {number}")
            counters = engine.counters  # type: ignore[attr-defined]
            assert (counters.evaluations, counters.disagreements, counters.deaths) == (FACT_SETS, 0, 0)
