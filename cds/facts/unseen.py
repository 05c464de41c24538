"""Long treatment and the last contact with a prescriber: who takes a drug for months and is not seen (D-04)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact
from cds.facts.exposure import Episode, Stretch, episodes
from cds.facts.intervals import gap, union
from cds.facts.orders import judged
from cds.model import Fact

_MOST_DAYS = 400  # days of encounters that a chart surely holds (specification 5): no longer gap is claimed


@dataclass(frozen=True, slots=True)
class _Group:
    """One class whose use is one course. limits: which shared parameters say how long it may go unseen."""

    key: str
    limits: str
    grace: str
    belongs: Callable[[Context, Stretch], bool]


def _of_groups(*groups: str) -> Callable[[Context, Stretch], bool]:
    return lambda c, s: s.part.ingredient.class_group in groups and not c.is_adjunct(s)


def _of_moiety(moiety: str) -> Callable[[Context, Stretch], bool]:
    return lambda _c, s: s.part.ingredient.moiety == moiety


def _is_opioid_treatment(c: Context, s: Stretch) -> bool:
    """1.3: buprenorphine or methadone with a diagnosis of opioid use disorder."""
    return "OUD-MED" in s.part.ingredient.tags and any("opioid-use" in d.groups for d in c.chart.diagnoses)


def _is_injection(_c: Context, s: Stretch) -> bool:
    return s.part.ingredient.class_group == "AP" and s.supplies[-1].medication.long_acting_injection


# The order decides nothing: a drug of two groups (clozapine is an antipsychotic too) makes a course in each.
_GROUPS = (
    _Group("benzodiazepine", "controlled", "grace_benzodiazepine", _of_groups("BZD")),
    _Group("z-drug", "controlled", "grace_z_drug", _of_groups("ZDRUG")),
    _Group("stimulant", "controlled", "grace_stimulant", _of_groups("STIM")),
    _Group("opioid-treatment", "controlled", "grace_mood", _is_opioid_treatment),
    _Group("lithium", "monitored", "grace_mood", _of_moiety("lithium")),
    _Group("valproate", "monitored", "grace_mood", _of_moiety("valproate")),
    _Group("carbamazepine", "monitored", "grace_mood", _of_moiety("carbamazepine")),
    _Group("clozapine", "monitored", "grace_antipsychotic", _of_moiety("clozapine")),
    _Group("long-acting-injection", "monitored", "grace_antipsychotic", _is_injection),
    _Group("antipsychotic", "antipsychotic", "grace_antipsychotic", _of_groups("AP")),
    _Group("antidepressant", "antidepressant", "grace_antidepressant", _of_groups(*ANTIDEPRESSANT_GROUPS)),
)


def facts(c: Context) -> Iterator[Fact]:
    """The last contact (one fact a patient), each long course in use, and each order of the call that renews one."""
    running = [(g, e) for g in _GROUPS if (e := _running(c, g)) is not None]
    if not running:
        return
    seen = _last_seen(c)
    yield seen
    for group, episode in running:
        yield _course(c, group, episode)
        yield from _renewals(c, group, episode, seen)


def _running(c: Context, group: _Group) -> Episode | None:
    """The class-level episode in use today: covered yesterday, or within grace."""
    grace = int(c.p[group.grace])
    found = episodes(
        (s for key in c.stretches for s in c.past(key) if group.belongs(c, s)), grace=grace, bridged=c.stays
    )
    return found[-1] if found and gap(found[-1].end, c.today, c.stays) <= grace else None


def _last_seen(c: Context) -> Fact:
    """The latest contact before today with somebody who may prescribe.

    A contact of which the record does not say who took part counts: without roles every contact does (7.1). A chart
    without any such contact has been without one for as long as its records go back, as far as that is sure.
    """
    last = max(
        (v for v in c.chart.visits if v.kind == "contact" and v.prescriber is not False and v.start < c.today),
        key=lambda v: (v.start, bool(v.prescriber), v.ref),
        default=None,
    )
    if last is None:
        recorded = c.today - c.chart.earliest if c.chart.earliest is not None else None
        return fact(
            "last_seen",
            "last_seen",
            days_unseen=None if recorded is None else min(recorded, _MOST_DAYS),
            counted="none found",
        )
    return fact(
        "last_seen",
        "last_seen",
        [last.ref],
        day=c.rel(last.start),
        days_unseen=c.today - last.start,
        counted="contacts with a prescriber" if last.prescriber else "any contact (roles are not recorded)",
    )


def _limits(c: Context, group: _Group) -> Mapping[str, float]:
    return {level: float(c.p[f"unseen_{level}_{group.limits}"]) for level in ("info", "warning")}


def _course(c: Context, group: _Group, episode: Episode) -> Fact:
    limits = _limits(c, group)
    return fact(
        "long_course",
        # The strictest limit comes first: of several courses that a level holds for, the card names that one (10.30).
        f"long_course:{int(limits['warning']):05d}:{int(limits['info']):05d}:{group.key}",
        episode.refs,
        group=group.key,
        # Of several drugs of the class the one in hand longest: a short second one may be over.
        drug=max(episode.stretches, key=lambda s: (s.last, s.first, s.refs)).label,
        since=c.rel(episode.start),
        covered_days=episode.covered_days(episode.start, episode.end),
        info_limit=limits["info"],
        warning_limit=limits["warning"],
        confidence=episode.confidence,
    )


def _renewals(c: Context, group: _Group, episode: Episode, seen: Fact) -> Iterator[Fact]:
    """Orders of the call for a drug of the class. days_unseen_at_end: when the last of their supply is used up, with
    what is in hand taken first (10.7)."""
    limits = _limits(c, group)
    in_use = c.today - 1 - int(c.p[group.grace])
    keys = {s.part.ingredient.key for s in episode.stretches if s.last >= in_use}
    in_hand = union(
        (max(s.first, c.today), s.last)
        for key in c.stretches
        for s in c.stretches[key]
        if s.last >= c.today and group.belongs(c, s) and all(x.source in {"fill", "order"} for x in s.supplies)
    )
    left = sum(last - first + 1 for first, last in in_hand)
    for order, part in judged(c):
        # Another drug of the class is a switch, which other rules judge.
        if order.role != "draft" or part.ingredient.key not in keys:
            continue
        days = order.authorised_days
        unseen = seen.fields.get("days_unseen")
        at_end = None if days is None or unseen is None else float(unseen) + left + days
        yield fact(
            "renewal",
            f"renewal:{int(limits['warning']):05d}:{int(limits['info']):05d}:{group.key}:{order.ref}#{part.ingredient.key}",
            [order.ref, *episode.refs],
            id=f"{order.ref}#{part.ingredient.key}",
            group=group.key,
            drug=order.medication.label,
            controlled=group.limits == "controlled",
            covered_days=episode.covered_days(episode.start, episode.end),
            authorised_days=days,
            days_unseen_at_end=at_end,
            past_limit_days=None if at_end is None else at_end - limits["warning"],
            info_limit=limits["info"],
            warning_limit=limits["warning"],
        )
