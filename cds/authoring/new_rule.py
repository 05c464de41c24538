"""The beginning of a rule: a rule file and a case file that say TODO where only the author knows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cds.errors import CdsError
from cds.rules.model import Rule

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SPEC = re.compile(r"(X-)?[A-Z]+-\d\d")
_FIRST_SPEC = "X-NEW"

_RULE = """\
schema: cds-rule/1
id: {id}
spec: {spec}                 # X- marks a rule that the clinical specification does not have
version: 0.1.0
status: draft                    # draft -> silent -> active; a draft is never evaluated
title: "TODO: what is found, in one line"
rank: 40                         # higher comes first among the cards of one call (0 to 125)
hooks: [order-sign]              # order-select, order-sign, patient-view, encounter-discharge, batch
audit: true
owner: "TODO: who answers for it"
clinical_review: []              # {{reviewer: , role: , date: }} of a clinician who signed this version off
review_by: {review_by}
sources:
  - {{id: guideline, cite: "TODO: who says so", url: "https://example.org/TODO", supports: [limit], checked: {today}}}
known_false_alerts: ["TODO: when it fires and should not"]
related: []
parameters:
  limit: {{value: 30 d, range: 14 d to 90 d, source: TODO, why: "TODO: why this number"}}   # guideline, V, U or P
silenced_by: [deceased, hospice, palliative, inpatient]
needs:
  to_fire: []                    # without these the rule is not evaluated
  to_suppress: [problem-list]    # without these a finding is one level lower
when:
  - order: order                 # <name>: <fact kind>; psychmed vocabulary lists kinds and fields
    where: [TODO]                # which orders: class_group is SRI, habit_forming is true, ...
levels:                          # tried in order; the first that holds gives the finding
  - name: too-long
    indicator: info              # info, warning, critical
    when:
      - order: order
        where: [authorised_days is more than limit]
    summary: "{{order.drug}} order covers {{order.authorised_days}}. TODO: what to consider?"
    why: "the order authorises {{order.authorised_days}}, more than {{limit}}."
card:
  source: guideline
  evidence: "TODO: what the source says, in its words"
  facts:
    - [Order, "{{order.drug}}: {{order.authorised_days}}"]
  options:
    - "TODO: what the prescriber may do"
  override_reasons: [specialist-advice, patient-preference]
  suggestions: []
"""

_CASES = """\
rule: {id}
spec: {spec}
today: {today}
also_today: [2024-02-29, 2025-12-31]   # every case runs again on these days
time_zone: America/New_York
hook: order-sign
patients:
  adult:
    - patient: {{age: 45}}
cases:
  - name: "TODO: fires one day beyond the limit"
    patient: adult
    add: [draft d1: {{drug: sertraline 50, take: 1, days: 31d, refills: 0}}]   # drugs: fixtures/drugs.yaml
    expect: info
    level: too-long
  - name: "TODO: silent at the limit to the day"
    patient: adult
    add: [draft d1: {{drug: sertraline 50, take: 1, days: 30d, refills: 0}}]
    expect: silent
    because: authorised_days is more than 30   # the comparison that kept it silent
"""


class NotWritten(CdsError):
    """A rule that cannot be begun: its id, its specification id, or its place."""


@dataclass(frozen=True, slots=True)
class NewRule:
    """What was written, and where."""

    rule: Path
    cases: Path
    spec: str


def new_rule(rule_id: str, *, into: Path, spec: str | None, known: Iterable[Rule], today: dt.date) -> NewRule:
    """Write `<into>/<id>.yaml` and `<into>/cases/<id>.yaml`, underscores for hyphens.

    spec: None takes the next free X-NEW-nn. known: rules whose ids are taken. Raises NotWritten, with nothing written,
    for an id that is taken or malformed, and when one of the files is there already.
    """
    rules = list(known)
    if not _ID.fullmatch(rule_id):
        raise NotWritten(f'"{rule_id}" is no id: write lower-case words joined by hyphens, as long-first-supply')
    if spec is not None and not _SPEC.fullmatch(spec):
        raise NotWritten(f'"{spec}" is no specification id: write capitals and two digits, as X-OWN-01')
    for rule in rules:
        if rule.id == rule_id:
            raise NotWritten(f'there is a rule "{rule_id}": {rule.path}')
        if rule.spec == spec:
            raise NotWritten(f"{spec} is the specification id of {rule.id}: {rule.path}")
    chosen = spec or _next_spec(rules)
    name = f"{rule_id.replace('-', '_')}.yaml"
    written = NewRule(into / name, into / "cases" / name, chosen)
    texts = {written.rule: _RULE, written.cases: _CASES}
    for path in texts:
        if path.exists():
            raise NotWritten(f"{path} is there already; nothing was written")
    values = {"id": rule_id, "spec": chosen, "today": today, "review_by": today + dt.timedelta(days=365)}
    try:
        written.cases.parent.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.format(**values))
    except OSError as error:
        raise NotWritten(f"{into}: cannot be written: {error.strerror}") from None
    return written


def _next_spec(rules: Iterable[Rule]) -> str:
    taken = {rule.spec for rule in rules}
    return next(spec for n in range(1, 100) if (spec := f"{_FIRST_SPEC}-{n:02}") not in taken)
