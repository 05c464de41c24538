"""Codes and reviewed words to the groups that rules speak of. Tables are in `rules/tables`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from functools import cache

from cds.fhir.records import CodeableConcept
from cds.shipped import table

ICD10 = frozenset(
    {"http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90"}
)
SNOMED = frozenset({"http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"})
_LOINC = frozenset({"http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"})
# Results that come in several units, in the one that facts speak of: kg, and ng/mL.
_FACTORS: dict[str, dict[str, Decimal]] = {
    "body-weight": {
        "kg": Decimal(1),
        "g": Decimal("0.001"),
        "[lb_av]": Decimal("0.45359237"),
        "lb": Decimal("0.45359237"),
        "lbs": Decimal("0.45359237"),
    },
    "clozapine-level": {"ng/mL": Decimal(1), "ug/L": Decimal(1), "mcg/L": Decimal(1)},
}


@cache
def _conditions() -> tuple[dict[tuple[str, str], frozenset[str]], tuple[tuple[str, str], ...]]:
    """(exact (system, code) to groups; ICD-10 prefixes with their group)."""
    exact: dict[tuple[str, str], set[str]] = defaultdict(set)
    prefixes: list[tuple[str, str]] = []
    for row in table("condition_codes"):
        if row["code"].endswith("*"):
            prefixes.append((row["code"][:-1], row["group"]))
        else:
            exact[row["system"], row["code"]].add(row["group"])
    return {key: frozenset(groups) for key, groups in exact.items()}, tuple(prefixes)


@cache
def _groups_of_code(system: str | None, code: str | None) -> frozenset[str]:
    exact, prefixes = _conditions()
    if not code:
        return frozenset()
    if system in ICD10:
        found = set(exact.get(("icd10", code), ()))
        found.update(group for prefix, group in prefixes if code.startswith(prefix))
        return frozenset(found)
    if system in SNOMED:
        return exact.get(("snomed", code), frozenset())
    return frozenset()


def condition_groups(concept: CodeableConcept | None) -> frozenset[str]:
    """Groups of the condition table that any coding of the concept belongs to; text alone never counts."""
    if concept is None:
        return frozenset()
    return frozenset().union(*(_groups_of_code(c.system, c.code) for c in concept.coding))


@cache
def _reason_words() -> dict[str, str]:
    return {row["text"]: row["group"] for row in table("reason_words")}


def reason_groups(concepts: Iterable[CodeableConcept | None]) -> frozenset[str]:
    """Groups of stop or order reasons: by diagnosis code, or by an exact word of the reviewed list."""
    groups: set[str] = set()
    for concept in concepts:
        if concept is None:
            continue
        groups |= condition_groups(concept)
        for text in (concept.text, *(c.display for c in concept.coding)):
            word = _reason_words().get((text or "").strip().lower())
            if word:
                groups.add(word)
    return frozenset(groups)


@cache
def _loinc() -> dict[str, str]:
    return {row["loinc"]: row["name"] for row in table("observation_codes")}


def result_name(concept: CodeableConcept | None) -> str | None:
    """Name of a result the rules read, by its LOINC code."""
    if concept is None:
        return None
    return next((name for c in concept.coding if c.system in _LOINC and (name := _loinc().get(c.code or ""))), None)


def in_house_unit(name: str, value: Decimal, unit: str | None) -> Decimal | None:
    """The value in the unit that facts speak of; None for a measure in another unit, or in none."""
    factors = _FACTORS.get(name)
    if factors is None:
        return value
    factor = factors.get(unit or "")
    return None if factor is None else value * factor


@cache
def _follow_up() -> frozenset[str]:
    return frozenset(row["text"] for row in table("follow_up_words"))


def asks_for_follow_up(concept: CodeableConcept | None) -> bool:
    """True when a request is for a follow-up visit, by the reviewed list of texts and displays."""
    if concept is None:
        return False
    texts = (concept.text, *(c.display for c in concept.coding))
    return any((t or "").strip().lower() in _follow_up() for t in texts)


@cache
def _visit_words() -> dict[str, str]:
    return {row["text"]: row["kind"] for row in table("visit_words")}


def visit_kinds(concepts: Iterable[CodeableConcept | None]) -> frozenset[str]:
    """Kinds of the reviewed list that an encounter's types name: refill, laboratory, portal, group."""
    texts = (t for c in concepts if c is not None for t in (c.text, *(coding.display for coding in c.coding)))
    return frozenset(kind for t in texts if (kind := _visit_words().get((t or "").strip().lower())))
