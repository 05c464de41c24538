"""What could not be read of what the guards of a signed high-risk drug need: one fact a call (1.10, 10.34)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds.chart.model import Order
from cds.drugs.model import DrugPart, Ingredient, Medication
from cds.facts.context import Context, fact
from cds.model import Fact
from cds.needs import unmet
from cds.shipped import table

_HANDED_OUT = 90  # days for which a dispense without a supply may still be in hand
_NOT_IDENTIFIED = frozenset({"unidentified", "conflict"})


def facts(c: Context) -> Iterator[Fact]:
    if c.hook != "order-sign":
        return
    drugs: dict[str, str] = {}
    unread: dict[str, None] = {}
    refs: list[str] = []
    unidentified_matters = False
    for order, part in _signed(c):
        rows = [row for row in table("guarded_drugs") if _is(part.ingredient, row["drug"]) and _applies(c, row)]
        if not rows:
            continue
        drugs.setdefault(part.ingredient.key, order.medication.label)
        refs.append(order.ref)
        # 1.3.1: valproate is not among the drugs whose card names medicines that could not be identified.
        unidentified_matters = unidentified_matters or part.ingredient.moiety != "valproate"
        unread.update(dict.fromkeys(why for row in rows if (why := unmet(row["need"], c.chart)) is not None))
    if not drugs:
        return
    unidentified = len(_unidentified(c)) if unidentified_matters else None
    yield fact(
        "safety_gap",
        "safety_gap",
        refs,
        drug=" + ".join(drugs.values()),
        unread="; ".join(unread) or None,
        unread_count=len(unread),
        unidentified=unidentified or None,
    )


def _signed(c: Context) -> Iterator[tuple[Order, DrugPart]]:
    """Orders that the call signs, those of a ward too: what guards these drugs runs there as well (1.9)."""
    for order in c.chart.orders:
        if order.role != "chart" and order.medication.systemic and not order.medication.rescue:
            for part in order.medication.parts:
                yield order, part


def _unidentified(c: Context) -> frozenset[str]:
    """Names of medicines in use, or ordered now, that could not be identified; what was taken once is none (1.3.1)."""
    found: list[Medication] = [
        *(o.medication for o in c.chart.orders if o.role != "chart" or o.progress in {"current", "paused"}),
        *(s.medication for s in c.chart.statements if s.current and s.taken),
        *(
            f.medication
            for f in c.chart.fills
            if f.start + (f.days if f.days is not None else _HANDED_OUT) > c.today
        ),
    ]  # fmt: skip
    return frozenset(m.label for m in found if m.status in _NOT_IDENTIFIED)


def _is(ingredient: Ingredient, selector: str) -> bool:
    what, _, name = selector.partition(":")
    return {"ingredient": ingredient.key, "moiety": ingredient.moiety, "group": ingredient.class_group}[what] == name


def _applies(c: Context, row: Mapping[str, str]) -> bool:
    return row["only"] != "child-bearing" or _child_bearing(c)


def _child_bearing(c: Context) -> bool:
    """Pregnancy is possible, or sex or age do not rule it out; ages: shared parameters `cbp_youngest`, `cbp_oldest`."""
    if c.chart.sex == "male":
        return False
    if c.ages is None:
        return True
    youngest, oldest = c.ages
    return oldest >= c.p["cbp_youngest"] and youngest <= c.p["cbp_oldest"]
