"""Order facts, gates, diagnoses, risks: 1.2, 1.3, 1.5, 1.8, 1.9, 10.3-10.5, 10.24."""

from __future__ import annotations

import orjson
import pytest

from cds.authoring.notation import RXNORM
from cds.evaluate import Evaluator
from cds.settings import load_settings
from hooks.request import read_call
from tests.unit.facts.patients import TODAY, facts, of, one

PATIENT = ("patient", {"age": 45})


def order(body, *lines, hook="order-sign", **fields):  # type: ignore[no-untyped-def]
    return one("order", facts(PATIENT, *lines, ("draft d1", body), hook=hook), **fields)


def test_authorised_days_are_days_of_a_fill_times_fills() -> None:
    found = order({"drug": "lorazepam 0.5", "take": 1, "days": "30d", "refills": 2})
    assert (found["fill_days"], found["refills"], found["authorised_days"]) == (30, 2, 90)


def test_a_dose_in_tablets_is_strength_times_number_times_frequency() -> None:
    found = order({"drug": "lorazepam 0.5", "take": 2, "times": 2, "days": "30d"})
    assert found["daily_dose"] == 2
    assert found["diazepam_equivalent"] == 10  # VA/DoD: lorazepam 2 mg equals diazepam 10 mg


def test_a_dose_that_is_not_stated_is_not_guessed() -> None:
    found = order({"drug": "lorazepam 0.5", "days": "30d"})
    assert "daily_dose" not in found
    assert "diazepam_equivalent" not in found


def test_days_that_cannot_be_worked_out_are_missing() -> None:
    found = order({"drug": "lorazepam 0.5", "quantity": 30})
    assert found["length_known"] is False
    assert "authorised_days" not in found


def test_a_draft_starts_at_its_bounds_when_they_lie_ahead_else_today() -> None:
    ahead = {"drug": "lorazepam 0.5", "steps": [{"take": 1, "from": "+5d", "to": "+20d"}]}
    past = {"drug": "lorazepam 0.5", "steps": [{"take": 1, "from": "-5d", "to": "+20d"}]}
    assert order(ahead)["start"] == 5
    assert order(past)["start"] == 0


def test_whatever_is_in_draft_orders_and_not_ended_is_a_draft() -> None:
    for status in ("draft", "active", "on-hold", "unknown"):
        assert order({"drug": "lorazepam 0.5", "status": status, "intent": "proposal"})["role"] == "draft"


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed", "entered-in-error"])
def test_an_ended_entry_of_draft_orders_is_no_draft(status: str) -> None:
    assert (
        of("order", facts(PATIENT, ("draft d1", {"drug": "lorazepam 0.5", "status": status}), hook="order-sign")) == []
    )


def test_administrations_are_counted_not_tablets() -> None:
    found = facts(
        PATIENT,
        ("draft d1", {"drug": "alprazolam 1", "take": 2, "times": 1, "prn": True, "quantity": 48, "days": "60d"}),
        hook="order-sign",
    )
    use = one("as_needed", found)
    assert use["administrations"] == 24
    assert use["administrations_per_28_days"] == pytest.approx(11.2)


def test_administrations_are_over_all_fills() -> None:
    found = facts(
        PATIENT,
        ("draft d1", {"drug": "alprazolam 1", "take": 1, "prn": True, "quantity": 12, "days": "28d", "refills": 1}),
        hook="order-sign",
    )
    use = one("as_needed", found)
    assert (use["administrations"], use["administrations_per_28_days"]) == (24, 12)


def test_a_draft_that_is_also_in_the_chart_is_one_order() -> None:
    body = {"drug": "lorazepam 0.5", "take": 1, "days": "30d"}
    found = facts(PATIENT, ("order d1", {**body, "authored": "-5d"}), ("draft d1", body), hook="order-sign")
    assert len(of("order", found)) == 1
    assert of("exposure", found) == []


def test_the_discharge_list_is_the_discharge_orders_of_this_encounter() -> None:
    here = ("order z1", {"drug": "zolpidem 10", "take": 1, "category": "discharge", "authored": "-1d"})
    elsewhere = ("order z2", {"drug": "lorazepam 1", "category": "discharge", "authored": "-1d", "encounter": "other"})
    found = facts(PATIENT, here, elsewhere, hook="encounter-discharge")
    assert [f["ingredient"] for f in of("order", found, role="discharge")] == ["zolpidem"]


def test_emergency_needs_the_drug_and_the_emergency() -> None:
    assert order({"drug": "lorazepam 1", "priority": "stat"})["emergency"] is True
    assert order({"drug": "clonazepam 1", "priority": "stat"})["emergency"] is False
    assert order({"drug": "lorazepam 1"})["emergency"] is False
    visit = ("visit er", {"class": "EMER", "status": "in-progress", "date": "+0d"})
    assert order({"drug": "lorazepam 1"}, visit)["emergency"] is True


def gates(*lines, hook="patient-view"):  # type: ignore[no-untyped-def]
    return sorted({f["name"] for f in of("gate", facts(*lines, hook=hook))})


def test_deceased_closes_everything() -> None:
    assert gates(("patient", {"age": 45, "deceased": True})) == ["deceased"]
    assert gates(PATIENT) == []


@pytest.mark.parametrize(("day", "gate"), [("-365d", ["palliative"]), ("-366d", [])])
def test_palliative_care_counts_for_a_year(day: str, gate: list[str]) -> None:
    assert gates(PATIENT, ("condition p", {"code": "Z51.5", "onset": day})) == gate


@pytest.mark.parametrize(("day", "gate"), [("-365d", ["hospice"]), ("-366d", [])])
def test_discharge_to_hospice_counts_for_a_year(day: str, gate: list[str]) -> None:
    assert gates(PATIENT, ("visit v", {"date": day, "class": "IMP", "disposition": "hospice"})) == gate


def test_a_stay_closes_outpatient_rules_but_not_at_its_discharge() -> None:
    stay = ("visit s", {"class": "IMP", "status": "in-progress", "date": "-2d"})
    assert gates(PATIENT, stay) == ["inpatient"]
    assert gates(PATIENT, stay, hook="encounter-discharge") == []


# "unconfirmed" is none of these: it counts (1.8).
@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional", "differential"])
def test_a_condition_that_is_not_confirmed_neither_suppresses_nor_escalates(verification: str) -> None:
    found = facts(PATIENT, ("condition c", {"code": "G40.909", "onset": "-9d", "verification": verification}))
    assert of("diagnosis", found) == []


@pytest.mark.parametrize(
    ("status", "active"), [("active", True), ("recurrence", True), ("relapse", True), ("resolved", False)]
)
def test_clinical_status_says_whether_a_condition_is_active(status: str, active: bool) -> None:
    found = facts(PATIENT, ("condition c", {"code": "F41.1", "onset": "-9d", "status": status}))
    assert one("diagnosis", found, group="gad")["active"] is active


def test_a_condition_is_dated_by_onset_else_by_recording() -> None:
    both = facts(PATIENT, ("condition c", {"code": "F41.1", "onset": "-90d", "recorded": "-9d"}))
    late = facts(PATIENT, ("condition c", {"code": "F41.1", "recorded": "-9d"}))
    assert one("diagnosis", both, group="gad")["onset"] == -90
    assert one("diagnosis", late, group="gad")["onset"] == -9


def test_item_9_and_the_screener_are_risks_from_one_on() -> None:
    for scale in ("phq9-item9", "cssrs"):
        assert one("risk", facts(PATIENT, ("result r", {"scale": scale, "value": 1, "date": "-3d"})))["day"] == -3
        assert of("risk", facts(PATIENT, ("result r", {"scale": scale, "value": 0, "date": "-3d"}))) == []


def test_age_is_in_completed_years() -> None:
    def ages(birth: str) -> tuple[float, float]:
        found = one("patient", facts(("patient", {"birth": birth})))
        return found["age_youngest"], found["age_oldest"]

    assert ages("2008-03-02") == (18, 18)
    assert ages("2008-03-03") == (17, 17)
    assert ages("2008") == (17, 18)


def test_without_a_birth_date_no_age_is_claimed() -> None:
    found = facts(("fhir p", {"resourceType": "Patient", "id": "case-patient"}))
    assert one("patient", found) == {}


def test_a_dose_without_a_unit_counts_tablets_only_where_the_site_says_so() -> None:
    request = {
        "hook": "order-sign",
        "hookInstance": "h",
        "context": {
            "patientId": "p",
            "draftOrders": {
                "entry": [
                    {
                        "resource": {
                            "resourceType": "MedicationRequest",
                            "id": "d1",
                            "status": "draft",
                            "intent": "order",
                            "subject": {"reference": "Patient/p"},
                            "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "197900"}]},
                            "dosageInstruction": [
                                {
                                    "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                                    "doseAndRate": [{"doseQuantity": {"value": 1}}],
                                }
                            ],
                        }
                    }
                ]
            },
        },
    }
    doses = {}
    for bare in (False, True):
        site = Evaluator(load_settings(time_zone="UTC", engine="direct", today=None, drugs={"bare_counts": bare}))
        chart = site.chart(read_call(orjson.dumps(request), "order-sign"), today=TODAY)
        doses[bare] = one("order", site.facts(chart, "order-sign").facts).get("daily_dose")
    assert doses == {False: None, True: 1}


def test_only_the_latest_exposure_of_either_class_is_the_latest() -> None:
    found = facts(
        ("fills l", {"drug": "lorazepam 1", "from": "-110d", "days_supply": "30d"}),
        ("fills z", {"drug": "zolpidem 10", "from": "-50d", "days_supply": "20d"}),
        hook="order-sign",
    )
    assert {e["class_group"]: e["latest"] for e in of("exposure", found)} == {"BZD": False, "ZDRUG": True}
