"""Rules are loaded once for all audits of a test session that ask with the same settings."""

from __future__ import annotations

import pytest

from cds.audit.job import Job
from cds.evaluate import Evaluator

_evaluators: dict[str, Evaluator] = {}
_load = Job.evaluator


@pytest.fixture(autouse=True)
def _evaluators_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(job: Job) -> Evaluator:
        key = job.settings.model_dump_json()
        if key not in _evaluators:
            _evaluators[key] = _load(job)
        return _evaluators[key]

    monkeypatch.setattr(Job, "evaluator", kept)
