"""Gates, risks, and the orders that are judged (1.1, 1.9, B-01, D-01 groups, 10.4, 10.24)."""

from __future__ import annotations

import pytest

from cds.model import Hook, Scalar
from tests.unit.charts import Line, facts_of, the, those


def gates(*lines: Line, hook: Hook = "patient-view") -> set[Scalar]:
    return {f.fields["name"] for f in those(facts_of(*lines, hook=hook), "gate")}


# Gates ---------------------------------------------------------------------------------------------------------------


def test_a_deceased_patient_is_gated() -> None:
    assert gates("patient: {age: 50, deceased: true}") == {"deceased"}
    assert gates("patient: {age: 50}") == set()


def test_a_date_of_death_gates_too_and_a_false_does_not() -> None:
    patient = {"fhir p": {"resourceType": "Patient", "id": "case-patient", "deceasedDateTime": "2026-02"}}
    alive = {"fhir p": {"resourceType": "Patient", "id": "case-patient", "deceasedBoolean": False}}
    assert gates(patient) == {"deceased"}
    assert gates(alive) == set()


@pytest.mark.parametrize(("day", "gated"), [(-365, True), (-366, False)])
def test_palliative_care_counts_for_365_days(day: int, gated: bool) -> None:
    assert ("palliative" in gates(f"condition p: {{code: Z51.5, onset: {day}d}}")) is gated


@pytest.mark.parametrize(("day", "gated"), [(-365, True), (-366, False)])
def test_a_discharge_to_hospice_counts_for_365_days(day: int, gated: bool) -> None:
    stay = f"visit v: {{class: IMP, date: -400d, end: {day}d, disposition: hospice}}"
    assert ("hospice" in gates(stay)) is gated


def test_an_undated_palliative_diagnosis_counts_the_reading_that_alerts_less() -> None:
    assert gates("condition p: {code: Z51.5}") == {"palliative"}


def test_a_provisional_palliative_diagnosis_does_not_suppress() -> None:
    assert gates("condition p: {code: Z51.5, onset: -10d, verification: provisional}") == set()


def test_a_current_stay_gates_but_not_at_its_own_discharge() -> None:
    stay = "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}"
    assert gates(stay, hook="order-sign") == {"inpatient"}
    assert gates(stay, hook="encounter-discharge") == set()


def test_a_finished_stay_does_not_gate() -> None:
    assert gates("visit stay: {class: IMP, date: -5d, end: -1d}", hook="order-sign") == set()


# The patient ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("birth", "ages"), [("1980-03-02", (46, 46)), ("1980-03-03", (45, 45)), ("1980", (45, 46))])
def test_age_is_in_completed_years_and_a_range_for_a_partial_birth_date(birth: str, ages: tuple[int, int]) -> None:
    fact = the(facts_of(f"patient: {{birth: '{birth}'}}"), "patient")
    assert (fact["age_youngest"], fact["age_oldest"]) == ages


def test_without_a_birth_date_the_age_is_left_out() -> None:
    assert dict(the(facts_of(), "patient")) == {}


# Risks ---------------------------------------------------------------------------------------------------------------


def risks(*lines: Line) -> list[tuple[Scalar, Scalar]]:
    return sorted((f.fields["name"], f.fields["day"]) for f in those(facts_of(*lines), "risk"))


@pytest.mark.parametrize(("value", "found"), [(0, []), (1, [("suicidality", -3)])])
@pytest.mark.parametrize("scale", ["phq9-item9", "cssrs"])
def test_an_item_of_one_or_more_is_a_risk(scale: str, value: int, found: list[tuple[str, int]]) -> None:
    assert risks(f"result r: {{scale: {scale}, value: {value}, date: -3d}}") == found


def test_a_recorded_attempt_or_ideation_is_a_risk_on_its_day() -> None:
    assert risks("condition s: {code: R45.851, onset: -50d}") == [("suicidality", -50)]


def test_an_undated_condition_does_not_escalate() -> None:
    assert risks("condition s: {code: R45.851}") == []


@pytest.mark.parametrize("verification", ["provisional", "differential", "refuted"])
def test_a_suspected_condition_does_not_escalate(verification: str) -> None:
    assert risks(f"condition s: {{code: R45.851, onset: -5d, verification: {verification}}}") == []


def test_a_pregnancy_is_a_risk_while_it_is_active_and_a_birth_by_its_day() -> None:
    assert risks("condition p: {code: Z33.1, onset: -50d}") == [("perinatal", -50)]
    assert risks("condition p: {code: Z33.1, onset: -50d, status: resolved}") == []
    assert risks("condition p: {code: O80, onset: -100d, status: resolved}") == [("perinatal", -100)]


# Orders --------------------------------------------------------------------------------------------------------------


def orders(*lines: Line, hook: Hook = "order-sign") -> list[Scalar]:
    return [f.fields["ingredient"] for f in those(facts_of(*lines, hook=hook), "order")]


def test_drafts_are_judged_and_charted_orders_and_stops_are_not() -> None:
    assert orders(
        "order a: {drug: sertraline 50, authored: -50d}",
        "order b: {drug: clonazepam 1, authored: -50d}",
        "stop x: {order: b}",
        "draft d: {drug: lorazepam 1, take: 1, days: 10d}",
    ) == ["lorazepam"]


def test_an_inpatient_draft_is_not_judged() -> None:
    assert orders("draft d: {drug: lorazepam 1, take: 1, days: 10d, category: inpatient}") == []


def test_at_discharge_the_discharge_list_is_judged() -> None:
    assert orders(
        "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}",
        "order z: {drug: zolpidem 10, take: 1, category: discharge, authored: -1d}",
        "order h: {drug: sertraline 50, authored: -50d}",
        hook="encounter-discharge",
    ) == ["zolpidem"]


@pytest.mark.parametrize("drug", ["diazepam 10 MG Rectal Gel", "midazolam 5 MG Nasal Spray"])
def test_rescue_routes_are_not_judged(drug: str) -> None:
    assert orders(f'draft d: {{drug: "text: {drug}", take: 1, days: 10d}}') == []


def order(*lines: Line, hook: Hook = "order-sign") -> dict[str, Scalar]:
    return dict(the(facts_of(*lines, hook=hook), "order"))


def test_an_order_tells_its_length_refills_and_dose() -> None:
    fact = order("draft d: {drug: lorazepam 0.5, take: 1, times: 2, days: 14d, refills: 1}")
    assert (fact["authorised_days"], fact["fill_days"], fact["refills"]) == (28, 14, 1)
    assert (fact["length_known"], fact["daily_dose"]) == (True, 1)


def test_the_diazepam_equivalent_of_an_order_is_of_the_va_dod_column() -> None:
    assert order("draft d: {drug: lorazepam 1, take: 1, times: 2, days: 14d}")["diazepam_equivalent"] == 10


def test_an_order_of_unknown_length_leaves_it_out() -> None:
    fact = order("draft d: {drug: lorazepam 1, take: 1, refills: 2}")
    assert "authorised_days" not in fact
    assert (fact["length_known"], fact["refills"]) == (False, 2)


def as_needed(line: str) -> dict[str, Scalar]:
    return dict(the(facts_of(line, hook="order-sign"), "as_needed"))


def test_an_as_needed_order_counts_administrations_and_not_tablets() -> None:
    fact = as_needed("draft d: {drug: alprazolam 1, take: 2, times: 1, prn: true, quantity: 48, days: 60d}")
    assert fact["administrations"] == 24
    assert fact["administrations_per_28_days"] == pytest.approx(11.2)


def test_administrations_are_over_all_fills() -> None:
    fact = as_needed("draft d: {drug: alprazolam 1, take: 1, prn: true, quantity: 10, days: 10d, refills: 2}")
    assert (fact["administrations"], fact["administrations_per_28_days"]) == (30, 28)


def test_a_stated_duration_is_taken_as_given() -> None:
    # Thirty tablets of at most three a day last ten days; the order says sixty.
    fact = as_needed("draft d: {drug: alprazolam 1, take: 1, times: 3, prn: true, quantity: 30, days: 60d}")
    assert fact["administrations_per_28_days"] == 14


def test_a_scheduled_order_has_no_administrations_to_count() -> None:
    facts = facts_of("draft d: {drug: alprazolam 1, take: 1, quantity: 30}", hook="order-sign")
    assert those(facts, "as_needed") == []


@pytest.mark.parametrize(
    ("line", "emergency"),
    [
        ("draft d: {drug: lorazepam 1, take: 1, days: 2d, priority: stat}", True),
        ("draft d: {drug: lorazepam 1, take: 1, days: 2d}", False),
        ("draft d: {drug: clonazepam 1, take: 1, days: 2d, priority: stat}", False),
    ],
)
def test_a_stat_order_of_an_emergency_drug_is_an_emergency(line: str, emergency: bool) -> None:
    assert order(line)["emergency"] is emergency


def test_an_order_written_in_an_emergency_visit_is_an_emergency() -> None:
    visit = "visit e: {class: EMER, status: in-progress, date: +0d}"
    assert order(visit, "draft d: {drug: lorazepam 1, take: 1, days: 2d}")["emergency"] is True


STAY = "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}"
ZOLPIDEM = "order z: {drug: zolpidem 10, take: 1, category: discharge, authored: -1d}"


@pytest.mark.parametrize(
    ("home", "started"),
    [
        ([], True),
        (["fills h: {drug: zolpidem 10, take: 1, from: -30d, days_supply: 30d}"], False),
        (["fills h: {drug: zolpidem 10, take: 1, from: -300d, days_supply: 30d}"], True),
        (["statement h: {drug: zolpidem 10, take: 1, from: -90d}"], False),
    ],
)
def test_a_drug_was_started_in_the_stay_when_it_was_not_in_use_at_admission(home: list[str], started: bool) -> None:
    assert order(STAY, ZOLPIDEM, *home, hook="encounter-discharge")["started_in_stay"] is started


def test_a_drug_of_an_outpatient_visit_was_not_started_in_a_stay_the_reading_that_alerts_less() -> None:
    visit = "visit now: {this: true, class: AMB, status: in-progress, date: +0d}"
    assert order(visit, ZOLPIDEM, hook="encounter-discharge")["started_in_stay"] is False
