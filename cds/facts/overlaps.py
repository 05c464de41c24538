"""Two drugs of a pair that were in hand together, proven from supply (A-02 at patient-view, 1.4, 10.22)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds.facts.context import Context, fact
from cds.facts.exposure import Episode, overlap_runs
from cds.facts.kinship import Side, kind_of, tricyclic_dose
from cds.facts.supply import CONFIDENCES
from cds.model import Fact

_LOOK_BACK = 60  # days: the longest window a site may set for a run that counts


@dataclass(frozen=True, slots=True)
class Use:
    """Episodes of one drug up to yesterday, at the dose range (adjunct or full) of its latest supply."""

    key: str
    label: str
    side: Side
    episodes: tuple[Episode, ...]


def overlaps(c: Context) -> Iterator[Fact]:
    """Each recent run of days on which two drugs of a pair were both in hand."""
    uses = [use for key in c.stretches if (use := _use(c, key)) is not None]
    for n, use in enumerate(uses):
        for other in uses[:n]:
            kind = kind_of(use.side, other.side)
            if kind is None or use.side.part.ingredient.moiety == other.side.part.ingredient.moiety:
                continue
            for a, b, (first, last), days in overlap_runs(use.episodes, other.episodes):
                if last < c.today - _LOOK_BACK:
                    continue
                ranked = sorted((a.confidence, b.confidence), key=CONFIDENCES.index)
                yield fact(
                    "overlap",
                    f"overlap:{other.key}:{use.key}:{first - c.today}",
                    [*a.refs, *b.refs],
                    group=kind.group,
                    kinship=kind.kinship,
                    class_label=kind.class_label,
                    drug=other.label,
                    other_drug=use.label,
                    days=days,
                    first=c.rel(first),
                    last=c.rel(last),
                    tricyclic_dose=tricyclic_dose(use.side, other.side),
                    weakest_confidence=ranked[0],
                    strongest_confidence=ranked[-1],
                )


def _use(c: Context, key: str) -> Use | None:
    past = c.past(key)
    if not past:
        return None
    latest = past[-1]
    alike = [s for s in past if c.is_adjunct(s) == c.is_adjunct(latest)]
    found = [e for e in c.episodes(alike) if e.end >= c.today - _LOOK_BACK]
    side = Side(latest.part, c.is_adjunct(latest), latest.high, latest.prn)
    return Use(key, latest.label, side, tuple(found)) if found else None
