"""Mutants of the parameters that rules share: they change facts, the rules that name them, or both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds.authoring.mutation.mutants import Mutant, neighbours, recompiled, shown
from cds.authoring.mutation.steps import SHARED
from cds.rules.load import rule_path
from cds.rules.model import Parameter, Rule
from cds.rules.source import read_source


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


def for_rule(mutants: Sequence[SharedMutant], rule: Rule, shared: Mapping[str, Parameter]) -> list[Mutant]:
    """What each shared mutant makes of one rule; a rule that does not name the parameter stays as it is."""
    source = read_source(rule_path(rule), shown_as=rule.path)
    text = rule_path(rule).read_text(encoding="utf-8")
    found = []
    for mutant in mutants:
        name = mutant.parameter.name
        changed = {**shared, name: mutant.parameter}
        named = re.search(rf"\b{name}\b", text) is not None
        again = recompiled(source, changed, {}) if named else None
        found.append(Mutant(mutant.wording, 0, "", again, changed, name))
    return found
