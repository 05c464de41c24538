"""RxNorm release files (RRF) as streams of rows: pipe-separated, no header, a pipe at the end of each line.

Nothing is believed: the number of columns, the end of each line, and what the used columns look like are checked on the
way, so that a file that was cut off or written in another column order is refused with its line.
Layout and attributes: RxNorm Technical Documentation, U.S. National Library of Medicine.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cds.errors import CdsError

# (file name, bytes read, bytes in all)
Progress = Callable[[str, int, int], None]

CONCEPTS, RELATIONS, ATTRIBUTES, RETIRED = "RXNCONSO.RRF", "RXNREL.RRF", "RXNSAT.RRF", "RXNCUI.RRF"
FILES = (CONCEPTS, RELATIONS, ATTRIBUTES, RETIRED)
_COLUMNS = {CONCEPTS: 18, RELATIONS: 16, ATTRIBUTES: 13, RETIRED: 5}
# Term types that are concepts of their own; the rest (PSN, SY, TMSY, ET ...) are further names of a concept.
CONCEPT_TYPES = frozenset(
    {
        "IN", "PIN", "MIN", "BN", "SCDC", "SCDF", "SCDFP", "SCDG", "SCDGP", "SCD", "SBDC", "SBDF", "SBDFP", "SBDG",
        "SBD", "GPCK", "BPCK", "DF", "DFG",
    }
)  # fmt: skip
NAME_TYPES = frozenset({"PSN", "SY", "TMSY"})
RELATION_NAMES = frozenset(
    {
        "consists_of", "contains", "form_of", "has_dose_form", "has_ingredient", "has_part", "has_precise_ingredient",
        "tradename_of",
    }
)  # fmt: skip
_STRENGTH_ATTRIBUTES = frozenset(
    f"RXN_BOSS_STRENGTH_{part}_{what}" for part in ("NUM", "DENOM") for what in ("VALUE", "UNIT")
)
_ATOM = re.compile(r"[A-Z][A-Z0-9_.\-]*\Z")
_RELA = re.compile(r"[a-z][a-z0-9_]*\Z")
_NDC = re.compile(r"\d{11}\Z")
_RXCUI = re.compile(r"[1-9][0-9]{0,7}\Z")
# How many codes a retired one became: a code in its place is longer.
_CARDINALITY = re.compile(r"[0-9]{1,3}\Z")
_LETTER = re.compile(r"[^\W\d_]")
# "{329526} 25": since 2021 the attribute of a product names the component (SCDC) that it belongs to.
_OF_COMPONENT = re.compile(r"\{(\d{1,8})\} *(.*)\Z")
_LONGEST_LINE = 64 * 1024
_REPORT_LINES = 1 << 16
# NDCs of another form than 11 digits; more than this share of them, and the column is not NDCs.
_ODD_NDCS = 0.01


class ReleaseError(CdsError):
    """A release that is not taken: every reason, one a line. The table in use is not touched."""

    def __init__(self, reasons: str | tuple[str, ...]) -> None:
        self.reasons = (reasons,) if isinstance(reasons, str) else reasons
        super().__init__("\n".join(self.reasons))


class Concept(NamedTuple):
    """A name of an RxNorm concept. active: neither obsolete nor suppressed."""

    rxcui: int
    tty: str
    name: str
    active: bool


class Relation(NamedTuple):
    """subject (RXCUI2) has the relation to object (RXCUI1): a tablet consists_of its component."""

    subject: int
    rela: str
    object: int


class Attribute(NamedTuple):
    """An NDC or a part of a strength. component: the SCDC that the strength belongs to; 0 for an NDC."""

    rxcui: int
    name: str
    value: str
    component: int


class Retired(NamedTuple):
    """A retired code, one code that replaced it, and how many there are of those."""

    rxcui: int
    target: int
    targets: int


@dataclass(slots=True)
class FileFacts:
    """What was read: lines of all sources, rows kept, bytes, SHA-256."""

    lines: int = 0
    kept: int = 0
    size: int = 0
    sha256: str = ""


class RrfReader:
    """Reads the four files of one release folder. `facts` holds what has been read of each so far."""

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        """Raises ReleaseError when a file is missing or empty (RXNCUI may be empty)."""
        self._folder = folder
        self._progress = progress or (lambda _name, _done, _all: None)
        self.facts: dict[str, FileFacts] = {name: FileFacts() for name in FILES}
        missing = tuple(
            f"{folder / name}: there is no such file; give the folder of an unpacked RxNorm full release (its rrf/)"
            for name in FILES
            if not (folder / name).is_file()
        )
        empty = tuple(
            f"{folder / name}: the file is empty"
            for name in FILES
            if name != RETIRED and (folder / name).is_file() and (folder / name).stat().st_size == 0
        )
        if missing or empty:
            raise ReleaseError(missing + empty)

    def concepts(self) -> Iterator[Concept]:
        """Names of RxNorm's own concepts (SAB=RXNORM, English)."""
        for number, f in self._rows(CONCEPTS, b"|RXNORM|"):
            if f[11] != "RXNORM":
                continue
            if f[1] != "ENG":
                raise self._bad(CONCEPTS, number, "column 2 (LAT) of an RXNORM row is not ENG")
            if not _ATOM.match(f[12]) or len(f[16]) != 1 or f[16] not in "NOEY":
                raise self._bad(CONCEPTS, number, "columns 13 and 17 are not TTY and SUPPRESS")
            if f[13] != f[0] or not _LETTER.search(f[14]):
                raise self._bad(CONCEPTS, number, "columns 14 and 15 are not CODE (of RxNorm: the RXCUI) and STR")
            if f[12] in CONCEPT_TYPES or f[12] in NAME_TYPES:
                self.facts[CONCEPTS].kept += 1
                yield Concept(self._rxcui(CONCEPTS, number, f[0]), f[12], f[14], f[16] == "N")
        self._kept_any(CONCEPTS, "a concept with SAB=RXNORM in column 12")

    def relations(self) -> Iterator[Relation]:
        """The relations between RxNorm's own concepts that the roll-up to ingredients walks."""
        for number, f in self._rows(RELATIONS, b"|RXNORM|"):
            if f[10] != "RXNORM" or f[2] != "CUI":
                continue
            if f[6] != "CUI" or not _RELA.match(f[7] or "none"):
                raise self._bad(RELATIONS, number, "columns 7 and 8 are not STYPE2 and RELA")
            if f[7] in RELATION_NAMES:
                self.facts[RELATIONS].kept += 1
                object_, subject = (self._rxcui(RELATIONS, number, f[at]) for at in (0, 4))
                yield Relation(subject, f[7], object_)
        self._kept_any(RELATIONS, "a relation such as has_ingredient (column 8) with SAB=RXNORM in column 11")

    def attributes(self) -> Iterator[Attribute]:
        """NDCs and strengths of RxNorm's own concepts, those in force."""
        ndcs = odd = strengths = 0
        for number, f in self._rows(ATTRIBUTES, b"|RXNORM|"):
            if f[9] != "RXNORM":
                continue
            if not _ATOM.match(f[8]) or len(f[11]) > 1 or f[11] not in "NOEY":
                raise self._bad(ATTRIBUTES, number, "columns 9 and 12 are not ATN and SUPPRESS")
            if f[8] == "NDC":
                rxcui = self._rxcui(ATTRIBUTES, number, f[0])
                ndcs += 1
                if not _NDC.match(f[10]):
                    odd += 1
                elif f[11] == "N":
                    yield Attribute(rxcui, "NDC", f[10], 0)
            elif f[8] in _STRENGTH_ATTRIBUTES and f[11] == "N":
                rxcui = self._rxcui(ATTRIBUTES, number, f[0])
                strengths += 1
                named = _OF_COMPONENT.match(f[10])
                component, value = (int(named[1]), named[2]) if named else (rxcui, f[10])
                yield Attribute(rxcui, f[8].removeprefix("RXN_BOSS_STRENGTH_"), value, component)
        self.facts[ATTRIBUTES].kept = ndcs + strengths
        if odd > ndcs * _ODD_NDCS:
            raise ReleaseError(f"{self._folder / ATTRIBUTES}: {odd} of {ndcs} NDCs (column 11) have not 11 digits")
        self._kept_any(ATTRIBUTES, "an NDC or strength (ATN in column 9) with SAB=RXNORM in column 10")

    def retired(self) -> Iterator[Retired]:
        """Retired codes and what replaced them; a code retired without a successor is left out."""
        for number, f in self._rows(RETIRED, b"|"):
            if not _CARDINALITY.match(f[3]):
                raise self._bad(RETIRED, number, "column 4 is not CARDINALITY")
            if not f[4] or f[4] == f[0]:
                continue
            self.facts[RETIRED].kept += 1
            old, new = (self._rxcui(RETIRED, number, f[at]) for at in (0, 4))
            yield Retired(old, new, int(f[3]))

    def _rows(self, name: str, mark: bytes) -> Iterator[tuple[int, list[str]]]:
        """(line number, columns) of the lines that hold `mark`; the others are counted and measured only."""
        path, columns, facts = self._folder / name, _COLUMNS[name], self.facts[name]
        facts.lines = facts.kept = 0
        size = path.stat().st_size
        number = 0
        with path.open("rb", buffering=0) as raw:
            counted = _Hashing(raw)
            stream = io.BufferedReader(counted, 1 << 20)
            # A bound on the line keeps a file without line ends from filling the memory.
            for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), start=1):
                if line.count(b"|") != columns or not line.endswith((b"|\n", b"|\r\n")):
                    raise self._broken(name, number, line, columns)
                if mark in line:
                    try:
                        fields = line.decode().split("|")
                    except UnicodeDecodeError:
                        raise self._bad(name, number, "the line is not UTF-8") from None
                    yield number, fields
                if not number % _REPORT_LINES:
                    self._progress(name, counted.done, size)
            facts.lines, facts.size, facts.sha256 = number, counted.done, counted.digest()
        self._progress(name, size, size)

    def _broken(self, name: str, number: int, line: bytes, columns: int) -> ReleaseError:
        if not line.endswith(b"\n"):
            return self._bad(name, number, "the last line is not complete: the file was cut off; unpack it again")
        found = line.count(b"|")
        return self._bad(name, number, f"{found} columns where {name} has {columns}, each line ending with a pipe")

    def _rxcui(self, name: str, number: int, text: str) -> int:
        if not _RXCUI.match(text):
            raise self._bad(name, number, "an RXCUI column does not hold a code of at most 8 digits")
        return int(text)

    def _kept_any(self, name: str, what: str) -> None:
        if not self.facts[name].kept:
            raise ReleaseError(f"{self._folder / name}: not one row is {what}; are the columns in the order of RxNorm?")

    def _bad(self, name: str, number: int, message: str) -> ReleaseError:
        return ReleaseError(f"{self._folder / name}:{number}: {message}")


class _Hashing(io.RawIOBase):
    """A file that hashes and counts what is read from it."""

    def __init__(self, raw: io.RawIOBase | io.FileIO) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        self._hash.update(memoryview(buffer)[:count])
        self.done += count
        return count

    def digest(self) -> str:
        return self._hash.hexdigest()
