"""National Drug Codes: the eleven-digit form, and the table of psychotropic packages (rules/drugs/ndc.txt).

The table is one text of lines of equal length, sorted by code, and is searched where it lies: 80,000 objects would cost
more than the rest of the drug table. It is read when the first NDC is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Method = Literal["rxnorm", "third-party", "inferred", "ingredient-only"]

_SYSTEMS = frozenset(
    {
        "http://hl7.org/fhir/sid/ndc",
        "https://hl7.org/fhir/sid/ndc",
        "urn:oid:2.16.840.1.113883.6.69",
        "2.16.840.1.113883.6.69",
        "ndc",
    }
)
_HYPHENS = re.compile(r"(\d{4,5})-(\d{3,4})-(\d{1,2})")
_LENGTHS = frozenset({(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)})
_METHODS: dict[str, Method] = {"R": "rxnorm", "T": "third-party", "I": "inferred"}
_LINE = 21
_CODE = slice(0, 11)


@dataclass(frozen=True, slots=True)
class Package:
    """What is known of one NDC: an RxNorm product, or only the ingredients (method "ingredient-only", no strength)."""

    ndc: str
    method: Method
    rxcui: str | None = None
    keys: tuple[str, ...] = ()
    route: str | None = None
    flags: frozenset[str] = frozenset()


def is_ndc(system: str | None) -> bool:
    """True for the spellings of the NDC system that are seen in real charts."""
    return system is not None and system.strip().rstrip("/").lower() in _SYSTEMS


def eleven_digits(code: str) -> str | None:
    """The billing form of an NDC; None for what has no one reading.

    Ten digits need their hyphens: without them nobody can say where the zero belongs.
    """
    code = code.strip()
    if not code.isascii():
        return None
    if len(code) == 11 and code.isdigit():
        return code
    found = _HYPHENS.fullmatch(code)
    if found is None or tuple(map(len, found.groups())) not in _LENGTHS:
        return None
    labeler, product, package = found.groups()
    return f"{labeler:0>5}{product:0>4}{package:0>2}"


class NdcTable:
    """Look-up by eleven digits. Files: ndc.txt (code, RxCUI, method) and ndc_ingredients.csv in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: bytes | None = None
        self._ingredients: dict[str, tuple[str, str, str]] = {}

    def find(self, ndc11: str) -> Package | None:
        """The package with exactly these eleven digits."""
        if self._lines is None:
            self._lines = self._read()
        wanted = ndc11.encode("ascii")
        low, high = 0, len(self._lines) // _LINE
        while low < high:
            middle = (low + high) // 2
            line = self._lines[middle * _LINE : (middle + 1) * _LINE]
            if line[_CODE] == wanted:
                text = line.decode("ascii")
                return Package(ndc11, _METHODS[text[19]], rxcui=text[11:19].strip())
            if line[_CODE] < wanted:
                low = middle + 1
            else:
                high = middle
        known = self._ingredients.get(ndc11)
        if known is None:
            return None
        keys, route, flags = known
        return Package(
            ndc11,
            "ingredient-only",
            keys=tuple(keys.split("|")),
            route=route or None,
            flags=frozenset(filter(None, flags.split("|"))),
        )

    def _read(self) -> bytes:
        path = self._folder / "ndc.txt"
        if not path.is_file():
            return b""
        text = path.read_bytes()
        lines = text[text.index(b"\n0") + 1 :] if text.startswith(b"#") else text
        from cds.drugs.table import rows

        for row in rows(self._folder / "ndc_ingredients.csv"):
            shared = (row["ingredients"], row["route"], row["flags"])
            self._ingredients.update(dict.fromkeys(row["ndcs"].split(), shared))
        return lines
