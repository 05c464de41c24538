"""Which pairs of drugs are looked at together, and as what: `rules/tables/class_pairs.csv` (A-02)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cds.drugs.model import DrugPart
from cds.shipped import table

_HYPNOTIC_CLASSES = frozenset({"ZDRUG", "DORA"})
_LOW_DOSE_HYPNOTICS = frozenset({"trazodone", "doxepin"})


@dataclass(frozen=True, slots=True)
class Side:
    """One drug of a pair at its present dose. adjunct: low-dose adjunct, or for smoking cessation (1.3.5)."""

    part: DrugPart
    adjunct: bool
    mg: Decimal | None
    as_needed: bool

    @property
    def hypnotic(self) -> str | None:
        """Kind of hypnotic, for pairs of different kinds; a low dose makes trazodone and doxepin one."""
        ingredient = self.part.ingredient
        if ingredient.class_group in _HYPNOTIC_CLASSES:
            return ingredient.class_group
        return ingredient.key if self.adjunct and ingredient.key in _LOW_DOSE_HYPNOTICS else None


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the pair table."""

    group: str
    left: str
    right: str
    kinship: str
    class_label: str


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(Kind(r["group"], r["left"], r["right"], r["kinship"], r["class_label"]) for r in table("class_pairs"))


def kind_of(a: Side, b: Side) -> Kind | None:
    """First row of the table that fits the pair in either order; None for pairs that nobody minds."""
    for kind in _kinds():
        if kind.group == "hypnotic" and a.hypnotic == b.hypnotic:
            continue
        if (_is(a, kind.left) and _is(b, kind.right)) or (_is(b, kind.left) and _is(a, kind.right)):
            return kind
    return None


def _is(side: Side, selector: str) -> bool:
    what, _, name = selector.partition(":")
    ingredient = side.part.ingredient
    tests: dict[str, Callable[[], bool]] = {
        "group": lambda: ingredient.class_group == name and not side.adjunct,
        "class": lambda: ingredient.therapeutic_class == name and not side.adjunct,
        "drug": lambda: ingredient.key == name and not side.adjunct,
        "tag": lambda: name in ingredient.tags and not side.as_needed and not side.adjunct,
        "hypnotic": lambda: side.hypnotic is not None,
    }
    return tests[what]()


def tricyclic_dose(*sides: Side) -> Decimal | None:
    """mg a day of the tricyclic of a pair, if one is."""
    return next((s.mg for s in sides if s.part.ingredient.class_group == "TCA"), None)
