"""A drug that an order adds to an antidepressant, and how far the antidepressant has come (C-02)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cds.chart.model import Order
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact, is_for_smoking
from cds.facts.orders import judged
from cds.facts.switches import (
    RECENT_END,
    Call,
    coverage_percent,
    is_on_hold,
    is_target,
    leaving,
    left_by,
    phq_pair,
    since_end,
    unused_days,
)
from cds.facts.trials import Trial, trials
from cds.model import Fact
from cds.shipped import table


@dataclass(frozen=True, slots=True)
class _Added:
    """A draft of an augmenter. kind: of the table of augmenters."""

    order: Order
    part: DrugPart
    kind: str


def facts(c: Context) -> Iterator[Fact]:
    """One fact for each draft of a depression augmenter that is no switch; at signing only."""
    if c.hook != "order-sign":
        return
    drafts = [(o, p) for o, p in judged(c) if o.role == "draft"]
    augmenters = [_Added(o, p, kind) for o, p in drafts if (kind := _kind(c, o, p)) is not None]
    if not augmenters:
        return
    found = list(trials(c))
    call = Call.of(c, drafts)
    latest = {t.part.ingredient.key: t for t in found}  # the current or last one of each drug
    staying = [t for t in latest.values() if _stays(c, t, drafts, call)]
    for added in augmenters:
        if added.kind == "antidepressant" and _is_switch(c, added, list(latest.values()), call):
            continue  # the business of C-01
        going_on = [t for t in staying if leaving(c, added.order, added.part, t, call) is None]
        beside = [t for t in going_on if t.part.ingredient.moiety != added.part.ingredient.moiety]
        yield _augmentation(c, added, max(beside, key=_progress, default=None), _full_trials(c, found))


@cache
def _augmenters() -> dict[str, str]:
    return {row["ingredient"]: row["kind"] for row in table("depression_augmenters")}


def _kind(c: Context, order: Order, part: DrugPart) -> str | None:
    """Kind of augmenter; None for other drugs, for low doses (1.3.5) and for long-acting injections."""
    kind = _augmenters().get(part.ingredient.key)
    mg = daily_mg(order.steps, part, order.start, high=True)
    if kind is None or order.medication.long_acting_injection or c.low_dose_adjunct(part, mg):
        return None
    return None if is_for_smoking(part, order.medication.purpose, order.reasons) else kind


def _is_switch(c: Context, added: _Added, latest: Sequence[Trial], call: Call) -> bool:
    return any(since_end(c, t) <= RECENT_END for t, _ in left_by(c, added.order, added.part, latest, call))


def _stays(c: Context, t: Trial, drafts: Sequence[tuple[Order, DrugPart]], call: Call) -> bool:
    """The antidepressant is in use, and no other one of the call takes its place."""
    key, moiety = t.part.ingredient.key, t.part.ingredient.moiety
    if key not in call.endings or is_on_hold(c, key):
        return False
    others = [
        (o, p)
        for o, p in drafts
        if p.ingredient.class_group in ANTIDEPRESSANT_GROUPS and p.ingredient.moiety != moiety and is_target(c, o, p)
    ]
    return all(leaving(c, o, p, t, call) is None for o, p in others)


def _progress(t: Trial) -> tuple[int, int, int]:
    """adq*: of several antidepressants the longest trial; of an unknown dose its days at any dose."""
    return t.covered if t.adequate is None else t.adequate, t.covered, t.start


def _augmentation(c: Context, added: _Added, t: Trial | None, full_trials: int) -> Fact:
    order, part = added.order, added.part
    base, now = phq_pair(c, t.start) if t is not None else (None, None)
    current: dict[str, str | float | Decimal | bool | None] = {}
    if t is not None:
        orders = [o for o in c.history.of_ingredient(t.part.ingredient.key) if o.open]
        low = t.episode.stretches[-1].low
        below = t.minimum is not None and low is not None and low < t.minimum
        current = {
            "current_drug": t.label,
            "current_moiety": t.part.ingredient.moiety,
            "current_start": c.rel(t.start),
            "current_order": orders[0].ref if orders else None,
            "dose_known": t.adequate is not None,
            "covered_days": t.covered,
            "adequate_days": t.adequate,
            "minimum_dose": t.minimum,
            "dose_to_reach": t.minimum if below else None,
            "coverage_percent": coverage_percent(c, t, ended=False),
            "record_days_before": None if c.chart.earliest is None else t.start - c.chart.earliest,
        }
    return fact(
        "augmentation",
        f"augmentation:{order.ref}#{part.ingredient.key}",
        [order.ref, *(t.episode.refs if t is not None else ())],
        order=f"{order.ref}#{part.ingredient.key}",
        augmenter=added.kind,
        new_drug=order.medication.label,
        new_unused_days=unused_days(c, part),
        purpose=_purpose(c, order),
        as_needed=bool(order.steps) and all(s.prn for s in order.steps),
        urgent=is_urgent(c, order),
        full_trials=full_trials,
        record_days=None if c.chart.earliest is None else c.today - c.chart.earliest,
        improvement_percent=None if base is None or now is None else (base - now) * 100 / base,
        phq9_before=base,
        phq9_now=now,
        **current,
    )


def is_urgent(c: Context, order: Order) -> bool:
    """Ordered as stat, or in an emergency visit."""
    return order.emergency or any(v.kind == "emergency" and v.in_progress for v in c.chart.visits)


def _purpose(c: Context, order: Order) -> str | None:
    """What the order is for: its reason, else depression where the problem list has it; None when nobody can tell."""
    if order.reasons or order.unknown_reason:
        # A code for psychotic depression, or a second reason beside depression, is another reason.
        return "depression" if order.reasons == {"depression"} and not order.unknown_reason else "other"
    if any(d.active and "depression" in d.groups for d in c.chart.diagnoses):
        return "depression"
    return "other" if c.chart.searched("Condition") else None


def _full_trials(c: Context, found: Sequence[Trial]) -> int:
    """n42: drugs that ever had a full trial; where the dose is not known, its days at any dose count."""
    full = c.p["trial_full_days_depression"]
    return len({t.part.ingredient.key for t in found if (t.covered if t.adequate is None else t.adequate) >= full})
