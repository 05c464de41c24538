"""Treatment starts and dose increases: antidepressants, and (G4) lithium, clozapine, antipsychotics (D-01)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, NEVER, Context, fact, is_for_smoking, is_other_purpose
from cds.facts.exposure import Episode, Stretch, episodes
from cds.facts.intervals import Interval, gap, union
from cds.facts.orders import judged
from cds.facts.supply import weakest
from cds.model import Fact

_LOOK_BACK = 400  # days; starts older than this no longer ask for a first follow-up
_ADMITTED_SOON = 7  # days; whoever is admitted so soon after a start is seen there


def starts(c: Context) -> Iterator[Fact]:
    """Antidepressant episodes, of the class: at a full dose ("mood", or "other" when ordered for pain or sleep), and
    low-dose tricyclics and smoking cessation ("other"). Other low-dose adjuncts are no start at all (1.3.5)."""
    full = _of_class(c, lambda s: not c.is_adjunct(s))
    low = _of_class(c, lambda s: c.is_adjunct(s) and _counts_as_other(c, s))
    grace = int(c.p["grace_antidepressant"])
    washout = int(c.p["follow_up_washout"])
    for episode in episodes(full, grace=grace, bridged=c.stays):
        purpose = "other" if all(is_other_purpose(s.reasons) for s in _opening(episode).supplies) else "mood"
        yield from _start(c, episode, kind="antidepressant", purpose=purpose, used=_days(full), washout=washout)
    for episode in episodes(low, grace=grace, bridged=c.stays):
        used = _days([*full, *low])
        yield from _start(c, episode, kind="antidepressant", purpose="other", used=used, washout=washout)


def other_starts(c: Context) -> Iterator[Fact]:
    """Group G4: lithium, clozapine, scheduled antipsychotics that are not low-dose adjuncts."""
    washout = int(c.p["follow_up_washout_other"])
    scheduled = [s for key in c.stretches for s in c.past(key) if not s.prn and not c.is_adjunct(s)]
    antipsychotic = [s for s in scheduled if s.part.ingredient.class_group == "AP"]
    groups = (
        ("lithium", [s for s in scheduled if s.part.ingredient.moiety == "lithium"], "grace_mood"),
        ("clozapine", [s for s in antipsychotic if s.part.ingredient.moiety == "clozapine"], "grace_antipsychotic"),
        ("antipsychotic", antipsychotic, "grace_antipsychotic"),
    )
    for kind, rows, grace in groups:
        for episode in episodes(rows, grace=int(c.p[grace]), bridged=c.stays):
            # Clozapine has its own; as an antipsychotic it only keeps the next one from being new.
            if kind != "antipsychotic" or _opening(episode).part.ingredient.moiety != "clozapine":
                yield from _start(
                    c, episode, kind=kind, purpose="other-psychotropic", used=_days(rows), washout=washout
                )  # fmt: skip


def _of_class(c: Context, wanted: Callable[[Stretch], bool]) -> list[Stretch]:
    return [
        s
        for key in c.stretches
        for s in c.past(key)
        if s.part.ingredient.class_group in ANTIDEPRESSANT_GROUPS and wanted(s)
    ]


def _counts_as_other(c: Context, s: Stretch) -> bool:
    return s.part.ingredient.class_group == "TCA" or any(c.for_smoking(supply) for supply in s.supplies)


def _days(rows: Sequence[Stretch]) -> tuple[Interval, ...]:
    return union((s.first, s.last) for s in rows)


def _opening(episode: Episode) -> Stretch:
    return episode.stretches[0]


def _start(
    c: Context, episode: Episode, *, kind: str, purpose: str, used: tuple[Interval, ...], washout: int
) -> Iterator[Fact]:
    """The start of an episode; `used` are the days with any drug that would make it a continuation."""
    opening = [s for s in episode.stretches if s.first == episode.start]
    # 10.10: a statement never makes a new start.
    if episode.start < c.today - _LOOK_BACK or all(s.only_stated for s in opening):
        return
    if any(admitted - _ADMITTED_SOON < episode.start <= admitted for admitted, _ in c.stays):
        return
    without = days_without(c, used, episode.start)
    yield fact(
        "treatment_start",
        f"treatment_start:{kind}:{purpose}:{episode.start - c.today}",
        episode.refs,
        kind=kind,
        change="start" if without >= washout else "continuation",
        purpose=purpose,
        planned=False,
        drug=opening[0].label,
        day=c.rel(episode.start),
        days_without=without,
        confidence=weakest(s.confidence for o in opening for s in o.supplies if s.source != "statement"),
    )


def days_without(c: Context, used: Sequence[Interval], day: Day) -> int:
    """Whole days between the last use before `day` and `day`; days in hospital are no gap."""
    at = bisect_left(used, (day, day))
    if at < len(used) and used[at][0] < day:
        return 0
    if at == 0:
        return NEVER
    last = used[at - 1][1]
    return gap(last, day, c.stays) if last < day else 0


def increases(c: Context) -> Iterator[Fact]:
    """Daily dose up by more than a few per cent, not within the first days of the course (10.29)."""
    for found in c.by_ingredient.values():
        if found[0].stretches[0].part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        for episode in found:
            for before, after in pairwise(episode.stretches):
                if after.first >= c.today - _LOOK_BACK and not c.is_adjunct(after) and not after.only_stated:
                    yield from _increase(c, episode, before, after)


def _increase(c: Context, episode: Episode, before: Stretch, after: Stretch) -> Iterator[Fact]:
    if before.high is None or after.high is None or not 0 < before.high < after.high:
        return
    percent = (after.high - before.high) * 100 / before.high
    yield fact(
        "treatment_start",
        f"treatment_start:increase:{after.part.ingredient.key}:{after.first - c.today}",
        [*before.refs, *after.refs],
        kind="antidepressant",
        change="increase" if _counts(c, percent, after.first - episode.start) else "continuation",
        purpose="other" if all(is_other_purpose(s.reasons) for s in after.supplies) else "mood",
        planned=False,
        drug=after.label,
        day=c.rel(after.first),
        increase_percent=percent,
        confidence=weakest((before.confidence, after.confidence)),
    )


def planned(c: Context) -> Iterator[Fact]:
    """The order being signed, or the discharge list, as a start or an increase that lies ahead."""
    orders = [(o, p) for o, p in judged(c) if p.ingredient.class_group in ANTIDEPRESSANT_GROUPS]
    used = _days(_of_class(c, lambda s: not c.is_adjunct(s))) if orders else ()
    for order, part in orders:
        mg = _mg(order, part)
        if c.low_dose_adjunct(part, mg) or is_for_smoking(part, order.medication.purpose, order.reasons):
            continue
        day = max(order.start if order.start is not None else c.today, c.today)
        without = days_without(c, used, day)
        change, percent = ("start" if without >= c.p["follow_up_washout"] else "continuation"), None
        own = _running(c, part)
        if own is not None:
            # Two strengths ordered together are one regimen: what counts is their sum.
            doses = [_mg(o, p) for o, p in orders if p.ingredient.key == part.ingredient.key]
            now = own.stretches[-1].high
            if now and None not in doses:
                percent = (sum((d for d in doses if d is not None), Decimal(0)) - now) * 100 / now
            raised = percent is not None and _counts(c, percent, day - own.start)
            change = "increase" if raised else "continuation"
        yield fact(
            "treatment_start",
            f"treatment_start:planned:{order.ref}#{part.ingredient.key}",
            [order.ref, *(own.refs if own is not None else ())],
            kind="antidepressant",
            change=change,
            purpose="other" if is_other_purpose(order.reasons) else "mood",
            planned=True,
            drug=order.medication.label,
            day=c.rel(day),
            days_without=without,
            increase_percent=percent,
            confidence="high",
        )


def _running(c: Context, part: DrugPart) -> Episode | None:
    """The episode of the same drug that the order would go on with, at a full dose."""
    found = c.by_ingredient.get(part.ingredient.key)
    if not found or c.is_adjunct(found[-1].stretches[-1]):
        return None
    return found[-1] if gap(found[-1].end, c.today, c.stays) <= c.grace(part.ingredient) else None


def _counts(c: Context, percent: Decimal, into: int) -> bool:
    """10.29: up by more than a rounding, and not within the first days of the course."""
    return percent > Decimal(str(c.p["increase_pct"])) and into > c.p["titration_days"]


def _mg(order: Order, part: DrugPart) -> Decimal | None:
    return daily_mg(order.steps, part, order.start, high=True)
