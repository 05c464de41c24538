"""Chart to facts: the temporal abstraction that every rule reads. Pure; no clock, no file, no network."""

from __future__ import annotations

from collections.abc import Mapping

from cds.chart.model import Chart
from cds.facts import follow_up, orders, pairs, patient, trials
from cds.facts.context import Context
from cds.model import Fact, Hook

_MODULES = (patient, orders, pairs, trials, follow_up)


def derive(chart: Chart, *, hook: Hook, parameters: Mapping[str, float]) -> list[Fact]:
    """Every fact of the vocabulary that holds for this chart on its day, sorted by ref.

    parameters: shared parameters of `rules/_parameters.yaml` by name.
    """
    context = Context(chart, hook, parameters)
    return sorted((f for module in _MODULES for f in module.facts(context)), key=lambda f: f.ref)
