"""A hang and a segfault forced in the durable engine's child: the request still answers in time, alike."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from cds.authoring.cases import read_cases
from cds.engine import available
from tests.hooks.service import ROOT, running

CASE = next(
    c
    for c in read_cases(ROOT / "fixtures/cases/benzodiazepine_new_order.yaml", sweep=False)
    if c.name == "thirty days and two refills"
)
# The engine's deadline is 50 ms; the rest is the request itself on a busy machine.
IN_TIME_SECONDS = 2.0


def findings(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body["extension"]["org.psychmed.evaluation"]["findings"], option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize("engine", ["verified", "durable"])
@pytest.mark.parametrize("fault", ["hang", "segfault"])
def test_a_fault_in_the_durable_child_never_costs_a_request(fault: str, engine: str) -> None:
    if available()["durable"] != "works":
        from tests.conftest import missing

        missing("durable-rules does not work here")
    day = {"PSYCHMED_TODAY": CASE.today.isoformat(), "PSYCHMED_TIME_ZONE": CASE.time_zone}
    with running(PSYCHMED_ENGINE="direct", **day) as service:
        wanted = findings(service.post("psychmed-order-sign", CASE.request).json())
    assert b'"spec":"B-01"' in wanted
    with running(PSYCHMED_ENGINE=engine, PSYCHMED_TEST_FAULT=fault, **day) as service:
        for _ in range(12):  # more often than the deaths after which the child stays off
            start = time.perf_counter()
            answer = service.post("psychmed-order-sign", CASE.request)
            assert time.perf_counter() - start < IN_TIME_SECONDS
            assert answer.status_code == 200
            assert findings(answer.json()) == wanted
