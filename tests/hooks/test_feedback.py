"""The feedback endpoint against the checklist's F rows, over HTTP; what it counts and what it never keeps."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from cds.authoring.notation import Writer
from cds.chart.model import Memory
from cds.errors import HookRequestError
from cds.findings import Finding, Source
from cds.memory import InMemory
from hooks.feedback import FeedbackDesk, KnownCard, KnownCards, read_feedback
from hooks.metrics import Metrics
from tests.hooks.service import ROOT, RunningService, running
from tests.hooks.test_metrics import value_of

SIGN = "psychmed-order-sign"
REASON = {"code": "other", "system": "urn:psychmed:override-reason"}
DAY = dt.date(2026, 3, 2)


def entry(card: str, **more: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T08:00:00.123Z", **more}


def send(service: RunningService, *entries: dict[str, Any]) -> requests.Response:
    return service.post(f"{SIGN}/feedback", {"feedback": list(entries)})


def test_f1_f7_feedback_is_taken_with_200_and_no_body(service: RunningService) -> None:
    answer = send(service, entry(str(uuid.uuid4())))
    assert (answer.status_code, answer.content) == (200, b"")


def test_f5_a_card_that_is_not_known_is_no_error_and_counted_as_unknown(service: RunningService) -> None:
    before = value_of(service, "psychmed_feedback_total", rule="unknown", outcome="overridden", reason="other")
    assert send(service, entry("of-another-day", overrideReason={"reason": REASON})).status_code == 200
    after = value_of(service, "psychmed_feedback_total", rule="unknown", outcome="overridden", reason="other")
    assert after == before + 1


def test_f5_several_cards_and_repeats_in_one_call_are_counted_each(
    service: RunningService, order_sign: Callable[..., dict[str, Any]]
) -> None:
    cards = service.post(SIGN, benzodiazepine(order_sign)).json()["cards"]
    rule = cards[0]["extension"]["org.psychmed.finding"]["spec"]
    suggestion = {"id": str(uuid.uuid4())}
    told = [
        entry(cards[0]["uuid"]),
        entry(cards[0]["uuid"], outcome="accepted", acceptedSuggestions=[suggestion]),  # late, once ignored
        entry(cards[0]["uuid"].upper(), outcome="accepted", acceptedSuggestions=[suggestion, suggestion]),
        entry(str(uuid.uuid4())),
    ]
    before = value_of(service, "psychmed_feedback_total", rule=rule, outcome="accepted")
    overridden = value_of(service, "psychmed_feedback_total", rule=rule, outcome="overridden")
    assert send(service, *told).status_code == 200
    assert value_of(service, "psychmed_feedback_total", rule=rule, outcome="accepted") == before + 2
    assert value_of(service, "psychmed_feedback_total", rule=rule, outcome="overridden") == overridden + 1


def test_f1_an_unknown_service_is_404(service: RunningService) -> None:
    answer = service.post("psychmed-none/feedback", {"feedback": []})
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "JSON|nested|object"),
        (b"[]", "object"),
        (b"{}", "feedback is missing"),
        (b'{"feedback": {}}', "feedback is not"),
        (b'{"feedback": [{}]}', "feedback.0..card is missing"),
        (b'{"feedback": [{"card": "c", "outcome": "ignored"}]}', "feedback.0..outcome is not"),
        (b'{"feedback": [{"card": "c", "outcome": "overridden"}]}', "outcomeTimestamp is missing"),
        (b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "x"}]}', "Timestamp is not"),
        (b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-03-02T08:00:00"}]}', "zone"),
        (b'{"feedback": [{"card": " ", "outcome": "overridden", "outcomeTimestamp": "2026-03-02T08:00:00Z"}]}', "card"),
    ],
)  # fmt: skip
def test_f2_what_is_no_feedback_is_refused_and_the_field_is_named(body: bytes, named: str) -> None:
    with pytest.raises(HookRequestError, match=named) as caught:
        read_feedback(body)
    assert caught.value.status == 400


def test_f3_an_acceptance_without_its_suggestions_is_refused(service: RunningService) -> None:
    answer = send(service, entry("c", outcome="accepted"))
    assert answer.status_code == 400
    assert "feedback[0].acceptedSuggestions is missing" in answer.text


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, None),  # F5: overridden without a reason
        ({"overrideReason": {"reason": REASON}}, "other"),
        ({"overrideReason": {"reason": {"code": "other"}}}, "other"),
        ({"overrideReason": {"reason": {"code": "Zebulon", "system": "urn:psychmed:override-reason"}}}, "other-system"),
        ({"overrideReason": {"reason": {"code": "other", "system": "https://ehr.example"}}}, "other-system"),
        ({"overrideReason": {"userComment": "Zebulon Quux said no"}}, None),
    ],
)
def test_f4_a_reason_is_one_of_our_codes_or_only_that_there_was_one(told: dict[str, Any], reason: str | None) -> None:
    assert read_feedback(orjson.dumps({"feedback": [entry("c", **told)]}))[0].reason == reason


def benzodiazepine(build: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """An order of 90 days of lorazepam, which brings a card."""
    request = build()
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    draft["medicationCodeableConcept"]["coding"][0]["code"] = "197901"
    draft["authoredOn"] = "2026-03-02"
    draft["dosageInstruction"] = [
        {"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
         "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}
    ]  # fmt: skip
    draft["dispenseRequest"] = {"expectedSupplyDuration": {"value": 90, "unit": "d"}}
    request["prefetch"]["medication_requests"] = {"resourceType": "Bundle", "entry": []}
    return request


def finding(**more: Any) -> Finding:
    source = Source("l", "https://example.org")
    values = {"spec": "B-02", "rule": "r", "version": "1", "title": "t", "level": "l", "indicator": "info"}
    return Finding(**{**values, "summary": "s", "detail": "d", "source": source, "evidence": (), **more})


def told_desk(memory: InMemory | None) -> tuple[FeedbackDesk, Metrics]:
    metrics = Metrics()
    desk = FeedbackDesk(KnownCards(), metrics, memory)
    desk.sent([{"uuid": "u1"}], [finding(about="ssri")], "p1", DAY)
    return desk, metrics


def take(desk: FeedbackDesk, at: str, today: dt.date = DAY, **more: Any) -> int:
    body = orjson.dumps({"feedback": [entry("u1", outcomeTimestamp=at, **more)]})
    return desk.take(read_feedback(body), today=today, zone=dt.UTC)  # type: ignore[arg-type]


def test_an_override_is_remembered_under_what_the_card_was_about() -> None:
    memory = InMemory()
    desk, _ = told_desk(memory)
    assert take(desk, "2026-03-03T08:00:00Z", dt.date(2026, 3, 5), overrideReason={"reason": REASON}) == 1
    assert memory.recall("p1") == (Memory("B-02", "ssri", "override", "other", dt.date(2026, 3, 3).toordinal()),)


@pytest.mark.parametrize(
    ("at", "day"),
    [("1999-01-01T00:00:00Z", DAY), ("2099-01-01T00:00:00Z", dt.date(2026, 3, 5)),
     ("0001-01-01T00:00:00+14:00", dt.date(2026, 3, 5))],
)  # fmt: skip
def test_an_override_lies_between_its_card_and_today(at: str, day: dt.date) -> None:
    memory = InMemory()
    desk, _ = told_desk(memory)
    take(desk, at, dt.date(2026, 3, 5))
    assert [entry.day for entry in memory.recall("p1")] == [day.toordinal()]


def test_an_acceptance_is_no_override() -> None:
    memory = InMemory()
    desk, _ = told_desk(memory)
    take(desk, "2026-03-02T08:00:00Z", outcome="accepted", acceptedSuggestions=[{"id": "s"}])
    assert memory.recall("p1") == ()


def test_without_a_memory_no_patient_is_kept() -> None:
    desk, _ = told_desk(None)
    card = desk.cards.get("u1")
    assert card is not None
    assert card.patient == ""


def test_the_known_cards_are_bounded_and_the_oldest_goes() -> None:
    cards = KnownCards(most=2)
    for number in range(3):
        cards.add(f"u{number}", KnownCard("A-01", "", "", DAY))
    assert (len(cards), cards.get("u0")) == (2, None)
    assert cards.get("u2") is not None


def test_an_override_over_http_silences_a_rule_that_asks_for_it(tmp_path: Path) -> None:
    shipped = (ROOT / "rules/safety_checks_incomplete.yaml").read_text("utf-8")
    once = "where: [spec is SAFE-01, kind is shown, day is on or after today]"
    assert once in shipped
    own = shipped.replace(once, "where: [spec is X-TEST-01, kind is override, reason is other]")
    own = own.replace("id: safety-checks-incomplete", "id: test-said-no").replace("spec: SAFE-01", "spec: X-TEST-01")
    (tmp_path / "test_said_no.yaml").write_text(own)
    writer = Writer(DAY)
    drug = {"drug": "lithium 300", "take": 1, "times": 2, "days": "30d"}
    for name, body in (("patient", {"age": 40}), ("draft d1", drug), ("failed", ["Observation"])):
        writer.line(name, body)
    request = writer.request("order-sign")

    def shown(service: RunningService) -> dict[str, str]:
        cards = service.post(SIGN, request).json()["cards"]
        return {card["extension"]["org.psychmed.finding"]["spec"]: card["uuid"] for card in cards}

    with running(PSYCHMED_MEMORY="process", PSYCHMED_RULES_DIR=str(tmp_path)) as service:
        card = shown(service)["X-TEST-01"]
        assert "X-TEST-01" in shown(service)
        assert send(service, entry(card, overrideReason={"reason": REASON})).status_code == 200
        assert "X-TEST-01" not in shown(service)
        assert value_of(service, "psychmed_feedback_total", rule="X-TEST-01", outcome="overridden", reason="other") == 1
