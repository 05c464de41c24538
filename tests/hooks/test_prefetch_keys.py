"""A service asks for what the rules of its hook read, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
import requests

from cds.authoring.cases import case_files, read_cases
from cds.evaluate import Evaluator
from cds.needs import types_of
from cds.rules import load_rules
from cds.rules.model import Level, Rule
from cds.rules.schema import Need
from cds.settings import Settings
from cds.shipped import shipped
from hooks.discovery import PREFETCH, SERVICES, Service
from hooks.kinds import KINDS
from hooks.request import read_call
from tests.hooks.service import running

# What facts are made of, where it is not the medicines.
OF_FACTS = {
    "booking": {"Appointment", "Encounter", "ServiceRequest", "Task"},
    "contact": {"Encounter"},
    "diagnosis": {"Condition"},
    "discharge": {"Encounter"},
    "emergency_visit": {"Encounter"},
    "gate": {"Condition", "Encounter", "ServiceRequest"},
    "intolerance": {"AllergyIntolerance"},
    "last_seen": {"Encounter"},
    "patient": {"Patient"},
    "review": {"Task"},
    "risk": {"Condition", "Observation"},
}
MEDICINES = {"MedicationRequest", "MedicationDispense", "MedicationStatement", "MedicationAdministration"}
FEWER = [service for service in SERVICES if len(service.prefetch_keys) < len(PREFETCH)]


def levels(service: Service) -> Iterator[tuple[Rule, Level]]:
    """The levels that are asked at the hook of a service."""
    kind = KINDS[service.hook]
    rules, problems = load_rules([])
    assert not problems
    for rule in (rules if kind.families is None else rules.of(kind.families)).rules:
        yield from ((rule, level) for level in rule.levels if kind.answers in rule.hooks & level.hooks)


def types(service: Service) -> set[str]:
    return {PREFETCH[key][0] for key in service.prefetch_keys}


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.hook)
def test_what_the_rules_of_a_hook_need_is_asked_for(service: Service) -> None:
    needs = {
        need
        for rule, level in levels(service)
        for needs in (rule.needs, level.needs)
        for need in (*needs.to_fire, *needs.to_suppress)
    }
    assert needs
    assert {need: set(types_of(need)) - types(service) for need in needs} == {need: set() for need in needs}


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.hook)
def test_what_the_facts_of_a_hook_are_made_of_is_asked_for(service: Service) -> None:
    kinds = {
        pattern.kind
        for _, level in levels(service)
        for spec in (level.spec, *(lowering.spec for lowering in level.lowerings))
        if spec is not None
        for pattern in (*spec.patterns, *spec.unless)
    }
    assert kinds & set(OF_FACTS)
    assert set().union(MEDICINES, *(OF_FACTS.get(kind, ()) for kind in kinds)) <= types(service)


def test_the_number_of_keys_of_each_hook_is_known() -> None:
    assert {service.hook: len(service.prefetch_keys) for service in SERVICES} == {
        "patient-view": 12,
        "order-select": 8,
        "order-sign": 12,
        "encounter-discharge": 10,
        "encounter-start": 12,
        "medication-refill": 12,
        "appointment-book": 11,
        "medication-prescribe": 12,
        "order-review": 12,
    }


def answers(evaluator: Evaluator, request: dict[str, Any], hook: str, today: Any) -> list[Any]:
    found = evaluator.evaluate(read_call(orjson.dumps(request), hook), today=today).canonical()
    return [found["findings"], found["not_evaluated"]]


@pytest.mark.parametrize("service", FEWER, ids=lambda s: s.hook)
def test_what_a_service_does_not_ask_for_changes_nothing_in_any_case(service: Service) -> None:
    evaluator = Evaluator(Settings(time_zone="America/New_York", engine="direct"), every_branch=True)
    left_out = set(PREFETCH) - set(service.prefetch_keys)
    compared = set()
    cases = [c for file in case_files(shipped("fixtures/cases")) for c in read_cases(file)]
    first = min(case.today for case in cases)
    for case in cases:
        request = json.loads(case.request)
        sent = {key for key in left_out if (request["prefetch"].get(key) or {}).get("entry")}
        if not sent or case.today != first:
            continue
        compared |= sent
        context = request["context"]
        for name in ("draftOrders", "appointments"):
            context.setdefault(name, {"resourceType": "Bundle", "entry": []})
        whole = request | {"hook": service.hook}
        asked = {key: value for key, value in request["prefetch"].items() if key not in left_out}
        assert answers(evaluator, whole, service.hook, case.today) == answers(
            evaluator, whole | {"prefetch": asked}, service.hook, case.today
        ), case.name
    assert compared == left_out


def test_what_a_rule_of_the_site_needs_is_asked_for_too(tmp_path: Path) -> None:
    own = (shipped("rules") / "benzodiazepine_new_order.yaml").read_text("utf-8")
    own = own.replace("id: benzodiazepine-new-order", "id: test-of-a-site").replace("spec: B-01", "spec: X-TEST-01")
    own = own.replace("to_suppress: [medication-history, problem-list]", "to_suppress: [medication-history, results]")
    (tmp_path / "test_of_a_site.yaml").write_text(own)
    with running(PSYCHMED_RULES_DIR=str(tmp_path)) as service:
        offered = requests.get(f"{service.url}/cds-services", timeout=30).json()["services"]
        assert requests.get(f"{service.url}/health", timeout=30).json()["status"] == "ok"
    keys = {entry["hook"]: list(entry["prefetch"]) for entry in offered}
    usual = {service.hook: list(service.prefetch_keys) for service in SERVICES}
    more = {hook: set(keys[hook]) - set(usual[hook]) for hook in usual if keys[hook] != usual[hook]}
    assert more == {"encounter-discharge": {"observations"}}


def test_every_need_says_which_searches_it_is_about() -> None:
    for need in get_args(Need):
        assert set(types_of(need)) <= {resource_type for resource_type, _ in PREFETCH.values()}
