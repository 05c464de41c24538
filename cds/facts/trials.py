"""Antidepressant trials (family C): how long each was taken, and how long at an effective dose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cds.dates import Day
from cds.drugs.dose_tables import minimum_effective
from cds.drugs.model import DrugPart
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact, is_other_purpose
from cds.facts.exposure import Episode, Stretch
from cds.facts.intervals import gap
from cds.facts.switches import switches
from cds.model import Fact

# 1.6: a fixed course, and drugs without a minimum effective dose, are no trial.
_NO_TRIAL = frozenset({"zuranolone", "gepirone", "esketamine"})
_BUPROPION_SUFFICES = Decimal(150)  # 10.16: at this dose its covered days count; its shortfall alone is never a warning


@dataclass(frozen=True, slots=True)
class Trial:
    """One episode of one drug, up to yesterday. covered, adequate: days at any dose, and at an effective one.

    adequate: None when the dose is unknown. minimum: None for a drug without one. confirmed: it was read in a source.
    """

    part: DrugPart
    label: str
    episode: Episode
    covered: int
    adequate: int | None
    minimum: Decimal | None
    confirmed: bool = True

    @property
    def start(self) -> Day:
        return self.episode.start


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
    yield from _stop_reasons(c)
    yield from switches(c, found)


def _stop_reasons(c: Context) -> Iterator[Fact]:
    given = [
        *((o.ref, o.medication, o.stop_reasons) for o in c.chart.orders),
        *((s.ref, s.medication, s.stop_reasons) for s in c.chart.statements),
    ]
    for ref, medication, reasons in given:
        for moiety in sorted({p.ingredient.moiety for p in medication.parts} if reasons else ()):
            for reason in sorted(reasons):
                yield fact(
                    "stop_reason", f"stop_reason:{ref}:{moiety}:{reason}", [ref], moiety=moiety, reason=reason
                )  # fmt: skip


def trials(c: Context) -> Iterator[Trial]:
    """Every antidepressant episode that is not low-dose, for smoking, or ordered for another purpose, by drug."""
    for key, found in c.by_ingredient.items():
        part = c.supply[key][0].part
        if part.ingredient.class_group not in ANTIDEPRESSANT_GROUPS or key in _NO_TRIAL:
            continue
        for episode in found:
            if not all(c.is_adjunct(s) or is_for_another_purpose(s) for s in episode.stretches):
                yield trial_of(c, part, episode)


def is_for_another_purpose(stretch: Stretch) -> bool:
    """Ordered for pain, sleep or smoking."""
    return all(is_other_purpose(s.reasons) for s in stretch.supplies)


def trial_of(c: Context, part: DrugPart, episode: Episode) -> Trial:
    """The episode as a trial of its drug (family C)."""
    covered = episode.covered_days(episode.start, episode.end)
    latest = episode.stretches[-1]
    form = latest.supplies[-1].medication.form
    # Of a partial birth date the older reading: its minimum dose is the lower one.
    limit = minimum_effective(part.ingredient.key, form=form, age=c.ages[1] if c.ages else None)
    minimum = limit.value if limit is not None and limit.unit == "mg/d" else None
    adequate: int | None = None
    if minimum is not None and all(s.low is not None for s in episode.stretches):
        if part.ingredient.key == "bupropion" and latest.low is not None and latest.low >= _BUPROPION_SUFFICES:
            minimum, adequate = min(minimum, _BUPROPION_SUFFICES), covered
        else:
            adequate = _adequate_days(c, episode.stretches, minimum)
    return Trial(part, latest.label, episode, covered, adequate, minimum, limit is None or limit.mark == "V")


def _adequate_days(c: Context, found: Sequence[Stretch], minimum: Decimal) -> int:
    """Days at the minimum effective dose, low end; a longer interruption restarts the count."""
    days = 0
    previous: Day | None = None
    for s in found:
        if s.low is None or s.low < minimum:
            continue
        if previous is not None and gap(previous, s.first, c.stays) > c.p["trial_interruption"]:
            days = 0
        days += s.last - s.first + 1
        previous = s.last
    return days
