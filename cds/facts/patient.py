"""Facts of the patient: age, diagnoses, gates, risks, exposure by class."""

from __future__ import annotations

from collections.abc import Iterator

from cds.facts.context import Context, fact
from cds.facts.intervals import gap
from cds.facts.orders import HABIT_FORMING
from cds.model import Fact

_SUICIDALITY_SCORES = frozenset({"phq9-item9", "cssrs"})
GATE_DAYS = 365  # hospice and palliative care count for a year (1.9)


def facts(c: Context) -> Iterator[Fact]:
    youngest, oldest = c.ages or (None, None)
    yield fact("patient", "patient", age_youngest=youngest, age_oldest=oldest)
    yield from _gates(c)
    for d in c.chart.diagnoses:
        for group in sorted(d.groups):
            yield fact(
                "diagnosis",
                f"diagnosis:{d.ref}#{group}",
                [d.ref],
                group=group,
                onset=None if d.day is None else c.rel(d.day),
                active=d.active,
            )
    yield from _risks(c)
    yield from _exposures(c)
    for ref, moiety in sorted({(i.ref, moiety) for i in c.chart.intolerances for moiety in i.moieties}):
        yield fact("intolerance", f"intolerance:{ref}#{moiety}", [ref], moiety=moiety)


def _gates(c: Context) -> Iterator[Fact]:
    """Global gates (1.9) as facts, so that each rule says which of them silence it."""
    since = c.today - GATE_DAYS
    if c.chart.deceased:
        yield fact("gate", "gate:deceased", name="deceased")
    for d in c.chart.diagnoses:
        recent = d.day is None or d.day >= since
        for name in ("palliative", "hospice"):
            if name in d.groups and recent:
                yield fact("gate", f"gate:{name}:{d.ref}", [d.ref], name=name)
    for care in c.chart.care:
        if care.day >= since:
            yield fact("gate", f"gate:{care.name}:{care.ref}", [care.ref], name=care.name)
    for v in c.chart.visits:
        # At encounter-discharge the stay is what the hook is about (1.2, 10.29).
        if v.kind == "inpatient" and v.in_progress and c.hook != "encounter-discharge":
            yield fact("gate", f"gate:inpatient:{v.ref}", [v.ref], name="inpatient")


def _risks(c: Context) -> Iterator[Fact]:
    """What raises the risk around an antidepressant start (D-01 groups): the rule says how recent it must be."""
    for d in c.chart.diagnoses:
        if d.day is None or d.day > c.today:
            continue
        if "suicidality" in d.groups:
            yield fact("risk", f"risk:{d.ref}", [d.ref], name="suicidality", day=c.rel(d.day))
        if "pregnancy" in d.groups and d.active:
            yield fact("risk", f"risk:pregnancy:{d.ref}", [d.ref], name="perinatal", day=c.rel(d.day))
        if "delivery" in d.groups:
            yield fact("risk", f"risk:delivery:{d.ref}", [d.ref], name="perinatal", day=c.rel(d.day))
    # A score may stand twice in one panel, as its value and as a component: one fact.
    for ref, name, day in sorted({(r.ref, r.name, r.day) for r in c.chart.results if r.value >= 1}):
        if name in _SUICIDALITY_SCORES:
            yield fact("risk", f"risk:{ref}#{name}", [ref], name="suicidality", day=c.rel(day))


def _exposures(c: Context) -> Iterator[Fact]:
    """Class-level episodes of benzodiazepines and of Z-drugs up to yesterday."""
    found = {
        group: c.class_episodes([group], grace=int(c.p["grace_benzodiazepine" if group == "BZD" else "grace_z_drug"]))
        for group in sorted(HABIT_FORMING)
    }
    latest = max((episode.end for episodes in found.values() for episode in episodes), default=None)
    for group, episodes in found.items():
        for n, episode in enumerate(episodes):
            yield fact(
                "exposure",
                f"exposure:{group}:{n:03d}",
                episode.refs,
                class_group=group,
                start=c.rel(episode.start),
                last_covered=c.rel(episode.end),
                # Days in hospital are neither covered nor a gap (1.4 step 4).
                uncovered_days=gap(episode.end, c.today, c.stays),
                covered_days=episode.covered_days(episode.start, episode.end),
                confidence=episode.confidence,
                latest=episode.end == latest,
            )
