"""Long courses, the last contact with a prescriber, renewals (D-04)."""

from __future__ import annotations

import pytest

from cds.model import Scalar
from tests.unit.charts import Line, facts_of, the, those

SERTRALINE = "fills s: {drug: sertraline 50, take: 1, from: -400d, days_supply: 100d, fills: 4}"
LORAZEPAM = "fills l: {drug: lorazepam 0.5, take: 1, times: 2, from: -200d, days_supply: 100d, fills: 2}"
SEEN = "visit v: {date: -170d}"


def groups(*lines: Line) -> list[Scalar]:
    return [f.fields["group"] for f in those(facts_of(*lines), "long_course")]


def renewal(draft: str, *lines: Line) -> dict[str, Scalar]:
    return dict(the(facts_of(*lines, f"draft d: {draft}", hook="order-sign"), "renewal"))


# Courses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drug", "found"),
    [
        ("sertraline 50", ["antidepressant"]),
        ("lorazepam 0.5", ["benzodiazepine"]),
        ("zolpidem 10", ["z-drug"]),
        ("methylphenidate ER 36", ["stimulant"]),
        ("lithium 300", ["lithium"]),
        ("carbamazepine 200", ["carbamazepine"]),
        ("clozapine 100", ["clozapine", "antipsychotic"]),
        ("paliperidone LAI 156", ["long-acting-injection", "antipsychotic"]),
        ("aripiprazole 10", ["antipsychotic"]),
        ("quetiapine 100", []),
        ("trazodone 50", []),
        ("atomoxetine 40", []),
        ("buprenorphine 8", []),
    ],
)
def test_each_drug_makes_the_courses_of_its_groups_the_strictest_first(drug: str, found: list[str]) -> None:
    assert groups(f"fills s: {{drug: {drug}, take: 1, from: -100d, days_supply: 100d}}") == found


def test_buprenorphine_counts_with_a_diagnosis_of_opioid_use_disorder() -> None:
    fills = "fills b: {drug: buprenorphine 8, take: 1, from: -100d, days_supply: 100d}"
    assert groups(fills, "condition o: {code: F11.20, onset: -300d}") == ["opioid-treatment"]
    assert groups(fills, "condition o: {code: F11.90, onset: -300d}") == []


def test_a_switch_within_the_class_goes_on_with_the_course() -> None:
    fact = the(
        facts_of(
            "fills a: {drug: sertraline 50, take: 1, from: -200d, days_supply: 100d}",
            "fills b: {drug: escitalopram 10, take: 1, from: -95d, days_supply: 95d}",
        ),
        "long_course",
    )
    assert (fact["since"], fact["covered_days"], fact["drug"]) == (-200, 195, "escitalopram")


@pytest.mark.parametrize(("ended", "found"), [(-15, 1), (-16, 0)])
def test_a_course_is_in_use_until_its_grace_is_over(ended: int, found: int) -> None:
    line = f"fills s: {{drug: sertraline 50, take: 1, from: {ended - 99}d, days_supply: 100d}}"
    assert len(groups(line)) == found


def test_days_in_hospital_do_not_end_a_course() -> None:
    lines = (
        "fills s: {drug: sertraline 50, take: 1, from: -140d, days_supply: 100d}",
        "visit h: {class: IMP, date: -35d, end: -1d}",
    )
    assert groups(*lines) == ["antidepressant"]


def test_a_stale_list_entry_is_no_course() -> None:
    assert groups("order o: {drug: sertraline 50, take: 1, authored: -380d}") == []
    assert groups("order o: {drug: sertraline 50, take: 1, authored: -300d}") == ["antidepressant"]


# Last contact --------------------------------------------------------------------------------------------------------


def test_the_last_contact_before_today_counts() -> None:
    now = "visit now: {status: in-progress, date: +0d}"
    fact = the(facts_of(SERTRALINE, SEEN, "visit u: {date: -300d}", now), "last_seen")
    assert (fact["day"], fact["days_unseen"]) == (-170, 170)
    assert fact["counted"] == "any contact (roles are not recorded)"


def test_a_clinician_who_cannot_prescribe_does_not_count() -> None:
    nucc = {"system": "http://nucc.org/provider-taxonomy", "code": "103T00000X"}
    role = {"fhir r": {"resourceType": "PractitionerRole", "id": "r", "code": [{"coding": [nucc]}]}}
    fact = the(facts_of(SERTRALINE, SEEN, role, "visit u: {date: -20d, by: PractitionerRole/r}"), "last_seen")
    assert fact["days_unseen"] == 170


def test_a_known_prescriber_is_named_as_such() -> None:
    assert the(facts_of(SERTRALINE, 'visit v: {date: -20d, cpt: "99214"}'), "last_seen")["counted"] == (
        "contacts with a prescriber"
    )


def test_stays_and_emergency_visits_are_no_contacts() -> None:
    lines = SERTRALINE, SEEN, "visit e: {class: EMER, date: -20d}", "visit h: {class: IMP, date: -30d, end: -25d}"
    assert the(facts_of(*lines), "last_seen")["days_unseen"] == 170


def test_without_a_contact_the_days_of_record_count_up_to_what_is_surely_searched() -> None:
    fact = the(facts_of("fills s: {drug: sertraline 50, take: 1, from: -150d, days_supply: 150d}"), "last_seen")
    assert (fact["days_unseen"], "day" in fact) == (150, False)
    long = "fills s: {drug: sertraline 50, take: 1, from: -500d, days_supply: 100d, fills: 5}"
    assert the(facts_of(long), "last_seen")["days_unseen"] == 400


def test_who_takes_nothing_for_long_has_no_such_fact() -> None:
    assert those(facts_of(SEEN), "last_seen") == []


# Renewals ------------------------------------------------------------------------------------------------------------


def test_a_renewal_lasts_from_today_for_all_its_fills() -> None:
    fact = renewal("{drug: sertraline 50, take: 1, days: 90d, refills: 2}", SERTRALINE, SEEN)
    assert (fact["days_unseen_at_end"], fact["past_limit_days"]) == (440, 75)


def test_supply_in_hand_is_used_first() -> None:
    late = "fills s: {drug: sertraline 50, take: 1, from: -380d, days_supply: 100d, fills: 4}"
    assert renewal("{drug: sertraline 50, take: 1, days: 30d}", late, SEEN)["days_unseen_at_end"] == 220


def test_refills_that_nobody_collected_are_not_in_hand() -> None:
    order = "order o: {drug: sertraline 50, take: 1, authored: -400d, days: 100d, refills: 5}"
    fills = "fills s: {drug: sertraline 50, take: 1, from: -400d, days_supply: 100d, fills: 4, order: o}"
    assert renewal("{drug: sertraline 50, take: 1, days: 30d}", order, fills, SEEN)["days_unseen_at_end"] == 200


def test_an_order_of_unknown_length_has_no_end() -> None:
    fact = renewal("{drug: sertraline 50, take: 1}", SERTRALINE, SEEN)
    assert "past_limit_days" not in fact


def test_another_drug_of_the_class_is_no_renewal() -> None:
    draft = "draft d: {drug: escitalopram 10, take: 1, days: 30d}"
    assert those(facts_of(SERTRALINE, SEEN, draft, hook="order-sign"), "renewal") == []


def test_a_controlled_drug_is_named_as_such() -> None:
    assert renewal("{drug: lorazepam 0.5, take: 1, times: 2, days: 30d}", LORAZEPAM, SEEN)["controlled"] is True
    assert renewal("{drug: sertraline 50, take: 1, days: 30d}", SERTRALINE, SEEN)["controlled"] is False
