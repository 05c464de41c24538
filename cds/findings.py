"""Findings: what the rules concluded about one patient, and what was withheld, missing and looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cds.model import Hook, Indicator

Disposition = Literal["shown", "absorbed", "budget", "suppressed", "silent", "throttled"]
SuggestionId = Literal[
    "S-DEL", "S-STOP-OLD", "S-XTAPER", "S-SHORT", "S-TAPER", "S-DOSE",
    "S-FU", "S-CALL", "S-PHQ", "S-ALT", "S-THER", "S-REVIEW", "S-LAB",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One change the EHR can apply, in the house's words; `cds.fhir.out` writes the FHIR resource.

    target: the reference the action is about ("MedicationRequest/d1"): the draft for update and delete.
    changes: house terms, see the table in `cds.fhir.out`; day numbers count from today.
    """

    type: Literal["create", "update", "delete"]
    kind: SuggestionId
    description: str
    target: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A choice on a card: a label and the actions it stands for (none: keep the order as it is)."""

    id: SuggestionId
    label: str
    actions: tuple[Action, ...]
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """The evidence named on the card."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion of one rule. Everything a card needs and everything an audit keeps.

    looked_at: what was read to reach it ("12 medication orders", "encounters: searched, none found").
    missing: what could not be read or identified, in words for the clinician.
    evidence: references of the resources it rests on. absorbed: spec ids of findings this one stands for.
    subject: the binding refs that make two findings of one rule different; part of the sort order, never shown.
    about: class or drug it is about; with `spec` it recognises the same finding on another day.
    education: ids of the pages for the patient (`cds.education`).
    """

    spec: str
    rule: str
    version: str
    title: str
    level: str
    indicator: Indicator
    summary: str
    detail: str
    source: Source
    evidence: tuple[str, ...]
    suggestions: tuple[Suggestion, ...] = ()
    override_reasons: tuple[str, ...] = ("other",)
    looked_at: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    absorbed: tuple[str, ...] = ()
    disposition: Disposition = "shown"
    subject: tuple[str, ...] = ()
    about: str = ""
    education: tuple[str, ...] = ()

    def canonical(self) -> dict[str, Any]:
        """The finding as it stands in `findings` of a response, an audit and a test: no uuid, no time."""
        return {
            "spec": self.spec,
            "rule": self.rule,
            "version": self.version,
            "level": self.level,
            "indicator": self.indicator,
            "summary": self.summary,
            "evidence": sorted(self.evidence),
            "disposition": self.disposition,
        }


MOST_BAD_RESOURCES = 100


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """A rule that could not be decided, and the datum it lacked ("encounter-search", "order.auth_days")."""

    spec: str
    reason: str


@dataclass(frozen=True, slots=True)
class BadResource:
    """A resource that could not be read. where: "prefetch.conditions.entry[3]"; reason: never content."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole answer for one patient, one hook, one day."""

    hook: Hook
    today: dt.date
    rules_version: str
    engine: str
    findings: tuple[Finding, ...]
    evaluated: tuple[str, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    ignored_resources: Mapping[str, int]
    bad_resources: tuple[BadResource, ...]
    medications: Mapping[str, int]  # identified, unidentified, conflict, not-listed

    def canonical(self) -> dict[str, Any]:
        """The public form under `org.psychmed.evaluation`, ready for JSON: sorted, without uuid and time.

        At most MOST_BAD_RESOURCES of the bad resources are listed; one more row then counts the rest.
        """
        withheld = [f for f in self.findings if f.disposition != "shown"]
        return {
            "rules_version": self.rules_version,
            "engine": self.engine,
            "today": self.today.isoformat(),
            "findings": [f.canonical() for f in self.findings],
            "withheld": [{"spec": f.spec, "indicator": f.indicator, "reason": f.disposition} for f in withheld],
            "evaluated": sorted(set(self.evaluated)),
            "not_evaluated": [{"spec": n.spec, "reason": n.reason} for n in self.not_evaluated],
            "ignored_resources": dict(sorted(self.ignored_resources.items())),
            "bad_resources": [{"where": b.where, "reason": b.reason} for b in _bounded(self.bad_resources)],
            "medications": dict(sorted(self.medications.items())),
        }


def _bounded(bad: tuple[BadResource, ...]) -> tuple[BadResource, ...]:
    rest = len(bad) - MOST_BAD_RESOURCES
    if rest <= 0:
        return bad
    return (*bad[:MOST_BAD_RESOURCES], BadResource("…", f"and {rest} more"))
