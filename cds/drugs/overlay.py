"""Site overlay tables: local codes, SNOMED CT, ATC, as CSV, to what RxNorm or the drug table calls the drug.

    system,code,rxcui                    system,code,ingredient
    local:pharmacy,SERT50,312941         http://snomed.info/sct,372594008,sertraline

One header for a file; several ingredients are joined by "|". Lines that start with # are notes. Every problem is told
at once, with its line and what to write instead.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from cds.drugs.resolver import is_rxnorm
from cds.drugs.systems import normalize_system
from cds.drugs.table import DrugTable
from cds.errors import CdsError, RuleError

# (normalised system, code) to an RxNorm code or to ingredient keys joined by "|".
Overlay = Mapping[tuple[str, str], str]

_TARGETS = ("rxcui", "ingredient")
_CODE = re.compile(r"[0-9]{1,8}\Z")
_LARGEST_BYTES = 64 * 1024 * 1024


class OverlayError(CdsError):
    """Everything that is wrong with the overlay tables, one problem a line: file:line, what, what to write."""

    def __init__(self, problems: Iterable[RuleError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_overlays(paths: Iterable[Path], table: DrugTable) -> dict[tuple[str, str], str]:
    """Read the tables, in order. A row may be repeated, in one file or in several, when it says the same.

    table: what an rxcui or ingredient must be in. Raises OverlayError with every problem of every file.
    """
    found: dict[tuple[str, str], str] = {}
    places: dict[tuple[str, str], str] = {}
    problems: list[RuleError] = []
    for path in paths:
        for line, system, code, target in _rows(path, table, problems):
            key = (normalize_system(system), code)
            if found.setdefault(key, target) != target:
                message = f"{system} {code} is {target} here and {found[key]} in {places[key]}"
                problems.append(RuleError(str(path), line, 1, "OVL006", message, "keep the one that is right"))
            places.setdefault(key, f"{path}:{line}")
    if problems:
        raise OverlayError(problems)
    return found


def _rows(path: Path, table: DrugTable, problems: list[RuleError]) -> Iterable[tuple[int, str, str, str]]:
    """(line, system, code, target) of the rows that are right; the others go to `problems`."""

    def wrong(line: int, code: str, message: str, hint: str) -> None:
        problems.append(RuleError(str(path), line, 1, code, message, hint))

    text = _text(path, wrong)
    if text is None:
        return
    # Blank lines stay, so that the reader's line numbers are those of the file.
    lines = ["" if line.startswith("#") else line for line in text.splitlines()]
    reader = csv.reader(io.StringIO("\n".join(lines)), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = [cell.lower() for cell in cells]
                if header[:2] != ["system", "code"] or len(header) != 3 or header[2] not in _TARGETS:
                    wrong(
                        reader.line_num, "OVL002", f"the header is {','.join(header)}",
                        "write system,code,rxcui or system,code,ingredient",
                    )  # fmt: skip
                    return
                continue
            if len(cells) != 3 or not all(cells):
                wrong(
                    reader.line_num, "OVL003", "a row has three values", f"write {','.join(header)}, none of them empty"
                )
                continue
            system, code, said = cells
            if is_rxnorm(system):
                wrong(
                    reader.line_num, "OVL003", "RxNorm codes are not remapped here",
                    "leave the row out; load a newer release with psychmed drugs load --rrf DIR",
                )  # fmt: skip
                continue
            target = _rxcui(said, table) if header[2] == "rxcui" else _ingredients(said, table)
            if isinstance(target, str):
                yield reader.line_num, system, code, target
            else:
                wrong(reader.line_num, *target)
    except csv.Error as error:
        wrong(reader.line_num, "OVL001", f"not CSV: {error}", "quote a value that holds a comma or a quote")
    if header is None:
        wrong(1, "OVL002", "the file has no header", "write system,code,rxcui or system,code,ingredient")


def _text(path: Path, wrong: Callable[[int, str, str, str], None]) -> str | None:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            wrong(0, "OVL001", "the file is larger than 64 MiB", "leave out the codes that your EHR does not send")
            return None
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        wrong(0, "OVL001", f"the file cannot be read: {error.strerror}", "check drugs.overlays in the settings")
    except UnicodeDecodeError:
        wrong(0, "OVL001", "the file is not UTF-8", "save it as CSV UTF-8")
    return None


def _rxcui(said: str, table: DrugTable) -> str | tuple[str, str, str]:
    if not _CODE.match(said):
        return "OVL004", f"{said} is not an RxNorm code", "write the RXCUI, a number of at most 8 digits"
    if table.by_code(said) is None:
        return "OVL004", f"RxNorm {said} is not in the drug table", "check the code, or load your RxNorm release"
    return said


def _ingredients(said: str, table: DrugTable) -> str | tuple[str, str, str]:
    keys = []
    for name in (part.strip() for part in said.split("|")):
        entry = table.by_name(name)
        if entry is None or entry.tty != "name" or len(entry.keys) != 1:
            close = get_close_matches(name.lower(), sorted(table.ingredient_keys()), n=1)
            hint = f"did you mean {close[0]}?" if close else "write the ingredient as psychmed drugs why NAME prints it"
            return "OVL005", f"{name} is not an ingredient of the drug table", hint
        keys.append(entry.keys[0])
    return "|".join(dict.fromkeys(keys))
