"""The smallest change to a case that tells a rule and one of its mutants apart, ready to paste."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds.authoring.cases import Case, CaseFile
from cds.authoring.mutation.mutants import Mutant
from cds.authoring.prepared import Prepared
from cds.rules.model import Rule


@dataclass(frozen=True, slots=True)
class Proposed:
    """A case that kills mutants, as YAML; or mutants for which none was found (yaml empty)."""

    mutants: tuple[Mutant, ...]
    yaml: str


def boundaries(
    file: CaseFile, rule: Rule, mutants: Sequence[Mutant], prepared: Callable[[Case], Prepared]
) -> list[Proposed]:
    return []
