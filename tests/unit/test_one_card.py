"""One clinical problem, one card (1.11); a silent branch is the branch, not the rule (10.2)."""

from __future__ import annotations

import datetime as dt

import orjson
import pytest

from cds.authoring.notation import Writer
from cds.evaluate import Evaluator
from cds.findings import Finding
from cds.model import Hook
from cds.settings import load_settings
from hooks.request import read_call
from tests.unit.facts.patients import Line

TODAY = dt.date(2026, 3, 2)
SEEN: Line = ("visit v1", {"date": "-400d"})
DEPRESSION: Line = ("condition mdd", {"code": "F33.1", "onset": "-300d"})


@pytest.fixture(scope="module")
def as_shipped() -> Evaluator:
    return Evaluator(load_settings(time_zone="UTC", engine="direct", today=None))


def found(evaluator: Evaluator, spec: str, *lines: Line, hook: Hook) -> list[Finding]:
    writer = Writer(TODAY)
    for name, body in lines:
        writer.line(name, body)
    call = read_call(orjson.dumps(writer.request(hook)), hook)
    return [f for f in evaluator.evaluate(call, today=TODAY).findings if f.spec == spec]


def test_several_increases_without_a_contact_are_one_gap(as_shipped: Evaluator) -> None:
    lines: list[Line] = [("patient", {"age": 22}), SEEN]
    for n, (drug, day) in enumerate((("sertraline 25", 60), ("sertraline 50", 40), ("sertraline 100", 20))):
        lines.append((f"fills f{n}", {"drug": drug, "take": 1, "from": f"-{day}d", "days_supply": "20d"}))
    (finding,) = found(as_shipped, "D-01", *lines, hook="patient-view")
    assert (finding.level, finding.indicator) == ("young-first-check", "warning")
    assert (TODAY - dt.timedelta(days=60)).isoformat() in finding.summary


def test_a_silent_branch_does_not_keep_back_what_holds_for_every_adult(as_shipped: Evaluator) -> None:
    birth: Line = ("condition birth", {"code": "Z39.2", "onset": "-100d"})
    fills: Line = ("fills s", {"drug": "sertraline 50", "take": 1, "from": "-29d", "days_supply": "60d"})
    findings = found(as_shipped, "D-01", ("patient", {"age": 30}), SEEN, birth, fills, hook="patient-view")
    assert {(f.level, f.disposition) for f in findings} == {
        ("perinatal-first-check", "silent"),
        ("adult-limit", "shown"),
    }


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        (
            "C-01",
            [
                ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-21d", "days": "30d"}),
                ("stop x", {"order": "s1"}),
                ("draft d1", {"drug": "citalopram 20", "take": 1, "days": "30d"}),
                ("draft d2", {"drug": "citalopram 40", "take": 1, "days": "30d"}),
            ],
        ),
        (
            "C-02",
            [
                ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-21d", "days": "60d"}),
                ("draft d1", {"drug": "aripiprazole 5", "take": 1, "days": "30d"}),
                ("draft d2", {"drug": "aripiprazole 2", "take": 1, "days": "30d"}),
            ],
        ),
        (
            "C-03",
            [
                ("condition sz", {"code": "F20.9", "onset": "-300d"}),
                ("order s1", {"drug": "risperidone 4", "take": 1, "authored": "-10d", "days": "30d"}),
                ("stop x", {"order": "s1"}),
                ("draft d1", {"drug": "olanzapine 10", "take": 1, "days": "30d"}),
                ("draft d2", {"drug": "olanzapine 15", "take": 1, "days": "30d"}),
            ],
        ),
        (
            "D-02",
            [
                ("draft d1", {"drug": "methylphenidate ER 36", "take": 1, "days": "30d"}),
                ("draft d2", {"drug": "methylphenidate 5", "take": 1, "days": "30d"}),
            ],
        ),
    ],
)
def test_two_strengths_signed_together_are_one_finding(as_shipped: Evaluator, spec: str, lines: list[Line]) -> None:
    (finding,) = found(as_shipped, spec, ("patient", {"age": 40}), SEEN, DEPRESSION, *lines, hook="order-sign")
    assert {"MedicationRequest/d1", "MedicationRequest/d2"} <= set(finding.evidence)
