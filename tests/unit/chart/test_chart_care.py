"""Who took part in a visit, whether it was for mental health, its principal diagnosis, where a stay led (1.7, D-03)."""

from __future__ import annotations

from typing import Any

import pytest

from cds.chart.care import any_of, diagnosis_kind
from cds.chart.model import Booking, Visit
from cds.fhir.records import CodeableConcept, Coding
from cds.shipped import table
from tests.unit.charts import Line, chart_of

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
NUCC = "http://nucc.org/provider-taxonomy"


def visit(*lines: Line) -> Visit:
    return next(v for v in chart_of(*lines).visits if v.ref == "Encounter/v")


def booking(**fields: Any) -> Booking:
    resource = {
        "resourceType": "Appointment",
        "id": "b",
        "status": "booked",
        "start": "@+5d",
        "participant": [{"actor": {"reference": "Patient/case-patient"}}],
        **fields,
    }
    return chart_of({"fhir b": resource}).bookings[0]


def role(code: str, *, ident: str = "r1", system: str = NUCC) -> Line:
    body = {"resourceType": "PractitionerRole", "id": ident, "practitioner": {"reference": "Practitioner/p"}}
    return {f"fhir {ident}": {**body, "code": [{"coding": [{"system": system, "code": code}]}]}}


def stay(**fields: Any) -> Line:
    resource = {
        "resourceType": "Encounter",
        "id": "v",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/case-patient"},
        "period": {"start": "@-20d", "end": "@-10d"},
    }
    return {"fhir v": {**resource, **fields}}


def condition(ident: str, code: str, **fields: Any) -> Line:
    return {
        f"fhir {ident}": {
            "resourceType": "Condition",
            "id": ident,
            "subject": {"reference": "Patient/case-patient"},
            "code": {"coding": [{"system": ICD10, "code": code}]},
            **fields,
        }
    }


def diagnosis(ident: str, *, use: str | None = None, rank: int | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"condition": {"reference": f"Condition/{ident}"}}
    if use is not None:
        body["use"] = {"coding": [{"code": use}]}
    return body if rank is None else {**body, "rank": rank}


# Prescribers ---------------------------------------------------------------------------------------------------------


def test_without_roles_and_codes_nothing_is_known_of_the_clinician() -> None:
    found = visit("visit v: {date: -5d, by: Practitioner/p}")
    assert (found.prescriber, found.mental_health) == (None, None)


@pytest.mark.parametrize(
    ("code", "system", "prescriber", "mental_health"),
    [
        ("2084P0800X", NUCC, True, True),
        ("207Q00000X", NUCC, True, False),
        ("363LP0808X", NUCC, True, True),
        ("363LF0000X", NUCC, True, None),
        ("103TC0700X", NUCC, False, True),
        ("163W00000X", NUCC, False, None),
        ("doctor", "http://terminology.hl7.org/CodeSystem/practitioner-role", True, None),
        ("nurse", "http://terminology.hl7.org/CodeSystem/practitioner-role", None, None),
        ("2084P0800X", "urn:local", None, None),
    ],
)
def test_the_role_of_the_participant_says_both(
    code: str, system: str, prescriber: bool | None, mental_health: bool | None
) -> None:
    found = visit("visit v: {date: -5d, by: Practitioner/p}", role(code, system=system))
    assert (found.prescriber, found.mental_health) == (prescriber, mental_health)


def test_a_participant_may_be_named_by_the_role_itself() -> None:
    assert visit("visit v: {date: -5d, by: PractitionerRole/r1}", role("2084P0800X")).prescriber is True


def test_one_role_of_several_is_enough() -> None:
    found = visit("visit v: {date: -5d, by: Practitioner/p}", role("103TC0700X"), role("207Q00000X", ident="r2"))
    assert found.prescriber is True


def test_the_degree_of_a_practitioner_counts() -> None:
    degree = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0360", "code": "MD"}]}
    doctor = {"fhir p": {"resourceType": "Practitioner", "id": "p", "qualification": [{"code": degree}]}}
    assert visit("visit v: {date: -5d, by: Practitioner/p}", doctor).prescriber is True


@pytest.mark.parametrize(("code", "expected"), [("99213", True), ("90837", False), ("99211", None), ("90791", None)])
def test_without_roles_the_code_of_the_visit_says_it(code: str, expected: bool | None) -> None:
    assert visit(f'visit v: {{date: -5d, cpt: "{code}"}}').prescriber is expected


def test_a_role_wins_over_the_code_of_the_visit() -> None:
    found = visit('visit v: {date: -5d, by: Practitioner/p, cpt: "99213"}', role("103TC0700X"))
    assert found.prescriber is False


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([], None), ([None], None), ([False], False), ([False, None], None), ([False, None, True], True)],
)
def test_one_is_enough_and_none_needs_all(answers: list[bool | None], expected: bool | None) -> None:
    assert any_of(answers) is expected


# Mental health -------------------------------------------------------------------------------------------------------


def test_a_reviewed_word_of_the_service_makes_it_mental_health() -> None:
    assert visit("visit v: {date: -5d, service: Psychiatry}").mental_health is True


def test_a_word_that_is_not_reviewed_says_nothing() -> None:
    assert visit("visit v: {date: -5d, service: Room 4}").mental_health is None


def test_a_mental_health_diagnosis_counts_whoever_the_clinician() -> None:
    line = "visit v: {date: -5d, by: Practitioner/p, diagnosis: F41.1}"
    assert visit(line, role("207Q00000X")).mental_health is True


def test_a_diagnosis_that_names_the_visit_counts() -> None:
    named = condition("c", "F32.1", encounter={"reference": "Encounter/v"})
    assert visit("visit v: {date: -5d}", named).mental_health is True


def test_a_provisional_diagnosis_does_not() -> None:
    status = {"coding": [{"code": "provisional"}]}
    named = condition("c", "F32.1", encounter={"reference": "Encounter/v"}, verificationStatus=status)
    assert visit("visit v: {date: -5d}", named).mental_health is None


def test_a_clinic_is_known_by_its_name() -> None:
    place = {"location": [{"location": {"display": "Psychiatry Clinic"}}], "class": {"code": "AMB"}}
    assert visit(stay(**place)).mental_health is True


def test_bookings_say_it_too() -> None:
    psychiatry = {"coding": [{"system": "http://snomed.info/sct", "code": "394587001"}]}
    neurology = {"coding": [{"system": "http://snomed.info/sct", "code": "394591006"}]}
    assert booking().mental_health is None
    assert booking(specialty=[psychiatry]).mental_health is True
    assert booking(specialty=[neurology]).mental_health is False
    assert booking(reasonCode=[{"coding": [{"system": ICD10, "code": "F32.1"}]}]).mental_health is True


# Principal diagnosis and destination ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("F20.0", "mental-disorder"),
        ("F69", "mental-disorder"),
        ("F71", "other"),
        ("F84.0", "mental-disorder"),
        ("F99", "mental-disorder"),
        ("F19.20", "other"),
        ("X78.1XXA", "self-harm"),
        ("T14.91XA", "self-harm"),
        ("T43.212A", "self-harm"),
        ("T43.211A", "other"),
        ("T43.2X2A", "self-harm"),
        ("T65.892D", "self-harm"),
        ("T71.162A", "self-harm"),
        ("R45.851", "other"),
        ("J18.9", "other"),
    ],
)
def test_the_code_says_what_kind_of_diagnosis_it_is(code: str, kind: str) -> None:
    assert diagnosis_kind(CodeableConcept(coding=(Coding(system=ICD10, code=code),))) == kind


def test_text_and_unknown_systems_are_not_judged() -> None:
    assert diagnosis_kind(CodeableConcept(text="depression")) is None
    assert diagnosis_kind(CodeableConcept(coding=(Coding(system="http://snomed.info/sct", code="1"),))) is None


def test_the_discharge_diagnosis_comes_before_the_admission_diagnosis() -> None:
    lines = condition("a", "F32.2"), condition("b", "J18.9")
    first = stay(diagnosis=[diagnosis("b", use="AD"), diagnosis("a", use="DD")])
    assert visit(first, *lines).principal == "mental-disorder"
    second = stay(diagnosis=[diagnosis("a", use="AD"), diagnosis("b", use="DD")])
    assert visit(second, *lines).principal == "other"


def test_rank_names_the_first_of_several() -> None:
    lines = condition("a", "F32.2"), condition("b", "J18.9")
    assert (
        visit(stay(diagnosis=[diagnosis("b", rank=2), diagnosis("a", rank=1)]), *lines).principal == "mental-disorder"
    )


def test_several_that_differ_and_are_not_ranked_leave_it_open() -> None:
    lines = condition("a", "F32.2"), condition("b", "J18.9")
    assert visit(stay(diagnosis=[diagnosis("a"), diagnosis("b")]), *lines).principal is None


def test_a_comorbidity_is_never_the_principal_diagnosis() -> None:
    lines = condition("a", "F32.2"), condition("b", "J18.9")
    assert visit(stay(diagnosis=[diagnosis("a", use="CM"), diagnosis("b", use="DD")]), *lines).principal == "other"


def test_self_harm_beside_a_mental_disorder_is_self_harm() -> None:
    reasons = [{"coding": [{"system": ICD10, "code": code}]} for code in ("F32.2", "T43.212A")]
    assert visit(stay(reasonCode=reasons)).principal == "self-harm"


def test_a_reason_that_is_a_condition_counts() -> None:
    reasons = [{"reference": "Condition/a"}]
    assert visit(stay(reasonReference=reasons), condition("a", "F32.2")).principal == "mental-disorder"


def test_a_stay_without_a_diagnosis_has_none() -> None:
    assert visit(stay()).principal is None


def test_a_plain_contact_has_no_principal_diagnosis() -> None:
    assert visit("visit v: {date: -5d, diagnosis: F32.1}").principal is None


@pytest.mark.parametrize(
    ("code", "expected"), [("home", "home"), ("psy", "facility"), ("hosp", "hospice"), ("exp", "died"), ("oth", None)]
)
def test_the_disposition_says_where_a_stay_led(code: str, expected: str | None) -> None:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": code}
    assert visit(stay(hospitalization={"dischargeDisposition": {"coding": [coding]}})).destination == expected


def test_the_tables_answer_in_the_words_that_are_read() -> None:
    codes = table("care_codes")
    assert {row["system"] for row in codes} == {"nucc", "role", "degree", "snomed", "cpt"}
    assert {row[column] for row in codes for column in ("prescriber", "mental_health")} == {"yes", "no", ""}
    assert {row["kind"] for row in table("encounter_diagnoses")} == {"mental-disorder", "self-harm"}
    assert {row["destination"] for row in table("discharge_dispositions")} == {"home", "facility", "hospice", "died"}
    assert all(row["text"] == row["text"].strip().lower() for row in table("care_words"))
