"""Mutants of the parameters that rules share: they change facts, the rules that name them, or both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cds.authoring.mutation.mutants import Mutant, neighbours, recompiled, shown
from cds.authoring.mutation.steps import SHARED
from cds.rules.model import Parameter
from cds.rules.source import Source


@dataclass(frozen=True, slots=True)
class SharedMutant:
    """One shared parameter at the next value. wording: as of any parameter."""

    wording: str
    parameter: Parameter


def shared_mutants(shared: Mapping[str, Parameter]) -> list[SharedMutant]:
    """Both neighbours of every shared parameter; below 0 there is none."""
    return [
        SharedMutant(f"{name}: {shown(p)} -> {shown(other)}", other)
        for name, p in shared.items()
        for other in neighbours(SHARED, p)
    ]


def for_rule(mutant: SharedMutant, source: Source, shared: Mapping[str, Parameter]) -> Mutant:
    """What a shared mutant makes of one rule; one that does not name the parameter stays as it is."""
    name = mutant.parameter.name
    changed = {**shared, name: mutant.parameter}
    again = recompiled(source, changed, {}) if re.search(rf"\b{name}\b", source.text) is not None else None
    return Mutant(mutant.wording, 0, "", again, changed, name)
