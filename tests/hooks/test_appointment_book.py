"""appointment-book: what is being booked counts as booked, whatever its status, unless it is called off."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest

from cds.authoring.notation import PATIENT, Writer
from tests.hooks.service import TODAY, RunningService

BOOK = "psychmed-appointment-book"
FOR_US = {"actor": {"reference": f"Patient/{PATIENT}"}, "status": "needs-action"}


def appointment(day: int = 5, **fields: Any) -> dict[str, Any]:
    """A proposal as a scheduler sends it: `day` days from today, for half an hour."""
    start = dt.date.fromisoformat(TODAY) + dt.timedelta(days=day)
    return {
        "resourceType": "Appointment",
        "id": "a1",
        "status": "proposed",
        "start": f"{start}T10:00:00Z",
        "end": f"{start}T10:30:00Z",
        "participant": [FOR_US],
        **fields,
    }


def booking(*appointments: Any) -> dict[str, Any]:
    """20 days after an antidepressant was started, nobody seen and nothing booked: D-01 wants a visit by day 28."""
    writer = Writer(dt.date.fromisoformat(TODAY))
    writer.line("patient", {"age": 40})
    writer.line("visit v1", {"date": "-400d"})
    writer.line("condition mdd", {"code": "F32.1", "onset": "-29d"})
    writer.line("fills s", {"drug": "sertraline 50", "take": 1, "from": "-20d", "days_supply": "60d"})
    request = writer.request("appointment-book")
    bundle = {"resourceType": "Bundle", "entry": [{"resource": a} for a in appointments]}
    request["context"]["appointments"] = bundle
    return request


def evaluation(service: RunningService, request: dict[str, Any]) -> dict[str, Any]:
    answer = service.post(BOOK, request)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["extension"]["org.psychmed.evaluation"]
    return found


def gaps(service: RunningService, request: dict[str, Any]) -> list[str]:
    return [finding["spec"] for finding in evaluation(service, request)["findings"]]


def test_h7_a_follow_up_that_is_missing_is_answered_when_something_too_late_is_booked(service: RunningService) -> None:
    assert gaps(service, booking()) == ["D-01"]
    assert gaps(service, booking(appointment(day=9))) == ["D-01"]


@pytest.mark.parametrize("status", ["proposed", "pending", "booked", "waitlist"])
def test_h7_the_gap_is_gone_when_the_appointment_that_is_being_booked_closes_it(
    service: RunningService, status: str
) -> None:
    assert gaps(service, booking(appointment(status=status))) == []


@pytest.mark.parametrize("status", ["cancelled", "noshow", "entered-in-error"])
def test_h7_an_appointment_that_is_called_off_closes_nothing(service: RunningService, status: str) -> None:
    assert gaps(service, booking(appointment(status=status))) == ["D-01"]


def test_h7_what_is_called_off_here_no_longer_counts_although_the_chart_has_it(service: RunningService) -> None:
    request = booking()
    request["prefetch"]["appointments"]["entry"] = [{"resource": appointment(status="booked")}]
    request["prefetch"]["appointments"]["total"] = 1
    assert gaps(service, request) == []
    request["context"]["appointments"]["entry"] = [{"resource": appointment(status="cancelled")}]
    assert gaps(service, request) == ["D-01"]


def test_a_proposal_in_the_chart_is_no_booking(service: RunningService) -> None:
    request = booking()
    request["prefetch"]["appointments"]["entry"] = [{"resource": appointment()}]
    assert gaps(service, request) == ["D-01"]


def test_an_appointment_without_an_id_counts_too(service: RunningService) -> None:
    proposal = appointment()
    del proposal["id"]
    assert gaps(service, booking(proposal)) == []
    assert gaps(service, booking(copy.deepcopy(proposal), proposal)) == []


@pytest.mark.parametrize("broken", [appointment(start={"at": "noon"}, requestedPeriod=7), "tomorrow", {"id": "a1"}])
def test_an_appointment_that_cannot_be_read_is_no_proof_that_none_is_booked(
    service: RunningService, broken: Any
) -> None:
    found = evaluation(service, booking(broken))
    assert [bad["where"] for bad in found["bad_resources"]] == ["context.appointments.entry[0]"]
    assert found["findings"] == []
    assert {"spec": "D-01", "reason": "appointments: some records could not be read"} in found["not_evaluated"]


def test_h7_without_its_appointments_the_request_says_which_field_is_missing(service: RunningService) -> None:
    request = booking()
    del request["context"]["appointments"]
    answer = service.post(BOOK, request)
    assert answer.status_code == 400
    assert "context.appointments is missing" in answer.text


def test_appointments_that_are_no_bundle_are_named(service: RunningService) -> None:
    request = booking()
    request["context"]["appointments"] = "tomorrow"
    answer = service.post(BOOK, request)
    assert answer.status_code == 400
    assert "context.appointments is not a Bundle" in answer.text


def test_an_appointment_of_another_patient_is_a_400(service: RunningService) -> None:
    other = {"actor": {"reference": "Patient/somebody-else"}, "status": "accepted"}
    answer = service.post(BOOK, booking(appointment(participant=[other])))
    assert answer.status_code == 400
    assert "somebody" not in answer.text


def test_appointments_say_nothing_at_other_hooks(service: RunningService) -> None:
    request = booking(appointment()) | {"hook": "patient-view"}
    answer = service.post("psychmed-patient-view", request).json()
    assert [f["spec"] for f in answer["extension"]["org.psychmed.evaluation"]["findings"]] == ["D-01"]
