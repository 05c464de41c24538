"""Codes and names to drugs: a ladder of exact steps. The first rung that knows anything answers; nothing is guessed.

rxnorm           an RxNorm code of the table, unless another code, display or text contradicts it
ndc              an NDC of the table: of a product, or of a package of which only the ingredients are known
site-table       a code of the site's own tables (local codes, SNOMED CT, ATC)
name-product     the exact RxNorm name of a product
name-brand       the exact name of a brand
name-ingredient  the exact name of an ingredient or salt, or of several ("olanzapine / fluoxetine")
name-strength    an exact name with a strength or form ("sertraline 100 mg tab"), every word of it understood

A Medication resource that an order refers to is put in the order's place before any of this (`cds.chart`).
All codes must agree on the ingredients, and no name may speak of another drug: otherwise the answer is a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds.drugs.contradictions import Contradictions
from cds.drugs.labels import Labels
from cds.drugs.model import Medication
from cds.drugs.names import normalize
from cds.drugs.ndc import eleven_digits, is_ndc
from cds.drugs.routes import is_rescue, is_systemic, read_route, route_of
from cds.drugs.systems import normalize_system
from cds.drugs.table import SPECIFICITY, DrugTable, Entry, drug_table

Coding = tuple[str | None, str | None, str | None]

_RXNORM = frozenset(
    {
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "https://www.nlm.nih.gov/research/umls/rxnorm",
        "urn:oid:2.16.840.1.113883.6.88",
        "2.16.840.1.113883.6.88",
        "rxnorm",
    }
)
_LONGEST_CODE = 8
_LONGEST_NAME = 2000
_REMEMBERED = 20_000
_STEP = {"name": "name-ingredient", "brand": "name-brand", "label": "name-strength"}
_BRAND_OR_LABEL = {"brand": 1, "label": 2}
_RUNGS = ("rxnorm", "ndc", "site-table")
_NDC_NOTE = {
    "inferred": "the NDC was matched by ingredient, strength and form",
    "ingredient-only": "the NDC gives the ingredients only",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A coding that a rung knew."""

    rung: str
    entry: Entry
    display: str | None
    note: str = ""


def is_rxnorm(system: str | None) -> bool:
    """True for the spellings of the RxNorm system that are seen in real charts."""
    return system is not None and system.strip().rstrip("/").lower() in _RXNORM


class Resolver:
    """Resolves medicines against one drug table and remembers the answers. One resolver serves a whole process.

    overlay: a site's own codes, (system, code) -> an RxNorm code of the table, or ingredient keys joined by "|".
    """

    def __init__(self, table: DrugTable | None = None, *, overlay: Mapping[tuple[str, str], str] | None = None) -> None:
        self._table = table if table is not None else drug_table()
        self._overlay = {(normalize_system(s), code.strip()): meant for (s, code), meant in (overlay or {}).items()}
        self._contradictions = Contradictions(self._table)
        self._labels = Labels(self._table)
        self._answers: dict[tuple[tuple[Coding, ...], str | None, str | None], Medication] = {}

    @property
    def table(self) -> DrugTable:
        """The table that answers come from."""
        return self._table

    def resolve(self, codings: Sequence[Coding], text: str | None, *, route_text: str | None = None) -> Medication:
        """The drug that a CodeableConcept means. Never raises for its content.

        codings: (system, code, display) in any order. text: CodeableConcept.text. route_text: Dosage.route as text.
        """
        asked = (tuple(codings), text, route_text)
        found = self._answers.get(asked)
        if found is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            found = self._answers[asked] = self._climb(*asked, [])
        return found

    def explain(
        self, codings: Sequence[Coding], text: str | None, *, route_text: str | None = None
    ) -> tuple[Medication, tuple[str, ...]]:
        """The same answer as `resolve`, with what each rung of the ladder said, in order. For people, not for logs."""
        told: list[str] = []
        return self._climb(tuple(codings), text, route_text, told), tuple(told)

    def _climb(
        self, codings: tuple[Coding, ...], text: str | None, route_text: str | None, told: list[str]
    ) -> Medication:
        names = _names([text, *(display for _, _, display in codings)])
        route = read_route(route_text)
        known: list[_Known] = []
        unknown: list[str] = []
        for system, code, display in codings:
            if code and code.strip():
                found = self._by_coding(system, code.strip(), display, unknown, told)
                if found is not None:
                    known.append(found)
        if known:
            return self._by_code(known, names, route, told, some_unknown=len(unknown) > 0)
        if unknown:
            return self._not_listed(unknown[0], names, route, told)
        return self._by_name(names, route, told)

    def _by_coding(
        self, system: str | None, code: str, display: str | None, unknown: list[str], told: list[str]
    ) -> _Known | None:
        """What one code means; RxNorm codes that the table does not hold go to `unknown`."""
        if is_rxnorm(system):
            entry = self._table.by_code(code) if _is_code(code) else None
            if _is_code(code) and entry is None:
                unknown.append(code)
            told.append(
                f"rxnorm: {code} is {_described(entry)}"
                if entry
                else f"rxnorm: {code} is {'not in the table' if _is_code(code) else 'not an RxNorm code'}"
            )
            if entry is not None:
                return _Known("rxnorm", entry, display)
        elif is_ndc(system):
            digits = eleven_digits(code)
            held = self._table.by_ndc(digits) if digits is not None else None
            if held is not None:
                told.append(f"ndc: {digits} is {_described(held[0])} (method: {held[1].method})")
                return _Known("ndc", held[0], display, _NDC_NOTE.get(held[1].method, ""))
            told.append(
                f"ndc: {digits} is not in the table" if digits else "ndc: not an NDC of 11 digits, or 10 with hyphens"
            )
        meant = self._overlay.get((normalize_system(system or ""), code)) if self._overlay else None
        if meant is not None and (local := self._local(meant)) is not None:
            told.append(f"site-table: the site's tables map the code to {_described(local)}")
            return _Known("site-table", local, display)
        if not is_rxnorm(system) and not is_ndc(system):
            told.append("site-table: the site's tables do not hold the code")
        return None

    def _local(self, meant: str) -> Entry | None:
        """What a row of the overlay means: an RxNorm code of the table, or ingredients that are all in it."""
        if _is_code(meant):
            return self._table.by_code(meant)
        keys = tuple(key.strip().lower() for key in meant.split("|"))
        # By name, for the keys of a site's release are looked up and never listed.
        known = all((e := self._table.by_name(key)) is not None and e.keys == (key,) for key in keys)
        return Entry("name", keys, tuple(f"{key}=" for key in keys), name=meant) if known else None

    def _by_code(
        self, known: list[_Known], names: list[str], route: str | None, told: list[str], *, some_unknown: bool
    ) -> Medication:
        if any(self._families(k.entry) != self._families(known[0].entry) for k in known[1:]):
            return _conflict("the codes stand for different ingredients", told)
        rung = min((k.rung for k in known), key=_RUNGS.index)
        best = max(known, key=lambda k: SPECIFICITY.get(k.entry.tty, 0))
        if any(self._contradictions.names_another(name, best.entry) for name in names):
            return _conflict("a display or the text names another drug than the code", told)
        if any(k.display and self._contradictions.states_another_strength(k.display, k.entry) for k in known):
            return _conflict(
                "the display states another strength than the code, or a strength for an ingredient code", told
            )
        products = {k.entry.rxcui: k.entry for k in known if SPECIFICITY.get(k.entry.tty, 0) >= SPECIFICITY["SCDC"]}
        notes = [k.note for k in known if k.note and len(known) == 1]
        notes += ["another RxNorm code is not in the table"] if some_unknown else []
        if len({entry.parts for entry in products.values()}) > 1:
            # One drug, but which product is not said: keep what all of them share.
            return self._medication(_shared(best.entry), rung, route, "the codes disagree on the strength", told)
        return self._medication(best.entry, rung, route, "; ".join(notes), told)

    def _not_listed(self, code: str, names: list[str], route: str | None, told: list[str]) -> Medication:
        if any(self._contradictions.names_known_drug(name) for name in names):
            return _conflict("the code is not in the table, but the name is of a drug whose codes are", told)
        exact = self._by_name(names, route, told)
        if exact.status == "identified":
            # Only a drug that the table knows by name alone gets here: the code cannot contradict it.
            return exact
        return Medication("not-listed", "rxnorm", label=f"RxNorm {code}", reason="the code is not in the drug table")

    def _by_name(self, names: list[str], route: str | None, told: list[str]) -> Medication:
        found = []
        for name in names:
            entry = self._exact(name) or self._labels.entry(name)
            told.append(f"name: {name[:80]!r} is {_described(entry) if entry else 'no exact name and no whole label'}")
            if entry is not None:
                found.append(entry)
        if not found:
            return Medication(
                "unidentified", "none", reason="no known code and no exact name" if names else "no code and no name"
            )
        if any(self._families(entry) != self._families(found[0]) for entry in found[1:]):
            return _conflict("the names are of different drugs", told)
        best = max(found, key=lambda e: SPECIFICITY.get(e.tty, _BRAND_OR_LABEL.get(e.tty, 0)))
        if any(self._contradictions.names_another(name, best) for name in names):
            return _conflict("the names are of different drugs", told)
        if len({entry.parts for entry in found if not _without_strength(entry)}) > 1:
            return self._medication(_shared(best), _step(best), route, "the names disagree on the strength", told)
        return self._medication(best, _step(best), route, "", told)

    def _exact(self, name: str) -> Entry | None:
        found = self._table.by_name(name)
        if found is not None:
            return found
        for separator in (" / ", "-", " and "):
            pieces = normalize(name).split(separator)
            entries = [e for piece in pieces if (e := self._table.by_name(piece)) is not None and e.tty == "name"]
            if 1 < len(pieces) == len(entries):
                keys = tuple(dict.fromkeys(key for e in entries for key in e.keys))
                return Entry("name", keys, tuple(f"{key}=" for key in keys), name=name)
        return None

    def _medication(
        self, entry: Entry, step: str, stated_route: str | None, reason: str, told: list[str]
    ) -> Medication:
        route = route_of(entry.route, stated_route)
        parts = self._table.parts(entry, route=route)
        rescue = is_rescue(frozenset(p.ingredient.therapeutic_class for p in parts), route)
        told.append(f"answered by {step}" + (f": {reason}" if reason else ""))
        return Medication(
            status="identified",
            step=step,
            parts=parts,
            label="/".join(part.ingredient.key for part in parts),
            product=entry.rxcui,
            form=entry.form,
            route=route,
            extended="extended" in entry.flags,
            long_acting_injection="depot" in entry.flags,
            rescue=rescue,
            systemic=is_systemic(route, entry.form),
            pack="pack" in entry.flags,
            purpose=entry.purpose,
            reason=reason,
        )

    def _families(self, entry: Entry) -> frozenset[str]:
        return frozenset(self._table.family(key) for key in entry.keys)


def _shared(entry: Entry) -> Entry:
    return Entry("IN", entry.keys, tuple(f"{key}=" for key in entry.keys), name=entry.name, route=entry.route)


def _without_strength(entry: Entry) -> bool:
    return all(part.endswith("=") for part in entry.parts)


def _step(entry: Entry) -> str:
    return _STEP.get(entry.tty, "name-product")


def _described(entry: Entry) -> str:
    return f"{entry.name or ' / '.join(entry.keys)} [{entry.tty}]"


def _conflict(reason: str, told: list[str]) -> Medication:
    told.append(f"conflict: {reason}")
    return Medication("conflict", "none", reason=reason)


def _is_code(code: str) -> bool:
    return code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE


def _names(given: list[str | None]) -> list[str]:
    """The names to read, each once; overlong text is nobody's drug name and is not searched."""
    return list(dict.fromkeys(n.strip()[:_LONGEST_NAME] for n in given if n and n.strip()))
