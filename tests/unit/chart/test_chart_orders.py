"""Which MedicationRequests count, when they start and end, how long they last (1.1, 1.2, 1.4 step 1, 10.3-10.5)."""

from __future__ import annotations

from typing import Any

import pytest

from cds.chart.model import Chart, Order
from tests.unit.charts import TODAY, chart_of

SERTRALINE = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "312941"}]}


def request(ident: str = "o1", **elements: Any) -> dict[str, Any]:
    """A charted MedicationRequest; an element given as None is left out."""
    resource = {
        "resourceType": "MedicationRequest",
        "id": ident,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": SERTRALINE,
        "subject": {"reference": "Patient/case-patient"},
        "authoredOn": "@-20d",
        **elements,
    }
    return {f"fhir {ident}": {k: v for k, v in resource.items() if v is not None}}


def bounds(**period: str) -> list[dict[str, Any]]:
    return [{"timing": {"repeat": {"boundsPeriod": period}}}]


def only(chart: Chart) -> Order:
    assert len(chart.orders) == 1
    return chart.orders[0]


def rel(day: int | None) -> int | None:
    return None if day is None else day - TODAY.toordinal()


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("active", "current"),
        ("on-hold", "paused"),
        ("completed", "ended"),
        ("stopped", "stopped"),
        ("cancelled", "cancelled"),
    ],
)
def test_status_says_whether_an_order_is_current_or_history(status: str, progress: str) -> None:
    assert only(chart_of(request(status=status))).progress == progress


@pytest.mark.parametrize("status", ["entered-in-error", "draft"])
def test_an_erroneous_order_and_a_charted_draft_are_ignored(status: str) -> None:
    assert chart_of(request(status=status)).orders == ()


@pytest.mark.parametrize("intent", ["order", "original-order", "reflex-order", "filler-order", "instance-order"])
def test_intents_of_real_orders_count(intent: str) -> None:
    assert len(chart_of(request(intent=intent)).orders) == 1


@pytest.mark.parametrize("intent", ["proposal", "option", "plan"])
def test_proposals_options_and_plans_are_ignored(intent: str) -> None:
    assert chart_of(request(intent=intent)).orders == ()


def test_an_order_not_to_give_the_drug_is_ignored() -> None:
    assert chart_of(request(doNotPerform=True)).orders == ()


@pytest.mark.parametrize(("code", "setting"), [("community", "outpatient"), ("discharge", "discharge")])
def test_community_and_discharge_orders_are_outpatient_orders(code: str, setting: str) -> None:
    category = [{"coding": [{"code": code}]}]
    order = only(chart_of(request(category=category)))
    assert order.setting == setting
    assert order.setting != "inpatient"


def test_an_order_without_category_is_an_outpatient_order() -> None:
    assert only(chart_of(request())).setting == "outpatient"


def test_an_inpatient_order_is_marked() -> None:
    assert only(chart_of(request(category=[{"coding": [{"code": "inpatient"}]}]))).setting == "inpatient"


def test_everything_in_draft_orders_is_a_draft_whatever_its_status_or_intent() -> None:
    chart = chart_of("draft d1: {drug: sertraline 50, status: active, intent: proposal}", hook="order-sign")
    assert (only(chart).role, only(chart).progress) == ("draft", "current")


def test_an_erroneous_draft_is_ignored() -> None:
    assert chart_of("draft d1: {drug: sertraline 50, status: entered-in-error}", hook="order-sign").orders == ()


def test_a_draft_with_the_id_of_a_charted_order_is_one_order_the_draft() -> None:
    chart = chart_of(
        "order s1: {drug: sertraline 50, authored: -100d, days: 30d}",
        "draft s1: {drug: sertraline 100, days: 60d}",
        hook="order-sign",
    )
    assert (only(chart).role, only(chart).days_per_fill) == ("draft", 60)


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed"])
def test_an_ended_entry_of_draft_orders_with_the_id_of_a_charted_order_is_a_stop(status: str) -> None:
    chart = chart_of(
        "order s1: {drug: sertraline 50, authored: -100d}",
        f"draft s1: {{drug: sertraline 50, authored: -100d, status: {status}}}",
        hook="order-sign",
    )
    order = only(chart)
    assert (order.role, order.ended_by_call, order.open) == ("chart", True, False)
    assert rel(order.end) == 0


def test_a_draft_replaces_the_order_that_it_names_as_its_prior_prescription() -> None:
    chart = chart_of(
        "order s1: {drug: sertraline 50, authored: -100d}",
        "draft d1: {drug: escitalopram 10, replaces: s1}",
        hook="order-sign",
    )
    old = next(o for o in chart.orders if o.ref == "MedicationRequest/s1")
    assert (old.ended_by_call, old.replaced_by, old.open) == (True, "MedicationRequest/d1", False)


def test_a_charted_order_replaces_its_prior_one_without_a_call() -> None:
    chart = chart_of(
        "order s1: {drug: sertraline 50, authored: -100d}",
        "order s2: {drug: sertraline 100, authored: -50d, replaces: s1}",
    )
    old = next(o for o in chart.orders if o.ref == "MedicationRequest/s1")
    assert (old.ended_by_call, old.open) == (False, False)


def test_a_cancelled_order_replaces_nothing() -> None:
    chart = chart_of(
        "order s1: {drug: sertraline 50, authored: -100d}",
        "order s2: {drug: sertraline 100, authored: -50d, replaces: s1, status: cancelled}",
    )
    assert next(o for o in chart.orders if o.ref == "MedicationRequest/s1").open


# Start ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authored", "validity", "bound", "start"),
    [("-20d", "-10d", "-5d", -5), ("-20d", "-10d", "-30d", -10), ("-3d", "-10d", "-30d", -3)],
)
def test_an_order_starts_on_the_latest_of_its_three_dates(authored: str, validity: str, bound: str, start: int) -> None:
    chart = chart_of(
        request(
            authoredOn=f"@{authored}",
            dispenseRequest={"validityPeriod": {"start": f"@{validity}"}},
            dosageInstruction=bounds(start=f"@{bound}"),
        )
    )
    assert rel(only(chart).start) == start


def test_a_do_not_fill_until_script_starts_ahead() -> None:
    assert rel(only(chart_of("order m: {drug: methylphenidate ER 36, authored: +0d, valid_from: +60d}")).start) == 60


@pytest.mark.parametrize(("bound", "start"), [("@+10d", 10), ("@-10d", 0), ("@+0d", 0)])
def test_a_draft_starts_at_its_bounds_when_they_lie_ahead_else_today(bound: str, start: int) -> None:
    draft = {"draft d1": {"drug": "sertraline 50", "steps": [{"take": 1, "from": bound[1:]}], "authored": "-4d"}}
    assert rel(only(chart_of(draft, hook="order-sign")).start) == start


def test_a_month_stands_for_its_last_day_as_a_start_and_its_first_as_an_end() -> None:
    order = only(chart_of(request(authoredOn="2026-01", dosageInstruction=bounds(end="2026-02"))))
    assert rel(order.start) == -30  # 31 January
    assert rel(order.end) == -29  # 1 February


def test_a_year_alone_is_no_start() -> None:
    assert only(chart_of(request(authoredOn="2025"))).start is None


@pytest.mark.parametrize(("zone", "start"), [("America/New_York", -1), ("Europe/Berlin", 0)])
def test_a_time_is_converted_into_the_zone_of_the_site_and_then_dropped(zone: str, start: int) -> None:
    chart = chart_of(request(authoredOn="2026-03-02T02:00:00Z"), zone=zone)
    assert rel(only(chart).start) == start


# End -----------------------------------------------------------------------------------------------------------------


def test_the_end_of_the_bounds_is_the_end() -> None:
    order = only(chart_of("order s1: {drug: sertraline 50, take: 1, authored: -20d, end: +12d}"))
    assert (rel(order.end), order.end_is_last_update) == (12, False)


def test_a_length_of_the_dosage_ends_that_many_days_after_the_start() -> None:
    dosage = [{"timing": {"repeat": {"boundsDuration": {"value": 14, "unit": "d", "code": "d"}}}}]
    assert rel(only(chart_of(request(dosageInstruction=dosage))).end) == -20 + 13


def test_the_bounds_end_an_order_whose_dose_is_free_text() -> None:
    dosage = [{"text": "as discussed", "timing": {"repeat": {"boundsPeriod": {"end": "@+9d"}}}}]
    assert rel(only(chart_of(request(dosageInstruction=dosage))).end) == 9


def test_a_stopped_order_without_an_end_ends_when_the_record_last_changed() -> None:
    order = only(chart_of("order s1: {drug: sertraline 50, authored: -40d, status: stopped, updated: -12d}"))
    assert (rel(order.end), order.end_is_last_update) == (-12, True)


def test_a_stopped_order_ends_at_its_bounds_even_when_the_record_changed_later() -> None:
    order = only(
        chart_of("order s1: {drug: sertraline 50, take: 1, authored: -40d, end: -20d, status: stopped, updated: -12d}")
    )
    assert (rel(order.end), order.end_is_last_update) == (-20, False)


def test_a_stopped_order_whose_planned_end_lies_ahead_was_stopped_before_it() -> None:
    order = only(
        chart_of("order s1: {drug: sertraline 50, take: 1, authored: -40d, end: +20d, status: stopped, updated: -12d}")
    )
    assert (rel(order.end), order.end_is_last_update) == (-12, True)


def test_a_stopped_order_without_any_date_of_the_stop_has_no_end() -> None:
    assert only(chart_of("order s1: {drug: sertraline 50, authored: -40d, status: stopped}")).end is None


# Length --------------------------------------------------------------------------------------------------------------


def supplied(**body: Any) -> Order:
    return only(chart_of({"order o1": {"authored": "-5d", "drug": "sertraline 50", "take": 1, **body}}))


def test_the_expected_supply_duration_is_the_length_of_a_fill() -> None:
    assert supplied(days="30d", quantity=90).days_per_fill == 30


@pytest.mark.parametrize(("value", "unit", "days"), [(4, "wk", 28), (1, "mo", 30), (60, "d", 60), (36, "h", 1)])
def test_lengths_in_other_units_become_whole_days(value: int, unit: str, days: int) -> None:
    duration = {"value": value, "unit": unit, "code": unit}
    assert only(chart_of(request(dispenseRequest={"expectedSupplyDuration": duration}))).days_per_fill == days


def test_without_a_duration_days_are_quantity_over_units_a_day() -> None:
    assert supplied(times=2, quantity=60).days_per_fill == 30


def test_a_length_that_cannot_be_read_leaves_the_quantity_to_say() -> None:
    chart = chart_of(
        request(
            dispenseRequest={
                "expectedSupplyDuration": {"value": 1, "unit": "course"},
                "quantity": {"value": 30, "unit": "tablet"},
            },
            dosageInstruction=[
                {
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
                }
            ],
        )
    )
    assert only(chart).days_per_fill == 30


@pytest.mark.parametrize(("quantity", "days"), [(45, 22), (44, 22), (46, 23)])
def test_parts_of_a_day_do_not_count(quantity: int, days: int) -> None:
    assert supplied(times=2, quantity=quantity).days_per_fill == days


def test_a_dose_range_counts_at_its_high_end() -> None:
    dose = {"doseRange": {"low": {"value": 1, "unit": "tablet"}, "high": {"value": 2, "unit": "tablet"}}}
    dosage = [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [dose]}]
    chart = chart_of(request(dosageInstruction=dosage, dispenseRequest={"quantity": {"value": 60, "unit": "tablet"}}))
    assert only(chart).days_per_fill == 30


def test_a_dose_in_mg_is_counted_in_tablets_of_the_product() -> None:
    dose = {"doseQuantity": {"value": 100, "unit": "mg"}}
    dosage = [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [dose]}]
    chart = chart_of(request(dosageInstruction=dosage, dispenseRequest={"quantity": {"value": 60, "unit": "tablet"}}))
    assert only(chart).days_per_fill == 30  # two tablets of 50 mg


def test_a_quantity_in_ml_does_not_count_tablets() -> None:
    assert supplied(quantity=60).days_per_fill == 60
    dosage = [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ]
    chart = chart_of(request(dosageInstruction=dosage, dispenseRequest={"quantity": {"value": 60, "unit": "mL"}}))
    assert only(chart).days_per_fill is None


def test_neither_duration_nor_dose_give_no_length() -> None:
    assert only(chart_of("order s1: {drug: sertraline 50, authored: -5d, quantity: 30}")).days_per_fill is None


def test_authorised_days_are_days_of_a_fill_times_one_plus_refills() -> None:
    assert supplied(days="14d", refills=1).authorised_days == 28


def test_without_a_known_length_refills_alone_authorise_nothing_known() -> None:
    assert supplied(refills=3).authorised_days is None
