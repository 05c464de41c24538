"""What counts as an antipsychotic or antidepressant when several are taken at once (1.3.5, A-03, A-04).

Scheduled, at more than a low adjunct dose, for longer than a week.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from cds.drugs.model import DrugPart, Medication
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context
from cds.facts.exposure import Stretch
from cds.facts.supply import Supply

SHORT_SUPPLY = 7  # days authorised in all (A-03, 10.23)
MEMBERS = {"antipsychotic": frozenset({"AP"}), "antidepressant": ANTIDEPRESSANT_GROUPS - {"MAOI"}}
# A clinic-given drug and a fixed course; naltrexone-bupropion is no antidepressant to begin with.
_NEVER_COUNTED = frozenset({"esketamine", "zuranolone"})
_INJECTED = frozenset({"injection", "intramuscular", "intravenous", "subcutaneous"})
# Days that one injection certainly lasts: the shortest interval of the drug's depot products (table of X-LAI-01).
_DEPOT_DAYS = {
    "aripiprazole": 30, "aripiprazole lauroxil": 30, "paliperidone": 30, "risperidone": 14, "olanzapine": 14,
    "haloperidol": 28, "fluphenazine": 14,
}  # fmt: skip


def counts_as(c: Context, group: str, stretch: Stretch) -> bool:
    part = stretch.part
    if part.ingredient.class_group not in MEMBERS[group] or c.is_adjunct(stretch):
        return False
    if group == "antidepressant":
        return is_antidepressant(part, stretch.high)
    return any(is_scheduled(c, s) for s in stretch.supplies) and not against_prolactin(c, part, stretch.high)


def is_antidepressant(part: DrugPart, mg: Decimal | None) -> bool:
    # of unknown dose mirtazapine is not counted; trazodone, doxepin and tricyclics are adjuncts already.
    return part.ingredient.key not in _NEVER_COUNTED and not (part.ingredient.key == "mirtazapine" and mg is None)


def is_scheduled(c: Context, supply: Supply) -> bool:
    order = c.orders.get(supply.request or "")
    short = order is not None and order.authorised_days is not None and order.authorised_days <= SHORT_SUPPLY
    return not supply.prn and not short and not is_short_acting(supply.medication)


def is_short_acting(medication: Medication) -> bool:
    """An injection that is no depot: given once, for agitation."""
    return medication.route in _INJECTED and not medication.long_acting_injection


def against_prolactin(c: Context, part: DrugPart, mg: Decimal | None) -> bool:
    """Low-dose aripiprazole beside another drug that has raised prolactin is no second antipsychotic (A-03)."""
    if not is_low_aripiprazole(c, part, mg):
        return False
    since = c.today - int(c.p["prolactin_days"])
    return any(r.name == "prolactin" and r.high and r.day >= since for r in c.chart.results)


def is_low_aripiprazole(c: Context, part: DrugPart, mg: Decimal | None) -> bool:
    low = Decimal(str(c.p["lowdose_aripiprazole"]))
    return part.ingredient.key == "aripiprazole" and mg is not None and mg <= low


def depots(c: Context) -> Iterator[Stretch]:
    """Injections given in a clinic or on a ward, each for as long as it certainly lasts."""
    for given in c.chart.administrations:
        for part in given.medication.parts:
            days = _DEPOT_DAYS.get(part.ingredient.key)
            if not given.medication.long_acting_injection or part.ingredient.class_group != "AP" or days is None:
                continue
            last = min(given.start + days - 1, c.today - 1)
            if last >= given.start:
                row = Supply(
                    part, given.medication, given.start, last, given.steps, "high", (given.ref,), "administration"
                )  # fmt: skip
                yield Stretch(given.start, last, (row,))


def failed_trials(c: Context, present: Collection[str]) -> int:
    """Other antipsychotics that were stopped as not effective, as far as it is coded."""
    given = [
        *((o.medication, o.stop_reasons) for o in c.chart.orders),
        *((s.medication, s.stop_reasons) for s in c.chart.statements),
    ]
    moieties = {p.ingredient.moiety for m, why in given if "ineffective" in why for p in m.parts if _is_ap(p)}
    return len(moieties.difference(present))


def _is_ap(part: DrugPart) -> bool:
    return part.ingredient.class_group == "AP"


def prolactin_known(c: Context, matters: bool) -> bool | None:
    """None: low-dose aripiprazole is counted, and whether prolactin was raised could not be looked up."""
    return True if not matters or c.chart.searched("Observation") else None
