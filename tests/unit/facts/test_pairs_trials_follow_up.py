"""Pairs, switches and starts: 1.3.5, 1.6, 1.7, A-02, family C, D-01, rulings 10.14-10.17, 10.22, 10.28, 10.29."""

from __future__ import annotations

import pytest

from cds.chart.model import Chart
from cds.fhir.reading import SearchState
from cds.needs import unmet
from tests.unit.facts.patients import facts, of, one

PATIENT = ("patient", {"age": 45})
VISIT = ("visit v1", {"date": "-400d"})
ESCITALOPRAM = ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d"})


def fill(drug: str, start: str, days: int, take: float = 1, **more):  # type: ignore[no-untyped-def]
    name = more.pop("name", drug.split(maxsplit=1)[0] + start.strip("-+d"))
    return f"fills {name}", {"drug": drug, "take": take, "from": start, "days_supply": f"{days}d", **more}


def signing(*lines):  # type: ignore[no-untyped-def]
    return facts(PATIENT, VISIT, *lines, hook="order-sign")


def viewing(*lines):  # type: ignore[no-untyped-def]
    return facts(PATIENT, VISIT, *lines)


# Pairs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drug", "take", "pairs"),
    [
        ("trazodone 150", 1, 0),
        ("trazodone 50", 3, 0),
        ("trazodone 100", 2, 1),
        ("amitriptyline 25", 2, 0),
        ("amitriptyline 25", 3, 1),
    ],
)
def test_a_low_dose_adjunct_is_no_pair(drug: str, take: int, pairs: int) -> None:
    found = signing(fill("sertraline 50", "-60d", 90), ("draft d1", {"drug": drug, "take": take, "days": "30d"}))
    assert len(of("pair", found)) == pairs


@pytest.mark.parametrize("drug", ["trazodone 150", "amitriptyline 100", "doxepin 10"])
def test_an_unknown_dose_of_these_drugs_is_taken_as_low(drug: str) -> None:
    assert of("pair", signing(fill("sertraline 50", "-60d", 90), ("draft d1", {"drug": drug, "days": "30d"}))) == []


def test_the_same_moiety_is_no_pair_of_this_rule() -> None:
    citalopram = ("draft d1", {"drug": "citalopram 20", "take": 1, "days": "30d"})
    assert of("pair", signing(fill("escitalopram 10", "-60d", 90), citalopram)) == []


def test_bupropion_for_tobacco_is_no_antidepressant() -> None:
    body = {"drug": "bupropion XL 150", "take": 1, "days": "30d", "reason": "F17.210"}
    assert of("switch", signing(fill("sertraline 50", "-20d", 20), ("draft d1", body))) == []


def test_the_end_of_a_course_is_named_with_its_kind() -> None:
    def how(*lines):  # type: ignore[no-untyped-def]
        return {f["how"]: f["day"] for f in of("planned_end", signing(*lines, ESCITALOPRAM))}

    order = {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "30d"}
    assert how(("order s1", {**order, "refills": 2})) == {"supply": 69}
    assert how(("order s1", {**order, "refills": 2, "end": "+20d"})) == {"stated": 20, "supply": 20}
    assert how(("order s1", order), ("stop x", {"order": "s1"})) == {"stopped": 0}
    assert how(("order s1", {"drug": "sertraline 50", "authored": "-20d"})) == {}


def test_refills_that_may_still_be_collected_are_no_end_of_supply() -> None:
    order = ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "30d", "refills": 1})
    found = signing(order, fill("sertraline 50", "-20d", 30, order="s1"), ESCITALOPRAM)
    assert {f["how"] for f in of("planned_end", found)} == {"refills"}


def test_a_draft_that_replaces_an_order_ends_it() -> None:
    order = ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "30d", "refills": 5})
    draft = ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d", "replaces": "s1"})
    assert {f["how"]: f["day"] for f in of("planned_end", signing(order, draft))} == {"stopped": 0}


def test_a_course_is_dated_from_its_episode_not_from_its_last_fill() -> None:
    found = signing(fill("sertraline 50", "-90d", 30, fills=4), ESCITALOPRAM)
    assert one("pair", found)["old_since"] == -90


def test_concurrent_strengths_add_up() -> None:
    def old_dose(second_start: str) -> float:
        lines = [
            ("order a", {"drug": "amitriptyline 100", "take": 1, "authored": "-20d", "days": "90d"}),
            ("order b", {"drug": "amitriptyline 25", "take": 1, "authored": second_start, "days": "90d"}),
        ]
        return float(
            one("pair", signing(*lines, ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d"})))["old_dose"]
        )

    assert old_dose("-17d") == 125  # three days apart: one regimen
    assert old_dose("-23d") == 125
    assert old_dose("-24d") == 100  # four days apart: a change of dose; the later order is the dose


def test_the_larger_rise_of_both_columns_decides() -> None:
    # Alprazolam 3 mg: VA/DoD 30, Ashton 60. Lorazepam 1 mg: VA/DoD 5 (+16.7 %), Ashton 10 (+16.7 %).
    old = ("order a", {"drug": "alprazolam 1", "take": 3, "authored": "-100d", "days": "30d", "refills": 5})
    found = signing(old, ("draft d1", {"drug": "lorazepam 1", "take": 1, "days": "30d"}))
    assert one("pair", found)["combined_equivalent_percent"] == pytest.approx(116.67, abs=0.01)
    # Clonazepam 1 mg is 10 and 20, diazepam 10 mg is 10 in both: 200 % by VA/DoD decides over 150 % by Ashton.
    old = ("order c", {"drug": "clonazepam 1", "take": 1, "authored": "-100d", "days": "30d", "refills": 5})
    found = signing(old, ("draft d1", {"drug": "diazepam 10", "take": 1, "days": "30d"}))
    assert one("pair", found)["combined_equivalent_percent"] == 200


def test_overlap_counts_days_on_which_both_are_covered() -> None:
    found = viewing(fill("sertraline 50", "-60d", 60), fill("escitalopram 10", "-40d", 20))
    overlap = one("overlap", found)
    assert (overlap["days"], overlap["first"], overlap["last"]) == (20, -40, -21)


@pytest.mark.parametrize(("second", "days"), [("-25d", 25), ("-24d", 24)])
def test_a_gap_within_grace_is_bridged_but_not_counted(second: str, days: int) -> None:
    # Escitalopram -49..-40, then from -25 (gap 14: one run) or -24 (gap 15: the latest run alone).
    length = int(second.strip("-d"))
    found = viewing(
        fill("sertraline 50", "-60d", 60), fill("escitalopram 10", "-49d", 10), fill("escitalopram 10", second, length)
    )
    latest = max(of("overlap", found), key=lambda overlap: overlap["last"])
    assert latest["days"] == (days + 10 if second == "-25d" else days)


# Trials and switches --------------------------------------------------------------------------------------------------


def switch(*lines):  # type: ignore[no-untyped-def]
    return one("switch", signing(*lines, ESCITALOPRAM))


def test_adequate_days_are_those_at_or_above_the_minimum_dose() -> None:
    found = switch(fill("sertraline 25", "-40d", 20), fill("sertraline 50", "-20d", 30))
    assert (found["covered_days"], found["adequate_days"], found["minimum_dose"]) == (40, 20, 50)


def test_a_range_counts_by_its_low_end_and_as_needed_as_nothing() -> None:
    as_needed = ("fills p", {"drug": "sertraline 50", "take": 1, "prn": True, "from": "-20d", "days_supply": "30d"})
    assert switch(as_needed)["adequate_days"] == 0


@pytest.mark.parametrize(("second", "adequate"), [("-26d", 46), ("-25d", 25)])
def test_an_interruption_of_more_than_14_days_restarts_the_count(second: str, adequate: int) -> None:
    found = switch(fill("sertraline 50", "-60d", 20), fill("sertraline 50", second, int(second.strip("-d"))))
    assert found["adequate_days"] == adequate


def test_bupropion_at_150_mg_counts_its_covered_days() -> None:
    order = ("order b", {"drug": "bupropion XL 150", "take": 1, "authored": "-30d", "days": "60d"})
    found = one("switch", signing(order, ("stop x", {"order": "b"}), ESCITALOPRAM))
    assert found["adequate_days"] == 30


def test_an_unknown_dose_is_said_to_be_unknown() -> None:
    body = {"drug": "sertraline 50", "from": "-20d", "days_supply": "30d"}
    found = switch(("fills s", body))
    assert found["dose_known"] is False
    assert "adequate_days" not in found


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        (
            "stopped",
            [
                ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "60d"}),
                ("stop x", {"order": "s1"}),
            ],
        ),
        ("ended", [fill("sertraline 50", "-40d", 20)]),
        (
            "end-planned",
            [("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "90d", "end": "+30d"})],
        ),
        (
            "same-class",
            [("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "90d", "end": "+31d"})],
        ),
    ],
)
def test_what_makes_an_order_a_switch(how: str, lines: list) -> None:  # type: ignore[type-arg]
    assert switch(*lines)["how"] == how


def test_another_class_beside_a_continued_drug_is_no_switch() -> None:
    order = ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-20d", "days": "90d", "end": "+31d"})
    assert of("switch", signing(order, ("draft d1", {"drug": "bupropion XL 150", "take": 1, "days": "30d"}))) == []


def test_of_several_drugs_the_one_with_most_adequate_days_is_meant() -> None:
    found = switch(fill("fluoxetine 20", "-100d", 80), fill("sertraline 50", "-20d", 20))
    assert found["old_drug"] == "fluoxetine"


@pytest.mark.parametrize(
    ("base_day", "now_day", "known"),
    [
        ("-50d", "-1d", True),
        ("-51d", "-1d", False),
        ("-13d", "-1d", True),
        ("-12d", "-1d", False),
        ("-20d", "-6d", True),
        ("-20d", "-7d", False),
    ],
)
def test_the_pair_of_scores_lies_in_its_windows(base_day: str, now_day: str, known: bool) -> None:
    # Start on day -20: baseline in [S-30, S+7], current in [max(S+14, T-21), T].
    found = switch(
        fill("sertraline 50", "-20d", 30),
        ("result a", {"scale": "phq9", "value": 20, "date": base_day}),
        ("result b", {"scale": "phq9", "value": 15, "date": now_day}),
    )
    assert ("improvement_percent" in found) is known


def test_a_baseline_under_ten_shows_no_improvement() -> None:
    scores = [("result b", {"scale": "phq9", "value": 4, "date": "-1d"})]
    nine = switch(
        fill("sertraline 50", "-20d", 30), ("result a", {"scale": "phq9", "value": 9, "date": "-20d"}), *scores
    )
    ten = switch(
        fill("sertraline 50", "-20d", 30), ("result a", {"scale": "phq9", "value": 10, "date": "-20d"}), *scores
    )
    assert "improvement_percent" not in nine
    assert ten["improvement_percent"] == 60


# Follow-up ------------------------------------------------------------------------------------------------------------


def start(*lines, **fields):  # type: ignore[no-untyped-def]
    return one("treatment_start", viewing(*lines), planned=False, **fields)


@pytest.mark.parametrize(("old", "change"), [("-194d", "start"), ("-193d", "continuation")])
def test_105_days_without_make_a_start(old: str, change: str) -> None:
    # The old course of 60 days ends 105 or 104 uncovered days before day -29.
    found = start(fill("sertraline 50", old, 60), fill("sertraline 50", "-29d", 60), day=-29)
    assert found["change"] == change


def test_a_statement_never_makes_a_start() -> None:
    assert of("treatment_start", viewing(("statement s", {"drug": "sertraline 50", "take": 1, "from": "-20d"}))) == []


def contacts(*lines):  # type: ignore[no-untyped-def]
    return [f["day"] for f in of("contact", viewing(fill("sertraline 50", "-20d", 60), *lines))]


@pytest.mark.parametrize("code", ["AMB", "VR", "HH", "TEL", "none"])
def test_visits_in_person_by_video_at_home_and_by_telephone_are_contacts(code: str) -> None:
    assert contacts(("visit a", {"date": "-5d", "class": code})) == [-5]


@pytest.mark.parametrize("code", ["EMER", "IMP", "OBSENC", "PRENC"])
def test_other_classes_are_no_contacts(code: str) -> None:
    assert contacts(("visit a", {"date": "-5d", "class": code})) == []


@pytest.mark.parametrize("status", ["cancelled", "planned", "entered-in-error", "onleave", "unknown"])
def test_visits_that_did_not_take_place_are_no_contacts(status: str) -> None:
    assert contacts(("visit a", {"date": "-5d", "status": status})) == []


def test_todays_visit_in_progress_is_a_contact() -> None:
    assert contacts(("visit a", {"date": "+0d", "status": "in-progress"})) == [0]


def test_a_visit_needs_a_clinician_where_participants_are_named() -> None:
    assert contacts(("visit a", {"date": "-5d", "by": "Practitioner/p"})) == [-5]
    assert contacts(("visit a", {"date": "-5d", "by": "PractitionerRole/p"})) == [-5]
    assert contacts(("visit a", {"date": "-5d", "by": "RelatedPerson/p"})) == []
    assert contacts(("visit a", {"date": "-5d", "by": "Patient/p"})) == []


@pytest.mark.parametrize(
    "who", ["urn:uuid:4b3f", "https://example.org/fhir/Practitioner/1", "Practitioner?identifier=x|1"]
)
def test_a_clinician_makes_a_contact_however_the_reference_is_written(who: str) -> None:
    assert contacts(("visit a", {"date": "-5d", "by": who})) == [-5]


@pytest.mark.parametrize(
    ("status", "counts"),
    [("booked", True), ("pending", True), ("noshow", False), ("cancelled", False), ("proposed", False)],
)
def test_bookings_are_booked_or_pending_appointments(status: str, counts: bool) -> None:
    found = viewing(fill("sertraline 50", "-20d", 60), ("booking b", {"date": "+5d", "status": status}))
    assert bool(of("booking", found)) is counts


def test_a_request_for_follow_up_of_this_encounter_is_a_booking() -> None:
    found = viewing(fill("sertraline 50", "-20d", 60), ("follow_up_request r", {}))
    assert one("booking", found) == {"dated": False, "of_this_encounter": True, "mental_health": "unrecorded"}


@pytest.mark.parametrize(("take", "change"), [(5.25, "continuation"), (5.3, "increase")])
def test_a_rise_of_more_than_five_per_cent_is_an_increase(take: float, change: str) -> None:
    found = viewing(fill("sertraline solution", "-60d", 52, take=5), fill("sertraline solution", "-8d", 30, take=take))
    # A change within 5 % is the same dose: no change of dose is recorded at all.
    rises = of("treatment_start", found, day=-8)
    assert [r["change"] for r in rises] in ([change], [] if change == "continuation" else [change])


def test_zero_encounters_in_a_young_record_leave_follow_up_undecided() -> None:
    def lacking(days_of_record: int, **searches: SearchState) -> bool:
        chart = Chart("p", 1000, None, False, searches=searches, earliest=1000 - days_of_record)
        return unmet("encounters", chart) is not None

    assert lacking(89, Encounter="complete")
    assert not lacking(90, Encounter="complete")
    assert lacking(500, Encounter="failed")
    assert lacking(500, Encounter="truncated")
    assert lacking(500)
