"""Hooks beside the four main ones: the same questions under other names, and the hook that asks for follow-up alone."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.discovery import SERVICES
from hooks.kinds import KINDS
from tests.hooks.service import RunningService
from tests.hooks.test_education import duplicate_ssri


def asked_as(hook: str, request: dict[str, Any]) -> dict[str, Any]:
    """The order-sign request as another hook would send it."""
    context = dict(request["context"])
    orders = context.pop("draftOrders", None)
    kind = KINDS[hook]
    fields = {kind.orders: orders, kind.appointments: {"resourceType": "Bundle", "entry": []}}
    more = {name: value for name, value in fields.items() if name is not None}
    return request | {"hook": hook, "context": context | more}


def findings(service: RunningService, path: str, request: dict[str, Any]) -> list[Any]:
    answer = service.post(path, request)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["extension"]["org.psychmed.evaluation"]["findings"]
    return found


def test_every_service_of_discovery_has_a_hook_that_is_answered() -> None:
    assert {s.hook for s in SERVICES} == set(KINDS) - {"batch"}


@pytest.mark.parametrize("hook", ["medication-refill", "medication-prescribe", "order-review"])
def test_orders_under_another_name_are_judged_as_before_signing(service: RunningService, hook: str) -> None:
    request: dict[str, Any] = duplicate_ssri()
    signed = findings(service, "psychmed-order-sign", request)
    assert signed
    assert findings(service, f"psychmed-{hook}", asked_as(hook, request)) == signed


@pytest.mark.parametrize("hook", ["medication-prescribe", "order-review"])
def test_a_withdrawn_hook_is_understood_at_order_sign_too(service: RunningService, hook: str) -> None:
    request: dict[str, Any] = duplicate_ssri()
    signed = findings(service, "psychmed-order-sign", request)
    assert findings(service, "psychmed-order-sign", asked_as(hook, request)) == signed


def test_c11_older_clients_are_told_in_the_words_that_they_know(service: RunningService) -> None:
    def said(path: str, hook: str) -> set[str]:
        cards = service.post(path, asked_as(hook, duplicate_ssri())).json()["cards"]
        return {card["selectionBehavior"] for card in cards if "suggestions" in card}

    for hook in ("order-sign", "medication-refill"):
        assert said(f"psychmed-{hook}", hook) == {"any"}
    for hook in ("medication-prescribe", "order-review"):
        assert said(f"psychmed-{hook}", hook) == said("psychmed-order-sign", hook) == {"at-most-one"}


@pytest.mark.parametrize("hook", ["medication-refill", "medication-prescribe", "order-review"])
def test_without_its_orders_the_request_says_which_field_is_missing(service: RunningService, hook: str) -> None:
    request = asked_as(hook, duplicate_ssri())
    field = KINDS[hook].orders
    del request["context"][field]
    answer = service.post(f"psychmed-{hook}", request)
    assert answer.status_code == 400
    assert f"context.{field} is missing" in answer.text


def test_a_hook_is_not_understood_where_it_does_not_belong(service: RunningService) -> None:
    answer = service.post("psychmed-patient-view", asked_as("encounter-start", duplicate_ssri()))
    assert answer.status_code == 400


def test_the_start_of_a_visit_asks_what_a_chart_check_asks(service: RunningService) -> None:
    request: dict[str, Any] = duplicate_ssri()
    viewed = service.post("psychmed-patient-view", asked_as("patient-view", request)).json()["extension"]
    started = service.post("psychmed-encounter-start", asked_as("encounter-start", request)).json()["extension"]
    assert started == viewed


def test_booking_asks_only_for_follow_up(service: RunningService) -> None:
    answer = service.post("psychmed-appointment-book", asked_as("appointment-book", duplicate_ssri())).json()
    evaluation = answer["extension"]["org.psychmed.evaluation"]
    asked = {*evaluation["evaluated"], *(n["spec"] for n in evaluation["not_evaluated"])}
    assert asked
    assert {spec[:2] for spec in asked} == {"D-"}


def test_an_audit_is_no_hook_of_the_service(service: RunningService) -> None:
    assert service.post("psychmed-batch", asked_as("batch", duplicate_ssri())).status_code == 404


def test_order_dispatch_is_deliberately_not_answered(service: RunningService) -> None:
    assert service.post("psychmed-order-dispatch", asked_as("patient-view", duplicate_ssri())).status_code == 404
