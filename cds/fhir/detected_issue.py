"""A finding as a FHIR R4 DetectedIssue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cds.fhir.codes import FINDING, RULE
from cds.model import Indicator

_SEVERITY: Final[dict[Indicator, str]] = {"critical": "high", "warning": "moderate", "info": "low"}


@dataclass(frozen=True, slots=True)
class Issue:
    """What a DetectedIssue is made of. patient: its bare id. day: the day as of which the chart was judged."""

    id: str
    patient: str
    day: dt.date
    indicator: Indicator
    rule: str
    version: str
    title: str
    summary: str
    detail: str
    implicated: tuple[str, ...]
    evidence: tuple[str, ...]
    source_url: str
    author: str


def detected_issue(issue: Issue) -> dict[str, Any]:
    """The resource. Its status is preliminary: a program found it, and nobody has looked at it yet.

    `implicated` are the orders, `evidence.detail` everything else that the finding rests on; the profile of neither is
    narrower than "any resource". Nothing is empty or null.
    """
    beside = [ref for ref in issue.evidence if ref not in set(issue.implicated)]
    coding = {"system": RULE, "version": issue.version, "code": issue.rule, "display": issue.title}
    resource: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": issue.id,
        "identifier": [{"system": FINDING, "value": issue.id}],
        "status": "preliminary",
        "code": {"coding": [{k: v for k, v in coding.items() if v}], "text": issue.summary or issue.title},
        "severity": _SEVERITY[issue.indicator],
        "patient": {"reference": _patient(issue.patient)},
        "identifiedDateTime": issue.day.isoformat(),
        "author": {"type": "Device", "display": issue.author},
        "implicated": [{"reference": ref} for ref in issue.implicated],
        "evidence": [{"detail": [{"reference": ref} for ref in beside]}] if beside else [],
        "detail": issue.detail.strip(),
        "reference": issue.source_url if urlsplit(issue.source_url).scheme in {"https", "http", "urn"} else "",
    }
    return {name: value for name, value in resource.items() if value}


def _patient(patient: str) -> str:
    return patient if "/" in patient or patient.startswith("urn:") else f"Patient/{patient}"
