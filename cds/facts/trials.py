"""Antidepressant trials, and an order that would end one (family C definitions, C-01)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.dose_tables import minimum_effective
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact
from cds.facts.courses import Ending, current_courses
from cds.facts.exposure import Episode, gap, runs_where
from cds.facts.orders import judged
from cds.facts.supply import Supply
from cds.model import Fact

# Never switch targets for C-01 (family C): a fixed course and a clinic-given drug.
_NOT_A_TARGET = frozenset({"zuranolone", "esketamine", "brexanolone"})
# An order for one of these reasons is no antidepressant trial.
_OTHER_PURPOSES = frozenset({"pain", "insomnia", "tobacco"})
_TRIAL_GROUPS = {"SRI": "SRI", "TCA": "TCA", "MAOI": "MAOI"}  # 10.28: class groups within which a new drug is a switch
NEVER = 36500  # days without, where the chart holds no earlier use


@dataclass(frozen=True, slots=True)
class Trial:
    """One episode of one antidepressant, up to yesterday. adequate: None when the dose is unknown."""

    part: DrugPart
    label: str
    episode: Episode
    covered: int
    adequate: int | None
    minimum: Decimal | None

    @property
    def start(self) -> Day:
        return self.episode.start


def trials(c: Context) -> Iterator[Trial]:
    """Every antidepressant episode that is not low-dose, for smoking, or ordered for another purpose."""
    for key, found in c.by_ingredient.items():
        part = c.supply[key][0].part
        if part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS:
            continue
        for episode in found:
            if episode.start >= c.today or all(c.is_adjunct(s) or _other_purpose(c, s) for s in episode.supplies):
                continue
            yield _trial(c, part, episode)


def _other_purpose(c: Context, s: Supply) -> bool:
    order = c.orders.get(s.request or "")
    return order is not None and bool(order.reasons) and order.reasons <= _OTHER_PURPOSES


def _trial(c: Context, part: DrugPart, episode: Episode) -> Trial:
    yesterday = c.today - 1
    covered = episode.covered_days(episode.start, yesterday)
    latest = episode.supplies[-1]
    limit = minimum_effective(part.ingredient.key, form=latest.medication.form, age=c.ages[0] if c.ages else None)
    minimum = limit.value if limit is not None and limit.unit == "mg/d" else None
    rows = [s for s in episode.supplies if s.start <= yesterday]
    adequate: int | None = None
    if minimum is not None and all(_dose_known(s) for s in rows):
        # 10.16: bupropion at 150 mg counts its covered days; its shortfall alone is never a warning.
        floor = Decimal(150) if part.ingredient.key == "bupropion" else minimum
        days = runs_where(rows, yesterday, lambda d: _total(rows, d) >= floor, episode.start)
        adequate = _longest(days, int(c.p["trial_interruption"]), c)
    return Trial(part, latest.medication.label, episode, covered, adequate, minimum)


def _dose_known(s: Supply) -> bool:
    return s.dose(s.start, high=False) is not None


def _total(rows: list[Supply], day: Day) -> Decimal:
    """mg on that day over all strengths taken together, low end."""
    return sum((s.dose(day, high=False) or Decimal(0) for s in rows if s.start <= day <= s.end), Decimal(0))


def _longest(days: tuple[tuple[Day, Day], ...], interruption: int, c: Context) -> int:
    """Days of the longest run; an interruption of more than `interruption` days restarts the count."""
    best = run = 0
    previous: Day | None = None
    for start, end in days:
        if previous is not None and gap(previous, start, c.stays) > interruption:
            run = 0
        run += end - start + 1
        best, previous = max(best, run), end
    return best


def facts(c: Context) -> Iterator[Fact]:
    found = list(trials(c))
    for t in found:
        if t.adequate is not None:
            yield fact(
                "trial",
                f"trial:{t.part.ingredient.key}:{t.start - c.today}",
                t.episode.refs,
                moiety=t.part.ingredient.moiety,
                start=c.rel(t.start),
                adequate_days=t.adequate,
            )
    for order in c.chart.orders:
        for reason in sorted(order.stop_reasons):
            for p in order.medication.parts:
                moiety = p.ingredient.moiety
                yield fact(
                    "stop_reason",
                    f"stop_reason:{order.ref}:{moiety}:{reason}",
                    [order.ref],
                    moiety=moiety,
                    reason=reason,
                )
    for order, part in judged(c):
        if order.role == "draft" and part.ingredient.class_group in ANTIDEPRESSANT_GROUPS:
            made = _switch(c, order, part, found)
            if made is not None:
                yield made


def _switch(c: Context, order: Order, part: DrugPart, found: list[Trial]) -> Fact | None:
    """The order as a switch away from the trial with the most adequate days; None when it is no switch."""
    if part.ingredient.key in _NOT_A_TARGET or c.low_dose_adjunct(part, _dose(order, part)):
        return None
    if "smoking-cessation" in order.medication.purpose or (
        part.ingredient.key == "bupropion" and "tobacco" in order.reasons
    ):
        return None
    endings = {course.part.ingredient.key: course.endings for course in current_courses(c)}
    candidates: list[tuple[Trial, str]] = []
    for t in found:
        how = _how(c, order, part, t, endings.get(t.part.ingredient.key, ()))
        if how is not None and t.part.ingredient.moiety != part.ingredient.moiety:
            candidates.append((t, how))
    if not candidates:
        return None
    t, how = max(candidates, key=lambda pair: (pair[0].adequate or 0, pair[0].covered, pair[0].start))
    span = c.today - t.start
    indication = _indication(c, order)
    short, full = c.p[f"trial_short_days_{indication}"], c.p[f"trial_full_days_{indication}"]
    adequate = t.adequate
    base, current = _phq_pair(c, t.start)
    last = t.episode.last_covered(c.today - 1)
    return fact(
        "switch",
        f"switch:{order.ref}#{part.ingredient.key}",
        [order.ref, *t.episode.refs],
        order=f"{order.ref}#{part.ingredient.key}",
        how=how,
        new_drug=order.medication.label,
        new_moiety=part.ingredient.moiety,
        new_unused_days=_unused(c, part),
        old_drug=t.label,
        old_moiety=t.part.ingredient.moiety,
        old_class=t.part.ingredient.class_group,
        old_start=c.rel(t.start),
        old_last=None if last is None else c.rel(last),
        days_since_start=span,
        days_since_end=0 if last is None else c.today - 1 - last,
        indication=indication,
        dose_known=adequate is not None,
        covered_days=t.covered,
        adequate_days=adequate,
        minimum_dose=t.minimum,
        coverage_percent=Decimal(100 * t.covered) / span if span else None,
        below_indication_days=None if adequate is None else short - adequate,
        left_to_full_days=None if adequate is None else full - adequate,
        improvement_percent=None if base is None or current is None else (base - current) * 100 / base,
        phq9_before=base,
        phq9_now=current,
        record_days_before=None if c.chart.earliest is None else t.start - c.chart.earliest,
        confidence=t.episode.confidence,
    )


def _how(c: Context, order: Order, part: DrugPart, t: Trial, endings: tuple[Ending, ...]) -> str | None:
    """Why the order is a switch away from this trial: stopped, ended, end-planned, same-class; None when it is not."""
    last = t.episode.last_covered(c.today - 1)
    if last is None:
        return None
    start = order.start if order.start is not None else c.today
    ends = {e.how: e.day for e in endings}
    if "stopped" in ends:
        return "stopped"
    requests = [c.orders[s.request] for s in t.episode.supplies if s.request in c.orders]
    closed = bool(requests) and not any(o.progress in {"current", "paused"} for o in requests)
    # A supply that ran out the other day is late, not ended: an episode is over after its grace period, or by record.
    if c.today - 1 - last > c.grace(t.part.ingredient) or (closed and last < c.today - 1):
        return "ended"
    if any(how in ends and ends[how] <= start + c.p["trial_crosstaper_days"] for how in ("stated", "tapered")):
        return "end-planned"
    same = _TRIAL_GROUPS.get(part.ingredient.class_group)
    return "same-class" if same is not None and same == t.part.ingredient.class_group else None


def _dose(order: Order, part: DrugPart) -> Decimal | None:
    return daily_mg(order.steps, part, order.start, high=True)


def _unused(c: Context, part: DrugPart) -> int:
    """Whole days since the new drug was last in hand; NEVER when it never was."""
    lasts = [e.last_covered(c.today - 1) for e in c.by_ingredient.get(part.ingredient.key, ())]
    known = [d for d in lasts if d is not None]
    return c.today - max(known) - 1 if known else NEVER


def _indication(c: Context, order: Order) -> str:
    """What the drug is for: the order's reason, else the problem list; depression (and unspecified) first."""
    for groups in (order.reasons, frozenset(g for d in c.chart.diagnoses if d.active for g in d.groups)):
        for name, keys in (
            ("depression", {"depression"}),
            ("ocd", {"ocd"}),
            ("ptsd", {"ptsd"}),
            ("anxiety", {"anxiety", "gad"}),
        ):
            if groups & keys:
                return name
    return "depression"


def _phq_pair(c: Context, start: Day) -> tuple[Decimal | None, Decimal | None]:
    """(baseline, current) PHQ-9 as family C defines them; a baseline under 10 cannot show improvement."""
    scores = [(r.day, r.ref, r.value) for r in c.chart.results if r.name == "phq9"]
    base = max((s for s in scores if start - 30 <= s[0] <= start + 7), default=None)
    now = max((s for s in scores if max(start + 14, c.today - 21) <= s[0] <= c.today), default=None)
    if base is None or now is None or base[2] < 10:
        return None, None
    return base[2], now[2]
