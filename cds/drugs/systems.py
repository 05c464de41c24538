"""Names of code systems as they are looked up, whatever spelling a sender uses."""

from __future__ import annotations

_SYSTEMS = {
    "snomed": "http://snomed.info/sct",
    "snomedct": "http://snomed.info/sct",
    "urn:oid:2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "atc": "http://www.whocc.no/atc",
    "urn:oid:2.16.840.1.113883.6.73": "http://www.whocc.no/atc",
}


def normalize_system(system: str) -> str:
    """A code system as the overlay is asked for it: lower case, no slash at the end; SNOMED CT and ATC by their URI."""
    plain = system.strip().rstrip("/").lower()
    return _SYSTEMS.get(plain, plain)
