"""Load a site's RxNorm: read beside the table in use, check, then swap. Until the swap nothing of the old is touched.

`PATH` is always a whole release: each step is one rename. The one before is kept as `PATH.previous`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cds.drugs.composition import composition, fingerprint
from cds.drugs.release import FORMAT, SiteDrugTable, SiteRelease, site_drug_table
from cds.drugs.release_checks import Conditions, Verdict, check
from cds.drugs.release_index import index
from cds.drugs.roll_up import RollUp
from cds.drugs.rrf import FILES, Progress, ReleaseError, RrfReader
from cds.drugs.staging import insert, open_staging, stage
from cds.drugs.table import DrugTable
from cds.shipped import shipped

Say = Callable[[str], None]
_NAMED = re.compile(r"RxNorm_\w+?_(\d{2})(\d{2})(\d{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded. counts: current concepts by term type. shipped: products of the shipped table found the same."""

    path: Path
    name: str
    date: str
    counts: Mapping[str, int]
    compiled: Mapping[str, int]
    shipped: Mapping[str, int]
    notes: Mapping[str, int]


def previous_path(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def load_release(
    folder: Path,
    path: Path,
    *,
    conditions: Conditions | None = None,
    name: str = "",
    progress: Progress | None = None,
    say: Say = lambda _line: None,
) -> Loaded:
    """Compile the RRF files of `folder` and put the result at `path`.

    Raises ReleaseError with every reason when the release is refused; `path` is then what it was before.
    """
    tables = shipped("rules/drugs")
    table = DrugTable(tables)
    reader = RrfReader(folder, progress)
    previous = _counts_in_use(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise ReleaseError(f"{path.parent}: cannot be written: {error.strerror}") from None
    with work as scratch:
        new = Path(scratch) / "new"
        try:
            verdict, notes, compiled = _compile(
                reader,
                Path(scratch),
                new,
                table=table,
                tables=tables,
                conditions=conditions or Conditions(),
                previous=previous,
                say=say,
            )
            named, date = _identity(folder, name)
            manifest = {
                "format": FORMAT,
                "tables": fingerprint(tables),
                "release": named,
                "date": date,
                "counts": verdict.counts,
                "compiled": compiled,
                "shipped_products": verdict.shipped,
                "notes": dict(sorted(notes.items())),
                "files": {file: asdict(reader.facts[file]) for file in FILES},
            }
            _seal(new, manifest)
        except (sqlite3.Error, OSError) as error:
            raise ReleaseError(f"{path}: the release could not be written: {error}") from None
        say("trying the new table")
        _prove(new, table, tables)
        try:
            _swap(new, path)
        except OSError as error:
            raise ReleaseError(f"{path}: could not be replaced: {error.strerror}") from None
    return Loaded(path, named, date, verdict.counts, compiled, verdict.shipped, notes)


def _compile(
    reader: RrfReader,
    scratch: Path,
    new: Path,
    *,
    table: DrugTable,
    tables: Path,
    conditions: Conditions,
    previous: Mapping[str, int],
    say: Say,
) -> tuple[Verdict, Counter[str], dict[str, int]]:
    with contextlib.closing(open_staging(scratch / "staging")) as db:
        stage(db, reader)
        say("rolling up to ingredients")
        roll_up = RollUp(db, new, table, composition(table, tables))
        roll_up.run()
        index(db, roll_up.notes)
        say("checking")
        verdict = check(db, table, tables, conditions, notes=roll_up.notes, previous=previous)
        if verdict.reasons:
            raise ReleaseError(tuple(verdict.reasons))
        compiled = dict(db.execute("SELECT tty, count(*) FROM site.concept GROUP BY tty ORDER BY tty"))
        for what in ("name", "ndc", "alias"):
            compiled[what] = db.execute(f"SELECT count(*) FROM site.{what}").fetchone()[0]
        return verdict, roll_up.notes, compiled


def _seal(new: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest last, and everything to the disk."""
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
        insert(db, "INSERT INTO manifest VALUES (?, ?)", ((k, json.dumps(v)) for k, v in manifest.items()))
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise ReleaseError(f"{new}: the written table is damaged; is the disk sound?")
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prove(new: Path, table: DrugTable, tables: Path) -> None:
    """Open the new file as the service will, and look up what the shipped table knows."""
    site = SiteRelease(new)
    try:
        opened = SiteDrugTable(tables, site)
        for key in table.ingredient_keys():
            if table.ingredient(key).therapeutic_class != opened.ingredient(key).therapeutic_class:
                raise ReleaseError(f"the new table classes {key} differently")
    finally:
        site.close()


def _swap(new: Path, path: Path) -> None:
    """Keep the table in use as `.previous`, then put the new one in its place; each by one rename."""
    if path.exists():
        keep = new.with_name("keep")
        _link(path, keep)
        os.replace(keep, previous_path(path))
    os.replace(new, path)
    _sync_folder(path.parent)


def roll_back(path: Path) -> str:
    """Put the previous release back in use and keep the present one as `.previous`; return the name of the release.

    Raises ReleaseError when there is none, or when the service could not use it.
    """
    previous = previous_path(path)
    if not previous.is_file():
        raise ReleaseError(f"{previous}: there is no previous release to go back to")
    old = site_drug_table(previous).release
    named = str(old.manifest.get("release", ""))
    old.close()
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        keep = Path(scratch) / "keep"
        if path.exists():
            _link(path, keep)
        os.replace(previous, path)
        if keep.exists():
            os.replace(keep, previous)
    _sync_folder(path.parent)
    return named


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sync_folder(folder: Path) -> None:
    # Not every system lets a folder be synchronised; the rename itself is atomic without it.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _counts_in_use(path: Path) -> Mapping[str, int]:
    """Counts of the release in use; nothing when there is none that can be read, for then it is replaced."""
    try:
        release = SiteRelease(path)
    except ReleaseError:
        return {}
    counts: Mapping[str, int] = release.manifest.get("counts", {})
    release.close()
    return counts


def _identity(folder: Path, name: str) -> tuple[str, str]:
    """(release name, date): as given, as the folder says (RxNorm_full_11032025), or as RXNORM's own names say."""
    candidates = [name, folder.resolve().name, folder.resolve().parent.name]
    for candidate in candidates:
        if found := _NAMED.search(candidate):
            return found[0], f"{found[3]}-{found[1]}-{found[2]}"
    return name or folder.resolve().name, ""


__all__ = ["Conditions", "Loaded", "load_release", "previous_path", "roll_back"]
