"""Rows of the CDS Hooks checklist (docs/cds-hooks-checklist.md) that no other test holds; most of them over HTTP."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from hooks.discovery import PREFETCH
from tests.hooks.service import RunningService
from tests.hooks.test_education import duplicate_ssri
from tests.hooks.test_suggestions_of_cases import responses

SIGN = "psychmed-order-sign"
EVALUATION = "org.psychmed.evaluation"
LIBRARY = {
    "patient-view", "order-select", "order-sign", "order-dispatch", "encounter-start", "encounter-discharge",
    "appointment-book", "medication-refill", "allergyintolerance-create", "problem-list-item-create",
    "medication-verify", "medication-prescribe", "order-review",
}  # fmt: skip
# Fields of CDS Hooks 2.0; what 3.0 adds is not among them.
SERVICE_FIELDS = {"hook", "title", "description", "id", "prefetch", "usageRequirements"}
SUGGESTION_FIELDS = {"label", "uuid", "isRecommended", "actions"}
ACTION_FIELDS = {"type", "description", "resource", "resourceId"}
LINK_FIELDS = {"label", "url", "type"}
SOURCE_FIELDS = {"label", "url", "topic"}


def discovered(service: RunningService) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{service.url}/cds-services", timeout=30).json()["services"]
    return found


def answered(service: RunningService, request: dict[str, Any], path: str = SIGN) -> dict[str, Any]:
    answer = service.post(path, request)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(answer: dict[str, Any]) -> list[Any]:
    """What a user sees of an answer, and what was decided: without the uuids, which are new each time."""
    cards = [[card["summary"], card["indicator"], card.get("detail")] for card in answer["cards"]]
    return [cards, answer["extension"][EVALUATION]]


def test_g1_g5_every_answer_is_json_in_utf8(service: RunningService, order_sign: Callable[..., dict[str, Any]]) -> None:
    request = order_sign()
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    draft["medicationCodeableConcept"] = {"text": "Bärentraubenblätter 熊"}
    answers = [
        requests.get(f"{service.url}/cds-services", timeout=30),
        service.post(SIGN, request),
        service.post(SIGN, {}),
        service.post("psychmed-none", {}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 404]
    for answer in answers:
        assert re.fullmatch(r"application/(fhir\+)?json(; ?charset=utf-8)?", answer.headers["Content-Type"])
        assert isinstance(json.loads(answer.content.decode("utf-8")), dict)


def test_g7_a_call_is_answered_well_within_500_ms(service: RunningService) -> None:
    request = duplicate_ssri()
    # The best of five: another program on the machine must not fail this.
    assert min(service.post(SIGN, request).elapsed.total_seconds() for _ in range(5)) < 0.5


def test_g8_r16_unknown_fields_and_extensions_change_nothing(service: RunningService) -> None:
    plain: dict[str, Any] = duplicate_ssri()
    odd = copy.deepcopy(plain)
    unknown: dict[str, Any] = {
        "extension": {"com.example.more": {"a": [1, None]}, "davinci-crd.configuration": {}},
        "newIn4": [1, {"x": None}],
    }
    odd |= unknown
    odd["context"] |= unknown
    odd["context"]["draftOrders"] |= {"newIn4": {}, "total": None}
    for entry in odd["context"]["draftOrders"]["entry"]:
        entry["newIn4"] = 1
        entry["resource"] |= {
            "newIn4": {"deep": [[]]},
            "extension": [{"url": "https://example.org/x", "valueCode": "y"}],
        }
    odd["prefetch"] |= {"somebody_elses": None, "another": {"resourceType": "NewIn4", "id": "1"}}
    first, second = told(answered(service, plain)), told(answered(service, odd))
    assert second[1].pop("ignored_resources") == first[1].pop("ignored_resources") | {"unknown": 1}
    assert first[0]
    assert second == first


def test_d7_every_service_is_answered_at_its_id(service: RunningService) -> None:
    for entry in discovered(service):
        request = {"hook": entry["hook"], "hookInstance": "1", "context": {}}
        answer = service.post(entry["id"], request)
        assert "context.patientId is missing" in answer.text, "the service knows its hook and asks for its context"


def test_d10_d11_d14_a_service_is_described_in_the_fields_of_2_0(service: RunningService) -> None:
    for entry in discovered(service):
        assert set(entry) == SERVICE_FIELDS
        assert all(isinstance(value, str) and value.strip() for key, value in entry.items() if key != "prefetch")


def test_d12_no_two_services_share_an_id_or_a_hook(service: RunningService) -> None:
    entries = discovered(service)
    assert len({e["id"] for e in entries}) == len({e["hook"] for e in entries}) == len(entries)


def test_e2_only_hooks_of_the_library_are_offered(service: RunningService) -> None:
    assert {entry["hook"] for entry in discovered(service)} < LIBRARY


@pytest.mark.parametrize(
    "hook", ["order-dispatch", "allergyintolerance-create", "problem-list-item-create", "medication-verify"]
)
def test_h4_h9_h10_h11_a_hook_without_a_service_is_a_404(service: RunningService, hook: str) -> None:
    assert f"psychmed-{hook}" not in {entry["id"] for entry in discovered(service)}
    request = duplicate_ssri() | {"hook": hook}
    assert service.post(f"psychmed-{hook}", request).status_code == 404
    assert service.post(SIGN, request).status_code == 400


def test_r2_a_hook_instance_is_neither_checked_nor_remembered(service: RunningService) -> None:
    request: dict[str, Any] = duplicate_ssri()
    first = told(answered(service, request))
    assert first[0]
    assert told(answered(service, request)) == first
    assert told(answered(service, request | {"hookInstance": "no uuid at all"})) == first


@pytest.mark.parametrize(
    "user", ["Practitioner/1", "PractitionerRole/1", "Patient/1", "RelatedPerson/1", "https://ehr.example.org/x", None]
)
def test_r17_h8_any_kind_of_user_may_ask_and_none_at_all(service: RunningService, user: str | None) -> None:
    request: dict[str, Any] = duplicate_ssri()
    usual = told(answered(service, request))
    request["context"].pop("userId")
    if user is not None:
        request["context"]["userId"] = user
    assert usual[0]
    assert told(answered(service, request)) == usual


def test_s3_nothing_to_say_is_a_200_with_no_cards(service: RunningService) -> None:
    request = {
        "hook": "patient-view",
        "hookInstance": "5f1f6f0c-0f0e-4c39-9f1a-2f3c0f6f0a11",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": dict.fromkeys(PREFETCH) | {"patient": {"resourceType": "Patient", "id": "p1"}},
    }
    assert answered(service, request, "psychmed-patient-view")["cards"] == []


def test_s2_a12_c7_cards_have_the_fields_of_2_0_without_icon_and_no_action_is_done_unasked(
    service: RunningService,
) -> None:
    answer = answered(service, duplicate_ssri())
    assert set(answer) == {"cards", "extension"}
    assert answer["cards"]
    assert all(set(card["source"]) <= SOURCE_FIELDS for card in answer["cards"])


def test_a5_l2_l3_suggestions_actions_and_links_have_the_fields_of_2_0() -> None:
    cards = [card for _, response in responses() for card in response["cards"]]
    suggestions = [suggestion for card in cards for suggestion in card.get("suggestions", [])]
    actions = [action for suggestion in suggestions for action in suggestion.get("actions", [])]
    assert len(actions) > 50
    assert set().union(*suggestions) <= SUGGESTION_FIELDS
    assert set().union(*actions) <= ACTION_FIELDS
    assert all(link["type"] == "absolute" and set(link) == LINK_FIELDS for c in cards for link in c.get("links", []))
    assert not any("smart" in json.dumps(card.get("links", [])) for card in cards)


def test_a11_the_actions_of_a_suggestion_do_not_depend_on_their_order() -> None:
    several = 0
    for case, response in responses():
        for suggestion in (s for card in response["cards"] for s in card.get("suggestions", [])):
            actions = suggestion.get("actions", [])
            targets = [a.get("resourceId") or f"{a['resource']['resourceType']}/{a['resource']['id']}" for a in actions]
            several += len(actions) > 1
            assert len(targets) == len(set(targets)), case.name
    assert several


def test_l4_no_suggestion_proposes_to_start_an_app() -> None:
    assert "launch" not in json.dumps([response["cards"] for _, response in responses()]).lower()


def test_l5_a_card_says_everything_without_its_links(service: RunningService) -> None:
    cards = answered(service, duplicate_ssri())["cards"]
    assert any(card.get("links") for card in cards)
    for card in cards:
        text = card["summary"] + card["detail"]
        assert len(card["detail"]) > len(card["summary"])
        assert not any(link["url"] in text or link["label"] in text for link in card.get("links", []))
