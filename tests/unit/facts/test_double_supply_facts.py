"""Two requests of one substance supplied for the same days (A-01): raw intervals, and whose dispense is whose."""

from __future__ import annotations

from typing import Any

import pytest

from cds.model import Hook
from tests.unit.facts.patients import Line, facts, of, one

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

E1: Line = ("order e1", {"drug": "escitalopram 10", "take": 1, "authored": "-60d", "days": "60d", "requester": "one"})
E2: Line = ("order e2", {"drug": "escitalopram 10", "take": 1, "authored": "-50d", "days": "60d", "requester": "two"})


def fill(name: str, start: str, days: int = 60, **more: Any) -> Line:
    return f"fills {name}", {"drug": "escitalopram 10", "take": 1, "from": start, "days_supply": f"{days}d", **more}


def raw(name: str, start: str, **more: Any) -> Line:
    return f"fhir {name}", {
        "resourceType": "MedicationDispense", "id": name, "status": "completed",
        "subject": {"reference": "Patient/case-patient"}, "whenHandedOver": f"@{start}",
        "daysSupply": {"value": 60, "code": "d", "system": "http://unitsofmeasure.org"},
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "349332"}]},
        **more,
    }  # fmt: skip


def double(*lines: Line, hook: Hook = "patient-view") -> dict[str, Any]:
    return one("double_supply", facts(*lines, hook=hook))


def test_raw_days_of_both_are_counted_up_to_yesterday() -> None:
    found = double(E1, E2, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2"))
    assert (found["days"], found["last"]) == (50, -1)
    assert (found["told_apart"], found["older_in_force"], found["requesters_differ"]) == (True, True, True)


def test_days_before_the_window_do_not_count() -> None:
    found = double(E1, E2, fill("a", "-140d", order="e1"), fill("b", "-130d", order="e2"))  # to -81 and -71
    assert found["days"] == 10


def test_early_refills_of_one_request_are_no_double_supply() -> None:
    assert of("double_supply", facts(E1, fill("a", "-60d", order="e1", every="10d", fills=3))) == []


def test_the_order_of_the_records_does_not_matter() -> None:
    lines = [E1, E2, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2")]
    assert double(*lines) == double(*reversed(lines))


def test_a_stopped_request_is_not_in_force() -> None:
    stopped = ("order e1", {**E1[1], "status": "completed"})
    assert double(stopped, E2, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2"))["older_in_force"] is False


def test_both_were_filled_again_after_the_second_began() -> None:
    once = [E1, E2, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2")]
    assert double(*once)["both_filled_again"] is False
    again = [*once, fill("c", "-20d", order="e1"), fill("d", "-10d", order="e2")]
    assert double(*again)["both_filled_again"] is True


def test_dispenses_without_an_order_are_told_apart_by_pharmacy_or_number() -> None:
    places = [
        raw("a", "-60d", location={"reference": "Location/n"}),
        raw("b", "-50d", location={"reference": "Location/s"}),
    ]
    assert double(E1, E2, *places)["told_apart"] is True
    numbers = [
        raw(n, start, authorizingPrescription=[{"identifier": {"value": n}}])
        for n, start in (("a", "-60d"), ("b", "-50d"))
    ]
    assert double(E1, E2, *numbers)["told_apart"] is True
    who = {"performer": [{"actor": {"reference": "Organization/n"}}]}
    assert of("double_supply", facts(E1, raw("a", "-60d", **who), raw("b", "-50d", **who))) == []


def test_dispenses_that_nothing_tells_apart_are_left_open_where_two_orders_are_in_force() -> None:
    found = double(E1, E2, fill("a", "-60d"), fill("b", "-50d"))
    assert "told_apart" not in found
    assert found["days"] == 50
    assert of("double_supply", facts(E1, fill("a", "-60d"), fill("b", "-50d"))) == []


def test_a_dispense_that_may_belong_to_the_other_request_is_left_open() -> None:
    found = double(E1, E2, fill("a", "-60d", order="e1"), raw("b", "-50d", location={"reference": "Location/s"}))
    assert "told_apart" not in found


def test_the_patient_who_does_not_take_it_has_no_double_supply() -> None:
    not_taken: Line = ("statement n", {"drug": "escitalopram 10", "status": "not-taken"})
    assert (
        of("double_supply", facts(E1, E2, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2"), not_taken))
        == []
    )


def test_orders_that_nobody_dispensed_are_compared_in_an_audit_only() -> None:
    assert double(E1, E2, hook="batch")["source"] == "orders"
    assert of("double_supply", facts(E1, E2)) == []


def test_pairs_that_are_alike_are_one_fact_however_many_orders_there_are() -> None:
    orders: list[Line] = [(f"order e{n}", {**E1[1], "authored": f"-{60 - n}d"}) for n in range(5)]
    found = double(*orders, hook="batch")
    assert found["requests"] == 5
    assert found["days"] == 59  # of the two oldest: from day -59 to yesterday; the others lie together for fewer
    assert "other_drug" not in found


def test_dispenses_that_differ_in_what_a_level_asks_stay_apart() -> None:
    e3: Line = ("order e3", {**E1[1], "authored": "-40d"})
    lines = [E1, E2, e3, fill("a", "-60d", order="e1"), fill("b", "-50d", order="e2"), fill("c", "-40d", order="e3")]
    pairs = of("double_supply", facts(*lines))
    assert sorted((p["requesters_differ"], p["requests"]) for p in pairs) == [(False, 2), (True, 3)]


@pytest.mark.parametrize(("apart", "concurrent"), [(3, True), (4, False)])
def test_strengths_that_begin_within_three_days_are_taken_together(apart: int, concurrent: bool) -> None:
    begin = f"-{60 - apart}d"
    lines: list[Line] = [
        ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-60d", "days": "60d", "requester": "one"}),
        ("order s2", {"drug": "sertraline 100", "take": 1, "authored": begin, "days": "60d", "requester": "two"}),
        fill("a", "-60d", drug="sertraline 50", order="s1"),
        fill("b", begin, drug="sertraline 100", order="s2"),
    ]
    assert double(*lines)["two_strengths"] is concurrent


def test_a_dispense_that_begins_on_the_last_day_of_another_shares_that_day() -> None:
    assert double(E1, E2, fill("a", "-60d", days=30), fill("b", "-31d", days=30))["days"] == 1
    assert of("double_supply", facts(E1, E2, fill("a", "-60d", days=30), fill("b", "-30d", days=30))) == []
