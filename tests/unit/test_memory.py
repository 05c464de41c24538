"""What was shown is remembered by patient, drug class and day, and reaches the rules that say a thing once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pytest

from cds.authoring.notation import Writer
from cds.chart.model import Memory
from cds.evaluate import Evaluator
from cds.memory import MOST_ENTRIES, MOST_PATIENTS, InMemory
from cds.settings import load_settings
from hooks.request import read_call

TODAY = dt.date(2026, 3, 2)
LITHIUM = ("draft d1", {"drug": "lithium 300", "take": 1, "times": 2, "days": "30d"})


def entry(day: int = 0, key: str = "BZD") -> Memory:
    return Memory("B-02", key, "shown", None, day)


def test_each_patient_has_their_own_memory() -> None:
    memory = InMemory()
    memory.remember("p1", [entry()])
    assert tuple(memory.recall("p1")) == (entry(),)
    assert tuple(memory.recall("p2")) == ()


def test_the_same_entry_is_kept_once() -> None:
    memory = InMemory()
    memory.remember("p1", [entry(), entry()])
    memory.remember("p1", [entry()])
    assert len(memory.recall("p1")) == 1


def test_memory_is_bounded_in_patients_and_in_entries_and_forgets_the_oldest() -> None:
    memory = InMemory()
    memory.remember("p", [entry(day) for day in range(MOST_ENTRIES + 5)])
    assert [m.day for m in memory.recall("p")] == list(range(5, MOST_ENTRIES + 5))
    for n in range(MOST_PATIENTS):
        memory.remember(f"p{n}", [entry()])
    assert tuple(memory.recall("p")) == ()
    assert memory.recall(f"p{MOST_PATIENTS - 1}")


def call(*lines: tuple[str, Any], extension: Any = None) -> Any:
    writer = Writer(TODAY)
    for name, body in (("patient", {"age": 40}), LITHIUM, ("failed", ["Observation"]), *lines):
        writer.line(name, body)
    request = writer.request("order-sign")
    if extension is not None:
        request["extension"] = extension
    return read_call(orjson.dumps(request), "order-sign")


def specs(evaluator: Evaluator, asked: Any, today: dt.date = TODAY) -> list[str]:
    return [f.spec for f in evaluator.evaluate(asked, today=today).findings]


def test_a_service_with_a_memory_says_once_a_day_what_could_not_be_read() -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"), memory=InMemory())
    assert specs(evaluator, call()) == ["SAFE-01"]
    assert specs(evaluator, call()) == []
    assert specs(evaluator, call(), TODAY + dt.timedelta(days=1)) == ["SAFE-01"]


def test_a_service_without_a_memory_says_it_each_time() -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"))
    assert [specs(evaluator, call()), specs(evaluator, call())] == [["SAFE-01"], ["SAFE-01"]]


def test_what_a_client_remembers_counts_like_our_own() -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"))
    told = {"org.psychmed.memory": [{"spec": "SAFE-01", "date": TODAY.isoformat()}]}
    assert specs(evaluator, call(extension=told)) == []


def test_what_was_remembered_for_a_later_day_does_not_count_yet() -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"))
    told = {"org.psychmed.memory": [{"spec": "SAFE-01", "date": (TODAY + dt.timedelta(days=1)).isoformat()}]}
    assert specs(evaluator, call(extension=told)) == ["SAFE-01"]


@pytest.mark.parametrize(
    "extension",
    [
        {"org.psychmed.memory": [{"spec": "SAFE-01"}]},
        {"org.psychmed.memory": [{"spec": "SAFE-01", "date": "yesterday"}]},
        {"org.psychmed.memory": {"spec": "SAFE-01"}},
        ["org.psychmed.memory"],
        {"org.psychmed.memory": [7]},
    ],
)
def test_a_memory_that_cannot_be_read_costs_itself_and_is_named(extension: Any) -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"))
    evaluation = evaluator.evaluate(call(extension=extension), today=TODAY)
    assert [f.spec for f in evaluation.findings] == ["SAFE-01"]
    assert any(bad.where.startswith("extension") for bad in evaluation.bad_resources)


def test_another_extension_of_the_client_is_no_business_of_ours() -> None:
    evaluator = Evaluator(load_settings(time_zone="UTC", engine="direct"))
    evaluation = evaluator.evaluate(call(extension={"com.ehr": {"deep": [1]}}), today=TODAY)
    assert evaluation.bad_resources == ()
