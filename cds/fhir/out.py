"""Suggested changes as CDS Hooks actions: `action_json(action, context)`.

An update carries the client's whole draft, in its order and with every extension, with only the change applied and
nulls and empty values removed (CDS Hooks allows none). A create carries a complete R4 resource with an `id`. A delete
names the draft: `resourceId` is the relative reference, as CDS Hooks 2.0 has it.

| kind | action | `changes` |
|---|---|---|
| S-DEL | delete the draft `target` | |
| S-STOP-OLD | create Task "discontinue" | old: reference, reason: text |
| S-XTAPER | create MedicationRequest, draft, that replaces `old` | old, medication, end_day |
| S-SHORT | update the supply of the draft `target` | days, refills (0), quantity: number or None |
| S-TAPER | create MedicationRequest, draft, proposal, that replaces `old` | old, medication, steps (below) |
| S-DOSE | update the dose of the draft `target`, for `replaces` too | dose_value, dose_unit, replaces or left out |
| S-DOSE | create MedicationRequest, draft, that replaces `old` | old, medication, dose_value, dose_unit, times |
| S-LAB | create ServiceRequest, draft, proposal | test: a key of `LABORATORY_TESTS`, day |
| S-FU | create Appointment, proposed, in [day - 3, day + 3], never before tomorrow | day |
| S-CALL | create CommunicationRequest, draft | day |
| S-PHQ | create Task "complete-questionnaire" | questionnaire: "PHQ-9" or "GAD-7" |
| S-ALT | create MedicationRequest, draft, dose left to the prescriber | medication |
| S-THER | create ServiceRequest, draft, proposal | therapy: text |
| S-REVIEW | create Task "risk-benefit-review" | |

Days count from today. `medication` is `{"text": ..., "rxcui": ... or left out}`. `target` of a created Task, if any,
becomes its focus. A step of S-TAPER has start_day, end_day, dose_mg and
times_per_day; without steps the prescriber enters them.

Two things go with a change because they would contradict it: S-SHORT without a quantity removes the draft's own
quantity, and S-DOSE removes the sig text, the dose range and the calculated doses of the line whose dose it changes.

Raises FactError for an action that cannot be written (no such draft, more than one dosage line); the card is then shown
without that suggestion.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cds.errors import FactError
from cds.fhir.create import CREATORS
from cds.fhir.update import UPDATERS, read_draft, without_empties
from cds.findings import Action


@dataclass(frozen=True, slots=True)
class OutContext:
    """Who and when: what the written resources have to say beside the change.

    patient_ref: "Patient/1". drafts: the client's drafts as sent, by reference. user_ref: the requester.
    new_id: gives the id of a created resource; the caller decides whether it is random.
    """

    patient_ref: str
    today: dt.date
    time_zone: str
    drafts: Mapping[str, bytes]
    new_id: Callable[[], str]
    user_ref: str | None = None
    encounter_ref: str | None = None


def action_json(action: Action, context: OutContext) -> dict[str, Any]:
    """Return the action as CDS Hooks JSON for orjson: a number that a float would reword is an `orjson.Fragment`."""
    if action.type == "delete":
        read_draft(context.drafts, _draft_reference(action))  # nothing but a draft that the client can find is deleted
        return {"type": "delete", "description": action.description, "resourceId": _draft_reference(action)}
    if action.type == "update":
        draft = read_draft(context.drafts, _draft_reference(action))
        resource = _known(UPDATERS, action)(draft, action.changes, action.target or "")
    else:
        resource = _known(CREATORS, action)(action, context)
    return {"type": action.type, "description": action.description, "resource": without_empties(resource)}


def _draft_reference(action: Action) -> str:
    if not action.target:
        raise FactError(action.kind, "the action names no draft")
    return action.target


def _known(table: Mapping[str, Callable[..., dict[str, Any]]], action: Action) -> Callable[..., dict[str, Any]]:
    try:
        return table[action.kind]
    except KeyError:
        raise FactError(action.kind, f"no {action.type} is defined for it") from None
