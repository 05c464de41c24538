"""What every fact module starts from: the chart, the shared parameters, and exposure worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from cds.chart.model import Chart, Fill, Order
from cds.dates import Day, age_range
from cds.drugs.model import DrugPart, Ingredient
from cds.facts.exposure import Episode, Stretch, episodes, stretches
from cds.facts.history import History
from cds.facts.intervals import Interval, stays
from cds.facts.layout import lay_out
from cds.facts.supply import Supply, supplies
from cds.model import Fact, Hook, Scalar

ANTIDEPRESSANT_GROUPS = frozenset({"SRI", "TCA", "MAOI", "AD-OTHER"})
# An order for one of these reasons treats neither mood nor anxiety.
OTHER_PURPOSES = frozenset({"pain", "insomnia", "tobacco"})
NEVER = 36500  # days without, where the chart holds no earlier use
_GRACE = {
    "BZD": "grace_benzodiazepine",
    "ZDRUG": "grace_z_drug",
    "AP": "grace_antipsychotic",
    "STIM": "grace_stimulant",
    "ADHD-NS": "grace_stimulant",
    "MOOD": "grace_mood",
}
_LOW_DOSE = {
    "trazodone": "lowdose_trazodone",
    "doxepin": "lowdose_doxepin",
    "quetiapine": "lowdose_quetiapine",
    "amitriptyline": "lowdose_tca",
    "nortriptyline": "lowdose_tca",
    "imipramine": "lowdose_tca",
    "mirtazapine": "lowdose_mirtazapine",
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

    @cached_property
    def orders(self) -> dict[str, Order]:
        return {o.ref: o for o in self.chart.orders}

    @cached_property
    def fills(self) -> dict[str, Fill]:
        return {f.ref: f for f in self.chart.fills}

    @cached_property
    def history(self) -> History:
        return History(self.chart, stale_days=int(self.p["stale_list_days"]))

    @cached_property
    def recorded(self) -> dict[str, list[Supply]]:
        """Supply by ingredient key as recorded: raw intervals, before early fills are carried forward."""
        return supplies(self.history)

    @cached_property
    def supply(self) -> dict[str, list[Supply]]:
        """Laid-out supply by ingredient key, by start; inpatient days only as given by staff."""
        carry_max = int(self.p["carry_max"])
        return {
            key: rows
            for key, found in self.recorded.items()
            if (rows := lay_out(found, carry_max=carry_max, today=self.today, stays=self.stays))
        }

    @cached_property
    def stretches(self) -> dict[str, list[Stretch]]:
        """Stretches of equal dosing by ingredient key; none reaches from yesterday into today."""
        return {key: stretches(rows, cut_at=self.today) for key, rows in self.supply.items()}

    def past(self, key: str) -> list[Stretch]:
        """Stretches of one ingredient up to yesterday: what retrospective rules may know of (1.1)."""
        return [s for s in self.stretches.get(key, ()) if s.last < self.today]

    @cached_property
    def by_ingredient(self) -> dict[str, list[Episode]]:
        """Episodes of each ingredient up to yesterday."""
        return {key: self.episodes(past) for key in self.stretches if (past := self.past(key))}

    def episodes(self, found: list[Stretch]) -> list[Episode]:
        """Episodes of one ingredient, with the grace of its class."""
        return episodes(found, grace=self.grace(found[0].part.ingredient), bridged=self.stays) if found else []

    def class_episodes(self, groups: Iterable[str], *, grace: int) -> list[Episode]:
        """Episodes of a whole class up to yesterday: switching within it does not end one."""
        wanted = frozenset(groups)
        found = (s for key in self.stretches for s in self.past(key) if s.part.ingredient.class_group in wanted)
        return episodes(found, grace=grace, bridged=self.stays)

    def grace(self, ingredient: Ingredient) -> int:
        """Uncovered days that do not end an episode, by class (1.4 step 4)."""
        return int(self.p[_GRACE.get(ingredient.class_group, "grace_antidepressant")])

    @cached_property
    def _adjuncts(self) -> dict[int, bool]:
        return {
            id(s): any(self.for_smoking(supply) for supply in s.supplies) or self.low_dose_adjunct(s.part, s.high)
            for found in self.stretches.values()
            for s in found
        }

    def is_adjunct(self, stretch: Stretch) -> bool:
        """Low-dose adjunct or smoking cessation: no antidepressant course, no duplicate (1.3.5)."""
        return self._adjuncts[id(stretch)]

    def for_smoking(self, supply: Supply) -> bool:
        """Named for smoking cessation, or bupropion ordered for tobacco dependence."""
        return is_for_smoking(supply.part, supply.medication.purpose, supply.reasons)

    def low_dose_adjunct(self, part: DrugPart, mg: Decimal | None) -> bool:
        """Purpose filter 1.3.5; an unknown dose of these drugs is taken as low (A-02 missing data)."""
        name = _LOW_DOSE.get(part.ingredient.key)
        if mg is None:
            # Unknown mirtazapine stays an antidepressant: A-02 names only trazodone, doxepin, tricyclics, quetiapine.
            return (name is not None and part.ingredient.key != "mirtazapine") or part.ingredient.class_group == "TCA"
        return name is not None and mg <= Decimal(str(self.p[name]))


def is_for_smoking(part: DrugPart, purpose: frozenset[str], reasons: frozenset[str]) -> bool:
    """1.3.5, 10.15: the product's name alone, or bupropion with a tobacco reason; whatever the problem list says."""
    return "smoking-cessation" in purpose or (part.ingredient.key == "bupropion" and "tobacco" in reasons)


def is_other_purpose(reasons: frozenset[str]) -> bool:
    """Ordered for pain, sleep or smoking and for nothing else."""
    return bool(reasons) and reasons <= OTHER_PURPOSES


def fact(kind: str, ref: str, evidence: Iterable[str] = (), /, **fields: Scalar | int | Decimal | None) -> Fact:
    """A fact without its unknown fields; whole numbers and decimals become the finite floats the engines compare."""
    known: dict[str, Scalar] = {}
    for name, value in fields.items():
        if value is None:
            continue
        known[name] = value if isinstance(value, (str, bool)) else float(value)
    return Fact(kind, ref, known, tuple(sorted(set(evidence))))
