"""What a request does not bring is read from its FHIR server: rows R4-R14 of the checklist, with every kind of fault.

The question is always the same: escitalopram is drafted, and a sertraline order is (or is not) found. When it is, rule
A-02 fires; else it is silent, or not evaluated for a reason.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hooks.discovery import PREFETCH
from tests.conftest import missing
from tests.hooks.fhir_server import FhirServer, fhir_server
from tests.hooks.invariants import EVALUATION, check_response
from tests.hooks.service import RunningService, running

TOKEN = "very-secret-token-of-this-test"
DEADLINE_MS = 700
MAX_BYTES = 300_000
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05"}
FAILED = "medication history: search failed"
TRUNCATED = "medication history: search not read to its end"
ABSENT = "medication history: not available"
OUT_OF_SCOPE = "medication history: not available: not in scope"
FIRED = "A-02 fired"
SILENT = "A-02 silent"


def order(own: str, code: str, status: str = "active", **fields: Any) -> dict[str, Any]:
    """A prescription of 30 days with 11 refills, taken once a day, written 200 days before the tests' day."""
    return {
        "resourceType": "MedicationRequest",
        "id": own,
        "status": status,
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2025-08-14",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}]
        },
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            }
        ],
        "dispenseRequest": {"numberOfRepeatsAllowed": 11, "expectedSupplyDuration": {"value": 30, "code": "d"}},
        **fields,
    }


SERTRALINE = order("s1", "312941")
OLD = order("old", "197381", "completed")
DRAFT = order("d1", "349332", "draft", authoredOn="2026-03-02")


@dataclass
class Site:
    """The service, the FHIR server on its list, and one that is not."""

    service: RunningService
    fhir: FhirServer
    trap: FhirServer

    def ask(self, *, access: bool | dict[str, Any] = True, prefetch: Any = None, **fields: Any) -> dict[str, Any]:
        """order-sign; prefetch: replaces or (with ...) removes keys of a complete, empty one."""
        keys: dict[str, Any] = dict.fromkeys(PREFETCH) | {"patient": PATIENT} | (prefetch or {})
        request: dict[str, Any] = {
            "hook": "order-sign",
            "hookInstance": "5f1f6f0c-0f0e-4c39-9f1a-2f3c0f6f0a11",
            "context": {
                "userId": "Practitioner/u1",
                "patientId": "p1",
                "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": DRAFT}]},
            },
            "prefetch": {key: value for key, value in keys.items() if value is not ...},
        }
        if access is not False:
            given = access if isinstance(access, dict) else {}
            request["fhirServer"] = self.fhir.url
            request["fhirAuthorization"] = {
                "access_token": TOKEN,
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "user/*.read",
                "subject": "psychmed",
                **given,
            }
        request |= fields
        response = self.service.post("psychmed-order-sign", request)
        assert TOKEN not in response.text
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        check_response(answer, drafts=["MedicationRequest/d1"])
        return answer


@pytest.fixture(scope="module")
def started() -> Iterator[Site]:
    with fhir_server() as fhir, fhir_server() as trap:
        fhir.elsewhere = trap.url
        settings = {
            "servers": [{"host": f"127.0.0.1:{fhir.port}", "plain_http": True, "private": True}],
            "deadline_ms": DEADLINE_MS,
            "max_bytes": MAX_BYTES,
            "pages": 4,
            "medications": 5,
        }
        with running(PSYCHMED_FHIR=json.dumps(settings)) as service:
            yield Site(service, fhir, trap)


@pytest.fixture
def site(started: Site) -> Iterator[Site]:
    """A fresh server for each test; nothing may ever arrive at the one that is not listed."""
    started.fhir.reset()
    started.fhir.add(SERTRALINE)
    yield started
    assert started.trap.asked == []


def verdict(answer: dict[str, Any], spec: str = "A-02") -> str:
    evaluation = answer["extension"][EVALUATION]
    if any(finding["spec"] == spec for finding in evaluation["findings"]):
        return f"{spec} fired"
    reasons = [n["reason"] for n in evaluation["not_evaluated"] if n["spec"] == spec]
    return reasons[0] if reasons else f"{spec} silent"


def outcome(severity: str = "error") -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "processing"}]}


def bundle(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources], **fields}


# The matrix: what was prefetched, and what the server does when it is asked ----------------------------------------

SENT = ("absent", "null", "empty", "outcome", "outcome-entry", "next")
# How the server behaves -> what an absent search becomes. A prefetched first page becomes FIRED or TRUNCATED.
ACCESS = {
    "none": ABSENT,
    "ok": FIRED,
    "slow": FIRED,
    "401": FAILED,
    "403": FAILED,
    "404": ABSENT,
    "410": ABSENT,
    "500": FAILED,
    "503": FAILED,
    "silent": FAILED,
    "drip": FAILED,
    "drip-headers": FAILED,
    "drip-and-close": FAILED,
    "redirect": FAILED,
    "redirect-here": FAILED,
    "huge": FAILED,
    "huge-announced": FAILED,
    "gzip-bomb": FAILED,
    "cut": FAILED,
    "hang-up": FAILED,
    "html": FAILED,
    "null": FAILED,
    "nothing": FAILED,
    "outcome": FAILED,
    "outcome-entry": FAILED,
    "circle": TRUNCATED,
    "endless": TRUNCATED,
    "next-elsewhere": TRUNCATED,
}


def expected(sent: str, access: str) -> str:
    if sent in ("null", "empty"):
        return SILENT
    if sent.startswith("outcome"):
        return FAILED
    if sent == "absent":
        return ACCESS[access]
    if access in ("ok", "slow"):
        return FIRED
    return FAILED if access == "outcome-entry" else TRUNCATED


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("sent", SENT)
def test_r4_to_r8_the_prefetch_matrix(site: Site, sent: str, access: str) -> None:
    fhir = site.fhir
    fhir.reset()
    fhir.add(OLD, SERTRALINE)
    fhir.page_size = 1 if sent == "next" else 100
    value: Any = {
        "absent": ...,
        "null": None,
        "empty": bundle(),
        "outcome": outcome(),
        "outcome-entry": bundle(outcome()),
        "next": fhir.page("MedicationRequest"),
    }[sent]
    if access not in ("none", "ok"):
        fhir.behave_later["MedicationRequest"] = access
        if sent != "next":
            fhir.behave["MedicationRequest"] = access
    begun = time.monotonic()
    answer = site.ask(access=access != "none", prefetch={"medication_requests": value})
    assert verdict(answer) == expected(sent, access)
    assert time.monotonic() - begun < DEADLINE_MS / 1000 + 1
    asked = fhir.asked_for("MedicationRequest")
    assert bool(asked) == (sent in ("absent", "next") and access != "none")
    assert all(a.headers["authorization"] == f"Bearer {TOKEN}" for a in asked), "R12"


# What is read --------------------------------------------------------------------------------------------------------


def test_r5_every_absent_key_is_read_once_with_the_templates_of_discovery(site: Site) -> None:
    site.fhir.add(PATIENT)
    site.ask(prefetch=dict.fromkeys(PREFETCH, ...))
    asked = sorted(asked.path.strip("/").split("?")[0] for asked in site.fhir.asked)
    types = sorted({resource_type for resource_type, _ in PREFETCH.values()} - {"Patient"})
    assert asked == sorted(["Patient/p1", *types])
    assert all("patient=p1" in asked.path for asked in site.fhir.asked if not asked.path.startswith("/Patient"))


def test_r10_the_same_answer_from_prefetch_and_from_the_server(site: Site) -> None:
    site.fhir.add(PATIENT)
    held = dict.fromkeys(PREFETCH) | {"patient": PATIENT, "medication_requests": bundle(SERTRALINE)}
    from_prefetch = site.ask(access=False, prefetch=held)["extension"][EVALUATION]
    from_server = site.ask(prefetch=dict.fromkeys(PREFETCH, ...))["extension"][EVALUATION]
    assert from_server == from_prefetch


def test_a_full_prefetch_asks_nothing(site: Site) -> None:
    site.ask(prefetch={"medication_requests": bundle(SERTRALINE)})
    assert site.fhir.asked == []


def test_reads_run_side_by_side(site: Site) -> None:
    site.fhir.behave = dict.fromkeys((kind for kind, _ in PREFETCH.values() if kind != "Patient"), "slow")
    begun = time.monotonic()
    answer = site.ask(prefetch=dict.fromkeys(PREFETCH, ...) | {"patient": PATIENT})
    assert verdict(answer) == FIRED
    assert time.monotonic() - begun < 0.15 * 4, "ten reads of 0.15 s one after the other take 1.5 s"


def test_one_slow_search_costs_itself_and_not_the_others(site: Site) -> None:
    site.fhir.behave = {"Condition": "silent"}
    answer = site.ask(prefetch={"medication_requests": ..., "conditions": ...})
    assert verdict(answer) == FIRED
    (card,) = (card for card in answer["cards"] if "A-02" in json.dumps(card["extension"]))
    assert card["extension"]["org.psychmed.finding"]["rule"] == "same-class-pair"


def test_many_calls_at_once_to_a_server_that_never_answers_are_all_answered_in_time(site: Site) -> None:
    site.fhir.behave = dict.fromkeys((kind for kind, _ in PREFETCH.values()), "silent")

    def one(number: int) -> float:
        begun = time.monotonic()
        assert verdict(site.ask(prefetch=dict.fromkeys(PREFETCH, ...) | {"patient": PATIENT})) == FAILED
        return time.monotonic() - begun

    with ThreadPoolExecutor(12) as threads:
        assert max(threads.map(one, range(12))) < DEADLINE_MS / 1000 + 2
    site.fhir.behave = {}
    assert verdict(site.ask(prefetch={"medication_requests": ...})) == FIRED, "the threads are free again"


@pytest.mark.parametrize("drip", ["drip", "drip-headers", "drip-and-close", "silent"])
def test_threads_held_by_a_dripping_server_are_freed_at_the_deadline(site: Site, drip: str) -> None:
    site.fhir.behave = dict.fromkeys((kind for kind, _ in PREFETCH.values()), drip)
    for _ in range(3):  # 30 reads for 16 threads
        site.ask(prefetch=dict.fromkeys(PREFETCH, ...) | {"patient": PATIENT})
    site.fhir.behave = {}
    assert verdict(site.ask(prefetch={"medication_requests": ...})) == FIRED


def test_r9_412_stays_when_neither_patient_nor_medications_could_be_read(site: Site) -> None:
    site.fhir.behave = dict.fromkeys((kind for kind, _ in PREFETCH.values()), "500")
    request = {
        "hook": "patient-view",
        "hookInstance": "x",
        "context": {"userId": "Practitioner/u1", "patientId": "p1"},
        "fhirServer": site.fhir.url,
        "fhirAuthorization": {"access_token": TOKEN, "token_type": "Bearer", "scope": "user/*.read"},
    }
    response = site.service.post("psychmed-patient-view", request)
    assert response.status_code == 412
    assert TOKEN not in response.text
    site.fhir.behave = {}
    site.fhir.add(PATIENT)
    assert site.service.post("psychmed-patient-view", request).status_code == 200


def test_the_patient_that_was_read_counts(site: Site) -> None:
    site.fhir.add(PATIENT)
    answer = site.ask(prefetch={"patient": ...})
    assert "patient: not available" not in json.dumps(answer)


NO_PATIENT = "patient: not available"


@pytest.mark.parametrize("behaviour", ["other-patient", "404", "outcome", "null", "html"])
def test_a_patient_that_is_not_the_one_asked_for_is_not_used_and_costs_nothing_else(site: Site, behaviour: str) -> None:
    site.fhir.behave = {"Patient": behaviour}
    answer = site.ask(prefetch={"patient": ..., "medication_requests": ...})
    assert verdict(answer) == FIRED
    assert NO_PATIENT in json.dumps(answer)
    site.fhir.behave = {}
    site.fhir.add(PATIENT)
    assert NO_PATIENT not in json.dumps(site.ask(prefetch={"patient": ..., "medication_requests": ...}))


def test_pages_that_go_in_a_circle_are_read_once(site: Site) -> None:
    site.fhir.behave = site.fhir.behave_later = {"MedicationRequest": "circle"}
    assert verdict(site.ask(prefetch={"medication_requests": ...})) == TRUNCATED
    assert len(site.fhir.asked) == 2


def test_records_of_another_patient_are_dropped_and_counted(site: Site) -> None:
    site.fhir.add(order("theirs", "312941", subject={"reference": "Patient/p2"}))
    site.fhir.resources["MedicationRequest"].pop("s1")
    answer = site.ask(prefetch={"medication_requests": ...})
    assert verdict(answer) == SILENT
    assert answer["extension"][EVALUATION]["ignored_resources"] == {"other-patient": 1}


def test_r15_a_draft_that_is_on_the_server_too_is_one_order_and_the_draft_wins(site: Site) -> None:
    site.fhir.add(order("d1", "312941"))
    site.fhir.resources["MedicationRequest"].pop("s1")
    answer = site.ask(prefetch={"medication_requests": ...})
    assert verdict(answer) == SILENT
    assert answer["extension"][EVALUATION]["medications"]["identified"] == 1


def test_a_resource_on_the_server_that_cannot_be_read_is_told_where_it_stood(site: Site) -> None:
    site.fhir.add({"resourceType": "MedicationRequest", "id": "bad", "status": {"a": 1}, "subject": 5})
    answer = site.ask(prefetch={"medication_requests": ...})
    bad = answer["extension"][EVALUATION]["bad_resources"]
    assert [row["where"] for row in bad] == ["read.medication_requests[0].entry[1]"]


def test_two_pages_of_which_the_total_promises_more_are_not_the_end(site: Site) -> None:
    site.fhir.add(*(order(f"o{n}", "197381", "completed") for n in range(3)))
    site.fhir.page_size = 2
    page = site.fhir.page("MedicationRequest") | {"total": 400}
    assert verdict(site.ask(prefetch={"medication_requests": page})) == TRUNCATED
    page["total"] = 4
    assert verdict(site.ask(prefetch={"medication_requests": page})) == FIRED


def test_more_pages_than_the_bound_are_not_read(site: Site) -> None:
    site.fhir.add(*(order(f"o{n}", "197381", "completed") for n in range(9)))
    site.fhir.page_size = 2
    assert verdict(site.ask(prefetch={"medication_requests": ...})) == TRUNCATED
    assert len(site.fhir.asked) == 4


def test_two_prefetched_searches_of_one_type_that_go_on_are_both_read_on(site: Site) -> None:
    site.fhir.add(OLD, SERTRALINE)
    site.fhir.page_size = 1
    page = site.fhir.page("MedicationRequest")
    answer = site.ask(prefetch={"medication_requests": page, "MedicationRequest": copy.deepcopy(page)})
    assert verdict(answer) == FIRED


def test_the_worse_news_of_another_key_of_that_type_stays(site: Site) -> None:
    site.fhir.add(OLD)
    site.fhir.page_size = 1
    page = site.fhir.page("MedicationRequest")
    answer = site.ask(prefetch={"medication_requests": page, "MedicationRequest": outcome()})
    assert verdict(answer) == FAILED


def test_another_fhir_version_is_answered_and_not_read(site: Site) -> None:
    server = f"{site.fhir.url.removesuffix('/fhir')}/baseDstu3"
    evaluation = site.ask(fhirServer=server, prefetch={"medication_requests": ...})["extension"][EVALUATION]
    assert {reason["reason"] for reason in evaluation["not_evaluated"]} == {"fhir-version"}
    assert evaluation["evaluated"] == evaluation["findings"] == []
    assert site.fhir.asked == []


def test_another_fhir_version_without_any_data_is_no_412(site: Site) -> None:
    request = {
        "hook": "patient-view",
        "hookInstance": "x",
        "context": {"userId": "Practitioner/u1", "patientId": "p1"},
        "fhirServer": "https://ehr.example.org/baseDstu2",
    }
    response = site.service.post("psychmed-patient-view", request)
    assert response.status_code == 200
    assert response.json()["cards"] == []


def test_a_server_that_turns_out_to_hold_another_version_is_told(site: Site) -> None:
    site.fhir.behave = {"MedicationRequest": "older"}
    answer = site.ask(prefetch={"medication_requests": ...})
    assert verdict(answer) == "fhir-version"


# Scopes --------------------------------------------------------------------------------------------------------------

SCOPES = {
    "user/*.read": FIRED,
    "patient/*.*": FIRED,
    "launch openid patient/MedicationRequest.read": FIRED,
    "patient/MedicationRequest.rs": FIRED,
    "system/*.cruds": FIRED,
    "patient/MedicationRequest.s": FIRED,
    "patient/MedicationRequest.r": OUT_OF_SCOPE,
    "patient/MedicationRequest.write": OUT_OF_SCOPE,
    "patient/MedicationRequest.cud": OUT_OF_SCOPE,
    "patient/Condition.read": OUT_OF_SCOPE,
    "user/MedicationRequests.read": OUT_OF_SCOPE,
    "openid fhirUser": OUT_OF_SCOPE,
    "": OUT_OF_SCOPE,
    "patient/MedicationRequest.rs?category=community": TRUNCATED,
    "patient/MedicationRequest.rs?category=community user/MedicationRequest.rs": FIRED,
}


@pytest.mark.parametrize("scope", SCOPES)
def test_r11_only_what_the_scope_grants_is_asked_for(site: Site, scope: str) -> None:
    answer = site.ask(access={"scope": scope}, prefetch={"medication_requests": ...})
    assert verdict(answer) == SCOPES[scope]
    assert bool(site.fhir.asked) == (SCOPES[scope] != OUT_OF_SCOPE)


def test_r14_a_token_for_another_patient_reads_nothing_of_this_one(site: Site) -> None:
    answer = site.ask(access={"scope": "patient/*.read", "patient": "p2"}, prefetch={"medication_requests": ...})
    assert verdict(answer) == OUT_OF_SCOPE
    same = site.ask(access={"scope": "patient/*.read", "patient": "p1"}, prefetch={"medication_requests": ...})
    assert verdict(same) == FIRED


@pytest.mark.parametrize(
    "odd",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": f"{TOKEN}\r\nX-Evil: 1"},
        {"access_token": "schlüssel"},
        {"token_type": "mac"},
        {"expires_in": 0},
        {"expires_in": "-1"},
        {"scope": ["user/*.read"]},
    ],
)
def test_r14_an_authorization_that_is_no_use_is_as_none(site: Site, odd: dict[str, Any]) -> None:
    assert verdict(site.ask(access=odd, prefetch={"medication_requests": ...})) == ABSENT
    assert site.fhir.asked == []


@pytest.mark.parametrize("fine", [{"token_type": "bearer"}, {"expires_in": "300"}, {"scope": None}, {"subject": 7}])
def test_r14_an_authorization_that_is_merely_odd_is_used(site: Site, fine: dict[str, Any]) -> None:
    assert verdict(site.ask(access=fine, prefetch={"medication_requests": ...})) == FIRED


@pytest.mark.parametrize("server", [None, "", 5, "no address"])
def test_r3_an_authorization_without_a_server_is_as_none(site: Site, server: Any) -> None:
    assert verdict(site.ask(fhirServer=server, prefetch={"medication_requests": ...})) == ABSENT
    assert site.fhir.asked == []


@pytest.mark.parametrize("authorization", [None, [], "x", 5, {}])
def test_an_authorization_of_another_kind_refuses_no_request(site: Site, authorization: Any) -> None:
    assert verdict(site.ask(fhirAuthorization=authorization, prefetch={"medication_requests": ...})) == ABSENT


# Medication by reference ---------------------------------------------------------------------------------------------


def by_reference(own: str, reference: str) -> dict[str, Any]:
    made = order(own, "")
    made.pop("medicationCodeableConcept")
    return made | {"medicationReference": {"reference": reference}}


def medication(own: str, code: str = "312941") -> dict[str, Any]:
    coding = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}
    return {"resourceType": "Medication", "id": own, "code": {"coding": [coding]}}


@pytest.mark.parametrize("sent", [True, False], ids=["prefetched", "read"])
def test_a_medicine_known_by_reference_is_read(site: Site, sent: bool) -> None:
    known = by_reference("m1", "Medication/med.1-x")
    site.fhir.reset()
    site.fhir.add(known, medication("med.1-x"))
    answer = site.ask(prefetch={"medication_requests": bundle(known) if sent else ...})
    assert verdict(answer) == FIRED
    assert [asked.path for asked in site.fhir.asked_for("Medication")] == ["/Medication/med.1-x"]


def test_the_medicine_of_a_draft_is_read(site: Site) -> None:
    site.fhir.reset()
    site.fhir.add(medication("e1", "349332"))
    drafts = {"resourceType": "Bundle", "entry": [{"resource": by_reference("d1", "Medication/e1")}]}
    context = {"userId": "Practitioner/u1", "patientId": "p1", "draftOrders": drafts}
    answer = site.ask(context=context, prefetch={"medication_requests": bundle(SERTRALINE)})
    assert verdict(answer) == FIRED


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example.org/fhir/Medication/1",
        "#contained",
        "urn:uuid:1d3c2a5e-0000-4000-8000-000000000000",
        "Medication/..",
        "Medication/a b",
        "Medication/1?x=y",
        "Substance/1",
    ],
)
def test_references_that_lead_elsewhere_are_not_followed(site: Site, reference: str) -> None:
    answer = site.ask(prefetch={"medication_requests": bundle(by_reference("m1", reference))})
    assert site.fhir.asked == []
    assert answer["extension"][EVALUATION]["medications"]["unidentified"] == 1


def test_an_absolute_reference_to_the_same_server_is_followed(site: Site) -> None:
    site.fhir.add(medication("m9"))
    known = by_reference("m1", f"{site.fhir.url}/Medication/m9/_history/3")
    assert verdict(site.ask(prefetch={"medication_requests": bundle(known)})) == FIRED


def test_medications_are_read_up_to_a_bound_the_drafts_first(site: Site) -> None:
    site.fhir.reset()
    known = [by_reference(f"m{n}", f"Medication/a{n}") for n in range(9)]
    draft = by_reference("d1", "Medication/z1")
    context = {
        "userId": "Practitioner/u1",
        "patientId": "p1",
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
    }
    site.ask(context=context, prefetch={"medication_requests": bundle(*known)})
    asked = [asked.path for asked in site.fhir.asked]
    assert len(asked) == 5
    assert "/Medication/z1" in asked


@pytest.mark.parametrize("behaviour", ["404", "500", "silent", "redirect", "html", "other-patient"])
def test_a_medicine_that_cannot_be_read_is_told_as_unidentified(site: Site, behaviour: str) -> None:
    site.fhir.behave = {"Medication": behaviour}
    answer = site.ask(prefetch={"medication_requests": bundle(SERTRALINE, by_reference("m1", "Medication/m9"))})
    assert answer["extension"][EVALUATION]["medications"]["unidentified"] == 1
    assert verdict(answer) == FIRED


def test_medications_out_of_scope_are_not_asked_for(site: Site) -> None:
    known = bundle(by_reference("m1", "Medication/m9"))
    site.ask(access={"scope": "user/MedicationRequest.read"}, prefetch={"medication_requests": known})
    assert site.fhir.asked == []


def test_after_a_401_no_more_is_asked(site: Site) -> None:
    site.fhir.behave = {"Condition": "401"}
    site.fhir.add(by_reference("m1", "Medication/m9"))
    site.ask(prefetch={"medication_requests": ..., "conditions": ...})
    assert site.fhir.asked_for("MedicationRequest")
    assert site.fhir.asked_for("Medication") == []


def test_the_medicine_of_a_draft_does_not_wait_for_a_search_that_is_silent(site: Site) -> None:
    site.fhir.behave = {"Condition": "silent"}
    site.fhir.add(medication("m9", "349332"))
    drafts = {"resourceType": "Bundle", "entry": [{"resource": by_reference("d1", "Medication/m9")}]}
    context = {"userId": "Practitioner/u1", "patientId": "p1", "draftOrders": drafts}
    answer = site.ask(context=context, prefetch={"medication_requests": bundle(SERTRALINE), "conditions": ...})
    assert verdict(answer) == FIRED


# Where the token goes ------------------------------------------------------------------------------------------------


def test_x_headers_carry_the_token_and_nothing_of_earlier_answers(site: Site) -> None:
    for _ in range(2):
        site.ask(prefetch={"medication_requests": ...})
    first, second = (asked.headers for asked in site.fhir.asked)
    assert first == second
    assert first["accept-encoding"] == "identity", "a compressed answer could not be counted before it is unpacked"
    assert set(first) == {"host", "user-agent", "accept-encoding", "accept", "connection", "authorization"}


SERVERS = {
    "trap": "{trap}",
    "no list": "https://fhir.example.org/fhir",
    "the list with a user": "http://127.0.0.1:{port}@fhir.example.org/fhir",
    "a user at the list": "http://user:pass@127.0.0.1:{port}/fhir",
    "another port": "http://127.0.0.1:{other}/fhir",
    "another name of it": "http://localhost:{port}/fhir",
    "the address written otherwise": "http://2130706433:{port}/fhir",
    "the address in hex": "http://0x7f.1:{port}/fhir",
    "IPv6": "http://[::ffff:127.0.0.1]:{port}/fhir",
    "a dot at the end": "http://127.0.0.1.:{port}/fhir",
    "another scheme": "ftp://127.0.0.1:{port}/fhir",
    "a file": "file:///etc/passwd",
    "a backslash": "http://127.0.0.1:{port}\\@{trap_host}/fhir",
    "a fragment": "http://{trap_host}#@127.0.0.1:{port}/fhir",
    "a query": "http://127.0.0.1:{port}/fhir?x=",
    "a climb": "http://127.0.0.1:{port}/fhir/../admin",
    "a hidden climb": "http://127.0.0.1:{port}/fhir/%2e%2e/admin",
    "a line": "http://127.0.0.1:{port}/fhir\nX: 1",
    "metadata": "http://169.254.169.254/latest",
    "nothing": "",
    "no text": 5,
}


@pytest.mark.parametrize("server", SERVERS)
def test_only_listed_servers_are_asked(site: Site, server: str) -> None:
    named = SERVERS[server]
    if isinstance(named, str):
        host = f"127.0.0.1:{site.trap.port}"
        named = named.format(port=site.fhir.port, other=site.trap.port, trap=site.trap.url, trap_host=host)
    assert verdict(site.ask(fhirServer=named, prefetch={"medication_requests": ...})) == ABSENT
    assert site.fhir.asked == []


@pytest.mark.parametrize(
    "link",
    [
        "{trap}/MedicationRequest?_offset=1",
        "http://localhost:{port}/fhir/MedicationRequest?_offset=1",
        "http://127.0.0.1:{port}/other/MedicationRequest?_offset=1",
        "http://127.0.0.1:{port}/fhirx/MedicationRequest?_offset=1",
        "http://127.0.0.1:{port}/fhir/../admin",
        "http://user@127.0.0.1:{port}/fhir/MedicationRequest",
        "//127.0.0.1:{other}/fhir/MedicationRequest",
        "file:///etc/passwd",
        "",
    ],
)
def test_next_links_are_followed_on_the_same_server_only(site: Site, link: str) -> None:
    url = link.format(port=site.fhir.port, other=site.trap.port, trap=site.trap.url)
    page = bundle(SERTRALINE, link=[{"relation": "next", "url": url}])
    assert verdict(site.ask(prefetch={"medication_requests": page})) == TRUNCATED
    assert site.fhir.asked == []


def test_a_relative_next_link_is_taken_from_the_base(site: Site) -> None:
    page = bundle(OLD, link=[{"relation": "next", "url": "MedicationRequest?_offset=0"}])
    assert verdict(site.ask(prefetch={"medication_requests": page})) == FIRED


def test_a_service_without_a_list_reads_nothing(site: Site) -> None:
    with running() as plain:
        lonely = Site(plain, site.fhir, site.trap)
        assert verdict(lonely.ask(prefetch={"medication_requests": ...})) == ABSENT
    assert site.fhir.asked == []


@pytest.mark.parametrize(
    ("said", "becomes"),
    [({"private": True}, ABSENT), ({"plain_http": True}, FAILED)],
    ids=["http is not allowed", "private addresses are not allowed"],
)
def test_a_listed_server_needs_https_and_a_public_address_unless_the_site_says_otherwise(
    site: Site, said: dict[str, bool], becomes: str
) -> None:
    server = {"host": f"127.0.0.1:{site.fhir.port}", **said}
    with running(PSYCHMED_FHIR=json.dumps({"servers": [server]})) as strict:
        lonely = Site(strict, site.fhir, site.trap)
        assert verdict(lonely.ask(prefetch={"medication_requests": ...})) == becomes
    assert site.fhir.asked == []


@pytest.mark.parametrize("trusted", [True, False], ids=["its authority is in ca_file", "nobody knows its authority"])
def test_https_is_read_when_the_certificate_is_trusted(tmp_path: Path, trusted: bool) -> None:
    certificate = self_signed(tmp_path)
    with fhir_server(certificate) as fhir:
        fhir.add(SERTRALINE)
        settings: dict[str, Any] = {"servers": [{"host": f"127.0.0.1:{fhir.port}", "private": True}]}
        if trusted:
            settings["ca_file"] = str(certificate)
        with running(PSYCHMED_FHIR=json.dumps(settings | {"deadline_ms": 1500})) as service:
            site = Site(service, fhir, fhir)
            for _ in range(2):
                assert verdict(site.ask(prefetch={"medication_requests": ...})) == (FIRED if trusted else FAILED)
            fhir.behave = {"MedicationRequest": "drip"}
            assert verdict(site.ask(prefetch={"medication_requests": ...})) == FAILED
            fhir.behave = {}
            assert verdict(site.ask(prefetch={"medication_requests": ...})) == (FIRED if trusted else FAILED)


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    if shutil.which("openssl") is None:
        missing("needs the openssl command")
    made, key = folder / "server.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", made], check=True, capture_output=True)
    made.write_text(made.read_text() + key.read_text())
    return made


def test_a_call_that_waits_for_its_reads_is_answered_before_the_service_stops() -> None:
    with fhir_server() as fhir, ThreadPoolExecutor(1) as threads:
        settings = {"servers": [{"host": f"127.0.0.1:{fhir.port}", "plain_http": True, "private": True}]}
        with running(PSYCHMED_FHIR=json.dumps(settings | {"deadline_ms": 1000})) as service:
            fhir.behave = {"MedicationRequest": "silent"}
            waiting = threads.submit(Site(service, fhir, fhir).ask, prefetch={"medication_requests": ...})
            give_up = time.monotonic() + 10
            while not fhir.asked and time.monotonic() < give_up:
                time.sleep(0.02)
            service.process.terminate()
            assert verdict(waiting.result(10)) == FAILED
            assert service.process.wait(10) == 0


def test_r13_logs_hold_neither_token_nor_address_nor_patient() -> None:
    with fhir_server() as fhir:
        settings = {"servers": [{"host": f"127.0.0.1:{fhir.port}", "plain_http": True, "private": True}]}
        with running(PSYCHMED_FHIR=json.dumps(settings | {"deadline_ms": 300})) as service:
            site = Site(service, fhir, fhir)
            for behaviour in ("500", "silent", "html", "cut", "hang-up", "redirect"):
                fhir.behave = {"MedicationRequest": behaviour}
                site.ask(prefetch={"medication_requests": ...})
            site.ask(fhirServer="https://not-listed.example.org", prefetch={"medication_requests": ...})
            service.process.terminate()
            assert service.process.stderr is not None
            log = service.process.stderr.read()
    assert "FHIR reads: HTTP 500 x1" in log
    assert "not in time x1" in log
    for secret in (TOKEN, "p1", "127.0.0.1", "not-listed", "MedicationRequest", "patient="):
        assert secret not in log, log
