"""References as EHRs really write them, brought to `Type/id`."""

from __future__ import annotations


def normalize_reference(text: str) -> str:
    """Return `Type/id` for a relative or absolute reference, without version; other texts without their spaces.

    "Patient/x", "https://ehr/fhir/Patient/x/_history/3" and "Patient/x/_history/3" all give "Patient/x". A bare id, a
    `urn:uuid:`, a contained "#x" and a search ("Practitioner?identifier=...") name no type and stay as they are.
    """
    text = text.strip()
    if "/" not in text or "?" in text or text.startswith(("#", "urn:")):
        return text
    parts = [part for part in text.split("/") if part]
    if len(parts) > 2 and parts[-2] == "_history":
        parts = parts[:-2]
    # Ids hold neither slash nor space, so the last two parts are type and id wherever a type name stands.
    return "/".join(parts[-2:]) if len(parts) >= 2 and _is_type_name(parts[-2]) else text


def id_of(text: str, resource_type: str) -> str:
    """Return the bare id of a reference or of an id that still carries its type: "Patient/x" gives "x"."""
    return normalize_reference(text).removeprefix(f"{resource_type}/").removeprefix("urn:uuid:")


def _is_type_name(text: str) -> bool:
    return text.isascii() and text.isalpha() and text[0].isupper()
