"""What becomes of each finding: absorbed by another, held back by the card budget, or shown, and in which order.

Pure. Nothing is lost: every finding comes back with its disposition (clinical specification 1.11, 10.1, 10.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from cds.findings import Finding
from cds.model import Indicator

Condition = Literal["same medication", "same draft", "same switch", "same pair"]


@dataclass(frozen=True, slots=True)
class Collapse:
    """One clinical problem, one card: a finding of `absorber` stands for a finding of `absorbed` when `when` holds.

    same medication: both rest on one and the same medication record.
    same draft: both rest on the same draft order; where the drafts are not known, on the same medication record.
    same switch: both rest on the same draft, and on a record of the same old drug: beside a second old drug the draft
    is another problem. Where the drafts are not known, as same draft.
    same pair: every order the absorbed finding rests on is also in the absorber's evidence.
    about: only an absorber that is about this (`Finding.about`); empty for any.
    """

    absorber: str
    absorbed: str
    when: Condition
    about: str = ""


# Clinical specification 1.11. Pairs of rules that are not there cannot occur; the table is complete all the same.
COLLAPSE_MAP: tuple[Collapse, ...] = (
    # Of two benzodiazepines only: beside a Z-drug the missing review of the benzodiazepine is a problem of its own.
    Collapse("A-02", "B-02", "same medication", about="benzodiazepine"),
    Collapse("X-DDI-02", "A-02", "same medication"),
    Collapse("X-DDI-02", "B-02", "same medication"),
    Collapse("B-03", "B-02", "same medication"),
    Collapse("D-01", "X-POP-01", "same medication"),
    Collapse("D-01", "X-MBC-01", "same medication"),
    Collapse("X-DOSE-01", "A-01", "same draft"),
    Collapse("C-01", "A-02", "same switch"),
    Collapse("X-DDI-01", "A-02", "same pair"),
    Collapse("X-DDI-03", "A-02", "same pair"),
    Collapse("X-DDI-07", "A-02", "same pair"),
    Collapse("X-DDI-03", "X-DDI-07", "same pair"),
)

_ABSORBERS = frozenset(pair.absorber for pair in COLLAPSE_MAP)
_SEVERITY: dict[Indicator, int] = {"critical": 0, "warning": 1, "info": 2}
_LAST = 1_000_000
_MEDICATION_TYPES = ("MedicationRequest/", "MedicationDispense/", "MedicationStatement/", "MedicationAdministration/")


def apply_policy(
    findings: Sequence[Finding],
    *,
    budget: int | None,
    rank: Mapping[str, int],
    drafts: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Give every finding its disposition and its place.

    findings: any order; one that does not arrive as "shown" (silent, suppressed ...) keeps its disposition,
    and neither absorbs nor is absorbed. budget: most cards that are not forced by being critical; None for no limit.
    rank: spec to its place by tier and rule score, lower first. drafts: references of the draft orders.
    Returns all of them, the most urgent first; the survivor of a collapse names the specs it stands for.
    """
    ordered = sorted(findings, key=lambda finding: _order(finding, rank))
    ordered = _collapse(ordered, frozenset(drafts))
    return tuple(_hold_back(ordered, budget))


def _order(finding: Finding, rank: Mapping[str, int]) -> tuple[int, int, str, tuple[str, ...], tuple[str, ...], str]:
    # Evidence and summary only break ties, so that the same findings always come out in the same order.
    return (
        _SEVERITY[finding.indicator],
        rank.get(finding.spec, _LAST),
        finding.spec,
        finding.subject,
        tuple(sorted(finding.evidence)),
        finding.summary,
    )


def _collapse(ordered: Sequence[Finding], drafts: frozenset[str]) -> list[Finding]:
    shelf = _Shelf(ordered)
    absorber_of = {i: j for i in range(len(ordered)) if (j := shelf.absorber(i, drafts)) is not None}
    stands_for: dict[int, set[str]] = {}
    for i in absorber_of:
        survivor = i
        # A chain ends, because the map has no cycles (held by a test).
        while survivor in absorber_of:
            survivor = absorber_of[survivor]
        stands_for.setdefault(survivor, set()).add(ordered[i].spec)
    result = []
    for i, finding in enumerate(ordered):
        if i in absorber_of:
            result.append(replace(finding, disposition="absorbed"))
        elif i in stands_for:
            result.append(replace(finding, absorbed=tuple(sorted(stands_for[i].union(finding.absorbed)))))
        else:
            result.append(finding)
    return result


class _Shelf:
    """The findings that may absorb others, by spec and by the medication records they rest on.

    A call with a hundred drafts can have thousands of findings: comparing each with each would take minutes.
    """

    def __init__(self, ordered: Sequence[Finding]) -> None:
        self._ordered = ordered
        self._medications = [_medications(finding) for finding in ordered]
        self._by_record: dict[tuple[str, str], list[int]] = {}
        for i, finding in enumerate(ordered):
            if finding.disposition == "shown" and finding.spec in _ABSORBERS:
                for ref in self._medications[i]:
                    self._by_record.setdefault((finding.spec, ref), []).append(i)

    def absorber(self, i: int, drafts: frozenset[str]) -> int | None:
        """The first finding that stands for finding `i`; None when none does."""
        absorbed = self._ordered[i]
        if absorbed.disposition != "shown":
            return None
        found = [
            first
            for pair in COLLAPSE_MAP
            if pair.absorbed == absorbed.spec and (first := self._first(pair, i, drafts)) is not None
        ]
        first = min(found, default=None)
        if first is None or (absorbed.indicator == "critical" and self._ordered[first].indicator != "critical"):
            # "Critical always shown": a milder card never hides one. Critical findings stand first in the order.
            return None
        return first

    def _first(self, pair: Collapse, i: int, drafts: frozenset[str]) -> int | None:
        ours = self._medications[i]
        if pair.when == "same pair":
            orders = {ref for ref in ours if ref.startswith("MedicationRequest/")} or ours
            resting_on_one = self._by_record.get((pair.absorber, min(orders)), []) if orders else []
            return next((j for j in resting_on_one if orders <= self._medications[j]), None)
        shared = ours & drafts if pair.when in {"same draft", "same switch"} and drafts else ours
        old = ours - drafts if pair.when == "same switch" and drafts else None
        firsts = (
            next((j for j in self._by_record.get((pair.absorber, ref), ()) if self._is_meant(pair, j, old)), None)
            for ref in shared
        )
        return min((first for first in firsts if first is not None), default=None)

    def _is_meant(self, pair: Collapse, j: int, old: Set[str] | None) -> bool:
        """Whether absorber `j` is about what the pair of rules names, and rests on one of the old drug's records."""
        if pair.about and self._ordered[j].about != pair.about:
            return False
        return old is None or not self._medications[j].isdisjoint(old)


def _medications(finding: Finding) -> set[str]:
    return {ref for ref in finding.evidence if ref.startswith(_MEDICATION_TYPES)}


def _hold_back(ordered: Sequence[Finding], budget: int | None) -> list[Finding]:
    shown = 0
    result = []
    for finding in ordered:
        if finding.disposition == "shown" and budget is not None:
            if finding.indicator != "critical" and shown >= budget:
                result.append(replace(finding, disposition="budget"))
                continue
            shown += 1
        result.append(finding)
    return result
