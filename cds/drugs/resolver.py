"""Codes and names to drugs: a ladder of exact steps. The first rung that knows anything answers; nothing is guessed.

rxnorm           an RxNorm code of the table, unless another code, display or text contradicts it
site-table       a local, SNOMED CT or ATC code of a site's overlay table
name-product     the exact RxNorm name of a product
name-brand       the exact name of a brand
name-ingredient  the exact name of an ingredient or salt, or of several ("olanzapine / fluoxetine")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds.drugs.contradictions import Contradictions
from cds.drugs.model import Medication
from cds.drugs.names import normalize
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
_STEP = {"name": "name-ingredient", "brand": "name-brand"}


def is_rxnorm(system: str | None) -> bool:
    """True for the spellings of the RxNorm system that are seen in real charts."""
    return system is not None and system.strip().rstrip("/").lower() in _RXNORM


class Resolver:
    """Resolves medicines against one drug table and remembers the answers. One resolver serves a whole process."""

    def __init__(self, table: DrugTable | None = None, *, overlay: Mapping[tuple[str, str], str] | None = None) -> None:
        """overlay: (normalised system, code) to an RxNorm code or to ingredient keys joined by "|"."""
        self._overlay = overlay or {}
        self._table = table if table is not None else drug_table()
        self._contradictions = Contradictions(self._table)
        self._answers: dict[tuple[tuple[Coding, ...], str | None, str | None], Medication] = {}

    def resolve(self, codings: Sequence[Coding], text: str | None, *, route_text: str | None = None) -> Medication:
        """The drug that a CodeableConcept means. Never raises for its content.

        codings: (system, code, display) in any order. text: CodeableConcept.text. route_text: Dosage.route as text.
        """
        asked = (tuple(codings), text, route_text)
        found = self._answers.get(asked)
        if found is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            found = self._answers[asked] = self._climb(*asked)
        return found

    def _climb(self, codings: tuple[Coding, ...], text: str | None, route_text: str | None) -> Medication:
        coded = [(c.strip(), display) for s, c, display in codings if is_rxnorm(s) and c and _is_code(c.strip())]
        names = _names([text, *(display for _, _, display in codings)])
        route = read_route(route_text)
        known = [(entry, display) for code, display in coded if (entry := self._table.by_code(code)) is not None]
        if known:
            return self._by_code(known, names, route, some_unknown=len(known) < len(coded))
        # Further rungs (NDC, strengths read from text) belong here, before names.
        site = [e for s, c, _ in codings if s and c and (e := self._site_entry(s, c.strip())) is not None]
        if site:
            return self._by_site_table(site, names, route, unlisted=bool(coded))
        if coded:
            return self._not_listed(coded[0][0], names, route)
        return self._by_name(names, route)

    def _by_code(
        self, known: list[tuple[Entry, str | None]], names: list[str], route: str | None, *, some_unknown: bool
    ) -> Medication:
        first = known[0][0]
        if any(self._families(entry) != self._families(first) for entry, _ in known):
            return _conflict("the codes stand for different ingredients")
        best = max((entry for entry, _ in known), key=lambda e: SPECIFICITY.get(e.tty, 0))
        if any(self._contradictions.names_another(name, best) for name in names):
            return _conflict("a display or the text names another drug than the code")
        if any(display and self._contradictions.states_another_strength(display, entry) for entry, display in known):
            return _conflict("the display states another strength than the code, or a strength for an ingredient code")
        products = {entry.rxcui: entry for entry, _ in known if SPECIFICITY.get(entry.tty, 0) >= SPECIFICITY["SCDC"]}
        if len({entry.parts for entry in products.values()}) > 1:
            # One drug, but which product is not said: keep what all of them share.
            return self._medication(_shared(best), "rxnorm", route, "the codes disagree on the strength")
        reason = "another RxNorm code is not in the table" if some_unknown else ""
        return self._medication(best, "rxnorm", route, reason)

    def _site_entry(self, system: str, code: str) -> Entry | None:
        target = self._overlay.get((normalize_system(system), code)) if self._overlay else None
        if target is None or target.isdigit():
            return self._table.by_code(target) if target else None
        keys = tuple(target.split("|"))
        return Entry("name", keys, tuple(f"{key}=" for key in keys), name=target)

    def _by_site_table(self, site: list[Entry], names: list[str], route: str | None, *, unlisted: bool) -> Medication:
        best = max(site, key=lambda e: SPECIFICITY.get(e.tty, 0))
        if any(self._families(entry) != self._families(best) for entry in site):
            return _conflict("the codes stand for different ingredients")
        if any(self._contradictions.names_another(name, best) for name in names):
            return _conflict("a display or the text names another drug than the code")
        if unlisted and any(self._table.has_codes(key) for key in best.keys):
            return _conflict("an RxNorm code is not in the table, but the site's table gives a drug whose codes are")
        if len({entry.parts for entry in site if SPECIFICITY.get(entry.tty, 0) >= SPECIFICITY["SCDC"]}) > 1:
            return self._medication(_shared(best), "site-table", route, "the codes disagree on the strength")
        return self._medication(best, "site-table", route)

    def _not_listed(self, code: str, names: list[str], route: str | None) -> Medication:
        if any(self._contradictions.names_known_drug(name) for name in names):
            return _conflict("the code is not in the table, but the name is of a drug whose codes are")
        exact = self._by_name(names, route)
        if exact.status == "identified":
            # Only a drug that the table knows by name alone gets here: the code cannot contradict it.
            return exact
        return Medication("not-listed", "rxnorm", label=f"RxNorm {code}", reason="the code is not in the drug table")

    def _by_name(self, names: list[str], route: str | None) -> Medication:
        exact = [entry for name in names if (entry := self._exact(name)) is not None]
        if not exact:
            return Medication(
                "unidentified", "none", reason="no known code and no exact name" if names else "no code and no name"
            )
        if any(self._families(entry) != self._families(exact[0]) for entry in exact):
            return _conflict("the names are of different drugs")
        best = max(exact, key=lambda e: SPECIFICITY.get(e.tty, 1 if e.tty == "brand" else 0))
        if any(self._contradictions.names_another(name, best) for name in names):
            return _conflict("the names are of different drugs")
        return self._medication(best, _STEP.get(best.tty, "name-product"), route)

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

    def _medication(self, entry: Entry, step: str, stated_route: str | None, reason: str = "") -> Medication:
        route = route_of(entry.route, stated_route)
        parts = self._table.parts(entry, route=route)
        rescue = is_rescue(frozenset(p.ingredient.therapeutic_class for p in parts), route)
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


def _conflict(reason: str) -> Medication:
    return Medication("conflict", "none", reason=reason)


def _is_code(code: str) -> bool:
    return code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE


def _names(given: list[str | None]) -> list[str]:
    """The names to read, each once; overlong text is nobody's drug name and is not searched."""
    return list(dict.fromkeys(n.strip()[:_LONGEST_NAME] for n in given if n and n.strip()))
