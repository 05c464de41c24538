"""Orders replayed as drafts on their own day, visits as they began."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cds.drugs.resolver import Resolver
from cds.replay.calls import Replayed, replayed_orders, replayed_visits
from cds.replay.known import Past
from tests.unit.charts import evaluator
from tests.unit.replay.past import LISINOPRIL, LORAZEPAM, order, past, refs, resource, statuses


def replay(chart: Past, **bounds: dt.date) -> list[Replayed]:
    return list(replayed_orders(chart, resolver=Resolver(), **bounds))


def test_each_psychotropic_order_is_the_draft_of_a_call_on_its_own_day() -> None:
    chart = past(
        order("a", "2024-03-05"), order("b", "2024-04-02", drug=LORAZEPAM), order("c", "2024-04-03", drug=LISINOPRIL)
    )
    first, second = replay(chart)
    assert (first.day, first.call.draft_refs, first.call.hook) == (
        dt.date(2024, 3, 5), ("MedicationRequest/a",), "order-sign",
    )  # fmt: skip
    assert (second.day, second.call.draft_refs) == (dt.date(2024, 4, 2), ("MedicationRequest/b",))
    assert refs(first.call) == ["MedicationRequest/a"]
    assert refs(second.call) == ["MedicationRequest/a", "MedicationRequest/b"]


def test_the_draft_stands_in_place_of_the_order_whatever_became_of_it() -> None:
    (one,) = replay(past(order("a", "2024-03-05", status="stopped", meta={"lastUpdated": "2024-03-05T12:00:00Z"})))
    assert statuses(one.call, "MedicationRequest") == {"a": "draft"}
    chart = evaluator().chart(one.call, today=one.day)
    assert [(o.ref, o.role, o.progress) for o in chart.orders] == [("MedicationRequest/a", "draft", "current")]


def test_of_two_orders_of_one_time_the_second_by_id_finds_the_first() -> None:
    at = "2024-03-05T10:00:00-05:00"
    a, b = replay(past(order("b", at), order("a", at)))
    assert (a.call.draft_refs, refs(a.call)) == (("MedicationRequest/a",), ["MedicationRequest/a"])
    assert (b.call.draft_refs, refs(b.call)) == (
        ("MedicationRequest/b",), ["MedicationRequest/a", "MedicationRequest/b"],
    )  # fmt: skip


def test_a_supply_of_the_same_day_follows_the_order_unless_it_is_shown_to_be_earlier() -> None:
    def dispensed(own: str, when: str) -> dict[str, Any]:
        return resource("MedicationDispense", own, status="completed", whenHandedOver=when)

    rows = [
        dispensed("day", "2024-03-05"),
        dispensed("before", "2024-03-05T08:00:00-05:00"),
        dispensed("after", "2024-03-05T12:00:00-05:00"),
        dispensed("yesterday", "2024-03-04"),
    ]
    (timed,) = replay(past(order("a", "2024-03-05T10:00:00-05:00"), *rows))
    assert refs(timed.call) == ["MedicationDispense/before", "MedicationDispense/yesterday", "MedicationRequest/a"]
    (dated,) = replay(past(order("a", "2024-03-05"), *rows))
    assert refs(dated.call) == ["MedicationDispense/yesterday", "MedicationRequest/a"]


@pytest.mark.parametrize(
    "unlike",
    [
        {"status": "draft"},
        {"status": "entered-in-error"},
        {"intent": "proposal"},
        {"doNotPerform": True},
        {"reportedBoolean": True},
        {"authoredOn": "2024-03"},
    ],
    ids=lambda unlike: next(iter(unlike)),
)
def test_what_was_not_signed_here_on_a_day_is_not_replayed(unlike: dict[str, Any]) -> None:
    assert len(replay(past(order("a", "2024-03-05")))) == 1
    assert replay(past(order("a", None, **{"authoredOn": "2024-03-05", **unlike}))) == []


def test_an_order_without_a_day_is_not_replayed() -> None:
    assert replay(past(order("a", None))) == []


def test_the_period_takes_in_its_first_and_last_day() -> None:
    chart = past(*(order(f"o{n}", f"2024-03-{n:02}") for n in (4, 5, 6, 7)))
    found = replay(chart, since=dt.date(2024, 3, 5), until=dt.date(2024, 3, 6))
    assert [r.day.day for r in found] == [5, 6]


def test_an_order_is_asked_in_its_own_encounter() -> None:
    visit = resource("Encounter", "e", status="finished", period={"start": "2024-03-05"})
    (one,) = replay(past(order("a", "2024-03-05", encounter={"reference": "Encounter/e"}), visit))
    assert one.call.encounter == "e"
    assert one.visit is not None
    assert one.visit.id == "e"


def test_visits_are_asked_as_they_began_with_the_orders_of_before() -> None:
    visits = [
        resource("Encounter", own, status=status, period={"start": start, "end": end})
        for own, status, start, end in (
            ("first", "finished", "2024-03-05T08:00:00-05:00", "2024-03-05T09:00:00-05:00"),
            ("second", "finished", "2024-04-05T08:00:00-04:00", "2024-04-05T09:00:00-04:00"),
            ("missed", "cancelled", "2024-04-06", "2024-04-06"),
        )
    ]
    chart = past(order("a", "2024-03-05T08:30:00-05:00"), *visits)
    first, second = replayed_visits(chart)
    assert (first.day, first.call.hook, first.call.encounter) == (dt.date(2024, 3, 5), "patient-view", "first")
    assert refs(first.call) == ["Encounter/first"]
    assert statuses(first.call, "Encounter") == {"first": "in-progress"}
    assert refs(second.call) == ["Encounter/first", "Encounter/second", "MedicationRequest/a"]
