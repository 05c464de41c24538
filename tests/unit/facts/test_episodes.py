"""Episodes, grace, inpatient days, class-level episodes (1.4 step 4). Days are counted from today."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.charts import context_of, covered, dosing, episodes_of, facts_of, the, those


def with_gap(drug: str, days: int, **more: str) -> tuple[str, str]:
    extra = "".join(f", {k}: {v}" for k, v in more.items())
    return (
        f"fills a: {{drug: {drug}, take: 1, from: -60d, days_supply: 20d{extra}}}",  # to day -41
        f"fills b: {{drug: {drug}, take: 1, from: {-40 + days}d, days_supply: 5d{extra}}}",
    )


@pytest.mark.parametrize(
    ("drug", "key", "grace"),
    [
        ("sertraline 50", "sertraline", 14),
        ("lorazepam 1", "lorazepam", 14),
        ("zolpidem 10", "zolpidem", 14),
        ("aripiprazole 10", "aripiprazole", 14),
        ("lithium 300", "lithium carbonate", 14),
        ("methylphenidate ER 36", "methylphenidate", 30),
        ("guanfacine ER 2", "guanfacine", 30),
    ],
)
def test_a_gap_of_the_grace_merges_and_one_day_more_splits(drug: str, key: str, grace: int) -> None:
    merged, split = context_of(*with_gap(drug, grace)), context_of(*with_gap(drug, grace + 1))
    assert len(episodes_of(merged, key)) == 1
    assert len(episodes_of(split, key)) == 2


def test_bridged_days_are_not_covered_days() -> None:
    c = context_of(*with_gap("sertraline 50", 14))
    (episode,) = c.by_ingredient["sertraline"]
    assert episode.covered_days(episode.start, c.today) == 25


# Inpatient days ------------------------------------------------------------------------------------------------------

STAY = "visit stay: {class: IMP, date: -40d, end: -31d}"


def test_inpatient_days_make_no_gap() -> None:
    # 24 days between the supplies, ten of them in hospital: a gap of 14.
    c = context_of(*with_gap("sertraline 50", 24), STAY)
    assert len(episodes_of(c, "sertraline")) == 1
    c = context_of(*with_gap("sertraline 50", 25), STAY)
    assert len(episodes_of(c, "sertraline")) == 2


def test_inpatient_days_are_not_covered_by_what_lies_at_home() -> None:
    c = context_of("fills f: {drug: sertraline 50, take: 1, from: -50d, days_supply: 40d}", STAY)
    assert covered(c, "sertraline") == [(-50, -41), (-30, -11)]
    assert episodes_of(c, "sertraline") == [(-50, -11)]


def given(day: str, mg: int = 100) -> dict[str, Any]:
    return {
        f"fhir a{day}": {
            "resourceType": "MedicationAdministration",
            "id": f"a{day.removeprefix('-')}",
            "status": "completed",
            "medicationCodeableConcept": {"text": "sertraline 100 MG Oral Tablet"},
            "subject": {"reference": "Patient/case-patient"},
            "effectiveDateTime": f"@{day}",
            "dosage": {"dose": {"value": mg, "unit": "mg"}},
        }
    }


def test_inpatient_days_are_covered_by_the_doses_that_staff_gave() -> None:
    c = context_of(
        "fills f: {drug: sertraline 50, take: 1, from: -50d, days_supply: 40d}", STAY, given("-40d"), given("-39d", 150)
    )
    assert dosing(c, "sertraline") == [(-50, -41, 50), (-40, -40, 100), (-39, -39, 150), (-30, -11, 50)]


def test_doses_given_outside_a_stay_are_no_supply_the_reading_that_alerts_less() -> None:
    assert context_of(given("-5d")).supply == {}


def test_doses_of_one_day_add_up() -> None:
    again = given("-40d")
    again["fhir b"] = {**again.pop("fhir a-40d"), "id": "b"}
    c = context_of(STAY, given("-40d"), again)
    assert dosing(c, "sertraline") == [(-40, -40, 200)]


# Classes -------------------------------------------------------------------------------------------------------------


def exposures(*lines: str) -> list[tuple[str, int]]:
    facts = those(facts_of(*lines, hook="order-sign"), "exposure")
    return [(str(f.fields["class_group"]), int(f.fields["uncovered_days"])) for f in facts]


def test_lorazepam_then_clonazepam_is_one_episode_of_the_class() -> None:
    assert exposures(
        "fills l: {drug: lorazepam 1, take: 1, from: -60d, days_supply: 30d}",
        "fills c: {drug: clonazepam 1, take: 1, from: -30d, days_supply: 30d}",
    ) == [("BZD", 0)]


def test_alprazolam_then_zolpidem_are_two_episodes() -> None:
    assert exposures(
        "fills a: {drug: alprazolam 1, take: 1, from: -60d, days_supply: 30d}",
        "fills z: {drug: zolpidem 10, take: 1, from: -30d, days_supply: 30d}",
    ) == [("BZD", 30), ("ZDRUG", 0)]


@pytest.mark.parametrize(("start", "uncovered"), [(-110, 90), (-109, 89)])
def test_days_without_are_whole_uncovered_days_up_to_yesterday(start: int, uncovered: int) -> None:
    # Last covered on day -91: [-90, -1] has no covered day.
    lines = f"fills l: {{drug: lorazepam 1, take: 1, from: {start}d, days_supply: 20d}}"
    fact = the(facts_of(lines, hook="order-sign"), "exposure")
    assert fact["uncovered_days"] == uncovered


def test_a_class_episode_counts_a_day_with_two_members_once() -> None:
    fact = the(
        facts_of(
            "fills l: {drug: lorazepam 1, take: 1, from: -60d, days_supply: 30d}",
            "fills c: {drug: clonazepam 1, take: 1, from: -40d, days_supply: 30d}",
            hook="order-sign",
        ),
        "exposure",
    )
    assert (fact["start"], fact["last_covered"], fact["covered_days"]) == (-60, -11, 50)


def test_days_in_hospital_are_no_days_without_the_reading_that_alerts_less() -> None:
    fact = the(
        facts_of(
            "fills l: {drug: lorazepam 1, take: 1, from: -40d, days_supply: 20d}",
            "visit stay: {class: IMP, date: -20d, end: -11d}",
            hook="order-sign",
        ),
        "exposure",
    )
    assert fact["uncovered_days"] == 10


def test_an_exposure_ends_yesterday_at_the_latest() -> None:
    fact = the(
        facts_of("fills l: {drug: lorazepam 1, take: 1, from: -10d, days_supply: 60d}", hook="order-sign"), "exposure"
    )
    assert (fact["last_covered"], fact["covered_days"]) == (-1, 10)


def test_a_planned_fill_is_no_exposure_yet() -> None:
    order = "order l: {drug: lorazepam 1, take: 1, authored: -1d, valid_from: +5d, days: 30d}"
    assert those(facts_of(order, hook="order-sign"), "exposure") == []


def test_the_discharge_list_is_no_history_of_its_own() -> None:
    facts = facts_of(
        "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}",
        "order l: {drug: lorazepam 1, take: 1, category: discharge, authored: -1d, days: 60d}",
        hook="encounter-discharge",
    )
    assert those(facts, "exposure") == []


def test_the_confidence_of_an_episode_is_the_lowest_of_its_parts() -> None:
    fact = the(
        facts_of(
            "fills l: {drug: lorazepam 1, take: 1, from: -60d, days_supply: 30d}",
            "order c: {drug: clonazepam 1, take: 1, authored: -35d}",
            hook="order-sign",
        ),
        "exposure",
    )
    assert fact["confidence"] == "low"
