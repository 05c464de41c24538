"""An evaluation as cards: what goes out, in which order, and what the invariants checker holds."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cds.evaluate import HookCall
from cds.findings import Action, BadResource, Disposition, Evaluation, Finding, NotEvaluated, Source, Suggestion
from cds.model import Indicator
from cds.shipped import table
from hooks.cards import one_line, override_reasons, response_json
from hooks.request import read_call
from tests.hooks.invariants import check_response

DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "note": [],
    "dispenseRequest": {"numberOfRepeatsAllowed": 2},
}
SHORTEN = Suggestion(
    "S-SHORT",
    "Shorten to 14 days, no refills",
    (
        Action(
            "update", "S-SHORT", "14-day supply, no refills", "MedicationRequest/d1",
            {"days": 14, "refills": 0, "quantity": None},
        ),
    ),
    recommended=True,
)  # fmt: skip
REMOVE = Suggestion(
    "S-DEL", "Remove this draft", (Action("delete", "S-DEL", "Remove this draft", "MedicationRequest/d1"),)
)


def call() -> HookCall:
    request = {
        "hook": "order-sign",
        "hookInstance": "x",
        "context": {
            "userId": "Practitioner/u1",
            "patientId": "p1",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": DRAFT}]},
        },
    }
    return read_call(json.dumps(request).encode(), "order-sign")


def finding(
    spec: str = "B-01", indicator: Indicator = "warning", disposition: Disposition = "shown", **fields: Any
) -> Finding:
    made = Finding(
        spec=spec,
        rule="benzodiazepine-new-order",
        version="1.0.0",
        title="New benzodiazepine order longer than short-term",
        level="over-limit",
        indicator=indicator,
        summary="New lorazepam order covers 90 days",
        detail="**Why:** no benzodiazepine in 90 days.",
        source=Source("ASAM 2025", "https://doi.org/10.1007/s11606-025-09499-2"),
        evidence=("MedicationRequest/d1",),
        override_reasons=("indication-exempt", "other"),
        disposition=disposition,
    )
    return replace(made, **fields)


def answer(*findings: Finding, today_pinned: bool = False) -> dict[str, Any]:
    evaluation = Evaluation(
        hook="order-sign",
        today=dt.date(2026, 3, 2),
        rules_version="2026.1",
        engine="direct",
        findings=findings,
        evaluated=("B-01", "A-02"),
        not_evaluated=(NotEvaluated("D-01", "encounter-search"),),
        ignored_resources={"Coverage": 2},
        bad_resources=(BadResource("prefetch.conditions.entry[0]", "not readable"),),
        medications={"identified": 1},
    )
    return response_json(evaluation, call(), time_zone="UTC", today_pinned=today_pinned)


def test_a_full_response_holds_the_invariants() -> None:
    response = answer(finding(suggestions=(SHORTEN, REMOVE)), finding("A-02", "info"))
    check_response(response, drafts={"MedicationRequest/d1"})
    assert [card["indicator"] for card in response["cards"]] == ["warning", "info"]


def test_no_findings_is_an_empty_list_of_cards() -> None:
    response = answer()
    check_response(response)
    assert response["cards"] == []


def test_only_shown_findings_are_cards() -> None:
    hidden: list[Disposition] = ["absorbed", "silent", "suppressed", "throttled"]
    response = answer(finding(), *(finding(disposition=one) for one in hidden))
    check_response(response)
    assert len(response["cards"]) == 1


def test_a_card_names_its_rule_and_version() -> None:
    (card,) = answer(finding(looked_at=("3 orders",), missing=("problem list",), absorbed=("A-02",)))["cards"]
    assert card["source"]["topic"] == {
        "system": "urn:psychmed:rule",
        "code": "benzodiazepine-new-order",
        "display": "New benzodiazepine order longer than short-term",
    }
    assert card["extension"]["org.psychmed.finding"] == {
        "rule": "benzodiazepine-new-order",
        "spec": "B-01",
        "version": "1.0.0",
        "level": "over-limit",
        "looked_at": ["3 orders"],
        "missing": ["problem list"],
        "absorbed": ["A-02"],
    }


def test_the_evaluation_goes_out_whole_and_says_that_nobody_signed_off() -> None:
    assert answer(finding(disposition="silent"))["extension"]["org.psychmed.evaluation"] == {
        "rules_version": "2026.1",
        "engine": "direct",
        "today": "2026-03-02",
        "findings": [
            {
                "spec": "B-01",
                "rule": "benzodiazepine-new-order",
                "version": "1.0.0",
                "level": "over-limit",
                "indicator": "warning",
                "summary": "New lorazepam order covers 90 days",
                "evidence": ["MedicationRequest/d1"],
                "disposition": "silent",
            }
        ],
        "withheld": [{"spec": "B-01", "indicator": "warning", "reason": "silent"}],
        "evaluated": ["A-02", "B-01"],
        "not_evaluated": [{"spec": "D-01", "reason": "encounter-search"}],
        "ignored_resources": {"Coverage": 2},
        "bad_resources": [{"where": "prefetch.conditions.entry[0]", "reason": "not readable"}],
        "medications": {"identified": 1},
        "clinical_review": "draft: not signed off",
    }


def test_a_pinned_day_is_said() -> None:
    assert answer(today_pinned=True)["extension"]["org.psychmed.evaluation"]["today_pinned"] is True
    assert "today_pinned" not in answer()["extension"]["org.psychmed.evaluation"]


def test_what_the_budget_holds_back_is_one_info_card_at_the_end() -> None:
    response = answer(
        finding(),
        finding("A-02", "warning", "budget", title="Two drugs of a class", summary="Two SSRIs"),
        finding("D-01", "info", "budget", title="Follow-up", summary="No follow-up"),
    )
    check_response(response)
    last = response["cards"][-1]
    assert last["summary"] == "2 further items: Two drugs of a class; Follow-up"
    assert (last["indicator"], last["detail"]) == ("info", "- Two SSRIs\n- No follow-up")
    assert last["extension"]["org.psychmed.finding"]["items"] == ["A-02", "D-01"]


def test_one_further_item_is_singular() -> None:
    assert answer(finding("A-02", "info", "budget", title="T"))["cards"][0]["summary"] == "1 further item: T"


@pytest.mark.parametrize("text", ["x" * 139, "x" * 140, "word " * 60, "💊" * 80, "two\nlines\tand  more", "é" * 200])
def test_a_summary_is_one_line_of_at_most_139_units(text: str) -> None:
    line = one_line(text)
    assert 0 < len(line.encode("utf-16-le")) // 2 <= 139
    assert "\n" not in line
    if len(text) == 139:
        assert line == text


def test_every_override_reason_has_a_display_and_other_comes_last() -> None:
    codes = tuple(row["code"] for row in table("override_reasons"))
    offered = override_reasons(("other", *codes, "no-such-code"))
    assert [reason["code"] for reason in offered] == [*(code for code in codes if code != "other"), "other"]
    assert all(reason["display"].strip() for reason in offered)


def test_the_override_reasons_are_those_of_the_specification() -> None:
    assert {row["code"] for row in table("override_reasons")} == {
        "cross-taper", "renewal", "accepted-combination", "specialist-advice", "indication-exempt", "prn-rare",
        "taper-in-progress", "intolerance", "prior-adequate-trial", "worsening-urgent", "patient-preference",
        "already-done", "scheduled-elsewhere", "monitoring-ordered", "tolerated-stable", "wrong-data", "not-taking",
        "pregnancy-plan-documented", "cost-formulary-shortage", "other",
    }  # fmt: skip


def test_a_suggestion_that_cannot_be_written_costs_only_itself() -> None:
    impossible = replace(REMOVE, actions=(Action("update", "S-SHORT", "shorten", "MedicationRequest/not-here", {}),))
    response = answer(finding(suggestions=(impossible, REMOVE)))
    check_response(response, drafts={"MedicationRequest/d1"})
    assert [offer["label"] for offer in response["cards"][0]["suggestions"]] == ["Remove this draft"]


def test_a_choice_without_actions_keeps_its_label_only() -> None:
    response = answer(finding(suggestions=(Suggestion("S-REVIEW", "Keep the order", ()),)))
    check_response(response)
    assert "actions" not in response["cards"][0]["suggestions"][0]


def test_a_detail_or_url_that_is_empty_is_left_out() -> None:
    response = answer(finding(detail=" ", source=Source("local policy", "")))
    check_response(response)
    assert "detail" not in response["cards"][0]
    assert set(response["cards"][0]["source"]) == {"label", "topic"}


def _delete_without_target(response: dict[str, Any]) -> None:
    del response["cards"][0]["suggestions"][1]["actions"][0]["resourceId"]


BREAKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "C1": lambda r: r["cards"][0].update(uuid="1"),
    "C2": lambda r: r["cards"][0].update(summary="x" * 140),
    "C3": lambda r: r["cards"][0].update(detail="<b>bold</b>"),
    "C4": lambda r: r["cards"][0].update(indicator="hard-stop"),
    "C5": lambda r: r["cards"][0]["source"].pop("label"),
    "C6": lambda r: r["cards"][0]["source"].update(url="/relative"),
    "C8": lambda r: r["cards"][0]["source"].pop("topic"),
    "C10": lambda r: r["cards"][0].pop("selectionBehavior"),
    "C11": lambda r: r["cards"][0].update(selectionBehavior="all"),
    "C12": lambda r: r["cards"][0]["overrideReasons"].pop(),
    "C14": lambda r: r["cards"].reverse(),
    "A1": lambda r: r["cards"][0]["suggestions"][0].pop("label"),
    "A2": lambda r: r["cards"][0]["suggestions"][0].pop("uuid"),
    "A3": lambda r: r["cards"][0]["suggestions"][0].pop("isRecommended"),
    "A6": lambda r: r["cards"][0]["suggestions"][0]["actions"][0].update(type="Update"),
    "A7": lambda r: r["cards"][0]["suggestions"][0]["actions"][0].pop("description"),
    "A8": lambda r: r["cards"][0]["suggestions"][0]["actions"][0]["resource"].pop("id"),
    "A9": _delete_without_target,
    "A10": lambda r: r["cards"][0]["suggestions"][0]["actions"][0]["resource"].update(id="signed"),
    "A12": lambda r: r.update(systemActions=[]),
    "G3": lambda r: r["cards"][0].update(links=[]),
    "E1": lambda r: r["extension"].clear(),
    "10.1": lambda r: r["extension"]["org.psychmed.evaluation"].update(findings=[]),
}


@pytest.mark.parametrize("row", BREAKS)
def test_the_checker_sees_each_broken_rule(row: str) -> None:
    response = answer(finding(suggestions=(SHORTEN, REMOVE)), finding("A-02", "info"))
    broken = copy.deepcopy(response)
    BREAKS[row](broken)
    with pytest.raises(AssertionError, match=rf"\b{row}\b"):
        check_response(broken, drafts={"MedicationRequest/d1"})
