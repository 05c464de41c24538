"""The drug table: rules/drugs/*.csv in memory, loaded once. Products stay as rows of text until one is asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from cds.drugs.model import DrugPart, Ingredient
from cds.drugs.names import normalize
from cds.drugs.ndc import NdcTable, Package
from cds.shipped import shipped

# RxNorm term types from the least to the most specific.
SPECIFICITY = {
    "IN": 0,
    "MIN": 0,
    "PIN": 1,
    "BN": 1,
    "SBDG": 1,
    "SCDC": 2,
    "SBDC": 2,
    "GPCK": 3,
    "BPCK": 4,
    "SCD": 5,
    "SBD": 6,
}
_PURPOSE = {"Smoking Cessation": "smoking-cessation", "PMDD": "pmdd"}
_UNCLASSED = "OTHER"
# Drugs of other fields: the table holds only some of their codes.
_SOMATIC = "SOMATIC"


@dataclass(frozen=True, slots=True)
class Entry:
    """One concept of the table: an RxNorm code, or a name without a code.

    keys: ingredients. parts: as compiled text, decoded by `DrugTable.parts`. tty: RxNorm term type, "NDC" (a package of
    which only the ingredients are known), "name", "brand" or "label" (read from a name with its strength).
    """

    tty: str
    keys: tuple[str, ...]
    parts: tuple[str, ...]
    rxcui: str | None = None
    name: str = ""
    form: str | None = None
    route: str | None = None
    flags: frozenset[str] = frozenset()
    modifier: str = ""
    brand: str = ""

    @property
    def purpose(self) -> frozenset[str]:
        """What the product's own name says it is for."""
        purpose = _PURPOSE.get(self.modifier)
        return frozenset({purpose}) if purpose else frozenset()


class DrugTable:
    """Look-up by code and by exact name. Build it with `drug_table`, or from another folder for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._classes: dict[tuple[str, str], tuple[str, str, frozenset[str]]] = {}
        for row in rows(folder / "classes.csv"):
            tags = frozenset(filter(None, row["tags"].split("|")))
            self._classes[row["ingredient"], row["when"]] = (row["therapeutic_class"], row["class_group"], tags)
        self._moieties = {row["ingredient"]: row["moiety"] for row in rows(folder / "moieties.csv")}
        self._factors = {
            row["salt"]: Decimal(row["numerator"]) / Decimal(row["denominator"])
            for row in rows(folder / "salt_factors.csv")
        }
        self.components = {
            row["ingredient"]: frozenset(row["components"].split("|")) for row in rows(folder / "combinations.csv")
        }
        self._products, self._product_names = _read_products(folder / "products.csv")
        self._coded = {p.partition("=")[0] for row in self._products.values() for p in row[3].split("|")}
        if (other := folder / "other_products.csv").is_file():
            seen, seen_names = _read_products(other)
            self._products, self._product_names = seen | self._products, seen_names | self._product_names
        self._codes: dict[str, Entry] = {}
        self._names: dict[str, Entry] = {}
        self._rxcuis: dict[str, str | None] = {key: None for key, _ in self._classes}
        self._ndc = NdcTable(folder)
        self._by_family: dict[frozenset[str], list[str]] = {}
        self._ingredients: dict[tuple[str, str], Ingredient] = {}
        self._read_names(folder)

    def _read_names(self, folder: Path) -> None:
        depot = {normalize(r["name"]) for r in rows(folder / "names.csv") if "depot" in r["flags"]}
        for row in rows(folder / "ingredients.csv"):
            key = row["ingredient"]
            self._rxcuis[key] = row["rxcui"] or None
            if row["rxcui"]:
                self._coded.add(key)
                self._codes[row["rxcui"]] = _simple("IN", key, key, row["rxcui"])
            for pair in filter(None, row["precise"].split("|")):
                code, name = pair.split("=")
                flags = frozenset({"depot"}) if name in depot else frozenset()
                self._codes[code] = _simple("PIN", key, name, code, flags)
                self._names.setdefault(normalize(name), _simple("name", key, name, None, flags))
            for name in filter(None, row["also"].split("|")):
                self._names.setdefault(normalize(name), _simple("name", key, name))
        for row in (*rows(folder / "names.csv"), *rows(folder / "brands.csv")):
            name, brand = (row["name"], row["kind"] == "brand") if "name" in row else (row["brand"], True)
            keys = tuple(row["ingredients"].split("|"))
            self._names.setdefault(
                normalize(name),
                Entry(
                    tty="brand" if brand else "name",
                    keys=keys,
                    parts=tuple(f"{key}=" for key in keys),
                    name=name,
                    route=row.get("route") or None,
                    flags=frozenset(filter(None, row["flags"].split("|"))),
                    modifier=row.get("modifier", ""),
                ),
            )
            if brand and row.get("rxcui"):
                self._codes[row["rxcui"]] = replace(
                    self._names[normalize(name)], tty="BN", rxcui=row["rxcui"], keys=keys
                )
        for key in self._rxcuis:
            self._names[normalize(key)] = _simple("name", key, key)

    def by_code(self, rxcui: str) -> Entry | None:
        """The concept with this RxNorm code: ingredient, precise ingredient, component, product or pack."""
        entry = self._codes.get(rxcui)
        if entry is None and (row := self._products.get(rxcui)) is not None:
            entry = self._codes[rxcui] = _product(row)
        return entry

    def by_name(self, name: str) -> Entry | None:
        """The concept with exactly this name, case and spaces aside: ingredient, salt, brand, RxNorm product name."""
        wanted = normalize(name)
        entry = self._names.get(wanted)
        if entry is None and (rxcui := self._product_names.get(wanted)) is not None:
            entry = self.by_code(rxcui)
        return entry

    def by_ndc(self, ndc11: str) -> tuple[Entry, Package] | None:
        """The concept that a package holds, and how the source knew it."""
        package = self._ndc.find(ndc11)
        if package is None:
            return None
        if package.rxcui is not None:
            entry = self.by_code(package.rxcui)
            return None if entry is None else (entry, package)
        keys = package.keys
        return Entry("NDC", keys, tuple(f"{k}=" for k in keys), route=package.route, flags=package.flags), package

    def products_of(self, families: frozenset[str]) -> Sequence[Entry]:
        """Products and components with exactly these ingredients (see `family`), packs left out; in order of code."""
        if not self._by_family:
            for code, row in self._products.items():
                if row[1] not in {"GPCK", "BPCK"}:
                    inside = frozenset(self.family(p.partition("=")[0]) for p in row[3].split("|"))
                    self._by_family.setdefault(inside, []).append(code)
        found = (self.by_code(code) for code in self._by_family.get(families, ()))
        return [entry for entry in found if entry is not None]

    def names(self) -> Iterator[tuple[str, Entry]]:
        """Every exact name of an ingredient, salt or brand; product names are not among them."""
        yield from self._names.items()

    def product_codes(self) -> Iterator[str]:
        yield from self._products

    def ingredient_keys(self) -> Iterator[str]:
        yield from self._rxcuis

    def classified_ingredients(self) -> list[Ingredient]:
        """The ingredients that the class table is about, as they are classed in the usual form; by name."""
        return [self.ingredient(key) for key, when in sorted(self._classes) if when == ""]

    def has_codes(self, key: str) -> bool:
        """True when the table knows the RxNorm codes of this ingredient: an unknown code for it is then a surprise."""
        return key in self._coded and not self.is_somatic(key)

    def is_somatic(self, key: str) -> bool:
        """True for drugs of other fields that are here because an interaction rule names them."""
        known = self._classes.get((key, ""))
        return known is not None and _SOMATIC in known[2]

    def classified(self, key: str) -> bool:
        """True for the drugs the class table is about; salts, sugars and companions of combination products are not."""
        return (key, "") in self._classes

    def ingredient(self, key: str, *, extended: bool = False, route: str | None = None) -> Ingredient:
        """The ingredient as it is classed in this form (transdermal selegiline, extended-release guanfacine)."""
        when = "transdermal" if route == "transdermal" else "extended" if extended else ""
        if (key, when) not in self._classes:
            when = ""
        found = self._ingredients.get((key, when))
        if found is None:
            therapeutic_class, group, tags = self._classes.get((key, when), (_UNCLASSED, _UNCLASSED, frozenset()))
            found = self._ingredients[key, when] = Ingredient(
                key,
                self._rxcuis.get(key),
                self._moieties.get(key, key),
                therapeutic_class,
                group,
                tags | {therapeutic_class, group},
            )
        return found

    def family(self, key: str) -> str:
        """What a name must agree on: all lithium salts are lithium, aripiprazole lauroxil is aripiprazole."""
        moiety = self._moieties.get(key, key)
        return moiety if key.startswith(f"{moiety} ") and key not in self.components else key

    def parts(self, entry: Entry, *, route: str | None) -> tuple[DrugPart, ...]:
        """Ingredients and strengths of a concept, classed for its form and for the route of use."""
        daily = "depot" not in entry.flags and route not in {"transdermal", "implant"}
        return tuple(self._part(text, entry, route, daily=daily) for text in entry.parts)

    def _part(self, text: str, entry: Entry, route: str | None, *, daily: bool) -> DrugPart:
        key, _, rest = text.partition("=")
        labelled, _, salt = rest.partition("@")
        value, _, unit = labelled.partition(" ")
        return DrugPart(
            self.ingredient(key, extended="extended" in entry.flags, route=route),
            Decimal(value) if value else None,
            unit or None,
            sole=len(entry.parts) == 1 and "companions" not in entry.flags,
            daily=daily,
            mg_factor=self._factors.get(salt, Decimal(1)),
        )


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table; lines that start with # are its notes."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def _read_products(path: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Product rows by code, and codes by normalised product name; plain lists, for there are thousands of them."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(line for line in file if not line.startswith("#"))
        next(reader)
        products = {row[0]: row for row in reader}
    return products, {normalize(row[2]): code for code, row in products.items()}


def _product(row: list[str]) -> Entry:
    rxcui, tty, name, parts, form, route, flags, brand, modifier = row
    compiled = tuple(parts.split("|"))
    return Entry(
        tty=tty,
        keys=tuple(part.partition("=")[0] for part in compiled),
        parts=compiled,
        rxcui=rxcui,
        name=name,
        form=form or None,
        route=route or None,
        flags=frozenset(filter(None, flags.split("|"))),
        modifier=modifier,
        brand=brand,
    )


def _simple(tty: str, key: str, name: str, rxcui: str | None = None, flags: frozenset[str] = frozenset()) -> Entry:
    return Entry(tty=tty, keys=(key,), parts=(f"{key}=",), rxcui=rxcui, name=name, flags=flags)


@cache
def drug_table() -> DrugTable:
    """The table shipped with the project."""
    return DrugTable(shipped("rules/drugs"))
