"""Every card that any shipped case brings: its suggestions can be applied, and it reads as it should."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import fhirkit
import orjson
import pytest

from cds.authoring.cases import Case, case_files, read_cases
from cds.cli.doors import EngineDoor
from cds.model import Hook
from cds.shipped import shipped
from hooks.cards import response_json
from hooks.demo import dated
from hooks.request import read_call
from tests.hooks.invariants import check_response

CASES = [c for f in case_files(shipped("fixtures/cases")) for c in read_cases(f, sweep=False)]
# Elements that R4 binds with strength "required", with the codes our resources may use.
REQUIRED_CODES = {
    "Task": {"status": {"requested"}, "intent": {"proposal"}},
    "MedicationRequest": {"status": {"draft"}, "intent": {"order", "proposal"}},
    "Appointment": {"status": {"proposed"}},
    "CommunicationRequest": {"status": {"draft"}},
    "ServiceRequest": {"status": {"draft"}, "intent": {"proposal"}},
}
TAPER = re.compile(r"sertraline|citalopram|paroxetine|venlafaxine|duloxetine|mirtazapine|pam\b|zolpidem|gabapentin")


@cache
def responses() -> tuple[tuple[Case, dict[str, Any]], ...]:
    """Each case with its response, as JSON on the wire; every branch counts as active."""
    door = EngineDoor()
    made = []
    for case in CASES:
        call = read_call(case.request, cast(Hook, case.hook))
        evaluation = door.evaluator(case.time_zone).evaluate(call, today=case.today)
        body = orjson.dumps(response_json(evaluation, call, time_zone=case.time_zone))
        made.append((case, cast(dict[str, Any], json.loads(body))))
    return tuple(made)


def drafts_of(case: Case) -> dict[str, dict[str, Any]]:
    entries = json.loads(case.request)["context"].get("draftOrders", {}).get("entry", [])
    return {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in entries}


def actions() -> Iterator[tuple[Case, dict[str, Any], dict[str, Any]]]:
    for case, response in responses():
        for card in response["cards"]:
            for suggestion in card.get("suggestions", []):
                for action in suggestion.get("actions", []):
                    yield case, card, action


def without_empties(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: v for k, v in ((k, without_empties(v)) for k, v in tree.items()) if v not in (None, "", [], {})}
    return [without_empties(v) for v in tree] if isinstance(tree, list) else tree


def test_every_response_holds_the_invariants() -> None:
    assert sum(len(response["cards"]) for _, response in responses()) > 50
    for case, response in responses():
        check_response(response, drafts=drafts_of(case).keys())


def test_every_rule_suggests_something_somewhere() -> None:
    suggested = {card["extension"]["org.psychmed.finding"]["spec"] for _, card, _ in actions()}
    assert suggested >= {"A-02", "B-01", "C-01", "D-01"}


def test_every_created_resource_is_valid_r4_and_uses_only_its_codes() -> None:
    from fhir.resources.R4B import get_fhir_model_class  # slow to import: only here

    seen = set()
    for case, _, action in actions():
        if action["type"] == "create":
            resource = action["resource"]
            kind = resource["resourceType"]
            get_fhir_model_class(kind).model_validate(resource)
            assert fhirkit.validate(json.dumps(resource)) == [], case.name
            for element, codes in REQUIRED_CODES[kind].items():
                assert resource[element] in codes, (case.name, element)
            seen.add(kind)
    assert seen == set(REQUIRED_CODES)


def test_an_update_validates_no_worse_than_the_draft_that_came() -> None:
    updates = [(case, action["resource"]) for case, _, action in actions() if action["type"] == "update"]
    assert updates
    for case, resource in updates:
        draft = drafts_of(case)[f"MedicationRequest/{resource['id']}"]
        before = {str(issue) for issue in fhirkit.validate(json.dumps(draft))}
        assert {str(issue) for issue in fhirkit.validate(json.dumps(resource))} <= before, case.name


def test_an_update_of_the_dose_changes_only_the_dosage_of_a_draft() -> None:
    for case, _, action in actions():
        if action["type"] == "update" and action["description"].startswith("Change "):
            sent = without_empties(drafts_of(case)[f"MedicationRequest/{action['resource']['id']}"])
            made = dict(action["resource"])
            assert made.pop("dosageInstruction") != sent.pop("dosageInstruction")
            if action["description"].endswith("in place of both orders"):
                assert made.pop("priorPrescription")["reference"].startswith("MedicationRequest/")
            assert made == sent, case.name


def test_an_update_changes_only_the_supply_of_a_draft() -> None:
    updates = [
        (case, action["resource"])
        for case, _, action in actions()
        if action["type"] == "update" and not action["description"].startswith("Change ")
    ]
    assert updates
    for case, resource in updates:
        draft = drafts_of(case)[f"MedicationRequest/{resource['id']}"]
        sent, made = without_empties(draft), dict(resource)
        changed = made.pop("dispenseRequest")
        before = sent.pop("dispenseRequest", {})
        assert made == sent, case.name
        assert {k: v for k, v in changed.items() if before.get(k) != v}.keys() <= {
            "expectedSupplyDuration", "numberOfRepeatsAllowed", "quantity",
        }, case.name  # fmt: skip
        assert changed["numberOfRepeatsAllowed"] == 0


def test_only_drafts_of_the_request_are_deleted() -> None:
    deletes = [(case, action["resourceId"]) for case, _, action in actions() if action["type"] == "delete"]
    assert deletes
    for case, target in deletes:
        assert target in drafts_of(case), case.name


def first_mention(case: Case, order_ref: str) -> dt.date:
    """Earliest date in any record of the request that mentions the drug of that order."""
    request = json.loads(case.request)
    records = [e["resource"] for v in request["prefetch"].values() if v for e in v.get("entry", [])]
    by_ref = {f"{r['resourceType']}/{r['id']}": r for r in records}
    drug = json.dumps(by_ref[order_ref].get("medicationCodeableConcept"))
    dates = [
        dt.date.fromisoformat(text)
        for r in records
        if json.dumps(r.get("medicationCodeableConcept")) == drug
        for text in (r.get("authoredOn", "")[:10], r.get("whenHandedOver", "")[:10])
        if text
    ]
    return min(dates)


def test_a_drug_of_the_taper_list_in_use_for_four_weeks_is_never_stopped_at_once() -> None:
    # Of two orders of one substance one may go at once: the substance goes on.
    tasks = [
        (case, a["resource"])
        for case, card, a in actions()
        if a.get("resource", {}).get("resourceType") == "Task"
        and card["extension"]["org.psychmed.finding"]["spec"] != "A-01"
    ]
    stops = [(case, task) for case, task in tasks if task["code"]["text"] == "Discontinue"]
    assert stops, "some case offers a stop, or this shows nothing"
    for case, task in stops:
        if TAPER.search(task["description"]):
            assert (case.today - first_mention(case, task["focus"]["reference"])).days < 28, case.name


def test_monthly_fills_are_one_use_and_not_seven_short_ones() -> None:
    today = dt.date(2026, 3, 2)
    request = dated((shipped("fixtures/requests") / "duplicate_ssri.json").read_text("utf-8"), today)
    call = read_call(json.dumps(request).encode(), "order-sign")
    evaluation = EngineDoor().evaluator("UTC").evaluate(call, today=today)
    (card,) = response_json(evaluation, call, time_zone="UTC")["cards"]
    labels = [s["label"] for s in card["suggestions"]]
    assert "Cross-taper: end sertraline in 14 days" in labels
    assert not [label for label in labels if label.startswith("Stop")]


def test_at_most_one_suggestion_of_a_card_is_recommended() -> None:
    for case, response in responses():
        for card in response["cards"]:
            recommended = [s for s in card.get("suggestions", []) if s["isRecommended"]]
            assert len(recommended) <= 1, case.name


def test_no_cross_taper_is_suggested_where_none_is_allowed() -> None:
    for case, card, action in actions():
        if card["extension"]["org.psychmed.finding"]["level"] in {
            "maoi", "benzodiazepine-dose", "benzodiazepine-no-stop", "stimulant",
        }:  # fmt: skip
            assert "cross-taper" not in json.dumps(action.get("resource", {})), case.name


@pytest.mark.parametrize(
    "fault",
    [
        r"not known", r"\b1 (days|refills|fills|orders|visits|statements)\b",
        r"\b0 refills\b", r"\bmust\b", r"[{}\[\]]",
        r"-\d+ %", r"\bNone\b", r" ,", r"drugs? drugs",
    ],
)  # fmt: skip
def test_no_card_says_it_badly(fault: str) -> None:
    for case, response in responses():
        for card in response["cards"]:
            for line in (card["summary"], *card["detail"].splitlines()):
                if line.startswith("**Not known:**"):
                    continue
                line = re.sub(r"dose not known|dose is not known|whether it is taken is not known", "", line)  # noqa: PLW2901
                assert not re.search(fault, line), f"{case.name}: {line}"
