"""What an audit asks: the same in every process, and after a crash, where its digest says whether it is the same."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Literal

import orjson

from cds.errors import CdsError
from cds.evaluate import Evaluator
from cds.settings import Settings

As = Literal["point-in-time", "replay"]
AuditHook = Literal["batch", "patient-view"]


class AuditError(CdsError):
    """An audit that cannot be run as asked: bad input, a folder in use, a run that was something else."""


@dataclass(frozen=True, slots=True)
class Job:
    """today: the day asked about. since, until: days of a replay. rules: starts of specification ids, None for all.

    patients: ids of the only patients to audit; None for all. limit: the first so many of the export.
    """

    settings: Settings
    today: dt.date
    as_: As = "point-in-time"
    hook: AuditHook = "batch"
    since: dt.date | None = None
    until: dt.date | None = None
    rules: tuple[str, ...] | None = None
    patients: frozenset[str] | None = None
    limit: int | None = None

    def evaluator(self) -> Evaluator:
        """The rules of this audit. `auto` is direct here: a second engine is for services and tests."""
        engine = "direct" if self.settings.engine == "auto" else self.settings.engine
        return Evaluator(self.settings.model_copy(update={"engine": engine}))

    def digest(self, evaluator: Evaluator, inputs: str, version: str) -> str:
        """Of everything that findings depend on. inputs: digest of the input files; version: of this program."""
        settings = self.settings.model_dump(mode="json", include={"time_zone", "rules", "require_sign_off", "drugs"})
        asked = {
            "version": version,
            "inputs": inputs,
            "rules_version": evaluator.rules_version,
            "engine": evaluator.engine_name,
            "settings": settings,
            "today": self.today.isoformat(),
            "as": [self.as_, self.hook, str(self.since), str(self.until)],
            "rules": self.rules,
            "patients": None if self.patients is None else sorted(self.patients),
            "limit": self.limit,
        }
        return hashlib.blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
