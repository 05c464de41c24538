"""What every fact module starts from: the chart, the shared parameters, and exposure worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from cds.chart.model import Chart, Order
from cds.dates import Day, age_range
from cds.drugs.model import DrugPart, Ingredient
from cds.facts.exposure import Episode, Interval, episodes, stays
from cds.facts.supply import Supply, lay_out, supplies
from cds.model import Fact, Hook, Scalar

ANTIDEPRESSANT_GROUPS = frozenset({"SRI", "TCA", "MAOI", "AD-OTHER"})
_GRACE = {
    "BZD": "grace_benzodiazepine",
    "ZDRUG": "grace_z_drug",
    "AP": "grace_antipsychotic",
    "STIM": "grace_stimulant",
    "ADHD-NS": "grace_stimulant",
    "MOOD": "grace_mood",
}


@dataclass(frozen=True)
class Context:
    """One evaluation's material. p: shared parameters of `rules/_parameters.yaml` by name (days, mg, %)."""

    chart: Chart
    hook: Hook
    p: Mapping[str, float]

    @property
    def today(self) -> Day:
        return self.chart.today

    def rel(self, day: Day) -> float:
        """Day as facts carry it: counted from today."""
        return float(day - self.chart.today)

    @cached_property
    def stays(self) -> tuple[Interval, ...]:
        return stays(self.chart)

    @cached_property
    def ages(self) -> tuple[int, int] | None:
        """(youngest, oldest) age in completed years; equal unless the birth date is partial."""
        return age_range(self.chart.birth, self.today) if self.chart.birth else None

    @property
    def age(self) -> int | None:
        """Completed years, when every reading of the birth date agrees."""
        return self.ages[0] if self.ages and self.ages[0] == self.ages[1] else None

    @cached_property
    def supply(self) -> dict[str, list[Supply]]:
        """Laid-out supply by ingredient key."""
        rows = supplies(self.chart, stale_days=int(self.p["stale_list_days"]))
        return {key: lay_out(found, carry_max=int(self.p["carry_max"])) for key, found in rows.items()}

    @cached_property
    def by_ingredient(self) -> dict[str, list[Episode]]:
        return {key: self._episodes(rows) for key, rows in self.supply.items() if rows}

    def _episodes(self, rows: list[Supply]) -> list[Episode]:
        return episodes(rows, grace=self.grace(rows[0].part.ingredient), bridged=self.stays)

    def grace(self, ingredient: Ingredient) -> int:
        """Uncovered days that do not end an episode, by class (1.4 step 4)."""
        return int(self.p[_GRACE.get(ingredient.class_group, "grace_antidepressant")])

    def class_episodes(self, groups: Iterable[str], *, grace: int, without_adjuncts: bool = False) -> list[Episode]:
        """Episodes of a whole class: switching within it does not end one."""
        wanted = frozenset(groups)
        rows = [
            s
            for found in self.supply.values()
            for s in found
            if s.part.ingredient.class_group in wanted and not (without_adjuncts and self.is_adjunct(s))
        ]
        return episodes(sorted(rows, key=lambda s: (s.start, s.end)), grace=grace, bridged=self.stays)

    def is_adjunct(self, supply: Supply) -> bool:
        """Low-dose adjunct or smoking cessation: no antidepressant course, no duplicate (1.3.5)."""
        if self.for_smoking(supply):
            return True
        return self.low_dose_adjunct(
            supply.part, supply.dose(min(max(supply.start, self.today), supply.end), high=True)
        )

    def for_smoking(self, supply: Supply) -> bool:
        """Named for smoking cessation, or bupropion ordered for tobacco dependence."""
        if "smoking-cessation" in supply.medication.purpose:
            return True
        order = self.orders.get(supply.request or "")
        return supply.part.ingredient.key == "bupropion" and order is not None and "tobacco" in order.reasons

    @cached_property
    def orders(self) -> dict[str, Order]:
        return {o.ref: o for o in self.chart.orders}

    def low_dose_adjunct(self, part: DrugPart, mg: Decimal | None) -> bool:
        """Purpose filter 1.3.5; an unknown dose of these drugs is taken as low (A-02 missing data)."""
        key = part.ingredient.key
        name = {"trazodone": "lowdose_trazodone", "doxepin": "lowdose_doxepin", "quetiapine": "lowdose_quetiapine"}.get(
            key
        )
        if key in {"amitriptyline", "nortriptyline", "imipramine"}:
            name = "lowdose_tca"
        if key == "mirtazapine":
            # Unknown mirtazapine stays an antidepressant: only the four above are assumed low.
            return mg is not None and mg <= Decimal(str(self.p["lowdose_mirtazapine"]))
        if name is None:
            return part.ingredient.class_group == "TCA" and mg is None
        return mg is None or mg <= Decimal(str(self.p[name]))

    def searched(self, *types: str) -> bool:
        return all(self.chart.searched(t) for t in types)


def fact(kind: str, ref: str, evidence: Iterable[str] = (), /, **fields: Scalar | int | Decimal | None) -> Fact:
    """A fact without its unknown fields; whole numbers and decimals become the finite floats the engines compare."""
    known: dict[str, Scalar] = {}
    for name, value in fields.items():
        if value is None:
            continue
        known[name] = value if isinstance(value, (str, bool)) else float(value)
    return Fact(kind, ref, known, tuple(sorted(set(evidence))))
