"""Records of no one patient (products, clinicians) that the records of a patient refer to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from cds.fhir import records as r
from cds.fhir.reading import Reading, normalize_reference

_Drug = r.MedicationRequest | r.MedicationDispense | r.MedicationStatement | r.MedicationAdministration


class SharedRecords(Protocol):
    """Where they are looked up, by one of the keys of `keys_of`."""

    def find(self, key: str) -> Iterable[r.Resource]:
        """The records under a key; several for the versions of one, or the roles of a clinician."""
        ...


class InMemory:
    """For a chart or a small export."""

    def __init__(self) -> None:
        self._records: defaultdict[str, list[r.Resource]] = defaultdict(list)

    def add(self, record: r.Resource) -> None:
        for key in keys_of(record):
            self._records[key].append(record)

    def find(self, key: str) -> Iterable[r.Resource]:
        return self._records.get(key, ())

    def __len__(self) -> int:
        return len(self._records)


def keys_of(record: r.Resource) -> list[str]:
    """`Type/id`, the id alone for `urn:uuid:` references, and for a role its clinician."""
    if not record.id:
        return []
    kind = type(record).__name__
    own = record.id.removeprefix(f"{kind}/")
    keys = [f"{kind}/{own}", f"urn:uuid:{own}"]
    if isinstance(record, r.PractitionerRole) and record.practitioner is not None and record.practitioner.reference:
        keys.append(f"role of {normalize_reference(record.practitioner.reference)}")
    return keys


def with_shared(reading: Reading, shared: SharedRecords) -> list[str]:
    """Add to a patient's reading what its records refer to. Returns types of medication records left without product.

    A clinician comes with every role of theirs, a role with its clinician.
    """
    unknown: list[str] = []
    wanted: dict[str, None] = {}
    drugs: list[_Drug] = [
        *reading.of(r.MedicationRequest),
        *reading.of(r.MedicationDispense),
        *reading.of(r.MedicationStatement),
        *reading.of(r.MedicationAdministration),
    ]
    for record in drugs:
        reference = record.medication_reference
        if record.medication_codeable_concept is None and reference is not None and reference.reference:
            if _is_there(reading, reference.reference, record.contained):
                continue
            key = normalize_reference(reference.reference)
            wanted[key] = None
            if not any(True for _ in shared.find(key)):
                unknown.append(type(record).__name__)
    wanted.update(dict.fromkeys(_named(reading)))
    for key in wanted:
        for found in (*shared.find(key), *shared.find(f"role of {key}")):
            reading.add_record(found, "shared")
            if isinstance(found, r.PractitionerRole) and found.practitioner is not None:
                for clinician in shared.find(normalize_reference(found.practitioner.reference or "")):
                    reading.add_record(clinician, "shared")
    return unknown


def _is_there(reading: Reading, reference: str, contained: Iterable[r.Medication]) -> bool:
    """Whether the product is in the resource itself, or came with the chart (a Bundle)."""
    if any(reference == f"#{product.id}" for product in contained):
        return True
    kind, _, own = reading.locate(reference).partition("/")
    return any(product.id == own for product in reading.of(r.Medication)) if kind == "Medication" else False


def _named(reading: Reading) -> Iterator[str]:
    """Clinicians who took part or prescribed, and what an adverse event is blamed on."""
    people = [p.individual for e in reading.of(r.Encounter) for p in e.participant]
    people += [m.requester for m in reading.of(r.MedicationRequest)]
    people += [p.actor for a in reading.of(r.Appointment) for p in a.participant]
    people += [s.instance for e in reading.of(r.AdverseEvent) for s in e.suspect_entity]
    for person in people:
        if person is not None and person.reference:
            yield normalize_reference(person.reference)
