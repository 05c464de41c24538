"""What fits: lanes cut to the days and the number of rows that a picture has, most telling first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cds.timeline.model import Lane, Timeline

_KINDS = ("medication", "draft", "stays", "visits", "bookings", "results", "diagnoses")


@dataclass(frozen=True, slots=True)
class View:
    """Lanes to draw, clipped, and one line for each thing that is left out."""

    lanes: tuple[Lane, ...]
    left_out: tuple[str, ...]


def view(picture: Timeline, *, most_medications: int = 8, most_others: int = 6) -> View:
    """The lanes of a picture that show something in its days; concerned and recent medicines first."""
    shown: list[Lane] = []
    outside: list[Lane] = []
    for lane in picture.lanes:
        clipped = _clip(lane, picture.first, picture.last)
        (shown if clipped.bars or clipped.marks else outside).append(clipped if clipped.bars or clipped.marks else lane)
    drugs = sorted((x for x in shown if x.kind in {"medication", "draft"}), key=_telling)
    others = [x for x in shown if x.kind not in {"medication", "draft"}]
    kept, over = drugs[:most_medications], drugs[most_medications:]
    left_out = []
    if over:
        left_out.append(f"{len(over)} more {_words(over)}: {_named(over)}")
    if len(others) > most_others:
        left_out.append(f"{len(others) - most_others} more: {_named(others[most_others:])}")
    if outside:
        left_out.append(f"outside these days: {_named(outside)}")
    ordered = sorted(kept, key=lambda x: (_KINDS.index(x.kind), not x.concerned, x.rank, x.first, x.label))
    return View((*ordered, *others[:most_others]), tuple(left_out))


def rule_words(picture: Timeline) -> str:
    """What is drawn of the rule, in a line."""
    p = picture
    if not p.level:
        return f"{p.spec} {p.rule}: not asked at this hook"
    return f"{p.spec} {p.rule}, level {p.level}: {'fires' if p.holds else 'does not fire'} today"


def _telling(lane: Lane) -> tuple[object, ...]:
    return lane.kind != "draft" and not lane.concerned, lane.rank, -lane.last, lane.first, lane.label


def _words(lanes: Sequence[Lane]) -> str:
    drafts = all(lane.kind == "draft" for lane in lanes)
    return ("draft" if drafts else "medicine") + ("s" if len(lanes) != 1 else "")


def _named(lanes: Sequence[Lane], most: int = 4) -> str:
    names = [lane.label.removeprefix("draft: ").removeprefix("discharge: ") for lane in lanes]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _clip(lane: Lane, first: int, last: int) -> Lane:
    bars = tuple(
        replace(b, first=max(b.first, first), last=min(b.last, last))
        for b in lane.bars
        if b.last >= first and b.first <= last
    )
    return replace(lane, bars=bars, marks=tuple(m for m in lane.marks if first <= m.day <= last))
