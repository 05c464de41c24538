"""Several antipsychotics or antidepressants at once (A-03, A-04): runs of common days, and what an order would add."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.facts.patients import Line, facts, of, one

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

RISPERIDONE: Line = ("fills r", {"drug": "risperidone 2", "take": 1, "from": "-120d", "days_supply": "120d"})
OLANZAPINE: Line = ("fills o", {"drug": "olanzapine 15", "take": 1, "from": "-100d", "days_supply": "100d"})
HALOPERIDOL: Line = ("fills h", {"drug": "haloperidol 5", "take": 1, "from": "-40d", "days_supply": "40d"})


def fill(name: str, drug: str, start: int, days: int, **more: Any) -> Line:
    return f"fills {name}", {"drug": drug, "take": 1, "from": f"-{start}d", "days_supply": f"{days}d", **more}


def injection(name: str, day: int, *, rxcui: str = "858048") -> Line:
    return f"fhir {name}", {
        "resourceType": "MedicationAdministration", "id": name, "status": "completed",
        "subject": {"reference": "Patient/case-patient"}, "effectiveDateTime": f"@-{day}d",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": rxcui}]},
    }  # fmt: skip


def pair(*lines: Line) -> dict[str, Any]:
    return one("drugs_together", facts(*lines), group="antipsychotic", count=2)


def test_a_run_lasts_from_the_first_to_the_last_day_on_which_both_are_in_hand() -> None:
    found = pair(RISPERIDONE, OLANZAPINE)
    assert (found["days"], found["first"], found["last"]) == (100, -100, -1)
    assert (found["later_drug"], found["names"]) == ("olanzapine", "risperidone + olanzapine")


def test_a_gap_within_grace_is_bridged_and_not_counted() -> None:
    found = pair(
        RISPERIDONE, fill("o", "olanzapine 15", 100, 40), fill("p", "olanzapine 15", 46, 46)
    )  # 14 days without
    assert (found["days"], found["first"]) == (86, -100)


def test_a_gap_beyond_grace_begins_another_run() -> None:
    found = pair(
        RISPERIDONE, fill("o", "olanzapine 15", 100, 40), fill("p", "olanzapine 15", 45, 45)
    )  # 15 days without
    assert (found["days"], found["first"]) == (45, -45)


def test_inpatient_days_are_bridged_and_not_counted() -> None:
    stay: Line = ("visit stay", {"class": "IMP", "date": "-60d", "end": "-41d"})
    assert pair(RISPERIDONE, OLANZAPINE, stay)["days"] == 80


def test_of_three_each_pair_and_the_triple_are_found() -> None:
    found = facts(RISPERIDONE, OLANZAPINE, HALOPERIDOL)
    assert sorted(f["days"] for f in of("drugs_together", found, count=2)) == [40, 40, 100]
    assert one("drugs_together", found, count=3)["days"] == 40


def test_of_four_the_longest_triple_stands_for_all() -> None:
    found = facts(RISPERIDONE, OLANZAPINE, HALOPERIDOL, fill("q", "quetiapine 200", 20, 20))
    assert one("drugs_together", found, count=3)["days"] == 40


def test_the_order_of_the_records_does_not_matter() -> None:
    lines = [RISPERIDONE, OLANZAPINE, HALOPERIDOL]
    assert of("drugs_together", facts(*lines)) == of("drugs_together", facts(*reversed(lines)))


def test_scheduled_doses_count_beside_as_needed_ones_of_the_same_drug() -> None:
    as_needed = fill("n", "olanzapine 10", 100, 100, prn=True)
    assert pair(RISPERIDONE, OLANZAPINE, as_needed)["days"] == 100
    assert of("drugs_together", facts(RISPERIDONE, as_needed)) == []


def test_an_injection_in_the_clinic_counts_for_as_long_as_it_certainly_lasts() -> None:
    found = pair(OLANZAPINE, *(injection(f"g{day}", day) for day in (90, 60, 30)))
    assert (found["days"], found["first"]) == (90, -90)


def test_an_injection_that_wore_off_ends_the_run() -> None:
    assert of("drugs_together", facts(OLANZAPINE, injection("g", 90))) == []


def test_a_short_acting_injection_does_not_count() -> None:
    assert of("drugs_together", facts(RISPERIDONE, injection("g", 5, rxcui="485968"))) == []


def test_a_supply_that_runs_out_is_no_planned_end() -> None:
    assert "planned_end_days" not in pair(RISPERIDONE, OLANZAPINE)
    stated: Line = (
        "order o1",
        {"drug": "olanzapine 15", "take": 1, "authored": "-100d", "days": "30d", "end": "+20d", "refills": 5},
    )
    assert pair(RISPERIDONE, OLANZAPINE, stated)["planned_end_days"] == 20


def test_the_order_of_the_drug_added_last_is_the_one_to_taper() -> None:
    order: Line = ("order o1", {"drug": "olanzapine 15", "take": 1, "authored": "-100d", "days": "30d", "refills": 5})
    assert pair(RISPERIDONE, OLANZAPINE, order)["current_order"] == "MedicationRequest/o1"
    assert "current_order" not in pair(RISPERIDONE, OLANZAPINE)


def test_whether_prolactin_is_known_matters_only_where_low_aripiprazole_counts() -> None:
    unread: Line = ("failed", ["Observation"])
    assert pair(RISPERIDONE, OLANZAPINE, unread)["prolactin_known"] is True
    assert "prolactin_known" not in pair(RISPERIDONE, fill("a", "aripiprazole 5", 50, 50), unread)
    assert pair(RISPERIDONE, fill("a", "aripiprazole 15", 50, 50), unread)["prolactin_known"] is True


@pytest.mark.parametrize(("flag", "counted"), [("H", 0), ("HH", 0), ("N", 1), ("L", 1)])
def test_only_a_raised_prolactin_explains_low_aripiprazole(flag: str, counted: int) -> None:
    prolactin: Line = (
        "fhir p",
        {
            "resourceType": "Observation", "id": "p", "status": "final", "effectiveDateTime": "@-50d",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2842-3"}]},
            "subject": {"reference": "Patient/case-patient"}, "valueQuantity": {"value": 40, "unit": "ng/mL"},
            "interpretation": [{"coding": [{"code": flag}]}],
        },
    )  # fmt: skip
    found = facts(RISPERIDONE, fill("a", "aripiprazole 10", 50, 50), prolactin)
    assert len(of("drugs_together", found)) == counted


@pytest.mark.parametrize(
    ("drug", "body", "counted"),
    [
        ("mirtazapine 15", {"take": 1}, 1),
        ("mirtazapine 15", {}, 0),
        ("mirtazapine 7.5", {"take": 1}, 0),
        ("trazodone 100", {"take": 2}, 1),
        ("trazodone 100", {}, 0),
        ("amitriptyline 100", {"take": 1}, 1),
        ("amitriptyline 100", {}, 0),
        ("phenelzine 15", {"take": 3}, 0),
        ("zuranolone 25", {"take": 2}, 0),
    ],
)
def test_which_antidepressants_are_counted(drug: str, body: dict[str, Any], counted: int) -> None:
    others = [fill("s", "sertraline 50", 100, 100), fill("b", "bupropion XL 150", 100, 100)]
    third: Line = ("fills x", {"drug": drug, "from": "-100d", "days_supply": "100d", **body})
    found = of("drugs_together", facts(*others, third), group="antidepressant")
    assert len(found) == counted


def test_a_draft_adds_to_what_goes_on_and_not_to_what_the_call_stops() -> None:
    orders: list[Line] = [
        ("order r1", {"drug": "risperidone 2", "take": 1, "authored": "-60d", "days": "30d", "refills": 11}),
        ("order o1", {"drug": "olanzapine 15", "take": 1, "authored": "-60d", "days": "30d", "refills": 11}),
    ]
    draft: Line = ("draft d1", {"drug": "haloperidol 5", "take": 1, "days": "30d"})
    assert one("drugs_planned", facts(*orders, draft, hook="order-sign"))["count"] == 3
    stop: Line = ("stop x", {"order": "o1"})
    assert one("drugs_planned", facts(*orders, stop, draft, hook="order-sign"))["count"] == 2


def test_a_depot_given_in_the_clinic_goes_on_beside_a_draft() -> None:
    draft: Line = ("draft d1", {"drug": "haloperidol 5", "take": 1, "days": "30d"})
    found = one("drugs_planned", facts(injection("g", 10), draft, hook="order-sign"))
    assert found["count"] == 2


def test_without_a_discharge_list_nobody_knows_what_goes_on() -> None:
    found = one("drugs_planned", facts(RISPERIDONE, OLANZAPINE, hook="encounter-discharge"))
    assert "list_known" not in found
    assert "count" not in found


def test_of_two_that_began_on_one_day_neither_was_added() -> None:
    found = pair(RISPERIDONE, fill("o", "olanzapine 15", 120, 120))
    assert not {"later_drug", "current_order"} & set(found)
