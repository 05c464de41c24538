"""A rule's suggestions for one decision, in the house's words (1.14). What does not apply here is left out.

Actions touch only drafts of the call, or create new drafts, tasks and bookings; never a signed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from cds.chart.model import Chart, Order
from cds.dates import Day
from cds.decide import Decision
from cds.drugs.model import DrugPart, Medication
from cds.findings import Action, Suggestion, SuggestionId
from cds.model import Fact
from cds.rules.grammar import quantity

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
_BZD_CAUTION = frozenset({"seizure", "status-epilepticus", "benzodiazepine-withdrawal", "catatonia"})
Body = Mapping[str, Any]


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


def suggestions(decision: Decision, known: Known) -> tuple[Suggestion, ...]:
    """Suggestions of the rule that apply to this decision, in the rule's order."""
    return tuple(
        s
        for body in decision.rule.card.suggestions
        if decision.level.name in body.get("levels", (decision.level.name,))
        for s in _BUILDERS[body["use"]](body, decision, known)
    )


def _days(body: Body) -> int:
    return int(quantity(str(body["days"]))[0])


def _in_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _draft(fact: Fact | None, field: str, known: Known) -> Order | None:
    """The draft of the call that a fact speaks of; None for a signed order."""
    ref = str(fact.fields.get(field, "")).rpartition("#")[0] if fact is not None else ""
    order = known.orders.get(ref)
    return order if order is not None and order.role == "draft" else None


def _one(kind: SuggestionId, label: str, action: Action, *, recommended: bool = False) -> Iterator[Suggestion]:
    yield Suggestion(kind, label, (action,), recommended)


def _short(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    draft = _draft(decision.bound.get(body["order"]), "id", known)
    if draft is None:
        return
    days = _days(body)
    quantity_now: Decimal | None = None
    if draft.quantity is not None and draft.days_per_fill:
        quantity_now = _for_days(draft.quantity, days, draft.days_per_fill)
    action = Action(
        "update",
        "S-SHORT",
        f"{days}-day supply, no refills",
        draft.ref,
        {"days": days, "refills": 0, "quantity": quantity_now},
    )
    label = f"Shorten to {_in_days(days)}, no refills"
    yield from _one("S-SHORT", label, action, recommended=bool(body.get("recommended")))


def _for_days(quantity_per_fill: Decimal, days: int, days_per_fill: int) -> Decimal:
    """The share of a fill that lasts for `days`; whole tablets stay whole, rounded up to last."""
    share = quantity_per_fill * days / days_per_fill
    if quantity_per_fill == quantity_per_fill.to_integral_value():
        return share.to_integral_value(ROUND_CEILING)
    return share.quantize(Decimal("0.01"))


def _delete(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    draft = _draft(decision.bound.get(body["pair"]), "order", known)
    if draft is not None:
        yield from _one("S-DEL", "Remove this draft", Action("delete", "S-DEL", "Remove this draft", draft.ref))


def _old(body: Body, decision: Decision, known: Known) -> tuple[Order, Order, Fact] | None:
    """(draft, old order, pair) when a signed current order stands behind the old drug."""
    pair = decision.bound.get(body["pair"])
    draft = _draft(pair, "order", known)
    if draft is None or pair is None:
        return None
    old = next(
        (
            o
            for ref in pair.evidence
            if (o := known.orders.get(ref)) is not None and o.role == "chart" and o.progress == "current"
        ),
        None,
    )
    return None if old is None else (draft, old, pair)


def _medication(order: Order) -> dict[str, Any]:
    return {"text": order.medication.label, "rxcui": order.medication.product}


def _cross_taper(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    found = _old(body, decision, known)
    if found is None:
        return
    draft, old, _ = found
    days = _days(body)
    start = (draft.start or known.chart.today) - known.chart.today
    action = Action(
        "create", "S-XTAPER", f"Draft that ends {old.medication.label} in {_in_days(days)}",
        old.ref, {"old": old.ref, "medication": _medication(old), "end_day": start + days},
    )  # fmt: skip
    yield from _one("S-XTAPER", f"Cross-taper: end {old.medication.label} in {_in_days(days)}", action)


def _needs_taper(part: DrugPart, known: Known) -> bool:
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
    cautious = ingredient.class_group == "BZD" and any(d.groups & _BZD_CAUTION for d in known.chart.diagnoses)
    limit = _BZD_TAPER_AFTER_DAYS if cautious else _TAPER_AFTER_DAYS
    whole_class = ingredient.class_group in _CLASS_EXPOSURE
    first = known.first_use.get(f"class {ingredient.class_group}" if whole_class else f"moiety {ingredient.moiety}")
    return first is None or first <= known.chart.today - limit


def _stop_old(body: Body, decision: Decision, known: Known) -> Iterator[Suggestion]:
    found = _old(body, decision, known)
    if found is None:
        return
    _, old, _ = found
    if any(_needs_taper(part, known) for part in old.medication.parts):
        return
    action = Action(
        "create",
        "S-STOP-OLD",
        f"Task: discontinue {old.medication.label}",
        old.ref,
        {"old": old.ref, "reason": "replaced"},
    )
    yield from _one("S-STOP-OLD", f"Stop {old.medication.label}", action)


def _follow_up(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    days = _days(body)
    action = Action("create", "S-FU", f"Proposed follow-up in about {_in_days(days)}", None, {"day": days})
    yield from _one("S-FU", f"Add a review in {_in_days(days)}", action)


def _call(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    days = _days(body)
    yield from _one(
        "S-CALL",
        f"Ask the team to call in {_in_days(days)}",
        Action("create", "S-CALL", f"Call in {_in_days(days)}", None, {"day": days}),
    )


def _scale(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    name = str(body["questionnaire"])
    action = Action("create", "S-PHQ", f"Task: complete {name} before the next visit", None, {"questionnaire": name})
    yield from _one("S-PHQ", f"Ask for a {name} before the next visit", action)


def _alternative(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    drug = str(body["drug"])
    action = Action("create", "S-ALT", f"Draft {drug}, dose left to you", None, {"medication": {"text": drug}})
    yield from _one("S-ALT", f"Consider {drug} instead", action)


def _therapy(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    therapy = str(body["therapy"])
    yield from _one(
        "S-THER", f"Refer: {therapy}", Action("create", "S-THER", f"Referral: {therapy}", None, {"therapy": therapy})
    )


_BUILDERS: dict[str, Callable[[Body, Decision, Known], Iterator[Suggestion]]] = {
    "S-SHORT": _short,
    "S-DEL": _delete,
    "S-XTAPER": _cross_taper,
    "S-STOP-OLD": _stop_old,
    "S-FU": _follow_up,
    "S-CALL": _call,
    "S-PHQ": _scale,
    "S-ALT": _alternative,
    "S-THER": _therapy,
}
KNOWN = frozenset(_BUILDERS)
