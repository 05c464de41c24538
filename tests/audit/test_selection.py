"""What an audit can be asked: some rules, some patients, another hook, a replay."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from cds.audit.charts import charts_of
from cds.audit.folder import RunFolder
from cds.audit.job import AuditError
from cds.cli.main import app
from tests.audit.runs import OVERLAP, QUIET, TODAY, chart, found, job, rows, run, two_patients, write_ndjson


def test_only_the_rules_asked_for_are_evaluated(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    report = run(export, tmp_path / "out", rules=("B-", "D-01"))
    assert found(tmp_path / "out") == {"anna": [], "bela": []}
    asked = {row["spec"] for row in report["rules"]}
    assert "D-01" in asked
    assert all(spec.startswith(("B-", "D-01")) for spec in asked)
    assert all(set(row["evaluated"]) <= asked for row in rows(tmp_path / "out", "patients"))


def test_only_the_patients_asked_for_are_audited(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    run(export, tmp_path / "out", patients=frozenset({"anna", "x"}))
    assert found(tmp_path / "out") == {"anna": ["A-02"]}


def test_a_limit_takes_the_first_patients_of_the_export(tmp_path: Path) -> None:
    patients = [resource for name in ("dora", "anna", "bela") for resource in chart(name, *QUIET)]
    run(write_ndjson(tmp_path / "in", patients), tmp_path / "out", limit=2)
    assert set(found(tmp_path / "out")) == {"dora", "anna"}


def test_in_scope_are_the_rules_about_what_the_chart_holds(tmp_path: Path) -> None:
    run(write_ndjson(tmp_path / "in", two_patients()), tmp_path / "out")
    scope = {row["patient"]: row["in_scope"] for row in rows(tmp_path / "out", "patients")}
    assert "A-02" in scope["anna"]
    assert scope["bela"] == [], "no rule is about a chart without a medicine or a stay"
    medicines = {row["patient"]: row["has_psychotropic"] for row in rows(tmp_path / "out", "patients")}
    assert medicines == {"anna": True, "bela": False}


def test_a_finding_says_what_it_is_implied_by_since_when_and_where(tmp_path: Path) -> None:
    resources = chart("anna", *OVERLAP)
    for resource in resources:
        if resource["resourceType"] == "Encounter":
            resource["serviceProvider"] = {"reference": "Organization/o1"}
    place = {"resourceType": "Organization", "id": "o1", "name": "North clinic"}
    report = run(write_ndjson(tmp_path / "in", [*resources, place]), tmp_path / "out")
    (finding,) = rows(tmp_path / "out", "findings")
    assert finding["implicated"] == ["MedicationDispense/anna-e-1", "MedicationDispense/anna-s-1"]
    assert finding["since"] == TODAY - dt.timedelta(days=31)
    assert finding["unit"] == "Organization/o1"
    assert report["units"] == {"Organization/o1": "North clinic"}
    assert orjson.loads(finding["canonical"])["spec"] == "A-02"


def _since(tmp_path: Path, *lines: tuple[str, dict[str, object]]) -> dict[str, dt.date | None]:
    run(write_ndjson(tmp_path / "in", chart("anna", *lines)), tmp_path / "out")
    return {row["spec"]: row["since"] for row in rows(tmp_path / "out", "findings")}


def test_a_course_began_with_its_first_fill_not_with_its_last_refill(tmp_path: Path) -> None:
    fills = {"drug": "lorazepam 0.5", "take": 1, "times": 2, "from": "-120d", "days_supply": "30d", "fills": 4}
    began = _since(tmp_path, ("visit v1", {"date": "-5d"}), ("fills l", fills))
    assert began == {"B-02": TODAY - dt.timedelta(days=120)}


def test_fills_of_an_order_began_with_the_first_and_what_lies_ahead_has_not_begun(tmp_path: Path) -> None:
    order = {"drug": "lorazepam 0.5", "take": 1, "times": 2, "authored": "-100d"}
    fills = {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days_supply": "35d", "order": "o1"}
    began = _since(
        tmp_path,
        ("visit v1", {"date": "-5d"}),
        ("order o1", order),
        ("fills l", fills | {"from": "-95d", "fills": 4}),
    )
    assert began == {"B-02": TODAY - dt.timedelta(days=95)}, "the last fill is of a day to come"


def test_a_missed_follow_up_began_with_the_discharge(tmp_path: Path) -> None:
    stay = {"class": "IMP", "date": "-20d", "end": "-12d", "diagnosis": "F32.2"}
    began = _since(tmp_path, ("visit v1", {"date": "-400d"}), ("visit s1", stay))
    assert began == {"D-03": TODAY - dt.timedelta(days=12)}


def test_of_many_open_orders_of_a_substance_the_newest_pair_is_named(tmp_path: Path) -> None:
    # As in a record, their ids say nothing of time: here the newest sorts first.
    lines = (("order z", "-400d"), ("order y", "-300d"), ("order a", "-100d"))
    open_orders = tuple((key, {"drug": "sertraline 50", "take": 1, "authored": day}) for key, day in lines)
    began = _since(tmp_path, ("visit v1", {"date": "-5d"}), *open_orders)
    assert began["A-01"] == TODAY - dt.timedelta(days=100)


def test_a_replay_asks_of_each_order_of_the_period_on_its_day(tmp_path: Path) -> None:
    sertraline = {"drug": "sertraline 50", "take": 1, "authored": "-200d", "days": "30d", "refills": 11}
    escitalopram = {"drug": "escitalopram 10", "take": 1, "authored": "-20d", "days": "30d", "refills": 2}
    lines = (("visit v1", {"date": "-400d"}), ("order s1", sertraline), ("order e1", escitalopram))
    export = write_ndjson(tmp_path / "in", [*chart("anna", *lines), *chart("bela", *QUIET)])
    asked = {"as_": "replay", "since": TODAY - dt.timedelta(days=90), "until": TODAY}
    run(export, tmp_path / "out", **asked)
    day = TODAY - dt.timedelta(days=20)
    asked_on = {(row["patient"], row["order"], row["day"], row["hook"]) for row in rows(tmp_path / "out", "patients")}
    assert asked_on == {
        ("anna", "MedicationRequest/anna-e1", day, "order-sign"),
        ("bela", "", TODAY, "order-sign"),
    }
    assert ("A-02", day) in [(row["spec"], row["day"]) for row in rows(tmp_path / "out", "findings")]


def test_charts_of_a_finished_audit_can_be_had_again_until_it_is_cleaned(tmp_path: Path) -> None:
    run(write_ndjson(tmp_path / "in", two_patients()), tmp_path / "out")
    ((patient, call),) = charts_of(tmp_path / "out", ["anna", "nobody"])
    assert patient == "anna"
    evaluation = job().evaluator().evaluate(call, today=TODAY)
    assert [f.spec for f in evaluation.findings] == ["A-02"]
    RunFolder(tmp_path / "out").clean()
    with pytest.raises(AuditError, match="--clean"):
        list(charts_of(tmp_path / "out", ["anna"]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--today", "March"], "--today"),
        (["--as", "replay"], "--from"),
        (["--from", "2026-01-01"], "--as replay"),
        (["--rules", "Z-99"], "Z-99"),
        (["--memory", "much"], "--memory"),
        (["--memory", "100M"], "at least"),
        (["--patients", ","], "--patients"),
    ],
)
def test_what_cannot_be_asked_ends_with_2_and_says_what_to_write(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSYCHMED_TIME_ZONE", "America/New_York")
    export = write_ndjson(tmp_path / "in", two_patients())
    done = CliRunner().invoke(app, ["audit", str(export), "--out", str(tmp_path / "out"), *options])
    assert done.exit_code == 2
    assert said in done.output
