"""114 requests that other people wrote, over HTTP: what each is answered, and what was made of its medicines.

The table was written from the requests, not from the answers. 400 and 412 name their reason:
  Patient  the prefetched Patient is not context.patientId
  draft    the draft order is about somebody else
  412      neither a patient nor a medicine was sent, there is no FHIR server to ask, and no rule can do without
Device orders without any other data are 200: the rule for new benzodiazepine orders reads the drafts alone, and
there is no such order among them; the other rules are reported as not evaluated.
After 200: medicines identified, unidentified, in conflict, not listed (a valid code of a drug no rule is about);
then what was bad or dropped. Ketorolac and warfarin are listed because interaction rules name them; digoxin and
cyclosporine are not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.hooks.invariants import check_response
from tests.hooks.service import RunningService

TABLE = """
ahrq-cql-services/
  Adolfo777_Braun514                                                            400 Patient
  Adrian111_Wunsch504                                                           400 Patient
  Cher186_Crooks415                                                             400 Patient
  Debora709_Mayer370                                                            400 Patient
  R4__active_person_invocation                                                  400 Patient
  R4__lazy_person_invocation                                                    400 Patient
  R4__missing_prefetch_keys_invocation                                          400 Patient
  R4__null_prefetch_values_invocation                                           400 Patient
  STU3__null_prefetch_values_invocation                                         400 Patient
  active_person_invocation                                                      400 Patient
  lazy_person_invocation                                                        400 Patient
  missing_prefetch_keys_invocation                                              400 Patient
  null_prefetch_values_invocation                                               400 Patient
  unhealthy_patient                                                             200 0 0 0 0
davinci-crd/
  deviceRequestEmptyPrefetch_r4                                                 200 0 0 0 0
  deviceRequestFullPrefetchWithCoverage_r4                                      200 0 0 0 0
  deviceRequestFullPrefetch_r4                                                  200 0 0 0 0
  deviceRequestNoPrefetch                                                       200 0 0 0 0
  deviceRequestNoPrefetchNoDoc                                                  200 0 0 0 0
  deviceRequestPrefetch                                                         200 0 0 0 0
  deviceRequestPrefetchNoDoc                                                    200 0 0 0 0
  medicationRequestNoPrefetch                                                   200 0 0 0 1
  medicationRequestNoPrefetchNoDoc                                              200 1 0 0 0
  medicationRequestPrefetch                                                     200 0 0 0 1
  medicationRequestPrefetchNoDoc                                                200 1 0 0 0
  requestWithHydratedPrefetchBundle                                             200 0 0 0 0
op/HelloWorld/
  HelloWorld                                                                    412
op/OpioidCDSREC01/
  request-example-rec-01-in-outpatient-opioid                                   200 1 0 0 0
  request-example-rec-01-out-inpatient-opioid                                   200 1 0 0 0
op/OpioidCDSREC02/
  request-example-rec-02-in-careplan-revisited                                  200 1 0 0 0
  request-example-rec-02-out-careplan-not-revisited                             200 1 0 0 0
op/OpioidCDSREC03/
  request-example-rec-03-long-acting-opioid                                     200 1 0 0 0
  request-example-rec-03-not-long-acting-opioid                                 200 1 0 0 0
  request-example-rec-03-preexisting-long-acting-opioid                         200 2 0 0 0
op/OpioidCDSREC03PatientView/
  request-example-rec-03-patient-view-long-acting-opioid                        200 0 0 0 0
  request-example-rec-03-patient-view-not-long-acting-opioid                    200 0 0 0 0
op/OpioidCDSREC04_05/
  request-example-rec-04-05-mme-greater-than-fifty                              200 1 0 0 0
  request-example-rec-04-05-mme-less-than-fifty                                 200 1 0 0 0
op/OpioidCDSREC06/
  request-example-rec-06-in-criteria-met                                        200 1 0 0 0
  request-example-rec-06-out-extended-release-27-days                           200 1 0 0 0
op/OpioidCDSREC07/
  request-example-rec-07-end-of-life-exclusion                                  200 2 0 0 0
  request-example-rec-07-risk-assessment                                        200 1 0 0 0
  request-example-rec-07-seven-of-past-ten-days                                 200 2 0 0 0
  request-example-rec-07-six-of-past-ten-days                                   200 2 0 0 0
  request-example-rec-07-sixtythree-of-past-ninety-days                         200 2 0 0 0
  request-example-rec-07-sixtytwo-of-past-ninety-days                           200 2 0 0 0
op/OpioidCDSREC08/
  request-example-rec-08-mme-greater-than-fifty                                 200 0 0 0 1
  request-example-rec-08-mme-less-than-fifty                                    200 1 0 0 0
  request-example-rec-08-multiple-doseRate                                      200 1 0 0 0
  request-example-rec-08-on-benzodiazepine                                      200 1 0 0 0
  request-example-rec-08-on-naloxone                                            200 1 0 0 0
  request-example-rec-08-substance-abuse                                        200 1 0 0 0
op/OpioidCDSREC08OrderSign/
  noPrefetch                                                                    200 1 0 0 0
  request-example-rec-08-order-sign-mme-doseRange                               200 1 0 0 0
  request-example-rec-08-order-sign-mme-greater-than-fifty                      200 1 0 0 0
  request-example-rec-08-order-sign-mme-less-than-fifty                         200 1 0 0 0
  request-example-rec-08-order-sign-multiple-doseRate                           200 1 0 0 0
  request-example-rec-08-order-sign-on-benzodiazepine                           200 1 0 0 0
  request-example-rec-08-order-sign-on-naloxone                                 200 1 0 0 0
  request-example-rec-08-order-sign-substance-abuse                             200 1 0 0 0
op/OpioidCDSREC09/
  request-example-rec-09-in-criteria-met                                        200 1 0 0 0
  request-example-rec-09-out-PDMP-review-90-days                                200 1 0 0 0
op/OpioidCDSREC10/
  request-example-rec-10-end-of-life-med-exclusion                              200 1 0 0 0
  request-example-rec-10-illicit-drugs-POS-Cocaine                              200 1 0 0 0
  request-example-rec-10-illicit-drugs-POS-Opiate-non-synthetic                 200 2 0 0 0
  request-example-rec-10-illicit-drugs-POS-Opiate                               200 1 0 0 0
  request-example-rec-10-illicit-drugs-POS-PCP                                  200 1 0 0 0
  request-example-rec-10-illicit-drugs                                          200 1 0 0 0
  request-example-rec-10-no-screenings                                          200 1 0 0 0
  request-example-rec-10-pos-sickle-cell-exclusion                              200 1 0 0 0 context.selections[0]
op/OpioidCDSREC10OrderSign/
  request-example-rec-10-order-sign-illicit-drugs-POS-Cocaine                   200 1 0 0 0
  request-example-rec-10-order-sign-illicit-drugs-POS-Opiate                    200 1 0 0 0
  request-example-rec-10-order-sign-illicit-drugs-POS-PCP                       200 1 0 0 0
  request-example-rec-10-order-sign-illicit-drugs                               200 1 0 0 0
  request-example-rec-10-order-sign-no-screenings                               200 1 0 0 0
op/OpioidCDSREC10PatientView/
  request-example-rec-10-patient-view-2-illicit-drugs                           200 2 0 0 0 other-patient=1
  request-example-rec-10-patient-view-POS-Cocaine                               200 0 0 0 0
  request-example-rec-10-patient-view-POS-PCP                                   200 0 0 0 0
  request-example-rec-10-patient-view-end-of-life-med-exclusion                 200 0 0 0 0
  request-example-rec-10-patient-view-illicit-drugs-POS-Opiate                  200 0 0 0 0
  request-example-rec-10-patient-view-illicit-drugs                             200 0 0 0 0
  request-example-rec-10-patient-view-no-screenings-by-reference                200 0 0 0 0
  request-example-rec-10-patient-view-no-screenings                             200 0 0 0 0
op/OpioidCDSREC11/
  request-example-rec-11-benzo-trigger-with-opioid                              200 1 0 0 0
  request-example-rec-11-benzo-trigger-without-opioid                           200 1 0 0 0
  request-example-rec-11-opioid-trigger-with-benzo                              400 draft
  request-example-rec-11-opioid-trigger-without-benzo                           400 draft
op/OpioidCDSREC11PatientView/
  request-example-rec-11-patient-view-benzo-trigger-with-opioid                 200 2 0 0 0
  request-example-rec-11-patient-view-benzo-trigger-without-opioid              200 0 0 0 0
  request-example-rec-11-patient-view-opioid-trigger-with-benzo                 200 0 0 0 0
  request-example-rec-11-patient-view-opioid-trigger-without-benzo              200 0 0 0 0
op/OpioidCDSREC12PatientView/
  request-example-rec-12-patient-view-in-criteria-met                           200 0 0 0 0
  request-example-rec-12-patient-view-out-opioid-misuse                         200 0 0 0 0
pddi-cds/
  digoxin-cyclosporine-order-select-coordination                                200 0 0 0 3
  digoxin-cyclosporine-order-select-no-coordination                             200 0 0 0 3
  digoxin-cyclosporine-order-sign-coordination                                  200 0 0 0 3
  digoxin-cyclosporine-order-sign-no-coordination                               200 0 0 0 3
  multi-update-draft-orders-1                                                   200 2 0 0 0
  multi-update-draft-orders-2                                                   200 0 0 0 3
  multi-update-draft-orders-3                                                   200 2 0 0 1
  multi-update-draft-orders-4                                                   200 1 0 0 3
  request-digoxin-cyclosporine-scenario-01                                      200 0 0 0 1
  request-digoxin-cyclosporine-scenario-02                                      200 0 0 0 1
  request-digoxin-cyclosporine-scenario-03                                      200 0 0 0 1
  request-digoxin-cyclosporine-scenario-04                                      200 0 0 0 1
  request-warfarin-nsaid-scenario-01                                            400 draft
  request-warfarin-nsaid-scenario-02                                            400 draft
  request-warfarin-nsaid-scenario-03                                            400 draft
  request-warfarin-nsaid-scenario-04                                            400 draft
  request-warfarin-nsaid-scenario-05                                            400 draft
  warfarin-nsaids-order-select-coordination                                     200 2 0 0 0
  warfarin-nsaids-order-select-no-coordination                                  200 2 0 0 0
  warfarin-nsaids-order-sign-coordination                                       200 2 0 0 0
  warfarin-nsaids-order-sign-no-coordination                                    200 2 0 0 0
"""

REASONS = {"Patient": "Patient other than", "draft": "resource of a patient other"}


def rows() -> list[tuple[str, list[str]]]:
    found = []
    folder = ""
    for line in TABLE.strip().splitlines():
        if line.endswith("/"):
            folder = line.replace("op/", "opioid-cds-r4/requests/", 1) if line.startswith("op/") else line
        else:
            name, *expected = line.split()
            found.append((f"{folder}{name}.json", expected))
    return found


ROWS = rows()


def test_the_table_has_every_request(shared_data: Path) -> None:
    folder = shared_data / "cds-hooks"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.json") if "responses" not in path.parts}
    assert {name for name, _ in ROWS} == there
    assert len(ROWS) == 114


@pytest.mark.parametrize(("name", "expected"), ROWS, ids=[name for name, _ in ROWS])
def test_a_request_of_others_is_answered_as_the_table_says(
    service: RunningService, shared_data: Path, name: str, expected: list[str]
) -> None:
    body = (shared_data / "cds-hooks" / name).read_bytes()
    request = json.loads(body)
    hook = request["hook"]
    answer = service.post(f"psychmed-{hook}", body)
    status, *details = expected
    assert answer.status_code == int(status), answer.text
    if status == "200":
        check_response(answer.json(), drafts=drafts_of(request))
        assert counted(answer) == details
    else:
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert REASONS[details[0]] in answer.text if details else "patient" in answer.text


def drafts_of(request: dict[str, Any]) -> set[str]:
    entries = request["context"].get("draftOrders", {}).get("entry", [])
    return {f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}" for entry in entries}


def counted(answer: requests.Response) -> list[str]:
    evaluation = answer.json()["extension"]["org.psychmed.evaluation"]
    medicines = evaluation["medications"]
    others = evaluation["ignored_resources"].get("other-patient")
    return [
        *(str(medicines[name]) for name in ("identified", "unidentified", "conflict", "not-listed")),
        *([f"other-patient={others}"] if others else []),
        *(bad["where"] for bad in evaluation["bad_resources"]),
    ]
