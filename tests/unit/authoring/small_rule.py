"""A rule small enough to list its mutants by hand, and cases for it."""

from __future__ import annotations

from pathlib import Path

from cds.authoring.cases import CaseFile, read_file
from cds.authoring.examine import Examined, Wanted, examine
from cds.cli.doors import EngineDoor

RULE = """\
schema: cds-rule/1
id: long-use
spec: X-TST-01
version: 1.0.0
status: active
title: Long use
rank: 1
hooks: [patient-view]
audit: false
owner: ""
clinical_review: []
review_by: 2027-11-21
sources: [{id: s, cite: a source, url: "https://example.org", supports: []}]
known_false_alerts: []
parameters:
  max_days: {value: 28 d, range: 14 d to 84 d, source: P, why: four weeks}
silenced_by: [hospice]
levels:
  - name: long
    indicator: warning
    when:
      - use: exposure
        where:
          - class_group is BZD
          - covered_days is more than max_days
    unless:
      - other: exposure
        where: [class_group is ZDRUG, start is after use.start]
    summary: "{use.covered_days} of use; limit {max_days}"
    why: "covered since {use.start}"
card: {source: s, evidence: none, override_reasons: []}
"""
HEAD = """\
rule: long-use
spec: X-TST-01
today: 2026-03-02
also_today: [2024-02-29]
time_zone: America/New_York
hook: patient-view
patients:
  on_lorazepam:
    - patient: {age: 45}
    - fills l: {drug: lorazepam 0.5, from: -40d, days_supply: 40d, take: 1, times: 2}
"""
CASES = (
    HEAD
    + """\
cases:
  - name: forty days
    patient: on_lorazepam
    expect: warning
  - name: nothing taken
    patient: on_lorazepam
    without: [l]
    expect: silent
"""
)
# The same with a case at each bound, and for each thing that the rule asks.
COMPLETE = (
    CASES
    + """\
  - name: four weeks
    patient: on_lorazepam
    change: {l: {from: -28d, days_supply: 28d}}
    expect: silent
  - name: a day more than four weeks
    patient: on_lorazepam
    change: {l: {from: -29d, days_supply: 29d}}
    expect: warning
  - name: a day more than that
    patient: on_lorazepam
    change: {l: {from: -30d, days_supply: 30d}}
    expect: warning
  - name: a Z-drug alone
    patient: on_lorazepam
    change: {l: {drug: zolpidem 10}}
    expect: silent
  - name: a Z-drug begun a day later
    patient: on_lorazepam
    add: [fills z: {drug: zolpidem 10, from: -39d, days_supply: 30d, take: 1}]
    expect: silent
  - name: a Z-drug begun on the same day
    patient: on_lorazepam
    add: [fills z: {drug: zolpidem 10, from: -40d, days_supply: 30d, take: 1}]
    expect: warning
  - name: a second, short course of the same
    patient: on_lorazepam
    change: {l: {from: -120d}}
    add: [fills again: {drug: lorazepam 0.5, from: -20d, days_supply: 10d, take: 1, times: 2}]
    expect: warning
  - name: in hospice care
    patient: on_lorazepam
    add: [visit h: {date: -3d, class: HH, disposition: hospice}]
    expect: silent
"""
)


def written(folder: Path, cases: str, *, rule: str = RULE) -> CaseFile:
    """The rule and its cases in files of their own."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/long_use.yaml").write_text(rule)
    (folder / "cases.yaml").write_text(cases)
    return read_file(folder / "cases.yaml", shown_as="cases.yaml")


def examined(folder: Path, cases: str, *, rule: str = RULE, boundaries: bool = False) -> Examined:
    """Cases run, covered and hunted with."""
    file = written(folder, cases, rule=rule)
    door = EngineDoor(rules_dir=[folder / "rules"])
    wanted = Wanted(sweep=False, coverage=True, mutate=True, boundaries=boundaries)
    return examine(file, door, door.evaluator("UTC").rules, wanted)


def surviving(found: Examined) -> list[str]:
    """The mutants that no case catches and no entry explains, by their wording."""
    assert found.survivors is not None
    return sorted(h.mutant.wording for h in found.survivors.unexplained)
