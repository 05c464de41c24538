"""The chart as it was known at an earlier moment: what was there, and with which status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds.fhir.records import Patient
from cds.replay.known import Past
from cds.replay.status import Then, patient
from tests.unit.replay.past import NEW_YORK, on, order, past, refs, resource, statuses


def encounter(own: str, start: str, end: str, **elements: Any) -> dict[str, Any]:
    body = {"status": "finished", "class": {"code": "IMP"}, "period": {"start": start, "end": end}, **elements}
    return resource("Encounter", own, **body)


DATED: list[dict[str, Any]] = [
    order("x", "2024-03-05"),
    resource("MedicationDispense", "x", status="completed", whenHandedOver="2024-03-05"),
    resource("MedicationStatement", "x", status="active", dateAsserted="2024-03-05", effectiveDateTime="2023-01-01"),
    resource("MedicationAdministration", "x", status="completed", effectiveDateTime="2024-03-05"),
    resource("Condition", "x", recordedDate="2024-03-05", onsetDateTime="2010-01-01"),
    resource("Encounter", "x", status="finished", period={"start": "2024-03-05"}),
    resource("Observation", "x", status="final", effectiveDateTime="2024-03-01", issued="2024-03-05T08:00:00-05:00"),
    resource("ServiceRequest", "x", status="active", authoredOn="2024-03-05"),
    resource("QuestionnaireResponse", "x", status="completed", authored="2024-03-05"),
]


@pytest.mark.parametrize("one", DATED, ids=lambda one: one["resourceType"])
def test_a_record_is_known_from_its_own_day_and_not_before(one: dict[str, Any]) -> None:
    chart = past(one)
    before, after = chart.at(on("2024-03-04")), chart.at(on("2024-03-05"))
    assert refs(before) == []
    assert refs(after) == [f"{one['resourceType']}/x"]
    assert before.searches == after.searches == chart.call.searches


def test_of_the_same_day_a_later_time_is_not_known_and_an_earlier_one_is() -> None:
    chart = past(
        encounter("morning", "2024-03-05T08:00:00-05:00", "2024-03-05T09:00:00-05:00"),
        encounter("evening", "2024-03-05T18:00:00-05:00", "2024-03-05T19:00:00-05:00"),
    )
    assert refs(chart.at(on("2024-03-05T12:00:00-05:00"))) == ["Encounter/morning"]


def test_days_are_those_of_the_site() -> None:
    # 02:00 UTC on the 6th is 21:00 on the 5th in New York.
    assert refs(past(order("x", "2024-03-06T02:00:00Z")).at(on("2024-03-05"))) == ["MedicationRequest/x"]


@pytest.mark.parametrize("kind", ["Condition", "AllergyIntolerance", "Task", "ServiceRequest", "MedicationStatement"])
def test_a_record_without_a_date_is_left_out_and_its_search_proves_nothing(kind: str) -> None:
    who = {"AllergyIntolerance": "patient", "Task": "for"}.get(kind, "subject")
    one = {"resourceType": kind, "id": "x", who: {"reference": "Patient/p"}, "status": "active"}
    if kind in {"Condition", "AllergyIntolerance"}:
        del one["status"]
    call = past(one).at(on("2024-03-05"))
    assert refs(call) == []
    assert call.searches[kind] == "damaged"
    assert [name for name, state in call.searches.items() if state != "complete"] == [kind]


def test_a_record_without_a_date_was_there_when_it_last_changed() -> None:
    chart = past(resource("Condition", "x", meta={"lastUpdated": "2024-03-05T10:00:00Z"}))
    assert chart.at(on("2024-03-04")).searches["Condition"] == "damaged"
    assert refs(chart.at(on("2024-03-06"))) == ["Condition/x"]
    assert chart.at(on("2024-03-06")).searches["Condition"] == "complete"


def test_a_visit_without_a_date_proves_no_absence_wrong() -> None:
    assert past(resource("Encounter", "x", status="finished")).at(on("2024-03-05")).searches["Encounter"] == "complete"


def test_a_booking_of_unknown_making_leaves_the_appointments_unproved_until_its_day() -> None:
    who = [{"actor": {"reference": "Patient/p"}, "status": "accepted"}]
    booked = {"resourceType": "Appointment", "id": "x", "status": "booked", "participant": who}
    undated, made = {**booked, "start": "2024-03-20"}, {**booked, "start": "2024-03-20", "created": "2024-03-01"}
    assert past(undated).at(on("2024-03-05")).searches["Appointment"] == "damaged"
    assert refs(past(undated).at(on("2024-03-20"))) == ["Appointment/x"]
    assert refs(past(made).at(on("2024-03-05"))) == ["Appointment/x"]
    assert past(made).at(on("2024-03-05")).searches["Appointment"] == "complete"


def test_a_planned_visit_of_unknown_making_leaves_the_appointments_unproved() -> None:
    planned = resource("Encounter", "x", status="planned", period={"start": "2024-03-20"})
    searches = past(planned).at(on("2024-03-05")).searches
    assert (searches["Appointment"], searches["Encounter"]) == ("damaged", "complete")


# What an order was ---------------------------------------------------------------------------------------------------


def test_an_order_that_ended_since_is_in_force_on_its_own_day() -> None:
    for status in ("stopped", "completed", "cancelled", "on-hold"):
        assert statuses(past(order("x", "2024-03-05", status=status)).at(on("2024-03-05")), "MedicationRequest") == {
            "x": "active"
        }


def test_an_order_stopped_later_is_in_force_until_the_record_changed() -> None:
    chart = past(order("x", "2024-03-05", status="stopped", meta={"lastUpdated": "2024-05-01T12:00:00Z"}))
    assert statuses(chart.at(on("2024-04-30")), "MedicationRequest") == {"x": "active"}
    assert statuses(chart.at(on("2024-05-02")), "MedicationRequest") == {"x": "stopped"}


def test_the_end_that_an_order_states_comes_before_the_day_it_changed() -> None:
    timing = {"repeat": {"boundsPeriod": {"start": "2024-03-05", "end": "2024-03-31"}}}
    one = order(
        "x", "2024-03-05", status="completed", dosageInstruction=[{"timing": timing}],
        meta={"lastUpdated": "2025-01-01T00:00:00Z"},
    )  # fmt: skip
    chart = past(one)
    assert statuses(chart.at(on("2024-03-31")), "MedicationRequest") == {"x": "active"}
    assert statuses(chart.at(on("2024-04-01")), "MedicationRequest") == {"x": "completed"}


def test_without_the_day_of_its_change_an_order_is_in_force_as_long_as_it_supplies() -> None:
    # 30 days and one refill from 5 March: the last day is 3 May (5 March + 59).
    supply = {"expectedSupplyDuration": {"value": 30, "unit": "d"}, "numberOfRepeatsAllowed": 1}
    chart = past(order("x", "2024-03-05", status="completed", dispenseRequest=supply))
    assert statuses(chart.at(on("2024-05-03")), "MedicationRequest") == {"x": "active"}
    assert statuses(chart.at(on("2024-05-04")), "MedicationRequest") == {"x": "completed"}


def test_a_dispense_that_names_an_order_shows_it_in_force() -> None:
    handed = resource(
        "MedicationDispense", "f", status="completed", whenHandedOver="2024-06-01",
        authorizingPrescription=[{"reference": "MedicationRequest/x"}],
    )  # fmt: skip
    chart = past(order("x", "2024-03-05", status="stopped"), handed)
    assert statuses(chart.at(on("2024-06-01")), "MedicationRequest") == {"x": "active"}
    assert statuses(chart.at(on("2024-06-02")), "MedicationRequest") == {"x": "stopped"}


def test_an_order_of_which_nothing_says_when_it_ended_stands_as_it_does_now() -> None:
    chart = past(order("x", "2024-03-05", status="stopped"))
    assert statuses(chart.at(on("2024-03-06")), "MedicationRequest") == {"x": "stopped"}


# What other records were ---------------------------------------------------------------------------------------------


def test_a_stay_whose_end_lies_ahead_is_going_on_and_its_end_is_not_known() -> None:
    left = {"dischargeDisposition": {"coding": [{"code": "home"}]}}
    chart = past(encounter("x", "2024-03-01", "2024-03-10", hospitalization=left))
    during = chart.at(on("2024-03-05")).reading.records["Encounter"][0]
    assert (during.status, during.period.end, during.hospitalization) == ("in-progress", None, None)  # type: ignore[union-attr]
    assert statuses(chart.at(on("2024-03-10")), "Encounter") == {"x": "finished"}


def test_a_visit_of_the_day_is_going_on_until_the_time_of_its_end() -> None:
    chart = past(encounter("x", "2024-03-05T08:00:00-05:00", "2024-03-05T09:00:00-05:00"))
    assert statuses(chart.at(on("2024-03-05T08:30:00-05:00")), "Encounter") == {"x": "in-progress"}
    assert statuses(chart.at(on("2024-03-05T09:30:00-05:00")), "Encounter") == {"x": "finished"}


def test_a_condition_that_abated_later_is_active() -> None:
    over = {"coding": [{"code": "resolved"}]}
    chart = past(
        resource("Condition", "x", recordedDate="2024-01-01", abatementDateTime="2024-03-10", clinicalStatus=over)
    )
    assert chart.at(on("2024-03-09")).reading.records["Condition"][0].clinical_status is None  # type: ignore[union-attr]
    assert chart.at(on("2024-03-10")).reading.records["Condition"][0].clinical_status is not None  # type: ignore[union-attr]


def test_a_medicine_taken_until_later_is_being_taken() -> None:
    period = {"start": "2024-01-01", "end": "2024-03-10"}
    chart = past(resource("MedicationStatement", "x", status="completed", effectivePeriod=period))
    assert statuses(chart.at(on("2024-03-09")), "MedicationStatement") == {"x": "active"}
    assert statuses(chart.at(on("2024-03-10")), "MedicationStatement") == {"x": "completed"}


@pytest.mark.parametrize(("now", "then"), [("fulfilled", "booked"), ("noshow", "booked"), ("booked", "booked")])
def test_an_appointment_that_lies_ahead_stands_as_booked(now: str, then: str) -> None:
    who = [{"actor": {"reference": "Patient/p"}, "status": "accepted"}]
    one = {"resourceType": "Appointment", "id": "x", "status": now, "participant": who, "created": "2024-03-01"}
    assert statuses(past({**one, "start": "2024-03-20"}).at(on("2024-03-05")), "Appointment") == {"x": then}


def test_when_an_appointment_was_called_off_is_not_known() -> None:
    who = [{"actor": {"reference": "Patient/p"}, "status": "accepted"}]
    one = {"resourceType": "Appointment", "id": "x", "status": "cancelled", "participant": who}
    call = past({**one, "created": "2024-03-01", "start": "2024-03-20"}).at(on("2024-03-05"))
    assert refs(call) == []
    assert call.searches["Appointment"] == "damaged"


def test_a_task_done_later_was_still_asked_for() -> None:
    one = {"resourceType": "Task", "id": "x", "status": "completed", "for": {"reference": "Patient/p"}}
    chart = past({**one, "authoredOn": "2024-03-01", "lastModified": "2024-03-10T12:00:00Z"})
    assert statuses(chart.at(on("2024-03-05")), "Task") == {"x": "requested"}
    assert statuses(chart.at(on("2024-03-11")), "Task") == {"x": "completed"}


def test_a_death_without_a_date_comes_after_every_record() -> None:
    moment = on("2024-03-05")
    assert patient(Patient(id="p", deceased_boolean=True), moment, Then(moment, NEW_YORK, {})).deceased_boolean is None


def test_a_death_is_known_from_its_day() -> None:
    dead = Patient(id="p", deceased_date_time="2024-03-10")
    moment = on("2024-03-09")
    assert patient(dead, moment, Then(moment, NEW_YORK, {})).deceased_date_time is None
    moment = on("2024-03-10")
    assert patient(dead, moment, Then(moment, NEW_YORK, {})).deceased_date_time == "2024-03-10"


def test_the_chart_of_today_is_not_changed_by_asking_for_another_day() -> None:
    chart = past(order("x", "2024-03-05", status="stopped"))
    chart.at(on("2024-03-05"))
    assert statuses(chart.call, "MedicationRequest") == {"x": "stopped"}


def test_drafts_and_stops_of_the_call_itself_are_not_of_the_past() -> None:
    chart = past(order("x", "2024-03-05"))
    asked = replace(chart.call, hook="order-sign", draft_refs=("MedicationRequest/x",), stops=("MedicationRequest/x",))
    known = Past(asked, tz=NEW_YORK).at(on("2024-03-05"))
    assert (known.draft_refs, known.stops, known.hook) == ((), (), "order-sign")
