"""The doors that a case goes through, handed to `cds.authoring`, which knows neither hooks nor HTTP."""

from __future__ import annotations

import datetime as dt
from typing import cast

from cds.authoring.cases import Case
from cds.evaluate import Evaluator
from cds.findings import Evaluation
from cds.model import Fact, Hook
from cds.settings import load_settings
from hooks.request import read_call


class EngineDoor:
    """In this process: the request is read as the service reads it, and evaluated. One evaluator for each time zone."""

    def __init__(self, *, engine: str = "direct", every_branch: bool = True) -> None:
        """every_branch: shipped silent branches count as active, as the specification's tables state the logic."""
        self._engine = engine
        self._every_branch = every_branch
        self._evaluators: dict[str, Evaluator] = {}

    def evaluator(self, time_zone: str) -> Evaluator:
        if time_zone not in self._evaluators:
            settings = load_settings(time_zone=time_zone, engine=self._engine, today=None)
            self._evaluators[time_zone] = Evaluator(settings, every_branch=self._every_branch)
        return self._evaluators[time_zone]

    def __call__(self, request: bytes, *, hook: str, today: dt.date, time_zone: str) -> Evaluation:
        return self.evaluator(time_zone).evaluate(read_call(request, cast(Hook, hook)), today=today)

    def facts(self, case: Case) -> list[Fact]:
        """Derived facts of a case."""
        evaluator = self.evaluator(case.time_zone)
        call = read_call(case.request, cast(Hook, case.hook))
        return evaluator.facts(evaluator.chart(call, today=case.today), cast(Hook, case.hook)).facts
