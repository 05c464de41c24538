"""Pairs of an order with a current course or another order, and how the course ends (A-02, 10.3, 10.14, 10.22)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cds.model import Fact, Scalar
from tests.unit.charts import facts_of, the, those

SERTRALINE = "order s: {drug: sertraline 50, take: 1, authored: -100d, days: 30d, refills: 11}"
ESCITALOPRAM = "draft d: {drug: escitalopram 10, take: 1, days: 30d}"


def signing(*lines: str) -> list[Fact]:
    return facts_of(*lines, hook="order-sign")


def endings(*lines: str) -> dict[str, float]:
    return {str(f.fields["how"]): float(f.fields["day"]) for f in those(signing(*lines), "planned_end")}


def pair(*lines: str) -> Mapping[str, Scalar]:
    return the(signing(*lines), "pair")


# Which pairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "group"),
    [
        ("sertraline 50", "escitalopram 10", "serotonergic"),
        ("venlafaxine XR 75", "sertraline 50", "serotonergic"),
        ("phenelzine 15", "tranylcypromine 10", "maoi"),
        ("clonazepam 1", "lorazepam 1", "benzodiazepine"),
        ("clonazepam 1", "zolpidem 10", "benzodiazepine-z-drug"),
        ("methylphenidate ER 36", "lisdexamfetamine 30", "stimulant"),
        ("guanfacine ER 2", "clonidine ER 0.1", "alpha-agonist"),
        ("sertraline 50", "amitriptyline 100", "serotonergic-tricyclic"),
    ],
)
def test_pairs_of_the_table_are_found_in_either_order(old: str, new: str, group: str) -> None:
    for a, b in ((old, new), (new, old)):
        found = pair(
            f"order o: {{drug: {a}, take: 1, authored: -100d, days: 365d}}",
            f"draft d: {{drug: {b}, take: 1, days: 30d}}",
        )
        assert found["group"] == group


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("escitalopram 10", "bupropion XL 150"),
        ("escitalopram 10", "mirtazapine 15"),
        ("sertraline 50", "lithium 300"),
        ("sertraline 50", "aripiprazole 10"),
        ("sertraline 50", "trazodone 50"),
        ("lisdexamfetamine 30", "guanfacine ER 2"),
        ("sertraline 50", "esketamine spray"),
        ("sertraline 50", "zuranolone 25"),
        ("escitalopram 10", "citalopram 20"),  # one moiety: the business of A-01
    ],
)
def test_accepted_augmentation_and_one_moiety_are_no_pairs(old: str, new: str) -> None:
    facts = signing(
        f"order o: {{drug: {old}, take: 1, authored: -100d, days: 365d}}",
        f"draft d: {{drug: {new}, take: 1, days: 30d}}",
    )
    assert those(facts, "pair") == []


def named(old: str, new: str) -> list[Fact]:
    """Pairs of two drugs known by name only, at 100 mg a day."""

    def resource(kind: str, ident: str, drug: str) -> dict[str, object]:
        return {
            "resourceType": kind,
            "id": ident,
            "status": "completed",
            "medicationCodeableConcept": {"text": drug},
            "subject": {"reference": "Patient/case-patient"},
            "whenHandedOver": "@-31d",
            "daysSupply": {"value": 31},
            "dosageInstruction": [
                {
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                    "doseAndRate": [{"doseQuantity": {"value": 100, "unit": "mg"}}],
                }
            ],
        }

    lines = [
        {"fhir a": resource("MedicationDispense", "a", old)},
        {"fhir b": resource("MedicationDispense", "b", new)},
    ]
    return those(facts_of(*lines, hook="patient-view"), "overlap")


def test_vortioxetine_with_a_tricyclic_is_not_in_the_table() -> None:
    assert named("vortioxetine", "amitriptyline") == []
    assert len(named("sertraline", "amitriptyline")) == 1


def test_two_drugs_of_one_stimulant_family_are_never_duplicates() -> None:
    assert named("methamphetamine", "lisdexamfetamine") == []
    assert len(named("methylphenidate", "lisdexamfetamine")) == 1


# Confidence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "confidence"),
    [
        ("fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 90d}", "high"),
        ("order s: {drug: sertraline 50, take: 1, authored: -10d, days: 90d}", "medium"),
        ("order s: {drug: sertraline 50, take: 1, authored: -10d}", "low"),
    ],
)
def test_an_active_order_with_no_supply_and_no_end_is_low(line: str, confidence: str) -> None:
    assert pair(line, ESCITALOPRAM)["confidence"] == confidence


def test_a_stale_entry_is_no_current_course() -> None:
    assert those(signing("order s: {drug: sertraline 50, take: 1, authored: -366d}", ESCITALOPRAM), "pair") == []


def test_an_order_on_hold_is_no_current_course() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -20d, days: 90d, status: on-hold}"
    assert those(signing(order, ESCITALOPRAM), "pair") == []


# Current use ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "pairs"), [(-44, 1), (-45, 0)])
def test_a_drug_is_current_until_the_end_of_its_grace(start: int, pairs: int) -> None:
    # Covered to day -14 or -15: in use as long as T <= end + 14.
    facts = signing(f"fills f: {{drug: sertraline 50, take: 1, from: {start}d, days_supply: 31d}}", ESCITALOPRAM)
    assert len(those(facts, "pair")) == pairs


def test_refills_that_nobody_has_collected_for_long_are_no_current_use_the_reading_that_alerts_less() -> None:
    facts = signing(
        "order s: {drug: sertraline 50, take: 1, authored: -200d, days: 30d, refills: 11}",
        "fills f: {drug: sertraline 50, take: 1, from: -200d, days_supply: 30d, order: s}",
        ESCITALOPRAM,
    )
    assert those(facts, "pair") == []


def test_a_charted_order_that_begins_ahead_is_planned_use() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -1d, valid_from: +5d, days: 30d}"
    assert pair(order, ESCITALOPRAM)["old_since"] == 5


# Endings -------------------------------------------------------------------------------------------------------------


def test_a_stop_in_the_same_call_ends_the_course_today() -> None:
    assert endings(SERTRALINE, "stop x: {order: s}", ESCITALOPRAM) == {"stopped": 0}


def test_a_stop_ends_the_course_although_its_dispenses_name_no_order() -> None:
    fills = "fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 90d}"
    assert endings(SERTRALINE, fills, "stop x: {order: s}", ESCITALOPRAM) == {"stopped": 0}


def test_a_stop_of_one_of_two_strengths_does_not_end_the_course() -> None:
    more = "order t: {drug: sertraline 100, take: 1, authored: -100d, days: 30d, refills: 11}"
    assert "stopped" not in endings(SERTRALINE, more, "stop x: {order: s}", ESCITALOPRAM)


def test_a_draft_that_names_the_old_order_as_prior_ends_it_when_the_draft_begins() -> None:
    draft = "draft d: {drug: escitalopram 10, take: 1, days: 30d, replaces: s}"
    assert endings(SERTRALINE, draft) == {"stopped": 0}


def test_an_explicit_end_is_stated() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -100d, days: 30d, refills: 11, end: +30d}"
    assert endings(order, ESCITALOPRAM)["stated"] == 30


STEPS_DOWN = {
    "drug": "sertraline 50",
    "authored": "-100d",
    "days": "30d",
    "refills": 11,
    "steps": [{"take": 2, "from": "-100d", "to": "+6d"}, {"take": 1, "from": "+7d", "to": "+40d"}],
}


def test_a_decreasing_sequence_that_reaches_an_end_is_a_taper() -> None:
    facts = facts_of({"order s": STEPS_DOWN}, ESCITALOPRAM, hook="order-sign")
    assert the(facts, "planned_end", how="tapered")["day"] == 40


def test_a_decreasing_sequence_without_an_end_is_none() -> None:
    steps = [{"take": 2, "from": "-100d", "to": "+6d"}, {"take": 1, "from": "+7d"}]
    facts = facts_of({"order s": {**STEPS_DOWN, "steps": steps}}, ESCITALOPRAM, hook="order-sign")
    assert {f.fields["how"] for f in those(facts, "planned_end")} == {"supply"}


def test_supply_on_hand_without_refills_is_an_end() -> None:
    fills = "fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 30d}"
    assert endings(fills, ESCITALOPRAM) == {"supply": 19}


def test_supply_on_hand_with_refills_is_none() -> None:
    order = "order s: {drug: sertraline 50, take: 1, authored: -10d, days: 30d, refills: 1}"
    fills = "fills f: {drug: sertraline 50, take: 1, from: -10d, days_supply: 30d, order: s}"
    assert endings(order, fills, ESCITALOPRAM) == {"refills": 49}


def test_a_list_entry_has_no_planned_end() -> None:
    assert endings("order s: {drug: sertraline 50, take: 1, authored: -10d}", ESCITALOPRAM) == {}


# Two orders of one call ----------------------------------------------------------------------------------------------


def test_of_two_drafts_the_one_that_ends_is_the_one_that_gives_way() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        facts = signing(
            f"draft {first}: {{drug: sertraline 50, take: 1, days: 14d, end: +14d}}",
            f"draft {second}: {{drug: escitalopram 10, take: 1, days: 30d}}",
        )
        made = the(facts, "pair")
        assert (made["old_drug"], made["new_drug"]) == ("sertraline", "escitalopram")
        assert the(facts, "planned_end", course=made["course"], how="stated")["day"] == 14


def test_a_cross_taper_draft_for_the_old_drug_is_the_end_of_its_course() -> None:
    facts = signing(
        SERTRALINE,
        "draft x: {drug: sertraline 50, take: 1, days: 14d, end: +14d, replaces: s}",
        "draft y: {drug: escitalopram 10, take: 1, days: 30d}",
    )
    for made in those(facts, "pair"):
        ends = those(facts, "planned_end", course=made.fields["course"])
        assert [f for f in ends if f.fields["how"] in {"stopped", "stated"} and f.fields["day"] <= 30]


def test_supply_of_a_new_draft_is_not_an_end_of_it() -> None:
    facts = signing(
        "draft a: {drug: sertraline 50, take: 1, days: 14d}", "draft b: {drug: escitalopram 10, take: 1, days: 14d}"
    )
    assert those(facts, "planned_end") == []


# The discharge list --------------------------------------------------------------------------------------------------


def test_at_discharge_the_list_itself_is_looked_at_and_what_it_leaves_out_is_stopped() -> None:
    stay = "visit stay: {this: true, class: IMP, status: in-progress, date: -5d}"
    escitalopram = "order e: {drug: escitalopram 10, take: 1, days: 30d, category: discharge, authored: -1d}"
    sertraline = "order t: {drug: sertraline 50, take: 1, days: 30d, category: discharge, authored: -1d}"
    omitted = facts_of(stay, SERTRALINE, escitalopram, hook="encounter-discharge")
    both = facts_of(stay, SERTRALINE, escitalopram, sertraline, hook="encounter-discharge")
    assert those(omitted, "pair") == []
    assert len(those(both, "pair")) == 1


# Benzodiazepines: combined dose --------------------------------------------------------------------------------------


def combined(*lines: str | dict[str, object]) -> object:
    return the(facts_of(*lines, hook="order-sign"), "pair").get("combined_equivalent_percent")


def test_full_doses_of_two_benzodiazepines_are_twice_the_dose_before() -> None:
    # Alprazolam 3 mg = 30 mg diazepam (VA/DoD), 60 mg (Ashton); the larger rise decides: 200 % and 150 %.
    assert (
        combined(
            "order a: {drug: alprazolam 1, take: 1, times: 3, authored: -100d, days: 130d, end: +28d}",
            "draft d: {drug: diazepam 10, take: 1, times: 3, days: 60d}",
        )
        == 200
    )


def test_the_more_cautious_column_decides() -> None:
    # Diazepam 10 mg, then lorazepam 1 mg beside it: 5 mg in the VA/DoD column, 10 mg in Ashton's.
    assert (
        combined(
            "order a: {drug: diazepam 10, take: 1, authored: -100d, days: 130d}",
            "draft d: {drug: lorazepam 1, take: 1, days: 20d}",
        )
        == 200
    )


def test_a_benzodiazepine_stopped_in_the_same_call_shares_no_day_with_the_new_one() -> None:
    assert (
        combined(
            "order a: {drug: alprazolam 1, take: 1, times: 3, authored: -100d, days: 130d}",
            "stop x: {order: a}",
            "draft d: {drug: diazepam 10, take: 1, times: 3, days: 60d}",
        )
        is None
    )


def test_a_benzodiazepine_that_ends_on_the_day_of_the_new_start_shares_that_day() -> None:
    assert (
        combined(
            "order a: {drug: alprazolam 1, take: 1, times: 3, authored: -100d, days: 130d, end: +0d}",
            "draft d: {drug: diazepam 10, take: 1, times: 3, days: 60d}",
        )
        == 200
    )


def test_an_unknown_dose_has_no_percentage() -> None:
    assert (
        combined(
            "order a: {drug: alprazolam 1, authored: -100d, days: 130d}",
            "draft d: {drug: diazepam 10, take: 1, times: 3, days: 60d}",
        )
        is None
    )


def test_a_draft_that_ends_before_the_common_days_does_not_count_beyond_its_end() -> None:
    steps = [
        {"take": 1, "times": 3, "from": "-100d", "to": "+9d"},
        {"take": 3, "times": 3, "from": "+10d", "to": "+29d"},
    ]
    order = {"order a": {"drug": "alprazolam 1", "authored": "-100d", "days": "130d", "steps": steps}}
    draft = "draft d: {drug: diazepam 10, take: 1, times: 3, days: 60d, end: +9d}"
    assert combined(order, draft) == 200
