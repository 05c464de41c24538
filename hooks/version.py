"""Which FHIR version a request speaks. Rules read R4; of another version they would miss what was renamed.

A request holds resources of one version (CDS Hooks 2.0, "Context"), but no field names it. What counts is only what R4
cannot be: a fhirServer whose path names another version, a draft of a type that R4 does not have, a MedicationOrder
anywhere, and elements of medication resources that R4 does not have. What R4 and STU3 share is taken for R4.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE, Raw

FHIR_VERSION: Final = "fhir-version"

# /baseDstu3, /DSTU2/, /stu3, /baseR5; r2, r3 and r5 alone only beside "fhir": they could be anything else.
_OTHER_PATH: Final = re.compile(
    r"(^|/)((base)?(dstu|stu)-?[123]|baser[2356]|fhir/r[2356]|r[2356]/fhir)(/|$)", re.IGNORECASE
)
_OTHER_DRAFTS: Final = frozenset(
    {"MedicationOrder", "DiagnosticOrder", "ProcedureRequest", "ReferralRequest", "DeviceUseRequest"}
)
# (a cheap first look, what settles it): elements of STU3, DSTU2, STU3 and R5.
_ELEMENTS: Final = tuple(
    (word, re.compile(pattern))
    for word, pattern in (
        (b'"taken"', rb'"taken"\s*:\s*"(y|n|unk|na)"'),
        (b'"wasNotTaken"', rb'"wasNotTaken"\s*:\s*(true|false)'),
        (b'"agent"', rb'"requester"\s*:\s*\{[^{}]*"agent"\s*:\s*\{'),
        (b'"medication"', rb'"medication"\s*:\s*\{\s*"(concept|reference)"'),
    )
)
_LOOKED_AT: Final = 16 * 1024  # bytes at the head of a search: the first resources tell
_MEDICINES: Final = frozenset({"MedicationRequest", "MedicationStatement"})


def server_is_other(fhir_server: msgspec.Raw) -> bool:
    """Whether the path of fhirServer names a version that is not R4."""
    try:
        return bool(_OTHER_PATH.search(urlsplit(envelope.text_of(fhir_server) or "").path))
    except ValueError:
        return False


def drafts_are_other(types: Collection[str]) -> bool:
    """Whether one of the drafts is of a type that only other versions have."""
    return not _OTHER_DRAFTS.isdisjoint(types)


def records_are_other(ignored: Mapping[str, int]) -> bool:
    """Whether the chart that was read holds orders of DSTU2, which no rule sees."""
    return "MedicationOrder" in ignored


def elements_are_other(raw: Raw, resource_type: str | None) -> bool:
    """Whether a search for medicines, or the drafts, have an element that only other versions have."""
    if resource_type not in _MEDICINES:
        return False
    try:
        text = bytes(memoryview(raw)[:_LOOKED_AT])
    except UNREADABLE:
        return False
    return any(word in text and pattern.search(text) for word, pattern in _ELEMENTS)
