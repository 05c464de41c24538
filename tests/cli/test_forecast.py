"""`psychmed forecast`: cards that a rule would have shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.authoring.small_cells import HIDDEN, Cell, masked, rate
from cds.shipped import shipped
from tests.cli.chart_folders import as_json, chart, first_supplies, lorazepam, own_rule, psychmed


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    return first_supplies(tmp_path / "charts")


def told(*arguments: object) -> dict[str, object]:
    done = psychmed("forecast", *arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    return as_json(done)  # type: ignore[no-any-return]


def test_a_rule_is_counted_per_100_orders(charts: Path) -> None:
    # Of 20, 29 and 31 days, two are longer than four weeks: 2 of 3.
    found = told("B-01", charts, "--min-cell", "1")
    assert (found["asked"], found["charts"], found["cards"], found["per_100"]) == (3, 3, 2, 66.7)
    assert (found["interruptive"], found["by_indicator"], found["by_level"]) == (2, {"warning": 2}, {"too-long": 2})
    assert found["by_period"] == {"2025-11": {"asked": 3, "cards": 2, "per_100": 66.7}}
    assert (found["alone"], found["beside"]) == (2, {})


def test_a_draft_of_a_file_is_forecast_as_if_it_were_on_and_beside_the_others(tmp_path: Path, charts: Path) -> None:
    # Only 31 days are more than 30, and B-01 fires on that order too.
    found = told(own_rule(tmp_path / "own"), charts, "--min-cell", "1")
    assert (found["rule"], found["status"], found["cards"], found["interruptive"]) == ("X-NEW-01", "draft", 1, 0)
    assert (found["alone"], found["beside"]) == (0, {"B-01": 1})


def test_a_silent_rule_of_the_settings_is_forecast_as_if_it_were_on(tmp_path: Path, charts: Path) -> None:
    own_rule(tmp_path / "own", status="active")
    site = tmp_path / "site.yaml"
    site.write_text(
        "time_zone: America/New_York\nrules_dir: [own]\nrules: {long-supply: {status: silent, why: a trial}}\n"
    )
    site.write_text(site.read_text().replace("[own]", f"[{tmp_path / 'own'}]"))
    found = told("long-supply", charts, "--settings", site, "--min-cell", "1")
    assert (found["status"], found["cards"]) == ("silent", 1)


def test_a_rule_that_is_not_signed_off_is_forecast_where_sign_off_is_required(tmp_path: Path, charts: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("time_zone: America/New_York\nrequire_sign_off: true\n")
    found = told("B-01", charts, "--settings", site, "--min-cell", "1")
    assert found["cards"] == 2


def test_the_period_bounds_the_orders(tmp_path: Path) -> None:
    folder = tmp_path / "charts"
    chart(folder, "early", lorazepam(29, "-200d"))
    chart(folder, "late", lorazepam(31, "-100d"))
    found = told("B-01", folder, "--min-cell", "1", "--from", "2025-11-22", "--to", "2025-11-22")
    assert (found["asked"], found["cards"], found["from"]) == (1, 1, "2025-11-22")


def test_units_and_prescribers_are_told_by_name(tmp_path: Path) -> None:
    here = {"display": "Crisis clinic", "reference": "Location/1"}
    place = {
        "resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
        "period": {"start": "2025-11-22", "end": "2025-11-22"}, "location": [{"location": here}],
    }  # fmt: skip
    role = {
        "resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/dr"},
        "specialty": [{"text": "Psychiatry"}],
    }  # fmt: skip
    chart(tmp_path / "c", "with", lorazepam(29, encounter="e", requester="dr"), also=(place, role))
    chart(tmp_path / "c", "without", lorazepam(20, requester="other"))
    found = told("B-01", tmp_path / "c", "--min-cell", "1")
    assert found["by_unit"] == {
        "Crisis clinic": {"asked": 1, "cards": 1, "per_100": 100.0},
        "not recorded": {"asked": 1, "cards": 0, "per_100": 0.0},
    }
    assert set(found["by_prescriber"]) == {"Psychiatry", "Practitioner/other"}  # type: ignore[call-overload]


def test_visits_are_counted_at_patient_view(tmp_path: Path) -> None:
    # Sertraline since day -60; nobody was seen since. The visit on day -10 is itself the contact that was missing.
    chart(
        tmp_path / "c", "one", "visit late: {date: -10d}",
        "fills s: {drug: sertraline 50, take: 1, from: -60d, days_supply: 30d, fills: 2}",
    )  # fmt: skip
    found = told("D-01", tmp_path / "c", "--hook", "patient-view", "--min-cell", "1")
    assert (found["asked"], found["cards"]) == (2, 0)


def test_small_numbers_are_not_told_and_no_chart_is_named(charts: Path) -> None:
    done = psychmed("forecast", "B-01", charts)
    assert done.exit_code == 0
    assert "<11 psychotropic orders of <11 charts" in done.stdout
    assert "for-29-days" not in done.stdout
    assert "per 100 orders" not in done.stdout


def test_charts_and_days_are_named_when_asked_for(charts: Path) -> None:
    done = psychmed("forecast", "B-01", charts, "--list")
    assert "for-29-days.json  2025-11-22  B-01  warning (too-long)" in done.stdout
    assert "for-20-days" not in done.stdout


def test_all_counts_the_cards_of_every_rule_as_it_stands(tmp_path: Path, charts: Path) -> None:
    found = told("all", charts, "--min-cell", "1")
    assert found["by_level"] == {"B-01": 2}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-rule"], "there is no rule"),
        (["B-01", "--hook", "patient-view"], "is not asked at patient-view (it has encounter-discharge, order-sign)"),
        (["B-01", "--from", "tomorrow"], "is not a date"),
        (["B-01", "--from", "2026-01-02", "--to", "2026-01-01"], "--from is after --to"),
    ],
)
def test_what_cannot_be_forecast_ends_with_2(arguments: list[str], words: str, charts: Path) -> None:
    done = psychmed("forecast", arguments[0], charts, *arguments[1:])
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_file_stands_in_place_of_the_rule_that_it_is_a_copy_of(tmp_path: Path, charts: Path) -> None:
    text = (shipped("rules") / "benzodiazepine_new_order.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "copy.yaml"
    copy.write_text(text.replace("max_days: {value: 28 d", "max_days: {value: 30 d"), encoding="utf-8")
    found = told(copy, charts, "--min-cell", "1")
    assert (found["rule"], found["cards"], found["beside"]) == ("B-01", 1, {}), "31 days alone is more than 30"


def test_an_export_of_synthetic_charts_is_forecast(shared_data: Path) -> None:
    # 51 orders of psychotropic drugs, as counted with the resolver alone; 34 patients have one.
    found = told("B-01", shared_data / "fhir/smart_generated_r4_615")
    assert (found["asked"], found["charts"]) == (51, 34)
    assert set(found["by_period"]) == {"others (34 of few patients)"}  # type: ignore[call-overload]


def test_a_rule_file_that_does_not_compile_ends_with_2_and_its_place(tmp_path: Path, charts: Path) -> None:
    file = own_rule(tmp_path / "own", where="habit_forming is treu")
    done = psychmed("forecast", file, charts)
    assert done.exit_code == 2
    assert f"{file}:" in done.stderr


# Small cells ---------------------------------------------------------------------------------------------------------


def test_a_cell_of_fewer_patients_than_the_limit_is_hidden_and_nothing_stays_nothing() -> None:
    assert masked({"a": Cell(40, 20), "b": Cell(30, 10), "c": Cell(3, 2), "d": Cell(0, 0)}, 11) == {
        "a": 40, "b": "<11", "c": "<11", "d": 0,
    }  # fmt: skip


def test_a_single_hidden_cell_takes_the_next_smallest_with_it() -> None:
    # 60 in all, 40 and 15 told: the third would be 5.
    assert masked({"a": Cell(40, 20), "b": Cell(15, 12), "c": Cell(5, 4)}, 11) == {"a": 40, "b": HIDDEN, "c": "<11"}


def test_eleven_patients_are_told() -> None:
    assert masked({"a": Cell(11, 11)}, 11) == {"a": 11}


def test_no_rate_is_told_of_a_hidden_number() -> None:
    assert (rate("<11", 40), rate(3, "<11"), rate(0, 0), rate(1, 3)) == (None, None, None, 33.3)


def test_groups_of_few_patients_are_added_up() -> None:
    import datetime as dt

    from cds.authoring.forecast import Asked, Forecast

    def rows(unit: str, patients: int) -> list[Asked]:
        return [Asked(f"{unit}{n}", dt.date(2026, 1, 1), unit, "", (), (), (), ()) for n in range(patients)]

    # 3 patients of two units, and 12 of the next smallest with them: 15 in all; the largest stands alone.
    found = Forecast([*rows("a", 2), *rows("b", 1), *rows("c", 12), *rows("d", 30)], least=11)
    table = found.table(lambda row: row.unit)
    assert {name: row["asked"] for name, row in table.items()} == {"d": 30, "others (3 of few patients)": 15}
