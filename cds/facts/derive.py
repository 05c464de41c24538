"""Chart to facts: the temporal abstraction that every rule reads. Pure; no clock, no file, no network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from cds.chart.model import Chart
from cds.facts import (
    antipsychotics,
    augmentations,
    continuous_use,
    dispensing,
    duplicates,
    early_ends,
    follow_up,
    memory,
    orders,
    pairs,
    patient,
    safety,
    together,
    trials,
    withdrawal,
)
from cds.facts.context import Context
from cds.model import Fact, Hook

_log = logging.getLogger(__name__)
# Which module makes which kinds: a module that fails takes only its own kinds with it.
_MODULES: tuple[tuple[ModuleType, frozenset[str]], ...] = (
    (patient, frozenset({"patient", "gate", "diagnosis", "risk", "exposure", "intolerance"})),
    (orders, frozenset({"order", "as_needed"})),
    (pairs, frozenset({"pair", "planned_end", "overlap"})),
    (trials, frozenset({"trial", "stop_reason", "switch"})),
    (memory, frozenset({"memory"})),
    (safety, frozenset({"safety_gap"})),
    (follow_up, follow_up.KINDS),
    (augmentations, frozenset({"augmentation"})),
    (antipsychotics, frozenset({"antipsychotic_switch", "antipsychotic_record"})),
    (early_ends, frozenset({"early_end", "antidepressant_use"})),
    (continuous_use, continuous_use.KINDS),
    (withdrawal, frozenset({"class_stop", "dose_fall", "run_out"})),
    (duplicates, frozenset({"duplicate"})),
    (dispensing, frozenset({"double_supply"})),
    (together, frozenset({"drugs_together", "drugs_planned", "hospital_antipsychotic"})),
)


@dataclass(frozen=True, slots=True)
class Derived:
    """facts: sorted by ref. failed: kinds that could not be derived; a rule that reads one is not evaluated."""

    facts: list[Fact]
    failed: frozenset[str]


def module_of(kind: str) -> ModuleType | None:
    """The module that makes facts of a kind."""
    return next((module for module, kinds in _MODULES if kind in kinds), None)


def derive(chart: Chart, *, hook: Hook, parameters: Mapping[str, float]) -> Derived:
    """Every fact of the vocabulary that holds for this chart on its day.

    parameters: shared parameters of `rules/_parameters.yaml` by name.
    A defect in one module costs its kinds and nothing else: the other rules still answer.
    """
    context = Context(chart, hook, parameters)
    facts: list[Fact] = []
    failed: set[str] = set()
    for module, kinds in _MODULES:
        try:
            facts.extend(module.facts(context))
        except Exception as error:
            # Only the type: a message could carry a value of the chart.
            _log.error("facts of %s could not be derived: %s", module.__name__, type(error).__name__)
            failed |= kinds
    facts = [f for f in facts if f.kind not in failed]
    return Derived(sorted(facts, key=lambda f: f.ref), frozenset(failed))
