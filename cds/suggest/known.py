"""What suggestions look up: the chart's orders, which order a fact speaks of, and what must not be stopped at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cds.chart.model import Chart, Order
from cds.dates import Day
from cds.drugs.model import DrugPart, Ingredient, Medication
from cds.model import Fact

# 1.15: what must not be stopped at once after four weeks of use; an immediate stop of these is never suggested.
_TAPER_GROUPS = frozenset({"BZD", "ZDRUG", "SRI", "TCA", "MAOI", "GABAP"})
_TAPER_DRUGS = frozenset({"mirtazapine"})
_TAPER_AFTER_DAYS = 28
# 1.15 names these without a number of days.
_ALWAYS_TAPER_GROUPS = frozenset({"OPIOID", "MOOD", "AED"})
_ALWAYS_TAPER_DRUGS = frozenset({"clozapine", "clonidine", "guanfacine", "baclofen"})
# Switching within these classes does not end the exposure: use of any member counts.
_CLASS_EXPOSURE = frozenset({"BZD", "ZDRUG"})
_BZD_TAPER_AFTER_DAYS = 14
_RECENT_DAYS = 14  # washout of an MAO inhibitor
_BZD_CAUTION = frozenset({"seizure", "status-epilepticus", "benzodiazepine-withdrawal", "catatonia"})


@dataclass(frozen=True, slots=True)
class Known:
    """A chart with its orders by reference, and since when each drug is in use: made once for an evaluation.

    first_use: first day on which any record has the moiety ("moiety sertraline") or the class ("class BZD") in use.
    That is earlier than the present episode where the drug was taken before: too early is the safe side here.
    """

    chart: Chart
    orders: Mapping[str, Order]
    first_use: Mapping[str, Day]

    @classmethod
    def of(cls, chart: Chart) -> Known:
        uses: list[tuple[Day | None, Medication]] = [(f.start, f.medication) for f in chart.fills]
        uses += [(s.start, s.medication) for s in chart.statements if s.taken]
        for order in chart.orders:
            if order.role == "chart":
                uses += [(order.start, order.medication), (order.authored, order.medication)]
        first: dict[str, Day] = {}
        for day, medication in uses:
            if day is None:
                continue
            for part in medication.parts:
                for key in (f"moiety {part.ingredient.moiety}", f"class {part.ingredient.class_group}"):
                    first[key] = min(first.get(key, day), day)
        return cls(chart, {o.ref: o for o in chart.orders}, first)

    def recently(self) -> Iterator[Ingredient]:
        """Ingredients ordered, taken, or in hand within the last weeks: rather one too many than one missed."""
        chart, since = self.chart, self.chart.today - _RECENT_DAYS
        found = [o.medication for o in chart.orders if o.open or o.role != "chart" or o.ended_by_call]
        found += [o.medication for o in chart.orders if o.end is not None and o.end >= since]
        found += [f.medication for f in chart.fills if f.start + (f.days or 0) >= since]
        found += [s.medication for s in chart.statements if s.taken and (s.current or (s.end or since) >= since)]
        found += [a.medication for a in chart.administrations if a.end >= since]
        return (part.ingredient for medication in found for part in medication.parts)

    def draft(self, fact: Fact | None, field: str) -> Order | None:
        """The draft of the call that a fact speaks of; None for a signed order."""
        ref = str(fact.fields.get(field, "")).rpartition("#")[0] if fact is not None else ""
        order = self.orders.get(ref)
        return order if order is not None and order.role == "draft" else None

    def charted(self, fact: Fact | None, *, stopped_too: bool = False) -> Order | None:
        """The signed order behind a fact: the one that its `current_order` names, else the first in force it rests on.

        stopped_too: one that this very call ends will do, where none is in force.
        """
        if fact is None:
            return None
        named = str(fact.fields.get("current_order", ""))
        refs = (named,) if named else fact.evidence
        found = [o for ref in refs if (o := self.orders.get(ref)) is not None and o.role == "chart"]
        in_force = [o for o in found if o.progress == "current"]
        return next(iter(in_force or ([o for o in found if o.ended_by_call] if stopped_too else [])), None)

    def needs_taper(self, part: DrugPart) -> bool:
        """1.15: whether a stop from one day to the next is to be avoided, as far as the record tells."""
        ingredient = part.ingredient
        if ingredient.key in _ALWAYS_TAPER_DRUGS or ingredient.class_group in _ALWAYS_TAPER_GROUPS:
            return True
        if ingredient.tags & _ALWAYS_TAPER_GROUPS:
            return True
        if ingredient.key == "fluoxetine" or not (
            ingredient.class_group in _TAPER_GROUPS or ingredient.key in _TAPER_DRUGS
        ):
            return False
        cautious = ingredient.class_group == "BZD" and any(d.groups & _BZD_CAUTION for d in self.chart.diagnoses)
        limit = _BZD_TAPER_AFTER_DAYS if cautious else _TAPER_AFTER_DAYS
        whole_class = ingredient.class_group in _CLASS_EXPOSURE
        first = self.first_use.get(f"class {ingredient.class_group}" if whole_class else f"moiety {ingredient.moiety}")
        return first is None or first <= self.chart.today - limit


def medication_of(order: Order) -> dict[str, str | None]:
    """The drug of an order as actions carry it."""
    return {"text": order.medication.label, "rxcui": order.medication.product}
