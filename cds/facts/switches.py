"""An antidepressant order that would end a trial (C-01)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, NEVER, Context, fact, is_for_smoking, is_other_purpose
from cds.facts.courses import Ending, current_courses, is_stopped_by_call
from cds.facts.intervals import days_in, gap
from cds.facts.orders import judged
from cds.model import Fact

if TYPE_CHECKING:
    from cds.facts.trials import Trial

Reason = Literal["stopped", "ended", "end-planned", "same-class"]
# Never switch targets for C-01 (family C): a fixed course and a clinic-given drug.
_NOT_A_TARGET = frozenset({"zuranolone", "esketamine"})
_CLASSES = frozenset({"SRI", "TCA", "MAOI"})  # 10.28: class groups within which a new drug is a switch
RECENT_END = 30  # days: "A active or ended in [T-30, T]"; of several A, one of these
_PHQ_BASELINE = Decimal(10)
_INDICATIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("depression", frozenset({"depression"})),
    ("ocd", frozenset({"ocd"})),
    ("ptsd", frozenset({"ptsd"})),
    ("anxiety", frozenset({"anxiety", "gad"})),
)


@dataclass(frozen=True, slots=True)
class Call:
    """What the call does besides: moieties that its drafts go on with, and how each current course ends, by drug."""

    continued: frozenset[str]
    endings: Mapping[str, Sequence[Ending]]

    @classmethod
    def of(cls, c: Context, drafts: Sequence[tuple[Order, DrugPart]]) -> Call:
        return cls(
            continued=frozenset(p.ingredient.moiety for _, p in drafts),
            endings={course.part.ingredient.key: course.endings for course in current_courses(c)},
        )


def switches(c: Context, trials: Sequence[Trial]) -> Iterator[Fact]:
    """One fact for each antidepressant order that would take the place of a current or recent trial."""
    drafts = [(o, p) for o, p in judged(c) if o.role == "draft" and p.ingredient.class_group in ANTIDEPRESSANT_GROUPS]
    if not drafts or not trials:
        return
    latest = {t.part.ingredient.key: t for t in trials}  # trials come by start: the current or last one of each drug
    call = Call.of(c, drafts)
    for order, part in drafts:
        if is_target(c, order, part):
            made = _switch(c, order, part, list(latest.values()), call)
            if made is not None:
                yield made


def is_target(c: Context, order: Order, part: DrugPart) -> bool:
    """Whether the order of an antidepressant treats mood or anxiety, so that another one may make way for it."""
    mg = daily_mg(order.steps, part, order.start, high=True)
    return not (
        part.ingredient.key in _NOT_A_TARGET
        or c.low_dose_adjunct(part, mg)
        or is_for_smoking(part, order.medication.purpose, order.reasons)
        or is_other_purpose(order.reasons)
    )


def _switch(
    c: Context,
    order: Order,
    part: DrugPart,
    trials: Sequence[Trial],
    call: Call,
) -> Fact | None:
    """The order as a switch away from the trial with the most adequate days; None when it is no switch."""
    candidates = left_by(c, order, part, trials, call)
    recent = [pair for pair in candidates if since_end(c, pair[0]) <= RECENT_END]
    if not candidates:
        return None
    t, how = max(recent or candidates, key=lambda pair: (pair[0].adequate or 0, pair[0].covered, pair[0].start))
    indication = _indication(c, order)
    short, full = c.p[f"trial_short_days_{indication}"], c.p[f"trial_full_days_{indication}"]
    adequate = t.adequate
    base, current = phq_pair(c, t.start)
    return fact(
        "switch",
        f"switch:{order.ref}#{part.ingredient.key}",
        [order.ref, *t.episode.refs],
        order=f"{order.ref}#{part.ingredient.key}",
        how=how,
        new_drug=order.medication.label,
        new_moiety=part.ingredient.moiety,
        new_unused_days=unused_days(c, part),
        old_drug=t.label,
        old_moiety=t.part.ingredient.moiety,
        old_class=t.part.ingredient.class_group,
        old_start=c.rel(t.start),
        old_last=c.rel(t.episode.end),
        days_since_start=c.today - t.start,
        days_since_end=since_end(c, t),
        indication=indication,
        dose_known=adequate is not None,
        covered_days=t.covered,
        adequate_days=adequate,
        minimum_dose=t.minimum,
        coverage_percent=coverage_percent(c, t, ended=how == "ended"),
        below_indication_days=None if adequate is None else short - adequate,
        left_to_full_days=None if adequate is None else full - adequate,
        improvement_percent=None if base is None or current is None else (base - current) * 100 / base,
        phq9_before=base,
        phq9_now=current,
        record_days_before=None if c.chart.earliest is None else t.start - c.chart.earliest,
        confidence=t.episode.confidence,
    )


def left_by(
    c: Context, order: Order, part: DrugPart, trials: Sequence[Trial], call: Call
) -> list[tuple[Trial, Reason]]:
    """The trials of other substances that the order takes the place of, and why."""
    return [
        (t, how)
        for t in trials
        if t.part.ingredient.moiety != part.ingredient.moiety and (how := leaving(c, order, part, t, call)) is not None
    ]


def is_on_hold(c: Context, key: str) -> bool:
    """No order of the drug is in force, and one is on hold: that silences duration rules (1.2)."""
    orders = c.history.of_ingredient(key)
    return not any(o.open for o in orders) and any(o.progress == "paused" for o in orders)


def leaving(
    c: Context, order: Order, part: DrugPart, t: Trial, call: Call, *, by_record_only: bool = False
) -> Reason | None:
    """Why the order is a switch away from this trial; None when it is not.

    by_record_only: a supply that merely ran out is no end (C-03, 10.28).
    """
    key, moiety = t.part.ingredient.key, t.part.ingredient.moiety
    orders = c.history.of_ingredient(key)
    in_force = [o for o in orders if o.open]
    if is_on_hold(c, key):
        return None
    # A drug that another draft of the call goes on with is renewed, not stopped.
    if moiety not in call.continued:
        if is_stopped_by_call(c, key):
            return "stopped"
        # A supply that ran out the other day is late, not ended: an episode is over after its grace, or by record.
        over = gap(t.episode.end, c.today + 1, c.stays) > c.grace(t.part.ingredient)
        closed = bool(orders) and not in_force and not is_covered_today(c, key)
        if closed or (over and not by_record_only):
            return "ended"
        start = order.start if order.start is not None else c.today
        limit = start + c.p["trial_crosstaper_days"]
        if any(e.how in {"stated", "tapered"} and e.day <= limit for e in call.endings.get(key, ())):
            return "end-planned"
    group = part.ingredient.class_group
    return "same-class" if group in _CLASSES and group == t.part.ingredient.class_group else None


def is_covered_today(c: Context, key: str) -> bool:
    """Whether a supply of the drug, or a list entry, reaches today."""
    return any(s.start <= c.today <= s.end for s in c.supply.get(key, ()))


def since_end(c: Context, t: Trial) -> int:
    """Days from the last covered day to today; 0 while it is covered."""
    return 0 if is_covered_today(c, t.part.ingredient.key) else c.today - t.episode.end


def coverage_percent(c: Context, t: Trial, *, ended: bool) -> Decimal | None:
    """Covered days in % of the span, up to the end of an ended trial, else to yesterday; stays take no part."""
    last = t.episode.end if ended else c.today - 1
    idle = days_in(c.stays, t.start, last) - sum(
        days_in(c.stays, start, end) for start, end in t.episode.covered
    )  # fmt: skip
    span = last - t.start + 1 - idle
    return Decimal(100 * t.covered) / span if span > 0 else None


def unused_days(c: Context, part: DrugPart) -> int:
    """Whole days since the new drug, or its like, was last in hand; NEVER when it never was."""
    of_it = [rows for rows in c.supply.values() if rows[0].part.ingredient.moiety == part.ingredient.moiety]
    # A list entry of the patient's own medicines is in use, although nothing says since when.
    if any(s.source == "statement" and s.start <= c.today <= s.end for rows in of_it for s in rows):
        return 0
    ends = [
        found[-1].end
        for key, found in c.by_ingredient.items()
        if c.supply[key][0].part.ingredient.moiety == part.ingredient.moiety
    ]
    return c.today - max(ends) - 1 if ends else NEVER


def _indication(c: Context, order: Order) -> str:
    """What the drug is for: the order's reason, else the problem list; depression (and unspecified) first."""
    for groups in (order.reasons, frozenset(g for d in c.chart.diagnoses if d.active for g in d.groups)):
        for name, keys in _INDICATIONS:
            if groups & keys:
                return name
    return "depression"


def phq_pair(c: Context, start: Day) -> tuple[Decimal | None, Decimal | None]:
    """(baseline, current) PHQ-9 as family C defines them; a baseline under 10 cannot show improvement."""
    scores = [(r.day, r.ref, r.value) for r in c.chart.results if r.name == "phq9"]
    base = max((s for s in scores if start - 30 <= s[0] <= start + 7), default=None)
    now = max((s for s in scores if max(start + 14, c.today - 21) <= s[0] <= c.today), default=None)
    if base is None or now is None or base[2] < _PHQ_BASELINE:
        return None, None
    return base[2], now[2]
