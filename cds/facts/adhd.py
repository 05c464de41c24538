"""Starts of an ADHD medicine, stimulant or not, with how long there was none before (D-02)."""

from __future__ import annotations

from collections.abc import Iterator

from cds.facts.context import Context, fact
from cds.facts.exposure import Episode
from cds.facts.intervals import days_in, union
from cds.facts.orders import judged
from cds.facts.starts import days_without
from cds.facts.supply import weakest
from cds.model import Fact

ADHD_GROUPS = frozenset({"STIM", "ADHD-NS"})  # guanfacine and clonidine: extended release only, by the class table
_LOOK_BACK = 430  # days; longer than any site lets the second check be asked for
_TREATMENT_DAYS = 300  # days after the start in which the measure counts treatment (CMS136: 30 and 270)


def starts(c: Context) -> Iterator[Fact]:
    """First days of use of the class, past and planned; the rule says how long before them there must be no use."""
    episodes = c.class_episodes(ADHD_GROUPS, grace=int(c.p["grace_stimulant"]))
    used = union(interval for e in episodes for interval in e.covered)
    for episode in episodes:
        yield from _start(c, episode, used)
    yield from _planned(c, used)


def _start(c: Context, episode: Episode, used: tuple[tuple[int, int], ...]) -> Iterator[Fact]:
    opening = [s for s in episode.stretches if s.first == episode.start]
    # 10.10: a statement never makes a new start.
    if episode.start < c.today - _LOOK_BACK or all(s.only_stated for s in opening):
        return
    so_far = c.today - episode.start  # days in [start, yesterday], never 0: the first of them is covered
    yield fact(
        "adhd_start",
        f"adhd_start:{episode.start - c.today}",
        episode.refs,
        planned=False,
        drug=opening[0].label,
        day=c.rel(episode.start),
        days_without=days_without(c, used, episode.start),
        covered_days=days_in(used, episode.start, min(episode.start + _TREATMENT_DAYS, c.today - 1)),
        covered_percent=100 * days_in(used, episode.start, c.today - 1) / so_far,
        confidence=weakest(s.confidence for o in opening for s in o.supplies if s.source != "statement"),
    )


def _planned(c: Context, used: tuple[tuple[int, int], ...]) -> Iterator[Fact]:
    """The order being signed, as a start that lies ahead."""
    for order, part in judged(c):
        if part.ingredient.class_group not in ADHD_GROUPS:
            continue
        day = max(order.start if order.start is not None else c.today, c.today)
        yield fact(
            "adhd_start",
            f"adhd_start:planned:{order.ref}#{part.ingredient.key}",
            [order.ref],
            planned=True,
            drug=order.medication.label,
            day=c.rel(day),
            days_without=days_without(c, used, day),
            confidence="high",
        )
