"""From components to the parts of a product as the drug table writes them: `ingredient=strength unit@salt`.

The rules are those the shipped table was compiled by: products that are an ingredient of their own (mixed amphetamine
salts), strengths that add up, packs without one strength, salts whose milligrams differ, long-acting injections.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from cds.drugs.names import normalize
from cds.drugs.product_names import plain
from cds.drugs.table import DrugTable, rows

_RESCUE_ROUTES = frozenset({"rectal", "nasal", "buccal"})
# What a compiled release depends on: when one of these changes, the release is compiled anew.
_COMPILED_BY = (
    "ingredients.csv",
    "names.csv",
    "brands.csv",
    "classes.csv",
    "combinations.csv",
    "salt_factors.csv",
    "products.csv",
    "other_products.csv",
)


class Line(NamedTuple):
    """One component: ingredient key, substance as written, strength; None and "" when the strength is not known."""

    key: str
    written: str
    value: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True)
class Composition:
    """The hand-kept knowledge that decides how components become parts.

    combinations: (own ingredient, its components, those whose strengths add up). always_long_acting: ingredients of
    which every shipped injection is a long-acting one, for new products that do not say so in their name.
    """

    combinations: tuple[tuple[str, frozenset[str], tuple[str, ...]], ...]
    salts: frozenset[str]
    depot_salts: frozenset[str]
    always_long_acting: frozenset[str]
    benzodiazepines: frozenset[str]

    def parts(self, lines: Sequence[Line], *, pack: bool) -> tuple[str, ...]:
        """Parts of a product; each ingredient once."""
        grouped: dict[str, list[Line]] = {}
        for line in lines:
            grouped.setdefault(line.key, []).append(line)
        for key, members, strength_of in self.combinations:
            if frozenset(grouped) == members:
                grouped = {key: [line for name in strength_of for line in grouped[name]]}
        return tuple(f"{key}={_strength(own, pack=pack)}{self._salt(own)}" for key, own in grouped.items())

    def _salt(self, lines: Iterable[Line]) -> str:
        names = {line.written for line in lines} & self.salts
        return f"@{names.pop()}" if len(names) == 1 else ""

    def is_depot(self, lines: Iterable[Line], route: str) -> bool:
        """True for a long-acting injection or implant."""
        return any(
            line.written in self.depot_salts or (route == "injection" and line.key in self.always_long_acting)
            for line in lines
        )

    def is_rescue(self, keys: Iterable[str], route: str) -> bool:
        return route in _RESCUE_ROUTES and not self.benzodiazepines.isdisjoint(keys)


def _strength(lines: Sequence[Line], *, pack: bool) -> str:
    units = {line.unit for line in lines}
    values = [line.value for line in lines if line.value is not None]
    if len(units) != 1 or len(values) != len(lines):
        return ""
    if pack:
        return f"{plain(values[0])} {units.pop()}" if len(set(values)) == 1 else ""
    return f"{plain(sum(values, Decimal(0)))} {units.pop()}"


def read_part(text: str, written: str) -> Line:
    """A part as compiled, read back; `written` is the substance as its component names it."""
    key, _, rest = text.partition("=")
    value, _, unit = rest.partition("@")[0].partition(" ")
    return Line(key, written, Decimal(value) if value else None, unit)


def composition(table: DrugTable, folder: Path) -> Composition:
    """The knowledge in the hand-kept tables of `folder`, and in the products of the table."""
    injected: dict[str, set[bool]] = {}
    for code in table.product_codes():
        entry = table.by_code(code)
        if entry is not None and entry.route == "injection" and len(entry.keys) == 1:
            injected.setdefault(entry.keys[0], set()).add("depot" in entry.flags)
    return Composition(
        combinations=tuple(
            (row["ingredient"], frozenset(row["components"].split("|")), tuple(row["strength_of"].split("|")))
            for row in rows(folder / "combinations.csv")
        ),
        salts=frozenset(row["salt"] for row in rows(folder / "salt_factors.csv")),
        depot_salts=frozenset(row["name"] for row in rows(folder / "names.csv") if "depot" in row["flags"]),
        always_long_acting=frozenset(key for key, seen in injected.items() if seen == {True}),
        benzodiazepines=frozenset(
            key for key in table.ingredient_keys() if table.ingredient(key).therapeutic_class == "BZD"
        ),
    )


def ingredient_key(table: DrugTable, rxcui: int, name: str) -> str:
    """The table's key of an RxNorm ingredient: by code, else by exact name; a new one is named as RxNorm names it.

    A drug that the shipped table knows by name alone gets the code of the release this way.
    """
    by_code = table.by_code(str(rxcui))
    if by_code is not None and by_code.tty == "IN":
        return by_code.keys[0]
    by_name = table.by_name(name)
    if by_name is not None and by_name.tty == "name" and len(by_name.keys) == 1:
        return by_name.keys[0]
    # "=" and "|" divide the compiled parts.
    return normalize(name).replace("=", "-").replace("|", "-")


def fingerprint(folder: Path) -> str:
    """SHA-256 of the shipped tables that a compiled release depends on."""
    digest = hashlib.sha256()
    for name in _COMPILED_BY:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
