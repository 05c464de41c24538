"""Does a name contradict a code? Names are never used to choose a drug here, only to refuse one."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from cds.drugs.names import stated_strengths, words
from cds.drugs.table import DrugTable, Entry

# Rounding over the years moved strengths in RxNorm names by up to one part in a hundred (312 to 310 MG/ML).
_TOLERANCE = Decimal("0.01")
# Named in many products that have nothing to do with psychiatry, and too common in brand names to prove anything.
_INCIDENTAL = frozenset(
    {"OTHER", "ANTIHISTAMINE", "COUGH", "CAFFEINE", "SUPPLEMENT", "SMOKING", "NSAID", "SYMPATHOMIMETIC"}
)
_LONGEST_NAME = 6


class Contradictions:
    """Finds drugs named in free text, whole words only, and compares them with what a code stands for."""

    def __init__(self, table: DrugTable) -> None:
        self._table = table
        self._named: dict[tuple[str, ...], frozenset[str]] = {}
        self._longest: dict[str, int] = {}
        for name, entry in table.names():
            spelled = words(name)
            if 0 < len(spelled) <= _LONGEST_NAME and self._tells(entry):
                self._named[spelled] = frozenset(entry.keys)
                self._longest[spelled[0]] = max(len(spelled), self._longest.get(spelled[0], 0))

    def _tells(self, entry: Entry) -> bool:
        if entry.tty == "brand":
            return any(self._table.ingredient(key).therapeutic_class not in _INCIDENTAL for key in entry.keys)
        return self._table.classified(entry.keys[0])

    def named_drugs(self, text: str) -> tuple[frozenset[str], ...]:
        """Ingredient keys of each drug, salt or brand named in a text; the longest name wins ("lithium carbonate")."""
        said = words(text)
        found = []
        at = 0
        while at < len(said):
            for length in range(min(self._longest.get(said[at], 0), len(said) - at), 0, -1):
                keys = self._named.get(said[at : at + length])
                if keys is not None:
                    found.append(keys)
                    at += length - 1
                    break
            at += 1
        return tuple(found)

    def names_another(self, text: str, entry: Entry) -> bool:
        """True when the text names a drug that the concept does not contain."""
        inside = self._families(entry.keys)
        return any(not (self._families(keys) & inside) for keys in self.named_drugs(text))

    def names_known_drug(self, text: str) -> bool:
        """True when the text names a drug whose codes the table holds: a code outside the table is not believed."""
        return any(
            self._table.has_codes(key) and self._table.ingredient(key).therapeutic_class not in _INCIDENTAL
            for keys in self.named_drugs(text)
            for key in keys
        )

    def states_another_strength(self, display: str, entry: Entry) -> bool:
        """True when the display of this very code states a strength that the concept does not have.

        An ingredient has no strength: a display with one belongs to a product, so the code or the display is wrong.
        Only strengths in one unit are compared, and one that agrees is enough.
        """
        stated = stated_strengths(display)
        if not stated:
            return False
        if entry.tty in {"IN", "PIN", "MIN", "BN", "SBDG"}:
            return bool(stated - stated_strengths(entry.name))
        own = set(stated_strengths(entry.name))
        for part in self._table.parts(entry, route=entry.route):
            if part.strength is not None and part.unit is not None:
                own.add((part.strength, part.unit))
        comparable = [(a, b) for a, unit in stated for b, other in own if unit == other]
        return bool(comparable) and not any(abs(a - b) <= _TOLERANCE * b for a, b in comparable)

    def _families(self, keys: Iterable[str]) -> set[str]:
        table = self._table
        found = set()
        for key in keys:
            found.add(table.family(key))
            found.update(table.components.get(key, ()))
        return found
