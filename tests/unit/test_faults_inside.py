"""A defect of ours costs the rule or the suggestion that it is in; the rest goes out, and what is missing is said."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pytest

from cds.authoring.notation import Writer
from cds.decide import Decision
from cds.evaluate import Evaluator, HookCall
from cds.facts import pairs
from cds.settings import load_settings
from hooks import cards
from hooks.request import read_call
from tests.unit.facts.patients import Line

TODAY = dt.date(2026, 3, 2)
# B-01 warns of the lorazepam (120 days), A-02 of the second SSRI: two rules on facts of different modules.
CHART: list[Line] = [
    ("patient", {"age": 45}),
    ("visit v1", {"date": "-400d"}),
    ("condition mdd", {"code": "F33.1", "onset": "-300d"}),
    ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-200d", "days": "30d", "refills": 11}),
    ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d", "refills": 2}),
    ("draft d2", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": "30d", "refills": 3}),
]


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(load_settings(time_zone="UTC", engine="direct", today=None))


@pytest.fixture
def call() -> HookCall:
    writer = Writer(TODAY)
    for name, body in CHART:
        writer.line(name, body)
    return read_call(orjson.dumps(writer.request("order-sign")), "order-sign")


def broken(*_: Any, **__: Any) -> Any:
    raise ValueError("of Patient/secret")


def test_facts_that_cannot_be_derived_cost_the_rules_that_read_them(
    evaluator: Evaluator, call: HookCall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {f.spec for f in evaluator.evaluate(call, today=TODAY).findings}
    assert whole >= {"A-02", "B-01"}
    monkeypatch.setattr(pairs, "facts", broken)
    found = evaluator.evaluate(call, today=TODAY)
    missing = {(n.spec, n.reason) for n in found.not_evaluated}
    assert ("A-02", "internal: pair") in missing
    assert "B-01" not in {spec for spec, _ in missing}
    assert {f.spec for f in found.findings} == whole - {spec for spec, _ in missing}
    assert "A-02" not in found.evaluated, "a rule that could not look found nothing out"
    assert "facts of cds.facts.pairs could not be derived: ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_finding_that_cannot_be_written_costs_only_itself(
    evaluator: Evaluator, call: HookCall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = Evaluator._finding

    def all_but_one(self: Evaluator, decision: Decision, *rest: Any) -> Any:
        return broken() if decision.rule.spec == "A-02" else write(self, decision, *rest)

    monkeypatch.setattr(Evaluator, "_finding", all_but_one)
    found = evaluator.evaluate(call, today=TODAY)
    assert ("A-02", "internal: card") in {(n.spec, n.reason) for n in found.not_evaluated}
    assert "B-01" in {f.spec for f in found.findings}
    assert "A-02" not in {f.spec for f in found.findings}
    assert "finding of same-class-pair could not be written: ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_suggestion_that_cannot_be_written_does_not_keep_its_card_back(
    evaluator: Evaluator, call: HookCall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = evaluator.evaluate(call, today=TODAY)
    whole = cards.response_json(found, call, time_zone="UTC")["cards"]
    assert all(card["suggestions"] for card in whole)
    monkeypatch.setattr(cards, "action_json", broken)
    without = cards.response_json(found, call, time_zone="UTC")["cards"]
    assert [card["summary"] for card in without] == [card["summary"] for card in whole]
    left = [s for card in without for s in card.get("suggestions", ())]
    assert all("actions" not in suggestion for suggestion in left)
    assert all("suggestions" not in card or "selectionBehavior" in card for card in without)
    assert "left out: ValueError" in caplog.text
    assert "secret" not in caplog.text
