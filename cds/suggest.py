"""A rule's suggestions for one decision, in the house's words (1.14). What does not apply here is left out.

Actions touch only drafts of the call, or create new drafts, tasks and bookings; never a signed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from cds.chart.model import Chart, Order
from cds.decide import Decision
from cds.findings import Action, Suggestion, SuggestionId
from cds.model import Fact
from cds.rules.grammar import quantity

# 1.15: classes whose stop needs a taper after four weeks of use; an immediate stop of these is never suggested.
_TAPER_GROUPS = frozenset({"BZD", "ZDRUG", "SRI", "TCA", "MAOI", "GABAP", "OPIOID", "MOOD", "AED"})
_TAPER_DRUGS = frozenset({"mirtazapine", "clozapine", "clonidine", "guanfacine", "baclofen", "lithium"})
_TAPER_AFTER_DAYS = 28
Body = Mapping[str, Any]


def suggestions(decision: Decision, chart: Chart) -> tuple[Suggestion, ...]:
    """Suggestions of the rule that apply to this decision, in the rule's order."""
    return tuple(
        s
        for body in decision.rule.card.suggestions
        if decision.level.name in body.get("levels", (decision.level.name,))
        for s in _BUILDERS[body["use"]](body, decision, chart)
    )


def _days(body: Body) -> int:
    return int(quantity(str(body["days"]))[0])


def _orders(chart: Chart) -> dict[str, Order]:
    return {o.ref: o for o in chart.orders}


def _draft(fact: Fact | None, field: str, chart: Chart) -> Order | None:
    """The draft of the call that a fact speaks of; None for a signed order."""
    ref = str(fact.fields.get(field, "")).partition("#")[0] if fact is not None else ""
    order = _orders(chart).get(ref)
    return order if order is not None and order.role == "draft" else None


def _one(kind: SuggestionId, label: str, action: Action, *, recommended: bool = False) -> Iterator[Suggestion]:
    yield Suggestion(kind, label, (action,), recommended)


def _short(body: Body, decision: Decision, chart: Chart) -> Iterator[Suggestion]:
    draft = _draft(decision.bound.get(body["order"]), "id", chart)
    if draft is None:
        return
    days = _days(body)
    quantity_now: Decimal | None = None
    if draft.quantity is not None and draft.days_per_fill:
        quantity_now = (draft.quantity * days / draft.days_per_fill).quantize(Decimal("0.01")).normalize()
    action = Action(
        "update",
        "S-SHORT",
        f"{days}-day supply, no refills",
        draft.ref,
        {"days": days, "refills": 0, "quantity": quantity_now},
    )
    yield from _one("S-SHORT", f"Shorten to {days} days, no refills", action, recommended=bool(body.get("recommended")))


def _delete(body: Body, decision: Decision, chart: Chart) -> Iterator[Suggestion]:
    draft = _draft(decision.bound.get(body["pair"]), "order", chart)
    if draft is not None:
        yield from _one("S-DEL", "Remove this draft", Action("delete", "S-DEL", "Remove this draft", draft.ref))


def _old(body: Body, decision: Decision, chart: Chart) -> tuple[Order, Order, Fact] | None:
    """(draft, old order, pair) when a signed current order stands behind the old drug."""
    pair = decision.bound.get(body["pair"])
    draft = _draft(pair, "order", chart)
    if draft is None or pair is None:
        return None
    known = _orders(chart)
    old = next(
        (
            o
            for ref in pair.evidence
            if (o := known.get(ref)) is not None and o.role == "chart" and o.progress == "current"
        ),
        None,
    )
    return None if old is None else (draft, old, pair)


def _medication(order: Order) -> dict[str, Any]:
    return {"text": order.medication.label, "rxcui": order.medication.product}


def _cross_taper(body: Body, decision: Decision, chart: Chart) -> Iterator[Suggestion]:
    found = _old(body, decision, chart)
    if found is None:
        return
    draft, old, _ = found
    days = _days(body)
    start = (draft.start or chart.today) - chart.today
    action = Action(
        "create", "S-XTAPER", f"Draft that ends {old.medication.label} in {days} days",
        old.ref, {"old": old.ref, "medication": _medication(old), "end_day": start + days},
    )  # fmt: skip
    yield from _one("S-XTAPER", f"Cross-taper: end {old.medication.label} in {days} days", action)


def _stop_old(body: Body, decision: Decision, chart: Chart) -> Iterator[Suggestion]:
    found = _old(body, decision, chart)
    if found is None:
        return
    _, old, pair = found
    needs_taper = any(
        p.ingredient.key in _TAPER_DRUGS
        or (p.ingredient.class_group in _TAPER_GROUPS and p.ingredient.key != "fluoxetine")
        for p in old.medication.parts
    )
    since = pair.fields.get("old_since")
    if needs_taper and (since is None or float(since) <= -_TAPER_AFTER_DAYS):
        return
    action = Action(
        "create",
        "S-STOP-OLD",
        f"Task: discontinue {old.medication.label}",
        old.ref,
        {"old": old.ref, "reason": "replaced"},
    )
    yield from _one("S-STOP-OLD", f"Stop {old.medication.label}", action)


def _follow_up(body: Body, _decision: Decision, _chart: Chart) -> Iterator[Suggestion]:
    days = _days(body)
    action = Action("create", "S-FU", f"Proposed follow-up in about {days} days", None, {"day": days})
    yield from _one("S-FU", f"Add a review in {days} days", action)


def _call(body: Body, _decision: Decision, _chart: Chart) -> Iterator[Suggestion]:
    days = _days(body)
    yield from _one(
        "S-CALL",
        f"Ask the team to call in {days} days",
        Action("create", "S-CALL", f"Call in {days} days", None, {"day": days}),
    )


def _scale(body: Body, _decision: Decision, _chart: Chart) -> Iterator[Suggestion]:
    name = str(body["questionnaire"])
    action = Action("create", "S-PHQ", f"Task: complete {name} before the next visit", None, {"questionnaire": name})
    yield from _one("S-PHQ", f"Ask for a {name} before the next visit", action)


def _alternative(body: Body, _decision: Decision, _chart: Chart) -> Iterator[Suggestion]:
    drug = str(body["drug"])
    action = Action("create", "S-ALT", f"Draft {drug}, dose left to you", None, {"medication": {"text": drug}})
    yield from _one("S-ALT", f"Consider {drug} instead", action)


def _therapy(body: Body, _decision: Decision, _chart: Chart) -> Iterator[Suggestion]:
    therapy = str(body["therapy"])
    yield from _one(
        "S-THER", f"Refer: {therapy}", Action("create", "S-THER", f"Referral: {therapy}", None, {"therapy": therapy})
    )


_BUILDERS: dict[str, Callable[[Body, Decision, Chart], Iterator[Suggestion]]] = {
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
