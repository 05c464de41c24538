"""Treatment starts and dose increases, and who was seen or is booked after them (D-01)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact
from cds.facts.exposure import Episode, episodes
from cds.facts.orders import judged
from cds.facts.supply import Supply, weakest
from cds.facts.trials import NEVER
from cds.model import Fact

_OTHER_STARTS = {"lithium": "lithium", "clozapine": "clozapine"}
_LOOK_BACK = 400  # starts older than this no longer ask for a first follow-up


def facts(c: Context) -> Iterator[Fact]:
    starts = [*_antidepressant_starts(c), *_increases(c), *_other_starts(c), *_planned(c)]
    yield from starts
    if not starts:
        return
    first = min(int(f.fields["day"]) for f in starts) + c.today
    for v in c.chart.visits:
        if v.kind == "contact" and v.start >= first:
            yield fact("contact", f"contact:{v.ref}", [v.ref], day=c.rel(v.start))
        elif v.kind == "emergency" and v.start >= first:
            yield fact("emergency_visit", f"emergency_visit:{v.ref}", [v.ref], day=c.rel(v.start))
    for b in c.chart.bookings:
        of_this_encounter = b.created == c.today or (b.encounter is not None and b.encounter == c.chart.encounter)
        yield fact(
            "booking",
            f"booking:{b.ref}",
            [b.ref],
            dated=b.day is not None,
            day=None if b.day is None else c.rel(b.day),
            of_this_encounter=of_this_encounter,
        )


def _course_rows(c: Context, *, purpose: str) -> list[Supply]:
    """Antidepressant supply by purpose: "mood", or "other" for low-dose adjuncts and smoking cessation."""
    return sorted(
        (
            s
            for rows in c.supply.values()
            for s in rows
            if s.part.ingredient.class_group in ANTIDEPRESSANT_GROUPS and c.is_adjunct(s) == (purpose == "other")
        ),
        key=lambda s: (s.start, s.end, s.refs),
    )


def _antidepressant_starts(c: Context) -> Iterator[Fact]:
    grace = int(c.p["grace_antidepressant"])
    for purpose in ("mood", "other"):
        found = episodes(_course_rows(c, purpose=purpose), grace=grace, bridged=c.stays)
        yield from _starts(c, found, kind="antidepressant", purpose=purpose)


def _other_starts(c: Context) -> Iterator[Fact]:
    """Group G4: lithium, clozapine, scheduled antipsychotics."""
    groups: dict[str, list[Supply]] = {}
    for rows in c.supply.values():
        for s in rows:
            ingredient = s.part.ingredient
            name = _OTHER_STARTS.get(ingredient.moiety) or ("antipsychotic" if ingredient.class_group == "AP" else None)
            if name and not s.prn and not c.is_adjunct(s):
                groups.setdefault(name, []).append(s)
    for name, rows in sorted(groups.items()):
        found = episodes(
            sorted(rows, key=lambda s: (s.start, s.end)), grace=c.grace(rows[0].part.ingredient), bridged=c.stays
        )
        yield from _starts(c, found, kind=name, purpose="other-psychotropic")


def _starts(c: Context, found: list[Episode], *, kind: str, purpose: str) -> Iterator[Fact]:
    previous: Day | None = None
    washout = c.p["follow_up_washout" if kind == "antidepressant" else "follow_up_washout_other"]
    for episode in found:
        without = NEVER if previous is None else episode.start - previous - 1
        previous = episode.end
        if not c.today - _LOOK_BACK <= episode.start < c.today:
            continue
        opening = [s for s in episode.supplies if s.start == episode.start]
        # 10.10: a statement never makes a new start; a list entry without dates does not either.
        if any(s.from_statement for s in opening):
            continue
        yield fact(
            "treatment_start",
            f"treatment_start:{kind}:{purpose}:{episode.start - c.today}",
            episode.refs,
            kind=kind,
            change="start" if without >= washout else "continuation",
            purpose=purpose,
            planned=False,
            drug=opening[0].medication.label,
            day=c.rel(episode.start),
            days_without=without,
            confidence=weakest(s.confidence for s in opening),
        )


def _increases(c: Context) -> Iterator[Fact]:
    """Daily dose up by more than a few per cent, not within the first days of the course (10.29)."""
    for rows in c.supply.values():
        if not rows or rows[0].part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        for episode in c.by_ingredient[rows[0].part.ingredient.key]:
            for before, after in zip(episode.supplies, episode.supplies[1:], strict=False):
                old, new = before.dose(before.end, high=True), after.dose(after.start, high=True)
                if old is None or new is None or not old or c.is_adjunct(after) or after.start >= c.today:
                    continue
                if before.end >= after.start or after.start < c.today - _LOOK_BACK:
                    continue  # taken side by side: no change of dose
                percent, into = (new - old) * 100 / old, after.start - episode.start
                yield fact(
                    "treatment_start",
                    f"treatment_start:increase:{after.part.ingredient.key}:{after.start - c.today}",
                    [*before.refs, *after.refs],
                    kind="antidepressant",
                    change="increase" if _counts(c, percent, into) else "continuation",
                    purpose="mood",
                    planned=False,
                    drug=after.medication.label,
                    day=c.rel(after.start),
                    increase_percent=percent,
                    confidence=weakest((before.confidence, after.confidence)),
                )


def _planned(c: Context) -> Iterator[Fact]:
    """The order being signed, or the discharge list, as a start or an increase that lies ahead."""
    for order, part in judged(c):
        if part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        adjunct = c.low_dose_adjunct(part, _mg(order, part)) or "smoking-cessation" in order.medication.purpose
        if adjunct or (part.ingredient.key == "bupropion" and "tobacco" in order.reasons):
            continue
        past = [s for s in _course_rows(c, purpose="mood") if order.ref not in s.refs and s.start < c.today]
        last = max((min(s.end, c.today - 1) for s in past), default=None)
        start = order.start if order.start is not None else c.today
        day = max(start, c.today)
        without = NEVER if last is None else day - last - 1
        change, percent = ("start" if without >= c.p["follow_up_washout"] else "continuation"), None
        own = [
            s
            for s in past
            if s.part.ingredient.key == part.ingredient.key and s.end >= c.today - c.grace(part.ingredient)
        ]
        if own:
            old, new = own[-1].dose(min(own[-1].end, c.today), high=True), _mg(order, part)
            if old and new is not None:
                percent = (new - old) * 100 / old
                into = day - c.by_ingredient[part.ingredient.key][-1].start
                change = "increase" if _counts(c, percent, into) else "continuation"
        yield fact(
            "treatment_start",
            f"treatment_start:planned:{order.ref}#{part.ingredient.key}",
            [order.ref, *(r for s in own for r in s.refs)],
            kind="antidepressant",
            change=change,
            purpose="mood",
            planned=True,
            drug=order.medication.label,
            day=c.rel(day),
            days_without=without,
            increase_percent=percent,
            confidence="high",
        )


def _counts(c: Context, percent: Decimal, into: int) -> bool:
    """10.29: up by more than a rounding, and not within the first days of the course."""
    return percent > Decimal(str(c.p["increase_pct"])) and into > c.p["titration_days"]


def _mg(order: Order, part: DrugPart) -> Decimal | None:
    return daily_mg(order.steps, part, order.start, high=True)
