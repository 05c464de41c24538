"""What kind of care an encounter or appointment was: who saw the patient, mental health or not, for what (1.7, D-03).

Three answers everywhere: True, False, and None where the record does not say. Tables are in `rules/tables`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from cds.chart.codes import ICD10, SNOMED
from cds.fhir import records as r
from cds.shipped import table

if TYPE_CHECKING:
    from cds.chart.build import Builder

Principal = Literal["mental-disorder", "self-harm", "other"]
Destination = Literal["home", "facility", "hospice", "died"]
_SYSTEMS = {
    "http://nucc.org/provider-taxonomy": "nucc",
    "urn:oid:2.16.840.1.113883.6.101": "nucc",
    "http://terminology.hl7.org/CodeSystem/practitioner-role": "role",
    "http://terminology.hl7.org/CodeSystem/v2-0360": "degree",
    "http://www.ama-assn.org/go/cpt": "cpt",
    "urn:oid:2.16.840.1.113883.6.12": "cpt",
    **dict.fromkeys(SNOMED, "snomed"),
}
_DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_UNCONFIRMED = frozenset({"refuted", "entered-in-error", "provisional", "differential"})
# Roles of a diagnosis of an encounter, the most telling of the principal one first; comorbidities never are.
_USES = ("DD", "billing", None, "AD")
_ANSWERS = {"yes": True, "no": False}
Concepts = Iterable[r.CodeableConcept | None]


@dataclass(frozen=True, slots=True)
class Says:
    """prescriber: may prescribe (a clinician), or was seen by one (a visit). mental_health: is mental-health care."""

    prescriber: bool | None = None
    mental_health: bool | None = None


_NOTHING = Says()


@dataclass(slots=True)
class Index:
    """Look-ups over one reading: clinicians by reference, conditions by reference and by their encounter."""

    clinicians: Mapping[str, Says] = field(default_factory=dict)
    conditions: Mapping[str, r.Condition] = field(default_factory=dict)
    of_encounter: Mapping[str, list[r.Condition]] = field(default_factory=dict)


def index(b: Builder) -> Index:
    """Clinicians and conditions of the reading; a refuted or provisional condition is left out (1.8)."""
    of = b.source.reading.of
    told: dict[str, list[Says]] = defaultdict(list)
    for person in of(r.Practitioner):
        told[b.ref(person)] += [say(c for q in person.qualification for c in [q.code])] if person.qualification else []
    for role in of(r.PractitionerRole):
        words = say((*role.code, *role.specialty))
        told[b.ref(role)].append(words)
        if (who := b.locate(role.practitioner)) is not None:
            told[who].append(words)
    conditions: dict[str, r.Condition] = {}
    of_encounter: dict[str, list[r.Condition]] = defaultdict(list)
    for condition in of(r.Condition):
        status = condition.verification_status
        if status is not None and any(c.code in _UNCONFIRMED for c in status.coding):
            continue
        conditions[b.ref(condition)] = condition
        if (where := b.locate(condition.encounter)) is not None:
            of_encounter[where].append(condition)
    return Index({ref: _together(words) for ref, words in told.items()}, conditions, of_encounter)


def _together(words: Iterable[Says]) -> Says:
    """Several roles of one clinician, or several clinicians of one visit."""
    known = list(words)
    return Says(any_of(w.prescriber for w in known), any_of(w.mental_health for w in known))


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """True if one is; False only when all are known not to be."""
    found = set(answers)
    return True if True in found else None if None in found or not found else False


# Codes and words -----------------------------------------------------------------------------------------------------


@cache
def _codes() -> tuple[dict[tuple[str, str], Says], tuple[tuple[str, str, Says], ...]]:
    """(exact codes; prefixes, the longest first)."""
    exact: dict[tuple[str, str], Says] = {}
    prefixes: list[tuple[str, str, Says]] = []
    for row in table("care_codes"):
        says = Says(_ANSWERS.get(row["prescriber"]), _ANSWERS.get(row["mental_health"]))
        if row["code"].endswith("*"):
            prefixes.append((row["system"], row["code"][:-1], says))
        else:
            exact[row["system"], row["code"]] = says
    return exact, tuple(sorted(prefixes, key=lambda p: -len(p[1])))


@cache
def _code(system: str | None, code: str | None) -> Says:
    exact, prefixes = _codes()
    name = _SYSTEMS.get(system or "")
    if name is None or not code:
        return _NOTHING
    found = exact.get((name, code))
    return found or next((s for of, start, s in prefixes if of == name and code.startswith(start)), _NOTHING)


@cache
def _words() -> frozenset[str]:
    return frozenset(row["text"] for row in table("care_words"))


def say(concepts: Concepts) -> Says:
    """What the codes and the reviewed words of these concepts say together."""
    prescriber: set[bool | None] = set()
    mental: set[bool | None] = set()
    for concept in concepts:
        for c in concept.coding if concept is not None else ():
            told = _code(c.system, c.code)
            prescriber.add(told.prescriber)
            mental.add(True if is_mental_word(c.display) else told.mental_health)
        if concept is not None and is_mental_word(concept.text):
            mental.add(True)
    return Says(_known(prescriber), _known(mental))


def _known(answers: set[bool | None]) -> bool | None:
    """A code that says nothing beside one that does is no doubt about it; yes wins over no."""
    return True if True in answers else False if False in answers else None


def is_mental_word(text: str | None) -> bool:
    return (text or "").strip().lower() in _words()


@cache
def _diagnoses() -> tuple[dict[tuple[str, str], Principal], tuple[tuple[re.Pattern[str], Principal], ...]]:
    exact: dict[tuple[str, str], Principal] = {}
    patterns: list[tuple[re.Pattern[str], Principal]] = []
    for row in table("encounter_diagnoses"):
        kind: Principal = "self-harm" if row["kind"] == "self-harm" else "mental-disorder"
        if "*" in row["code"]:
            patterns.append((re.compile(re.escape(row["code"][:-1]).replace(r"\?", ".")), kind))
        else:
            exact[row["system"], row["code"]] = kind
    return exact, tuple(patterns)


@cache
def _diagnosis_code(system: str | None, code: str | None) -> Principal | None:
    exact, patterns = _diagnoses()
    if not code:
        return None
    if system in ICD10:
        found = exact.get(("icd10", code)) or next((kind for p, kind in patterns if p.match(code)), None)
        return found or "other"
    return exact.get(("snomed", code)) if system in SNOMED else None


def diagnosis_kind(concept: r.CodeableConcept | None) -> Principal | None:
    """Mental disorder, self-harm or other, by the code; None for text and for codes that the table cannot judge."""
    found = {_diagnosis_code(c.system, c.code) for c in concept.coding} if concept is not None else set()
    for kind in ("self-harm", "mental-disorder", "other"):
        if kind in found:
            return kind
    return None


# Encounters and appointments -----------------------------------------------------------------------------------------


def of_visit(b: Builder, e: r.Encounter) -> Says:
    """Prescriber: by role, else by codes of evaluation and management. Mental health: specialty, place, diagnosis."""
    people = _together(_clinicians(b, (p.individual for p in e.participant)))
    service = say((e.service_type, *e.type))
    prescriber = people.prescriber if people.prescriber is not None else service.prescriber
    places = [p.location for p in e.location] + [e.service_provider]
    if (
        people.mental_health
        or service.mental_health
        or any(is_mental_word(p.display) for p in places if p is not None)
        or any(kind in {"mental-disorder", "self-harm"} for kind in map(diagnosis_kind, _diagnoses_of(b, e)))
    ):
        return Says(prescriber, True)
    # Not mental health only where the specialty is known: of every clinician named, or of the service.
    return Says(prescriber, False if False in {people.mental_health, service.mental_health} else None)


def of_appointment(b: Builder, a: r.Appointment) -> Says:
    """What an appointment says of the visit to come."""
    people = _together(_clinicians(b, (p.actor for p in a.participant)))
    service = say((*a.specialty, *a.service_type, *a.service_category, a.appointment_type))
    reasons = [*a.reason_code, *_referred(b, a.reason_reference)]
    if people.mental_health or service.mental_health or _mental(reasons):
        return Says(people.prescriber, True)
    return Says(people.prescriber, False if False in {people.mental_health, service.mental_health} else None)


def of_request(s: r.ServiceRequest | r.Task) -> Says:
    """What a request for a follow-up visit says."""
    concepts = (s.code, s.performer_type) if isinstance(s, r.ServiceRequest) else (s.code,)
    return say(concepts)


def _mental(concepts: Concepts) -> bool:
    return any(diagnosis_kind(c) in {"mental-disorder", "self-harm"} for c in concepts)


def _clinicians(b: Builder, people: Iterable[r.Reference | None]) -> list[Says]:
    """The clinicians and services named; patients, relatives and places aside."""
    found: list[Says] = []
    for person in people:
        where = b.locate(person)
        kind = (person.type if person is not None else None) or (where or "").partition("/")[0]
        if person is None or kind in {"Patient", "RelatedPerson", "Device", "Location"}:
            continue
        if is_mental_word(person.display):
            found.append(Says(None, True))
        else:
            found.append(b.care_index.clinicians.get(where or "", _NOTHING))
    return found


def _referred(b: Builder, references: Iterable[r.Reference | None]) -> list[r.CodeableConcept | None]:
    return [found.code for ref in references if (found := b.care_index.conditions.get(b.locate(ref) or "")) is not None]


def _diagnoses_of(b: Builder, e: r.Encounter) -> list[r.CodeableConcept | None]:
    """Every diagnosis of an encounter, wherever it is recorded."""
    return [
        *_referred(b, (d.condition for d in e.diagnosis)),
        *e.reason_code,
        *_referred(b, e.reason_reference),
        *(c.code for c in b.care_index.of_encounter.get(b.ref(e), ())),
    ]


def principal(b: Builder, e: r.Encounter) -> Principal | None:
    """Kind of the principal diagnosis; None when none is recorded, or several are and none is named the first.

    Looked for in `diagnosis` (the discharge diagnosis before others, by rank), then in the reasons, then in the
    conditions that name the encounter.
    """
    by_use: dict[str | None, list[tuple[float, r.CodeableConcept | None]]] = defaultdict(list)
    for d in e.diagnosis:
        condition = b.care_index.conditions.get(b.locate(d.condition) or "")
        if condition is not None:
            use = next((c.code for c in d.use.coding if c.code), None) if d.use else None
            by_use[use].append((float(d.rank) if d.rank is not None else float("inf"), condition.code))
    for use in _USES:
        if use in by_use:
            first = min(rank for rank, _ in by_use[use])
            return _agreed(concept for rank, concept in by_use[use] if rank == first)
    for others in (list(e.reason_code), _referred(b, e.reason_reference)):
        if others:
            return _agreed(others)
    return _agreed(c.code for c in b.care_index.of_encounter.get(b.ref(e), ()))


def _agreed(concepts: Concepts) -> Principal | None:
    """One kind for all of them; self-harm beside a mental disorder is self-harm."""
    kinds = {diagnosis_kind(c) for c in concepts}
    if kinds == {"self-harm", "mental-disorder"}:
        return "self-harm"
    return kinds.pop() if len(kinds) == 1 else None


@cache
def _dispositions() -> dict[str, Destination]:
    return {row["code"]: row["destination"] for row in table("discharge_dispositions")}  # type: ignore[misc]


def destination(e: r.Encounter) -> Destination | None:
    """Where the patient went after a stay, by the HL7 disposition codes."""
    went = e.hospitalization.discharge_disposition if e.hospitalization else None
    codes = (c.code for c in went.coding if c.system == _DISPOSITION) if went is not None else ()
    return next((found for code in codes if (found := _dispositions().get(code or ""))), None)
