"""What a call lacks and may ask for: searches nobody sent, searches with a next page, medicines known by reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cds.evaluate import HookCall
from cds.fhir.reading import Reading, SearchState
from cds.fhir.records import (
    Medication,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
)
from cds.fhir.references import normalize_reference
from hooks.discovery import PREFETCH
from hooks.reads.access import Access
from hooks.reads.guard import Base
from hooks.reads.pages import Page

# Longer than FHIR's 64: real servers have such ids.
_ID: Final = re.compile(r"[A-Za-z0-9\-._]{1,256}")
_KEY: Final = {resource_type: key for key, (resource_type, _) in PREFETCH.items()}
_CURRENT: Final = frozenset({"active", "draft", "on-hold", "completed", "in-progress", "intended"})


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A prefetched search that says it has a next page.

    state: how the page that was sent was read. beside: what other keys said of searches of this type.
    """

    resource_type: str
    page: Page
    state: SearchState
    beside: SearchState = "absent"


@dataclass(frozen=True, slots=True)
class Search:
    """One search or read to make. begun: the page that came with the request; None when nothing did.

    partly: the token covers the type only under a filter, so that the answer is never all there is.
    """

    key: str
    resource_type: str
    url: str
    begun: Unfinished | None = None
    partly: bool = False

    @property
    def is_one_resource(self) -> bool:
        """Patient is read by its id; everything else is searched."""
        return self.resource_type == "Patient"


@dataclass(frozen=True, slots=True)
class Plan:
    """The reads of one call. states: what searches are before the reads come in, where that is news.

    medications: whether Medication may be read by reference.
    """

    base: Base
    access: Access
    searches: tuple[Search, ...]
    states: Mapping[str, SearchState]
    medications: bool


def plan_reads(
    call: HookCall, access: Access, base: Base, unfinished: Sequence[Unfinished], keys: Iterable[str]
) -> Plan | None:
    """What to read for a service with these prefetch keys; None when the request brought everything."""
    searches: list[Search] = []
    states: dict[str, SearchState] = {}
    if not _is_id(call.patient_id):
        return None
    has_patient = bool(call.reading.records.get("Patient"))
    for key in keys:
        resource_type, template = PREFETCH[key]
        # Looked for by the client, with whatever result: not asked again (null, an OperationOutcome, an empty Bundle).
        if resource_type in call.searches or (resource_type == "Patient" and has_patient):
            continue
        grant = access.grants(resource_type, "r" if resource_type == "Patient" else "s", call.patient_id)
        if grant == "none":
            states[resource_type] = "out-of-scope"
            continue
        url = f"{base.url}/{template.replace('{{context.patientId}}', quote(call.patient_id, safe=''))}"
        searches.append(Search(key, resource_type, url, partly=grant == "part"))
    for resource_type in dict.fromkeys(item.resource_type for item in unfinished):
        items = [item for item in unfinished if item.resource_type == resource_type]
        grant = access.grants(resource_type, "s", call.patient_id)
        if grant == "none" or not all(item.page.next for item in items):
            continue  # it stays what it is: not read to its end
        states[resource_type] = items[0].beside
        for item in items:
            searches.append(Search(_KEY[resource_type], resource_type, item.page.next or "", item, grant == "part"))
    medications = access.grants("Medication", "r", call.patient_id) != "none"
    if not searches and not states and not (medications and missing_medications(call, base)):
        return None
    return Plan(base, access, tuple(searches), states, medications)


def missing_medications(call: HookCall, base: Base) -> tuple[str, ...]:
    """`Medication/id` of the medicines that are known only by a reference nobody sent; drafts first, then current ones.

    A reference to another server is not followed.
    """
    found: dict[str, tuple[int, str]] = {}
    known = {f"Medication/{m.id}" for m in call.reading.of(Medication)}
    for rank, text in _references(call.reading, frozenset(call.draft_refs)):
        reference = normalize_reference(text)
        if "://" in text and not text.startswith(base.url + "/"):
            continue
        resource_type, _, own = reference.partition("/")
        if resource_type == "Medication" and reference not in known and _is_id(own):
            found[reference] = min(found.get(reference, (rank, reference)), (rank, reference))
    return tuple(sorted(found, key=lambda reference: found[reference]))


def _references(reading: Reading, drafts: frozenset[str]) -> Iterable[tuple[int, str]]:
    records: list[MedicationRequest | MedicationDispense | MedicationStatement | MedicationAdministration] = [
        *reading.of(MedicationRequest),
        *reading.of(MedicationDispense),
        *reading.of(MedicationStatement),
        *reading.of(MedicationAdministration),
    ]
    for record in records:
        reference = record.medication_reference
        if reference is None or not reference.reference or record.medication_codeable_concept is not None:
            continue
        rank = 0 if f"MedicationRequest/{record.id}" in drafts else 1 if record.status in _CURRENT else 2
        yield rank, reference.reference


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and text not in (".", "..")
