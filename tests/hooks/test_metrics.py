"""Readiness and metrics: what a scrape sees, read by Prometheus' own parser."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from cds.engine.durable import EngineCounters
from cds.rules import load_rules
from hooks.metrics import BOUNDS, FAMILIES, Metrics
from hooks.observe import endpoint_of
from tests.hooks.service import ROOT, RunningService, running

SIGN = "psychmed-order-sign"


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape. Raises ValueError for what Prometheus could not read."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(service: RunningService) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = requests.get(f"{service.url}/metrics", timeout=30)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


def value_of(service: RunningService, name: str, **labels: str) -> float:
    """The value of one series; 0 when there is none."""
    return scrape(service).get((name, frozenset(labels.items())), 0)


def test_ready_says_which_rules_and_engine_decide(service: RunningService) -> None:
    answer = requests.get(f"{service.url}/ready", timeout=30)
    assert answer.status_code == 200
    state = answer.json()
    assert state["status"] == "ready"
    assert state["rules"] == len([r for r in load_rules()[0].rules if r.status in ("active", "silent")])
    assert state["rules_left_out"] == 0
    assert state["engine"] in ("direct", "durable", "verified")
    assert state["durable_rules_off"] is False


def test_a_service_on_which_every_rule_is_off_is_not_ready() -> None:
    off = {rule.id: {"status": "off"} for rule in load_rules()[0].rules}
    with running(PSYCHMED_RULES=json.dumps(off)) as service:
        answer = requests.get(f"{service.url}/ready", timeout=30)
        assert answer.status_code == 503
        assert (answer.json()["status"], answer.json()["rules"]) == ("not ready", 0)
        assert requests.get(f"{service.url}/health", timeout=30).status_code == 200


def test_a_call_is_counted_with_its_hook_status_and_duration(
    service: RunningService, order_sign: Callable[..., dict[str, Any]]
) -> None:
    def counted() -> tuple[float, float, float]:
        found = scrape(service)
        where = {("endpoint", "service"), ("hook", "order-sign")}
        return (
            found.get(("psychmed_requests_total", frozenset({*where, ("status", "200")})), 0),
            found.get(("psychmed_requests_total", frozenset({*where, ("status", "400")})), 0),
            found.get(("psychmed_request_seconds_count", frozenset(where)), 0),
        )

    before = counted()
    service.post(SIGN, order_sign())
    service.post(SIGN, b"{")
    after = counted()
    assert (after[0] - before[0], after[1] - before[1], after[2] - before[2]) == (1, 1, 2)


def test_rules_that_were_not_evaluated_and_cards_are_counted_by_rule(
    service: RunningService, order_sign: Callable[..., dict[str, Any]]
) -> None:
    def total(found: dict[Any, float], name: str) -> dict[str, float]:
        kept: dict[str, float] = {}
        for (metric, labels), value in found.items():
            if metric == name:
                rule = dict(labels)["rule"]
                kept[rule] = kept.get(rule, 0) + value
        return kept

    before = scrape(service)
    answer = service.post(SIGN, order_sign()).json()
    after = scrape(service)
    missing = {row["spec"] for row in answer["extension"]["org.psychmed.evaluation"]["not_evaluated"]}
    assert missing
    old, new = total(before, "psychmed_not_evaluated_total"), total(after, "psychmed_not_evaluated_total")
    assert {rule for rule in new if new[rule] > old.get(rule, 0)} == missing
    shown = answer["cards"]
    old, new = total(before, "psychmed_cards_total"), total(after, "psychmed_cards_total")
    assert sum(new.values()) - sum(old.values()) == len(shown)


def test_every_family_is_in_a_scrape_with_its_kind(service: RunningService) -> None:
    text = requests.get(f"{service.url}/metrics", timeout=30).text
    kinds = {f"psychmed_{f.name.removeprefix('psychmed_')}": f.type for f in text_string_to_metric_families(text)}
    for name, family in FAMILIES.items():
        assert kinds[name.removesuffix("_total")] == family.kind, name


def test_every_family_is_documented() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    for name, family in FAMILIES.items():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert all(label in row for label in family.labels), name
        assert row, name


def test_engine_events_are_there_before_anything_happens(service: RunningService) -> None:
    found = scrape(service)
    for event in ("disagreements", "restarts", "deaths"):
        assert ("psychmed_engine_events_total", frozenset({("event", event)})) in found


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/cds-services", ("cds-services", "")),
        ("/cds-services/psychmed-order-sign", ("service", "order-sign")),
        ("/cds-services/psychmed-order-sign/feedback", ("feedback", "order-sign")),
        ("/cds-services/Patient-Zebulon", ("unknown", "")),
        ("/cds-services/psychmed-order-sign/Zebulon", ("unknown", "")),
        ("/Patient/Zebulon", ("unknown", "")),
        ("/education/ssri", ("education", "")),
        ("/metrics", ("metrics", "")),
        ("", ("unknown", "")),
    ],
)
def test_an_address_is_told_in_our_own_words(path: str, known: tuple[str, str]) -> None:
    assert endpoint_of(path) == known


def test_a_histogram_is_cumulative_and_ends_at_infinity() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.3, 9.0):
        metrics.observe("psychmed_request_seconds", seconds, "service", "order-sign")
    found = samples(metrics.text())
    labels = {("endpoint", "service"), ("hook", "order-sign")}
    buckets = [
        found["psychmed_request_seconds_bucket", frozenset({*labels, ("le", str(bound))})]
        for bound in (*BOUNDS, "+Inf")
    ]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[-1]) == (2, 4)
    assert found["psychmed_request_seconds_count", frozenset(labels)] == 4
    assert found["psychmed_request_seconds_sum", frozenset(labels)] == pytest.approx(9.3015)


class Engine:
    def __init__(self, **counts: int) -> None:
        self.counters = EngineCounters(**counts)


def test_what_an_engine_counted_outlives_it() -> None:
    metrics = Metrics()
    first, second = Engine(disagreements=2, disabled=1), Engine()
    metrics.watch("v1", "verified", first)
    first.counters.restarts = 1
    metrics.watch("v2", "verified", second)
    second.counters.disagreements = 1
    found = samples(metrics.text())
    assert found["psychmed_engine_events_total", frozenset({("event", "disagreements")})] == 3
    assert found["psychmed_engine_events_total", frozenset({("event", "restarts")})] == 1
    assert found["psychmed_engine_off", frozenset()] == 0


def test_workers_add_up_and_a_dead_one_leaves_its_counters_only(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.count("psychmed_settings_reloads_total", "done")
    metrics.watch("v1", "direct", None)
    rows = [["psychmed_settings_reloads_total", ["done"], 2], ["psychmed_workers", ["v1", "direct"], 1]]
    # The parent of this process lives; no process has the largest number.
    (tmp_path / f"{os.getppid()}.json").write_text(json.dumps(rows))
    (tmp_path / "4194305.json").write_text(json.dumps(rows))
    (tmp_path / "2.json").write_text("{")
    metrics.save()
    found = samples(metrics.text())
    assert found["psychmed_settings_reloads_total", frozenset({("result", "done")})] == 5
    assert found["psychmed_workers", frozenset({("rules_version", "v1"), ("engine", "direct")})] == 2


def test_one_scrape_sees_the_requests_of_all_workers() -> None:
    with running(PSYCHMED_WORKERS="2", PSYCHMED_ENGINE="direct") as service:
        for _ in range(30):
            requests.get(f"{service.url}/cds-services", timeout=30)  # each on a connection of its own
        until = time.monotonic() + 10
        where = {"endpoint": "cds-services", "status": "200"}
        while (seen := value_of(service, "psychmed_requests_total", **where)) < 30 and time.monotonic() < until:
            time.sleep(0.2)
        assert seen == 30
        assert sum(v for (n, _), v in scrape(service).items() if n == "psychmed_workers") == 2
