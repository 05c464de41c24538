"""A whole chart as a hook call: what is not in it was looked for and not found, unless part of it was not read."""

from __future__ import annotations

from typing import Final

from cds.evaluate import HookCall
from cds.fhir.reading import Reading, SearchState
from cds.model import Hook

# The searches of a chart that rules may ask about: whoever exports a chart has made them all.
SEARCHED: Final = (
    "AllergyIntolerance", "Appointment", "Condition", "Encounter", "MedicationAdministration", "MedicationDispense",
    "MedicationRequest", "MedicationStatement", "Observation", "Patient", "ServiceRequest", "Task",
)  # fmt: skip
_DRAFT_HOOKS: Final = frozenset({"order-sign", "order-select"})


def call_of(
    reading: Reading, hook: Hook, *, read_whole: bool = True, cut: frozenset[str] = frozenset(),
    families: tuple[str, ...] | None = None,
) -> HookCall:  # fmt: skip
    """The call of a chart.

    read_whole: False where the chart itself could not be read to its end. cut: resource types of which a file broke
    off, or of which a part was lost, for everybody. families: starts of the ids of the rules asked, None for all.
    """
    drafts: tuple[str, ...] = ()
    if hook in _DRAFT_HOOKS:
        requests = reading.records.get("MedicationRequest", ())
        drafts = tuple(f"MedicationRequest/{r.id}" for r in requests if getattr(r, "status", None) == "draft")
    states: dict[str, SearchState] = {t: "damaged" if t in reading.bad_types else "complete" for t in SEARCHED}
    states |= dict.fromkeys(cut.intersection(SEARCHED), "truncated")
    if not read_whole:
        states = dict.fromkeys(SEARCHED, "failed")
    return HookCall(hook, reading.patient_id or "", None, None, reading, states, drafts, families=families)
