"""Antipsychotic trials: an order that would end one, and the full ones on record (C-03)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.augmentations import is_urgent
from cds.facts.context import Context, fact
from cds.facts.exposure import Episode
from cds.facts.intervals import gap
from cds.facts.orders import judged
from cds.facts.switches import Call, Reason, coverage_percent, leaving, regimens, since_end, unused_days
from cds.facts.trials import Trial, is_for_another_purpose, trial_of
from cds.model import Fact

# An injection later than this begins a new trial: the longest product interval, six months, and a month.
_LONGEST_INTERVAL = 210
_BASELINE_BEFORE, _BASELINE_AFTER = 30, 7  # days around the start, as for the PHQ pair of family C
_INDICATIONS = (("psychosis", frozenset({"psychosis"})), ("bipolar", frozenset({"bipolar", "mania"})))


@dataclass(frozen=True, slots=True)
class _Use:
    """A trial of one antipsychotic. injected: counted from the third injection, or from the 16th week."""

    trial: Trial
    injected: bool
    refs: tuple[str, ...]


def facts(c: Context) -> Iterator[Fact]:
    if c.hook == "order-sign":
        yield from _switches(c)
    elif c.hook == "batch":
        yield from _record(c)


# Trials --------------------------------------------------------------------------------------------------------------


def _oral(c: Context) -> Iterator[_Use]:
    """Scheduled antipsychotic episodes by mouth, by drug and start; no low-dose adjuncts, nothing ordered for sleep."""
    for key in c.stretches:
        past = [s for s in c.past(key) if not s.prn and not any(x.medication.long_acting_injection for x in s.supplies)]
        if not past or past[0].part.ingredient.class_group != "AP":
            continue
        for episode in c.episodes(past):
            if not all(c.is_adjunct(s) or is_for_another_purpose(s) for s in episode.stretches):
                yield _Use(trial_of(c, past[0].part, episode), False, episode.refs)


def _injected(c: Context) -> Mapping[str, _Use | None]:
    """By moiety in use as a long-acting injection: its trial, or None before the third injection and the 16th week."""
    given: dict[str, dict[Day, tuple[DrugPart, str, str]]] = {}
    events = [(a.start, a.ref, a.medication) for a in c.chart.administrations]
    handed_out = [(f.start, f.ref, f.medication) for f in c.chart.fills if f.start <= c.today]
    recorded = {p.ingredient.moiety for _, _, m in events if m.long_acting_injection for p in m.parts}
    for day, ref, medication in (*events, *handed_out):
        for part in medication.parts if medication.long_acting_injection else ():
            moiety = part.ingredient.moiety
            # What was dispensed is given later: it counts only where no administration is recorded.
            if part.ingredient.class_group == "AP" and (moiety not in recorded or ref.startswith("MedicationAdmin")):
                given.setdefault(moiety, {})[day] = (part, ref, medication.label)
    return {
        moiety: _trial_of_injections(c, by_day)
        for moiety, by_day in given.items()
        if max(by_day) >= c.today - _LONGEST_INTERVAL
    }


def _trial_of_injections(c: Context, by_day: Mapping[Day, tuple[DrugPart, str, str]]) -> _Use | None:
    days = sorted(by_day)
    chain = [days[-1]]
    for day in reversed(days[:-1]):
        if chain[-1] - day > _LONGEST_INTERVAL:
            break
        chain.append(day)
    chain.reverse()
    needed = int(c.p["lai_trial_injections"])
    counted_from = min([chain[0] + int(c.p["lai_trial_days"]), *chain[needed - 1 : needed]])
    if counted_from >= c.today:
        return None
    part, _, label = by_day[chain[-1]]
    episode = Episode(((counted_from, c.today - 1),), ())
    refs = tuple(sorted(by_day[day][1] for day in chain))
    return _Use(Trial(part, label, episode, c.today - counted_from, None, Decimal(0)), True, refs)


# A switch ------------------------------------------------------------------------------------------------------------


def _switches(c: Context) -> Iterator[Fact]:
    judged_drafts = [(o, p) for o, p in judged(c) if o.role == "draft"]
    drafts = [(o, p) for o, p in judged_drafts if _is_target(c, o, p)]
    if not drafts:
        return
    injected = _injected(c)
    latest = {u.trial.part.ingredient.key: u for u in _oral(c) if u.trial.part.ingredient.moiety not in injected}
    uses = [*latest.values(), *(u for u in injected.values() if u is not None)]
    call = Call.of(c, judged_drafts)
    for order, part, strengths in regimens(drafts):
        left = [
            (u, how)
            for u in uses
            if u.trial.part.ingredient.moiety != part.ingredient.moiety
            and (how := leaving(c, order, part, u.trial, call, by_record_only=True)) is not None
        ]
        if left:
            made = _switch(c, order, part, *max(left, key=lambda pair: _progress(c, pair[0])))
            yield replace(made, evidence=tuple(sorted({*made.evidence, *strengths})))


def _is_target(c: Context, order: Order, part: DrugPart) -> bool:
    """A scheduled antipsychotic at a full dose. Clozapine is never held back (C-03)."""
    if part.ingredient.class_group != "AP" or part.ingredient.moiety == "clozapine":
        return False
    if any(s.prn for s in order.steps):
        return False
    return not c.low_dose_adjunct(part, daily_mg(order.steps, part, order.start, high=True))


def _progress(c: Context, use: _Use) -> tuple[int, int, int]:
    """Of several drugs that end, the longest trial that is still recent."""
    t = use.trial
    return -since_end(c, t), t.covered if t.adequate is None else t.adequate, t.start


def _switch(c: Context, order: Order, part: DrugPart, use: _Use, how: Reason) -> Fact:
    t = use.trial
    orders = [o for o in c.history.of_ingredient(t.part.ingredient.key) if o.open or o.ended_by_call]
    return fact(
        "antipsychotic_switch",
        f"antipsychotic_switch:{order.ref}#{part.ingredient.key}",
        [order.ref, *use.refs, *(o.ref for o in orders)],
        order=f"{order.ref}#{part.ingredient.key}",
        how=how,
        new_drug=order.medication.label,
        new_unused_days=unused_days(c, part),
        old_drug=t.label,
        old_moiety=t.part.ingredient.moiety,
        old_start=c.rel(t.start),
        days_since_end=0 if use.injected else since_end(c, t),
        form="injection" if use.injected else "oral",
        indication=_indication(c, order),
        urgent=is_urgent(c, order),
        # A drug without a minimum effective dose is not evaluable: neither known nor unknown.
        dose_known=None if t.minimum is None else t.adequate is not None,
        minimum_confirmed=t.confirmed,
        minimum_dose=t.minimum or None,
        confirmed_minimum=(t.minimum or None) if t.confirmed else None,
        covered_days=t.covered,
        adequate_days=t.adequate,
        coverage_percent=None if use.injected else coverage_percent(c, t, ended=how == "ended"),
        current_order=orders[0].ref if orders else None,
        dose_to_reach=_dose_to_reach(t),
        high_prolactin=_is_high(c, "prolactin", t.start),
        high_qtc=_is_high(c, "qtc", t.start),
        weight_change_percent=_weight_change(c, t.start),
        highest_level=max(
            (r.value for r in c.chart.results if r.name == "clozapine-level" and r.day >= t.start), default=None
        ),
    )


def _dose_to_reach(t: Trial) -> Decimal | None:
    low = t.episode.stretches[-1].low if t.episode.stretches else None
    return t.minimum if t.minimum is not None and low is not None and low < t.minimum else None


def _indication(c: Context, order: Order) -> str | None:
    """The reason of the order, else the problem list: psychosis, bipolar disorder, or other."""
    active = frozenset(g for d in c.chart.diagnoses if d.active for g in d.groups)
    stated = bool(order.reasons) or order.unknown_reason
    return next((name for name, groups in _INDICATIONS if groups & (order.reasons if stated else active)), "other")


def _is_high(c: Context, name: str, start: Day) -> bool:
    """Whether a result since the start of the trial was above its reference range."""
    return any(r.name == name and r.high and start <= r.day for r in c.chart.results)


def _weight_change(c: Context, start: Day) -> Decimal | None:
    """Change in % from the last weight around the start to the last one after it."""
    weights = sorted((r.day, r.ref, r.value) for r in c.chart.results if r.name == "body-weight" and r.value > 0)
    base = [w for w in weights if start - _BASELINE_BEFORE <= w[0] <= start + _BASELINE_AFTER]
    later = [w for w in weights if w[0] > start + _BASELINE_AFTER]
    return (later[-1][2] - base[-1][2]) * 100 / base[-1][2] if base and later else None


# The record ----------------------------------------------------------------------------------------------------------


def _record(c: Context) -> Iterator[Fact]:
    """How many antipsychotics had a full trial, and whether clozapine was ever tried."""
    full = sorted((u for u in _oral(c) if _is_full(c, u)), key=lambda u: (u.trial.start, u.refs))
    if not full:
        return
    drugs: dict[str, str] = {}
    for use in full:
        drugs.setdefault(use.trial.part.ingredient.moiety, use.trial.label)
    yield fact(
        "antipsychotic_record",
        "antipsychotic_record",
        [ref for u in full for ref in u.refs],
        full_trials=len(drugs),
        drugs=", ".join(drugs.values()),
        first_start=c.rel(min(u.trial.start for u in full)),
        last_day=c.rel(max(u.trial.episode.end for u in full)),
        clozapine_tried=_tried_clozapine(c),
    )


def _is_full(c: Context, use: _Use) -> bool:
    """Long enough at a confirmed effective dose, and taken on enough of the days; an unknown dose proves nothing."""
    t = use.trial
    if t.adequate is None or not t.confirmed or t.part.ingredient.moiety == "clozapine":
        return False
    ended = gap(t.episode.end, c.today + 1, c.stays) > c.grace(t.part.ingredient)
    coverage = coverage_percent(c, t, ended=ended)
    enough = coverage is not None and coverage >= Decimal(str(c.p["antipsychotic_coverage"]))
    return enough and t.adequate >= c.p["antipsychotic_full_days"]


def _tried_clozapine(c: Context) -> bool:
    chart = c.chart
    medications = [
        *(o.medication for o in chart.orders),
        *(f.medication for f in chart.fills),
        *(s.medication for s in chart.statements),
        *(a.medication for a in chart.administrations),
    ]
    return any(p.ingredient.moiety == "clozapine" for m in medications for p in m.parts)
