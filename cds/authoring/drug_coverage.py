"""Which medicines of charts the rules can see: identified or not, of a class that the rules read or of none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from cds.chart.medications import named
from cds.drugs.model import Ingredient, Medication
from cds.drugs.ndc import is_ndc
from cds.drugs.resolver import Resolver, is_rxnorm
from cds.evaluate import HookCall
from cds.fhir import records as r
from cds.replay.calls import PSYCHOTROPIC
from cds.rules.model import RuleSet
from cds.shipped import table

NO_CODE = "no code"
# Named in cds/facts beside the psychiatric classes: who orders opioids as well, treatment of opioid use disorder.
_OF_FACTS = frozenset({"OPIOID", "OUD-MED", "AED"})
_PATTERN_FIELDS = frozenset({"class_group", "therapeutic_class", "group", "kind"})


@dataclass(slots=True)
class Seen:
    """How often something stands in charts: medication records, and charts."""

    records: int = 0
    charts: set[str] = field(default_factory=set)

    def add(self, chart: str) -> None:
        self.records += 1
        self.charts.add(chart)


@dataclass(slots=True)
class Coverage:
    """ingredients: by key. codes: (status, code) of what was not identified. texts: of that, as written."""

    ingredients: dict[str, Seen] = field(default_factory=lambda: defaultdict(Seen))
    used: dict[str, Ingredient] = field(default_factory=dict)
    codes: dict[tuple[str, str], Seen] = field(default_factory=lambda: defaultdict(Seen))
    texts: dict[str, Seen] = field(default_factory=lambda: defaultdict(Seen))
    statuses: dict[str, Seen] = field(default_factory=lambda: defaultdict(Seen))

    def add(self, chart: str, call: HookCall, resolver: Resolver) -> None:
        """Count every medication record of a chart."""
        for concept, text, found in _medicines(call, resolver):
            self.statuses[found.status].add(chart)
            for part in found.parts:
                self.used[part.ingredient.key] = part.ingredient
                self.ingredients[part.ingredient.key].add(chart)
            if found.status != "identified":
                codes = [f"{_system(c.system)} {c.code}" for c in (concept.coding if concept else ()) if c.code]
                for code in codes or [NO_CODE]:
                    self.codes[found.status, code].add(chart)
                if text:
                    self.texts[text].add(chart)


def _medicines(call: HookCall, resolver: Resolver) -> Iterator[tuple[r.CodeableConcept | None, str | None, Medication]]:
    reading = call.reading
    products = {f"Medication/{m.id}": m for m in reading.of(r.Medication) if m.id}
    medicines: list[r.MedicationRequest | r.MedicationDispense | r.MedicationStatement | r.MedicationAdministration] = [
        *reading.of(r.MedicationRequest),
        *reading.of(r.MedicationDispense),
        *reading.of(r.MedicationStatement),
        *reading.of(r.MedicationAdministration),
    ]
    for m in medicines:
        concept, text = named(
            m.medication_codeable_concept, m.medication_reference, m.contained, products, reading.locate
        )
        codings = [(c.system, c.code, c.display) for c in concept.coding] if concept is not None else []
        yield concept, text, resolver.resolve(codings, text)


def _system(system: str | None) -> str:
    """A short name for the two systems that are read, else the system as it stands."""
    return "RxNorm" if is_rxnorm(system) else "NDC" if is_ndc(system) else system or "no system,"


def classes_in_use(rules: RuleSet) -> frozenset[str]:
    """Classes and lists that rules and fact tables name: a drug of none of them takes part in no rule."""
    compared = {
        str(c.value)
        for spec in rules.specs
        for pattern in (*spec.patterns, *spec.unless)
        for c in pattern.where
        if c.field in _PATTERN_FIELDS and isinstance(c.value, str)
    }
    return frozenset(PSYCHOTROPIC | _OF_FACTS | _of_tables() | compared)


@cache
def _of_tables() -> frozenset[str]:
    """What the tables of pairs and of guarded drugs name: "group:MAOI", "class:SSRI", "drug:guanfacine"."""
    words = [row[side] for row in table("class_pairs") for side in ("left", "right")]
    words += [row["drug"] for row in table("guarded_drugs")]
    return frozenset(w.partition(":")[2] for w in words if ":" in w)


def of_no_class(ingredient: Ingredient, classes: frozenset[str]) -> bool:
    """Whether no class or list that is in use has the ingredient."""
    return not {ingredient.key, ingredient.moiety, ingredient.class_group, *ingredient.tags} & classes
