"""Who was seen, who is booked, hospice and palliative care (1.7, 1.9, 10.29)."""

from __future__ import annotations

from typing import Any

import pytest

from cds.chart.model import Chart
from tests.unit.charts import TODAY, chart_of

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def encounter(**elements: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB"},
        "subject": {"reference": "Patient/case-patient"},
        "period": {"start": "@-5d", "end": "@-5d"},
        **elements,
    }
    return {"fhir e1": {k: v for k, v in body.items() if v is not None}}


def kinds(chart: Chart) -> list[str]:
    return [v.kind for v in chart.visits]


def rel(day: int | None) -> int | None:
    return None if day is None else day - TODAY.toordinal()


@pytest.mark.parametrize("code", ["AMB", "VR", "HH", "TEL"])
def test_visits_in_person_by_video_at_home_and_by_telephone_are_contacts(code: str) -> None:
    assert kinds(chart_of(encounter(**{"class": {"system": ACT_CODE, "code": code}}))) == ["contact"]


@pytest.mark.parametrize(
    ("code", "kind"), [("EMER", "emergency"), ("IMP", "inpatient"), ("ACUTE", "inpatient"), ("OBSENC", "other")]
)
def test_other_classes_are_no_contacts(code: str, kind: str) -> None:
    assert kinds(chart_of(encounter(**{"class": {"system": ACT_CODE, "code": code}}))) == [kind]


def test_a_visit_without_class_is_taken_as_a_contact_the_reading_that_alerts_less() -> None:
    assert kinds(chart_of(encounter(**{"class": None}))) == ["contact"]


@pytest.mark.parametrize("status", ["planned", "arrived", "triaged", "cancelled", "entered-in-error", "unknown"])
def test_only_finished_visits_and_those_in_progress_count(status: str) -> None:
    assert chart_of(encounter(status=status)).visits == ()


def test_a_visit_in_progress_today_counts_on_its_day() -> None:
    (visit,) = chart_of(encounter(status="in-progress", period={"start": "@+0d"})).visits
    assert (visit.kind, rel(visit.start), visit.in_progress) == ("contact", 0, True)


def test_a_visit_in_progress_without_a_start_is_of_today() -> None:
    (visit,) = chart_of(encounter(status="in-progress", period=None)).visits
    assert rel(visit.start) == 0


def test_a_visit_that_is_said_to_have_finished_tomorrow_does_not_count() -> None:
    assert chart_of(encounter(period={"start": "@+1d"})).visits == ()


def test_a_visit_of_this_month_is_taken_as_of_today_the_reading_that_alerts_less() -> None:
    (visit,) = chart_of(encounter(period={"start": "2026-03"})).visits
    assert rel(visit.start) == 0


@pytest.mark.parametrize(
    "person",
    [
        "Practitioner/p1",
        "PractitionerRole/r1",
        "urn:uuid:4b3f",
        "Practitioner?identifier=npi|1",
        "https://e/Practitioner/1",
    ],
)
def test_a_clinician_makes_a_contact_however_the_reference_is_written(person: str) -> None:
    assert kinds(chart_of(encounter(participant=[{"individual": {"reference": person}}]))) == ["contact"]


def test_a_visit_with_a_relative_alone_is_no_contact() -> None:
    people = [{"individual": {"reference": "RelatedPerson/r1"}}]
    assert kinds(chart_of(encounter(participant=people))) == ["other"]


def test_a_visit_with_a_relative_and_a_clinician_is_a_contact() -> None:
    people = [{"individual": {"reference": p}} for p in ("RelatedPerson/r1", "Practitioner/p1")]
    assert kinds(chart_of(encounter(participant=people))) == ["contact"]


def test_a_visit_that_lists_nobody_is_taken_as_a_contact_the_reading_that_alerts_less() -> None:
    assert kinds(chart_of(encounter(participant=[]))) == ["contact"]


@pytest.mark.parametrize("text", ["Medication refill", "Lab visit", "Patient portal message"])
def test_refills_laboratory_visits_and_portal_messages_are_no_contacts(text: str) -> None:
    people = [{"individual": {"reference": "Practitioner/p1"}}]
    assert kinds(chart_of(encounter(type=[{"text": text}], participant=people))) == ["other"]


def test_a_group_class_is_a_contact_only_with_a_clinician() -> None:
    people = [{"individual": {"reference": "Practitioner/p1"}}]
    assert kinds(chart_of(encounter(type=[{"text": "Group class"}]))) == ["other"]
    assert kinds(chart_of(encounter(type=[{"text": "Group class"}], participant=people))) == ["contact"]


@pytest.mark.parametrize("status", ["in-progress", "arrived", "onleave"])
def test_a_stay_goes_on_until_it_is_finished(status: str) -> None:
    stay = encounter(status=status, period={"start": "@-5d"}, **{"class": {"system": ACT_CODE, "code": "IMP"}})
    (visit,) = chart_of(stay).visits
    assert (visit.kind, visit.in_progress) == ("inpatient", True)


# Bookings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["booked", "pending"])
def test_appointments_that_stand_are_bookings(status: str) -> None:
    (booking,) = chart_of(f"booking b1: {{date: +9d, status: {status}}}").bookings
    assert rel(booking.day) == 9


@pytest.mark.parametrize("status", ["noshow", "cancelled", "fulfilled", "entered-in-error", "waitlist"])
def test_other_appointments_are_none(status: str) -> None:
    assert chart_of(f"booking b1: {{date: +9d, status: {status}}}").bookings == ()


def test_a_no_show_is_no_contact_either() -> None:
    assert chart_of("booking b1: {date: -9d, status: noshow}").visits == ()


def test_a_proposed_appointment_counts_only_when_it_was_made_today() -> None:
    assert chart_of("booking b1: {date: +9d, status: proposed, created: -1d}").bookings == ()
    assert len(chart_of("booking b1: {date: +9d, status: proposed, created: +0d}").bookings) == 1


def test_the_day_of_an_appointment_is_that_of_the_site() -> None:
    appointment = {
        "fhir b1": {
            "resourceType": "Appointment",
            "id": "b1",
            "status": "booked",
            "participant": [{"actor": {"reference": "Patient/case-patient"}, "status": "accepted"}],
            "start": "2026-03-10T02:30:00Z",
        }
    }
    (booking,) = chart_of(appointment).bookings
    assert rel(booking.day) == 7  # 9 March, 22:30 in New York


def test_a_request_for_a_follow_up_visit_is_a_booking_of_its_encounter() -> None:
    (booking,) = chart_of("follow_up_request r1: {}").bookings
    assert (booking.day, booking.encounter) == (None, "Encounter/case-encounter")


def test_a_planned_encounter_is_a_booking() -> None:
    (booking,) = chart_of("visit p1: {status: planned, date: +12d}").bookings
    assert rel(booking.day) == 12


# Hospice and palliative care -----------------------------------------------------------------------------------------

PALLIATIVE = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z51.5"}]}
HOSPICE = {"coding": [{"system": "http://snomed.info/sct", "code": "428361000124107"}]}


def test_a_discharge_to_hospice_names_hospice_care() -> None:
    (care,) = chart_of("visit v1: {class: IMP, date: -20d, end: -10d, disposition: hospice}").care
    assert (care.name, rel(care.day)) == ("hospice", -10)


@pytest.mark.parametrize("element", ["type", "reasonCode"])
def test_a_palliative_encounter_names_palliative_care(element: str) -> None:
    (care,) = chart_of(encounter(**{element: [PALLIATIVE]})).care
    assert (care.name, rel(care.day)) == ("palliative", -5)


def test_an_order_for_hospice_names_hospice_care() -> None:
    order = {
        "fhir s1": {
            "resourceType": "ServiceRequest",
            "id": "s1",
            "status": "active",
            "intent": "order",
            "code": HOSPICE,
            "subject": {"reference": "Patient/case-patient"},
            "authoredOn": "@-30d",
        }
    }
    (care,) = chart_of(order).care
    assert (care.name, rel(care.day)) == ("hospice", -30)
