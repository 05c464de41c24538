"""Benzodiazepines and Z-drugs in use, class by class: the episode, its doses, its band, how often it is taken.

What the facts of family B share (clinical specification 1.4 step 4, 1.5, 1.6, B-02 to B-04, 10.25, 10.26).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cds.chart.model import Fill, Order
from cds.chart.supplied import sole_part, taken_in
from cds.dates import Day
from cds.drugs.dose import administrations
from cds.drugs.dose_tables import diazepam_equivalents, unconfirmed_equivalent
from cds.drugs.model import DrugPart, Medication
from cds.drugs.steps import on_day
from cds.facts.context import Context
from cds.facts.exposure import Episode, Stretch
from cds.facts.intervals import days_in, gap, union
from cds.facts.supply import Supply

GROUPS = ("BZD", "ZDRUG")
CLASS_NAMES = {"BZD": "benzodiazepine", "ZDRUG": "Z-drug"}
Band = Literal["low", "moderate", "high", "unknown"]
Doses = Mapping[str, Decimal | None]  # mg a day by ingredient; None: not known
_GRACE = {"BZD": "grace_benzodiazepine", "ZDRUG": "grace_z_drug"}
_WINDOW = 28  # days: administrations are counted over four weeks (ASAM 2025: 3 days a week or less)
# ASAM 2025 Table 2: up to the first figure low, up to the second moderate, above it high; mg a day.
_BANDS = {
    "alprazolam": (Decimal(1), Decimal(2)),
    "clonazepam": (Decimal("0.5"), Decimal("1.5")),
    "lorazepam": (Decimal(2), Decimal(3)),
}
_BANDS_OF_EQUIVALENTS = (Decimal(10), Decimal(15))
_ONCE = Decimal(1)
_ALSO = (
    ("alcohol-use", "alcohol use disorder"),
    ("pregnancy", "pregnancy"),
    ("breast-feeding", "breast-feeding"),
)


@dataclass(frozen=True, slots=True)
class ClassUse:
    """An episode of one class up to yesterday. found: every stretch of the class, those from today on included."""

    group: str
    episode: Episode
    found: tuple[Stretch, ...]

    @property
    def covered(self) -> int:
        return self.episode.covered_days(self.episode.start, self.episode.end)

    @property
    def latest(self) -> Stretch:
        return max(self.episode.stretches, key=lambda s: (s.last, s.first, s.refs))

    @property
    def drug(self) -> str:
        """The drugs of the episode as a card names them, in the order in which they began.

        "then" says that the second replaced the first: not of two that are both in hand to the end.
        """
        by_start = sorted(self.episode.stretches, key=lambda s: (s.first, s.refs))
        first_of = {s.part.ingredient.key: s.label for s in reversed(by_start)}
        names = [first_of[key] for key in dict.fromkeys(s.part.ingredient.key for s in by_start)]
        if len(names) <= 2:
            ends = {key: max(s.last for s in by_start if s.part.ingredient.key == key) for key in first_of}
            replaced = min(ends[by_start[0].part.ingredient.key], self.episode.end) < self.episode.end
            return (" then " if replaced else " and ").join(names)
        return f"{self.latest.label} (after other {CLASS_NAMES[self.group]}s)"

    def doses(self, day: Day) -> Doses:
        """mg of each ingredient of the class on a day, high end; empty when none is in hand."""
        return {s.part.ingredient.key: s.high for s in self.found if s.first <= day <= s.last}

    def last_dosed(self, day: Day) -> Day | None:
        """The last day of the course up to `day` on which the class is in hand."""
        ends = [min(s.last, day) for s in self.found if self.episode.start <= s.first <= day]
        return max(ends, default=None)


def class_uses(c: Context, group: str) -> list[ClassUse]:
    """Every episode of the class up to yesterday, by start."""
    found = tuple(s for rows in c.stretches.values() for s in rows if s.part.ingredient.class_group == group)
    made = c.class_episodes([group], grace=int(c.p[_GRACE[group]])) if found else []
    return [ClassUse(group, episode, found) for episode in made]


def current_use(c: Context, group: str) -> ClassUse | None:
    """The episode that goes on today: at most the grace of the class lies between (1.4, `active_on`)."""
    uses = class_uses(c, group)
    return uses[-1] if uses and is_current(c, uses[-1]) else None


def is_current(c: Context, use: ClassUse) -> bool:
    return gap(use.episode.end, c.today, c.stays) <= c.p[_GRACE[use.group]]


def has_class(medication: Medication, group: str) -> bool:
    """A systemic product of the class that is no rescue form (1.3.4)."""
    return (
        medication.systemic
        and not medication.rescue
        and any(p.ingredient.class_group == group for p in medication.parts)
    )


def is_in_use(c: Context, order: Order, group: str) -> bool:
    """An order in force whose supply reaches today, or ended within the grace; what waits to be collected is none."""
    since = c.today - int(c.p[_GRACE[group]])
    return order.open and any(
        order.ref in {*s.refs, s.request} and s.source != "refills" and s.end >= since
        for part in parts_of(order.medication, group)
        for s in c.supply.get(part.ingredient.key, ())
    )


def present_doses(c: Context, use: ClassUse) -> dict[str, Decimal | None]:
    """mg a day of each drug in use at the end of the course (today, where it goes on), high end.

    A drug whose supply ended a little earlier than another's is late, not stopped, as long as an order for it is in
    force, or was until this call: at most the grace of the class lies between (1.4, `active_on`).
    """
    end = use.last_dosed(c.today) or use.episode.end
    found: dict[str, Decimal | None] = {}
    for s in sorted((s for s in use.found if use.episode.start <= s.first <= end), key=lambda s: s.first):
        key = s.part.ingredient.key
        orders = (o for o in c.history.of_ingredient(key) if o.open or o.ended_by_call)
        if s.last >= end or (gap(s.last, end + 1, c.stays) <= c.p[_GRACE[use.group]] and any(orders)):
            found[key] = s.high
        else:
            found.pop(key, None)
    return found


# Doses ---------------------------------------------------------------------------------------------------------------


def equivalents(doses: Doses) -> dict[str, Decimal] | None:
    """mg of diazepam a day by column, over the drugs that have an equivalent; None when there is none, or a dose is
    not known (1.6)."""
    total: dict[str, Decimal] = {}
    for key, mg in doses.items():
        of_one = diazepam_equivalents(key, _ONCE)
        if of_one is None:
            continue
        if mg is None:
            return None
        for column, each in of_one.items():
            total[column] = total.get(column, Decimal(0)) + each * mg
    return total or None


def single_equivalent(doses: Doses) -> Decimal | None:
    """Single figures use the VA/DoD column (10.26)."""
    return (equivalents(doses) or {}).get("va_dod")


def unconfirmed(ingredients: Iterable[str]) -> str | None:
    """What a card says of an equivalent that no source was read for (10.2); None where there is none."""
    names = ", ".join(sorted({key for key in ingredients if unconfirmed_equivalent(key)}))
    return f"that of {names} is general knowledge, not confirmed in a source" if names else None


def measure(doses: Doses) -> dict[str, Decimal] | None:
    """What a dose is compared by: both columns; mg where one drug without an equivalent is all there is."""
    found = equivalents(doses)
    if found is None and len(doses) == 1:
        key, mg = next(iter(doses.items()))
        return {f"mg {key}": mg} if mg is not None and diazepam_equivalents(key, _ONCE) is None else None
    return found


def percent_of(doses: Doses, before: Doses) -> Decimal | None:
    """A dose in % of another; the larger of both columns. None where the two cannot be compared."""
    now, then = measure(doses), measure(before)
    if now is None or then is None or now.keys() != then.keys() or not all(then.values()):
        return None
    return max(now[column] * 100 / then[column] for column in now)


def band(doses: Doses) -> Band:
    """Dose band: per drug for three drugs, by diazepam equivalent for the others and for sums (1.6)."""
    rated = {key: mg for key, mg in doses.items() if mg != 0 and diazepam_equivalents(key, _ONCE) is not None}
    if None in rated.values():
        return "unknown"
    limits = _BANDS_OF_EQUIVALENTS
    value = single_equivalent(rated)
    if len(rated) == 1 and (key := next(iter(rated))) in _BANDS:
        limits, value = _BANDS[key], rated[key]
    if value is None:
        return "unknown"
    return "low" if value <= limits[0] else "moderate" if value <= limits[1] else "high"


# How often -----------------------------------------------------------------------------------------------------------


def administrations_per_28_days(
    c: Context, found: Sequence[Stretch], first: Day, last: Day, *, while_covered: bool = False
) -> Decimal | None:
    """Administrations (not tablets) in 28 days, over the days from `first` to `last`; None when it cannot be said.

    while_covered: over the covered days alone (courses with long pauses), else over the whole span without the days
    in hospital on which staff gave none.
    """
    total = Decimal(0)
    for s in found:
        days = min(s.last, last) - max(s.first, first) + 1
        if days <= 0:
            continue
        rate = _per_day(c, s)
        if rate is None:
            return None
        total += rate * days
    covered = union((s.first, s.last) for s in found)
    days = days_in(covered, first, last)
    if not while_covered:
        given = sum(days_in(covered, max(a, first), min(b, last)) for a, b in c.stays if a <= last and b >= first)
        days = last - first + 1 - days_in(c.stays, first, last) + given
    return total * _WINDOW / days if days > 0 else None


def usual_and_recent(c: Context, use: ClassUse) -> Decimal | None:
    """The higher of the rates over the whole episode and over its last four weeks (10.26: risk at the end)."""
    episode = use.episode
    rates = [
        administrations_per_28_days(c, episode.stretches, first, episode.end)
        for first in (episode.start, max(episode.start, episode.end - _WINDOW + 1))
    ]
    known = [r for r in rates if r is not None]
    return max(known) if len(known) == len(rates) else None


def _per_day(c: Context, stretch: Stretch) -> Decimal | None:
    """Two strengths of one drug are taken together: the more frequent of them counts."""
    rates = [_rate(c, s, stretch.first) for s in stretch.supplies]
    known = [r for r in rates if r is not None]
    return max(known) if len(known) == len(rates) else None


def _rate(c: Context, supply: Supply, day: Day) -> Decimal | None:
    """Administrations a day. What is not marked as needed is taken daily where its timing is not known."""
    steps = on_day(supply.steps, day) or ()
    times = [s.per_day_high for s in steps]
    known = [t for t in times if t is not None]
    stated = sum(known, Decimal(0)) if known and len(known) == len(times) else None
    if not supply.prn:
        return stated if stated is not None else _ONCE
    counted = _counted(c, supply)
    return counted if counted is not None else stated


def _counted(c: Context, supply: Supply) -> Decimal | None:
    """Administrations a day from the quantity and the days that it is said to last (10.24)."""
    sources: list[Fill | Order] = [c.fills[ref] for ref in supply.refs if ref in c.fills]
    if not sources:
        sources = [c.orders[ref] for ref in supply.refs if ref in c.orders]
    part = sole_part(supply.medication)
    total, days = Decimal(0), 0
    for source in sources:
        lasts = source.days if isinstance(source, Fill) else source.days_per_fill
        if lasts is None or source.quantity is None or source.quantity_unit != taken_in(supply.steps, part):
            return None
        times = administrations(source.quantity, supply.steps, part=part)
        if times is None:
            return None
        total += times
        days += lasts
    return total / days if days else None


# Conditions ----------------------------------------------------------------------------------------------------------


def also_recorded(c: Context) -> str | None:
    """What any card of family B names besides: active alcohol use disorder, pregnancy, breast-feeding."""
    groups = {g for d in c.chart.diagnoses if d.active for g in d.groups}
    return ", ".join(words for group, words in _ALSO if group in groups) or None


def seizure_risk(c: Context) -> bool | None:
    """Active seizure disorder or catatonia, or a withdrawal seizure or delirium at any time; None: not searched."""
    active = {g for d in c.chart.diagnoses if d.active for g in d.groups}
    if active & {"seizure", "status-epilepticus", "catatonia"} or withdrawal_history(c):
        return True
    return False if c.chart.searched("Condition") else None


def withdrawal_history(c: Context) -> bool | None:
    """A withdrawal seizure or delirium at any time; None: not searched."""
    if any(d.groups & {"withdrawal-seizure", "withdrawal-delirium"} for d in c.chart.diagnoses):
        return True
    return False if c.chart.searched("Condition") else None


def current_order(c: Context, use: ClassUse) -> str | None:
    """The order behind the latest supply: in force, else one that this call ends; the latest of several."""
    behind = [c.orders[ref] for ref in use.latest.refs if ref in c.orders]
    in_force = [o for o in behind if o.open] or [o for o in behind if o.ended_by_call]
    return max(in_force, key=lambda o: (o.start or 0, o.ref)).ref if in_force else None


def parts_of(medication: Medication, group: str) -> Iterator[DrugPart]:
    yield from (p for p in medication.parts if p.ingredient.class_group == group)
