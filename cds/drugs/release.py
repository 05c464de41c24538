"""A site's own RxNorm: a compiled release on disk, and the drug table that asks it for what the shipped one lacks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cds.drugs.composition import fingerprint
from cds.drugs.model import Ingredient
from cds.drugs.names import normalize
from cds.drugs.ndc import Package
from cds.drugs.rrf import ReleaseError
from cds.drugs.table import DrugTable, Entry
from cds.shipped import shipped

FORMAT = "1"
_COLUMNS = "rxcui, tty, name, parts, form, route, flags, modifier"
# Found by name, an ingredient or brand is told from a product as in the shipped table.
_BY_NAME = {"IN": "name", "PIN": "name", "MIN": "name", "BN": "brand"}
_AGAIN = "load the release again: psychmed drugs load --rrf DIR"
_LONGEST_CODE = 8
_NDC_DIGITS = 11


class SiteRelease:
    """Look-up by code, exact name and NDC in one file, read in place: nothing is held in memory."""

    def __init__(self, path: Path) -> None:
        """Raises ReleaseError when the file is not a compiled release."""
        if not path.is_file():
            raise ReleaseError(f"{path}: there is no such release; make it with psychmed drugs load --rrf DIR")
        try:
            # immutable: a later load swaps in another file, it never changes this one.
            uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self.manifest: Mapping[str, Any] = {
                key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM manifest")
            }
        except (sqlite3.Error, ValueError):
            raise ReleaseError(f"{path}: not a compiled RxNorm release; {_AGAIN}") from None
        if self.manifest.get("format") != FORMAT:
            raise ReleaseError(f"{path}: compiled by another version of psychmed; {_AGAIN}")

    def close(self) -> None:
        self._db.close()

    def current(self, rxcui: str) -> str:
        """The code that replaced a retired one; the same code when it is current or unknown."""
        if not _is_number(rxcui, _LONGEST_CODE):
            return rxcui
        row = self._db.execute("SELECT target FROM alias WHERE rxcui = ?", (int(rxcui),)).fetchone()
        return rxcui if row is None else str(row[0])

    def by_code(self, rxcui: str) -> Entry | None:
        """The concept with this code, or the one that replaced it."""
        if not _is_number(rxcui, _LONGEST_CODE):
            return None
        code = int(self.current(rxcui))
        return _entry(self._db.execute(f"SELECT {_COLUMNS} FROM concept WHERE rxcui = ?", (code,)).fetchone())

    def by_name(self, name: str) -> Entry | None:
        """The one concept with exactly this name, case and spaces aside."""
        row = self._db.execute("SELECT rxcui FROM name WHERE name = ?", (normalize(name),)).fetchone()
        entry = self.by_code(str(row[0])) if row is not None else None
        return None if entry is None else replace(entry, tty=_BY_NAME.get(entry.tty, entry.tty))

    def by_ndc(self, ndc: str) -> Entry | None:
        """The product with this NDC of 11 digits."""
        if len(ndc) != _NDC_DIGITS or not _is_number(ndc, _NDC_DIGITS):
            return None
        row = self._db.execute("SELECT rxcui FROM ndc WHERE ndc = ?", (int(ndc),)).fetchone()
        return None if row is None else self.by_code(str(row[0]))

    def ingredient_code(self, key: str) -> str | None:
        """RxNorm IN of an ingredient key."""
        row = self._db.execute("SELECT rxcui FROM ingredient WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])


class SiteDrugTable(DrugTable):
    """The shipped table first, for it was reviewed; a site's release for every code, name and NDC that it lacks."""

    def __init__(self, folder: Path, release: SiteRelease) -> None:
        """Raises ReleaseError when the release was compiled with other drug tables."""
        super().__init__(folder)
        if release.manifest.get("tables") != fingerprint(folder):
            raise ReleaseError(f"the release was compiled with other drug tables; {_AGAIN}")
        self.release = release
        self._site_ingredients: dict[str, str | None] = {}

    def by_code(self, rxcui: str) -> Entry | None:
        return super().by_code(rxcui) or self.release.by_code(rxcui)

    def by_name(self, name: str) -> Entry | None:
        return super().by_name(name) or self.release.by_name(name)

    def by_ndc(self, ndc11: str) -> tuple[Entry, Package] | None:
        found = super().by_ndc(ndc11)
        if found is not None:
            return found
        entry = self.release.by_ndc(ndc11)
        return None if entry is None else (entry, Package(ndc11, "rxnorm", entry.rxcui))

    def ingredient(self, key: str, *, extended: bool = False, route: str | None = None) -> Ingredient:
        found = super().ingredient(key, extended=extended, route=route)
        if found.rxcui is None and (rxcui := self._code_of(key)) is not None:
            return replace(found, rxcui=rxcui)
        return found

    def has_codes(self, key: str) -> bool:
        return super().has_codes(key) or self._code_of(key) is not None

    def _code_of(self, key: str) -> str | None:
        if key not in self._site_ingredients:
            self._site_ingredients[key] = self.release.ingredient_code(key)
        return self._site_ingredients[key]


def site_drug_table(path: Path) -> SiteDrugTable:
    """The shipped table with a site's compiled release behind it."""
    return SiteDrugTable(shipped("rules/drugs"), SiteRelease(path))


def _is_number(text: str, longest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= longest


def _entry(row: tuple[Any, ...] | None) -> Entry | None:
    if row is None:
        return None
    rxcui, tty, name, parts, form, route, flags, modifier = row
    compiled = tuple(parts.split("|"))
    return Entry(
        tty=tty,
        keys=tuple(part.partition("=")[0] for part in compiled),
        parts=compiled,
        rxcui=str(rxcui),
        name=name,
        form=form or None,
        route=route or None,
        flags=frozenset(filter(None, flags.split("|"))),
        modifier=modifier,
    )
