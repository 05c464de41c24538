"""Antidepressants that ended soon after they began, and what came in their place (C-04)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact
from cds.facts.courses import is_stopped_by_call
from cds.facts.intervals import Interval, gap
from cds.facts.orders import judged
from cds.facts.supply import Confidence
from cds.facts.switches import is_covered_today, is_on_hold
from cds.facts.trials import Trial, trials
from cds.model import Fact

_How = Literal["stopped", "lapsed", "stop-order"]
_LOOK_BACK = 400  # days; longer than any site lets an end be listed
_TREATED = (("depression", frozenset({"depression"})), ("anxiety", frozenset({"anxiety", "gad"})))


def facts(c: Context) -> Iterator[Fact]:
    """`early_end` for each antidepressant trial that ended or that this call ends, with all use of antidepressants."""
    if c.hook not in {"order-sign", "patient-view", "batch"}:
        return
    found = list(trials(c))
    ends = list(_stopped_now(c, found) if c.hook == "order-sign" else _ended(c, found))
    yield from ends
    if ends:
        yield from _uses(c)


def _stopped_now(c: Context, found: Sequence[Trial]) -> Iterator[Fact]:
    """Trials whose every order this call stops; one that another draft goes on with is renewed, not stopped."""
    continued = {p.ingredient.moiety for o, p in judged(c) if o.role == "draft"}
    for t in _latest(found):
        key = t.part.ingredient.key
        if t.part.ingredient.moiety not in continued and is_stopped_by_call(c, key):
            stops = [o.ref for o in c.history.of_ingredient(key) if o.ended_by_call]
            yield _end(c, t, "stop-order", stops)


def _ended(c: Context, found: Sequence[Trial]) -> Iterator[Fact]:
    latest = {t.part.ingredient.key: t for t in found}
    for t in found:
        key = t.part.ingredient.key
        if t.episode.end < c.today - _LOOK_BACK:
            continue
        if t is not latest[key]:
            yield _end(c, t, "lapsed")
            continue
        if is_covered_today(c, key) or is_on_hold(c, key):
            continue
        stop = _stop(c, key)
        if stop is not None and stop.end is not None and stop.end >= c.today:
            continue  # C-04: from the day after the stop
        over = gap(t.episode.end, c.today + 1, c.stays) > c.grace(t.part.ingredient)
        if stop is not None:
            yield _end(c, t, "stopped", [stop.ref], confidence=_confidence_of_stop(c, t, stop))
        elif over:
            yield _end(c, t, "lapsed")


def _latest(found: Sequence[Trial]) -> list[Trial]:
    return list({t.part.ingredient.key: t for t in found}.values())


def _stop(c: Context, key: str) -> Order | None:
    """The order whose stop is on record: the last one of the drug, when none is in force."""
    orders = [o for o in c.history.of_ingredient(key) if o.start is not None]
    if not orders or any(o.open for o in orders):
        return None
    last = max(orders, key=lambda o: (o.start or 0, o.ref))
    return last if last.progress == "stopped" else None


def _confidence_of_stop(c: Context, t: Trial, stop: Order) -> Confidence:
    """LOW where the day of the stop is only the day the record last changed, or today for want of any (1.4 step 1)."""
    cut_at = c.today - 1 if stop.end is None else min(stop.end, c.today)
    guessed = stop.end is None or stop.end_is_last_update
    return "low" if guessed and t.episode.end >= min(cut_at, c.today - 1) else t.episode.confidence


def _end(c: Context, t: Trial, how: _How, stop: Sequence[str] = (), *, confidence: Confidence | None = None) -> Fact:
    ref = _episode(c, t.part, t.start)
    return fact(
        "early_end",
        f"early_end:{ref}",
        [*t.episode.refs, *stop],
        episode=ref,
        drug=t.label,
        moiety=t.part.ingredient.moiety,
        start=c.rel(t.start),
        day=0 if how == "stop-order" else c.rel(t.episode.end),
        covered_days=t.covered,
        how=how,
        confidence=confidence if confidence is not None else t.episode.confidence,
        treated_for=_treated_for(c),
    )


def _episode(c: Context, part: DrugPart, start: Day) -> str:
    return f"{part.ingredient.key}:{start - c.today}"


def _treated_for(c: Context) -> str | None:
    """The depressive or anxiety disorder of the problem list; "none" when it was read and has neither."""
    active = frozenset(g for d in c.chart.diagnoses if d.active for g in d.groups)
    named = next((name for name, groups in _TREATED if groups & active), None)
    return named if named is not None else "none" if c.chart.searched("Condition") else None


def _uses(c: Context) -> Iterator[Fact]:
    """Every run of use of an antidepressant, planned ones too; low doses do not count, nor what is left to fill."""
    for found in c.stretches.values():
        if found[0].part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        held = [
            s for s in found if not c.is_adjunct(s) and any(supply.source != "refills" for supply in s.supplies)
        ]  # fmt: skip
        for episode in c.episodes(held):
            part = episode.stretches[0].part
            name = _episode(c, part, episode.start)
            yield _use(c, part, name, episode.refs, (episode.start, episode.end))
    for order, part in judged(c):
        if part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        if not c.low_dose_adjunct(part, daily_mg(order.steps, part, order.start, high=True)):
            start = order.start if order.start is not None else c.today
            yield _use(c, part, f"{order.ref}#{part.ingredient.key}", [order.ref], (start, start))


def _use(c: Context, part: DrugPart, episode: str, refs: Sequence[str], days: Interval) -> Fact:
    return fact(
        "antidepressant_use",
        f"antidepressant_use:{episode}",
        refs,
        episode=episode,
        moiety=part.ingredient.moiety,
        begun=c.rel(days[0]),
        last=c.rel(days[1]),
    )
