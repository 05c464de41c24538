"""The order of resources never changes the answer, and a resource of no concern to the rules changes nothing."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from cds.authoring.cases import Case, case_files, read_cases
from cds.cli.doors import EngineDoor
from cds.shipped import shipped

CASES = [c for f in case_files(shipped("fixtures/cases")) for c in read_cases(f, sweep=False)]
DOOR = EngineDoor()
SEEDS = 5


def answer(case: Case, request: dict[str, Any]) -> bytes:
    found = DOOR(orjson.dumps(request), hook=case.hook, today=case.today, time_zone=case.time_zone)
    said = found.canonical()
    return orjson.dumps([said["findings"], said["not_evaluated"], said["evaluated"]], option=orjson.OPT_SORT_KEYS)


def bundles(request: dict[str, Any]) -> list[list[Any]]:
    """The entry lists of a request: of each search, and of the drafts."""
    found = [b for b in request["prefetch"].values() if isinstance(b, dict)]
    found.append(request["context"].get("draftOrders", {}))
    return [b["entry"] for b in found if b.get("entry")]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.spec} {c.name}")
def test_the_order_of_entries_and_of_searches_never_changes_the_answer(case: Case) -> None:
    original = orjson.loads(case.request)
    wanted = answer(case, original)
    for seed in range(SEEDS):
        shuffled = orjson.loads(case.request)
        rng = random.Random(seed)
        for entries in bundles(shuffled):
            rng.shuffle(entries)
        keys = list(shuffled["prefetch"])
        rng.shuffle(keys)
        shuffled["prefetch"] = {key: shuffled["prefetch"][key] for key in keys}
        assert answer(case, shuffled) == wanted, f"seed {seed}"


@pytest.mark.parametrize("case", [c for c in CASES if c.row], ids=lambda c: f"{c.spec} {c.name}")
def test_a_somatic_order_and_an_unknown_type_change_no_finding(case: Case) -> None:
    request = orjson.loads(case.request)
    wanted = answer(case, request)
    search = request["prefetch"]["medication_requests"]
    assert search["resourceType"] == "Bundle"
    lisinopril = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "314076"}
    subject = {"reference": "Patient/case-patient"}
    search["entry"] += [
        {"resource": {
            "resourceType": "MedicationRequest", "id": "somatic", "status": "active", "intent": "order",
            "subject": subject, "authoredOn": case.today.isoformat(),
            "medicationCodeableConcept": {"coding": [lisinopril]},
        }},
        {"resource": {"resourceType": "Claim", "id": "c", "patient": subject}},
    ]  # fmt: skip
    search["total"] += 2
    assert answer(case, request) == wanted
