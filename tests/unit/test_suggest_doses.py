"""S-TAPER, S-DOSE and S-SHORT: steps that follow from a known dose, and none where it is not known."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import orjson
import pytest

from cds.authoring.notation import Writer
from cds.evaluate import Evaluator
from cds.findings import Action
from cds.model import Fact
from cds.settings import load_settings
from cds.suggest.doses import dose, taper
from cds.suggest.known import Known
from cds.suggest.orders import short, stop_old
from cds.suggest.plans import alternative
from hooks.request import read_call

TODAY = dt.date(2026, 3, 2)
EVALUATOR = Evaluator(load_settings(time_zone="UTC", engine="direct"))


class Bound:
    """The part of a decision that suggestions read."""

    def __init__(self, fact: Fact) -> None:
        self.bound = {"x": fact}


def known(*lines: tuple[str, Any]) -> Known:
    writer = Writer(TODAY)
    for name, body in (("patient", {"age": 40}), *lines):
        writer.line(name, body)
    return Known.of(EVALUATOR.chart(read_call(orjson.dumps(writer.request("order-sign")), "order-sign"), today=TODAY))


def order(drug: str, **said: Any) -> tuple[str, dict[str, Any]]:
    return "order o1", {"drug": drug, "authored": "-60d", "days": "30d", "refills": 3, **said}


def actions_of(build: Any, body: dict[str, Any], chart: Known, **fields: Any) -> list[Action]:
    fact = Fact("x", "x", fields, ("MedicationRequest/o1",))
    return [action for s in build(body, Bound(fact), chart) for action in s.actions]


def test_a_first_step_takes_a_tenth_away_in_as_many_doses_as_now() -> None:
    made = actions_of(
        taper, {"of": "x", "percent": "10 %", "days": "28 d"}, known(order("clonazepam 1", take=1, times=2))
    )
    assert [a.kind for a in made] == ["S-TAPER", "S-FU"]
    (step,) = made[0].changes["steps"]
    assert step == {"start_day": 0, "end_day": 27, "dose_mg": Decimal("0.9"), "times_per_day": 2}
    assert made[0].changes["old"] == "MedicationRequest/o1"
    assert made[1].changes == {"day": 28}


def test_without_a_percentage_the_steps_are_left_to_the_prescriber() -> None:
    made = actions_of(taper, {"of": "x", "days": "28 d"}, known(order("sertraline 100", take=1)))
    assert made[0].changes["steps"] == []
    assert "steps left to you" in made[0].description


@pytest.mark.parametrize("unknown", [{}, {"take": 1, "prn": True}])
def test_a_dose_that_is_not_known_or_as_needed_makes_no_step(unknown: dict[str, Any]) -> None:
    chart = known(order("clonazepam 1", **unknown))
    assert actions_of(taper, {"of": "x", "percent": "10 %", "days": "28 d"}, chart) == []


def test_an_order_that_the_call_stops_can_be_tapered_instead() -> None:
    chart = known(order("clonazepam 1", take=1, times=2), ("stop s", {"order": "o1"}))
    assert actions_of(taper, {"of": "x", "percent": "10 %", "days": "28 d"}, chart)


def test_a_charted_drug_is_drafted_anew_at_the_dose_and_its_order_stays() -> None:
    chart = known(order("sertraline 50", take=1))
    (made,) = actions_of(dose, {"of": "x", "to": "mg"}, chart, mg=100.0)
    assert made.type == "create"
    assert made.changes["dose_value"] == 2
    assert made.changes["dose_unit"] == "tablet"
    assert made.changes["old"] == "MedicationRequest/o1"


@pytest.mark.parametrize(("mg", "tablets"), [(75.0, Decimal("1.5")), (60.0, None), (25.0, Decimal("0.5"))])
def test_only_halves_of_a_tablet_can_be_taken(mg: float, tablets: Decimal | None) -> None:
    made = actions_of(dose, {"of": "x", "to": "mg"}, known(order("sertraline 50", take=1)), mg=mg)
    assert [a.changes["dose_value"] for a in made] == ([tablets] if tablets is not None else [])


def test_the_draft_of_the_call_is_updated_and_never_a_signed_order() -> None:
    chart = known(order("sertraline 50", take=1), ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d"}))
    (made,) = actions_of(dose, {"draft": "x", "to": "mg"}, chart, mg=100.0, order="MedicationRequest/d1#sertraline")
    assert (made.type, made.target) == ("update", "MedicationRequest/d1")
    assert actions_of(dose, {"draft": "x", "to": "mg"}, chart, mg=100.0, order="MedicationRequest/o1#sertraline") == []


def test_a_fact_without_the_dose_suggests_none() -> None:
    assert actions_of(dose, {"of": "x", "to": "mg"}, known(order("sertraline 50", take=1))) == []


def test_a_draft_with_the_summed_dose_takes_the_place_of_the_old_order() -> None:
    chart = known(order("sertraline 50", take=1), ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d"}))
    body = {"draft": "x", "to": "mg", "replaces": True}
    (made,) = actions_of(dose, body, chart, mg=100.0, order="MedicationRequest/d1#sertraline")
    assert made.changes["replaces"] == "MedicationRequest/o1"
    assert made.description.endswith("in place of both orders")


def test_a_draft_that_replaces_another_order_takes_the_place_of_no_second_one() -> None:
    draft = ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d", "replaces": "o2"})
    chart = known(order("sertraline 50", take=1), ("order o2", {"drug": "sertraline 25", "take": 1}), draft)
    body = {"draft": "x", "to": "mg", "replaces": True}
    assert actions_of(dose, body, chart, mg=100.0, order="MedicationRequest/d1#sertraline") == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (("order p", {"drug": "sertraline 50", "authored": "-60d", "days": "90d"}), True),
        (("order p", {"drug": "phenelzine 15", "authored": "-60d", "days": "90d"}), False),
        (("order p", {"drug": "phenelzine 15", "authored": "-60d", "status": "stopped", "end": "-14d"}), False),
        (("order p", {"drug": "phenelzine 15", "authored": "-60d", "status": "stopped", "end": "-15d"}), True),
        (("fills p", {"drug": "phenelzine 15", "from": "-44d", "days_supply": "30d"}), False),
        (("fills p", {"drug": "phenelzine 15", "from": "-45d", "days_supply": "30d"}), True),
        (("statement p", {"drug": "phenelzine 15"}), False),
        (("statement p", {"drug": "text: buspirone 10 mg tablet"}), False),
    ],
)
def test_buspirone_is_never_suggested_beside_or_soon_after_an_mao_inhibitor_nor_twice(
    line: tuple[str, Any], offered: bool
) -> None:
    assert bool(actions_of(alternative, {"drug": "buspirone"}, known(line))) == offered


@pytest.mark.parametrize(
    ("drug", "new", "old", "labels"),
    [
        ("lorazepam 1", 1.0, 1.0, ["End the earlier order of lorazepam"]),
        ("lorazepam 1", 0.5, 1.0, []),  # ending the larger of two orders would be a stop by half
        ("lorazepam 1", None, 1.0, []),
        ("lisdexamfetamine 30", 0.5, 30.0, ["End the earlier order of lisdexamfetamine"]),
    ],
)
def test_of_two_orders_of_one_substance_the_earlier_ends_only_where_the_dose_does_not_fall(
    drug: str, new: float | None, old: float, labels: list[str]
) -> None:
    chart = known(order(drug, take=1), ("draft d1", {"drug": drug, "take": 1, "days": "30d"}))
    key = drug.partition(" ")[0]
    fields = {"order": f"MedicationRequest/d1#{key}", "old_dose": old} | ({} if new is None else {"new_dose": new})
    fact = Fact("x", "x", fields, ("MedicationRequest/o1",))
    assert [s.label for s in stop_old({"pair": "x"}, Bound(fact), chart)] == labels


@pytest.mark.parametrize(
    ("per_fill", "for_14_days"),
    [
        (60, Decimal(28)),  # two a day
        (45, Decimal(21)),  # one and a half
        (10, Decimal(5)),  # 4.67 tablets: whole ones that last
        (150.5, Decimal("70.23")),  # a liquid is measured
    ],
)
def test_a_shorter_supply_has_the_quantity_of_its_days(per_fill: float, for_14_days: Decimal) -> None:
    line = ("draft o1", {"drug": "lorazepam 0.5", "days": "30d", "refills": 2, "quantity": per_fill})
    fact = Fact("x", "x", {"id": "MedicationRequest/o1#0"}, ())
    (suggestion,) = short({"order": "x", "days": "14 d"}, Bound(fact), known(line))  # type: ignore[arg-type]
    (action,) = suggestion.actions
    assert action.changes == {"days": 14, "refills": 0, "quantity": for_14_days}


def test_a_shorter_supply_says_no_quantity_where_the_draft_says_none() -> None:
    line = ("draft o1", {"drug": "lorazepam 0.5", "days": "30d", "refills": 2})
    fact = Fact("x", "x", {"id": "MedicationRequest/o1#0"}, ())
    (suggestion,) = short({"order": "x", "days": "14 d"}, Bound(fact), known(line))  # type: ignore[arg-type]
    assert suggestion.actions[0].changes["quantity"] is None
