"""The doors that a case goes through, handed to `cds.authoring`, which knows neither hooks nor HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from cds.authoring.cases import Case
from cds.authoring.prepared import Prepared, prepare
from cds.engine.verified import VerifiedEngine
from cds.evaluate import Evaluator
from cds.findings import Evaluation
from cds.model import Fact, Hook
from cds.settings import load_settings
from hooks.request import read_call


class EngineDoor:
    """In this process: the request is read as the service reads it, and evaluated. One evaluator for each time zone."""

    def __init__(self, *, engine: str = "direct", every_branch: bool = True, rules_dir: Sequence[Path] = ()) -> None:
        """every_branch: silent branches and drafts count as active, as the specification's tables state the logic.

        rules_dir: folders of rules beside the shipped ones.
        """
        self._engine = engine
        self._every_branch = every_branch
        self._rules_dir = [str(path) for path in rules_dir]
        self._evaluators: dict[str, Evaluator] = {}

    def evaluator(self, time_zone: str) -> Evaluator:
        if time_zone not in self._evaluators:
            own: dict[str, Any] = {"rules_dir": self._rules_dir} if self._rules_dir else {}
            settings = load_settings(time_zone=time_zone, engine=self._engine, today=None, **own)
            self._evaluators[time_zone] = Evaluator(settings, every_branch=self._every_branch)
        return self._evaluators[time_zone]

    def __call__(self, request: bytes, *, hook: str, today: dt.date, time_zone: str) -> Evaluation:
        return self.evaluator(time_zone).evaluate(read_call(request, cast(Hook, hook)), today=today)

    def prepared(self, case: Case) -> Prepared:
        """A case with chart and facts, to ask changed rules about."""
        evaluator = self.evaluator(case.time_zone)
        call = read_call(case.request, cast(Hook, case.hook))
        chart = evaluator.chart(call, today=case.today)
        return prepare(case, chart, evaluator.rules.shared_values, unread_drafts=call.unread_drafts)

    def facts(self, case: Case) -> list[Fact]:
        """Derived facts of a case."""
        evaluator = self.evaluator(case.time_zone)
        call = read_call(case.request, cast(Hook, case.hook))
        return evaluator.facts(evaluator.chart(call, today=case.today), cast(Hook, case.hook)).facts

    def disagreements(self) -> int:
        """How often the two engines of `verified` differed so far."""
        engines = (evaluator.engine for evaluator in self._evaluators.values())
        return sum(engine.counters.disagreements for engine in engines if isinstance(engine, VerifiedEngine))

    def unchecked(self) -> int:
        """How many evaluations `verified` answered without durable-rules: late, refused, or none was running."""
        engines = (evaluator.engine for evaluator in self._evaluators.values())
        counted = (engine.counters for engine in engines if isinstance(engine, VerifiedEngine))
        return sum(counters.late + counters.refused + counters.unchecked for counters in counted)

    def close(self) -> None:
        """End the engines' child processes."""
        for evaluator in self._evaluators.values():
            evaluator.close()
