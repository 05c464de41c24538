"""A release on disk: the rows that matter in SQLite, so that memory stays flat whatever the size of the release."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from cds.drugs.product_names import strength_of
from cds.drugs.rrf import NAME_TYPES, RrfReader

_T = TypeVar("_T")
_BATCH = 20_000
_CACHE_KIB = 48 * 1024
_TABLES = """
CREATE TABLE term (rxcui INTEGER PRIMARY KEY, tty TEXT NOT NULL, name TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE synonym (rxcui INTEGER NOT NULL, name TEXT NOT NULL);
CREATE TABLE relation (subject INTEGER NOT NULL, rela TEXT NOT NULL, object INTEGER NOT NULL);
CREATE TABLE ndc (ndc TEXT NOT NULL, rxcui INTEGER NOT NULL);
CREATE TABLE stated (component INTEGER NOT NULL, owner INTEGER NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE strength (component INTEGER PRIMARY KEY, value TEXT NOT NULL, unit TEXT NOT NULL);
CREATE TABLE retired (rxcui INTEGER NOT NULL, target INTEGER NOT NULL, targets INTEGER NOT NULL);
"""
_INDEXES = """
CREATE INDEX term_tty ON term (tty, rxcui);
CREATE INDEX relation_subject ON relation (subject, rela, object);
CREATE INDEX relation_object ON relation (object, rela, subject);
CREATE INDEX ndc_ndc ON ndc (ndc, rxcui);
CREATE INDEX stated_component ON stated (component, owner);
CREATE INDEX retired_rxcui ON retired (rxcui, target);
"""
# The current name of a concept wins over an obsolete one; of two alike the first stays.
_TERM = """
INSERT INTO term VALUES (?, ?, ?, ?) ON CONFLICT (rxcui) DO UPDATE
SET tty = excluded.tty, name = excluded.name, active = excluded.active WHERE excluded.active > term.active
"""


def open_staging(path: Path) -> sqlite3.Connection:
    """A new database for one load. Not safe against a crash, and need not be: it is thrown away."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(_TABLES)
    return db


def stage(db: sqlite3.Connection, reader: RrfReader) -> None:
    """Copy what the roll-up needs. Raises ReleaseError for a file that is not what it should be."""
    for concepts in _batches(reader.concepts()):
        insert(db, _TERM, (c for c in concepts if c.tty not in NAME_TYPES))
        names = ((c.rxcui, c.name) for c in concepts if c.tty in NAME_TYPES and c.active)
        insert(db, "INSERT INTO synonym VALUES (?, ?)", names)
    for relations in _batches(reader.relations()):
        insert(db, "INSERT INTO relation VALUES (?, ?, ?)", relations)
    for attributes in _batches(reader.attributes()):
        insert(db, "INSERT INTO ndc VALUES (?, ?)", ((a.value, a.rxcui) for a in attributes if a.name == "NDC"))
        stated = ((a.component, a.rxcui, a.name, a.value) for a in attributes if a.name != "NDC")
        insert(db, "INSERT INTO stated VALUES (?, ?, ?, ?)", stated)
    for retired in _batches(reader.retired()):
        insert(db, "INSERT INTO retired VALUES (?, ?, ?)", retired)
    db.executescript(_INDEXES)
    _join_strengths(db)


def insert(db: sqlite3.Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows in one transaction."""
    db.execute("BEGIN")
    db.executemany(statement, rows)
    db.execute("COMMIT")


def _batches(rows: Iterable[_T]) -> Iterator[list[_T]]:
    batch: list[_T] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _join_strengths(db: sqlite3.Connection) -> None:
    """The strength of each component, where the attributes of all products that hold it agree."""
    rows = db.execute("SELECT component, owner, what, value FROM stated ORDER BY component, owner")
    db.execute("BEGIN")
    for component, of_component in groupby(rows, key=lambda row: row[0]):
        found = set()
        for _, of_owner in groupby(of_component, key=lambda row: row[1]):
            said = {what: value for _, _, what, value in of_owner}
            found.add(
                strength_of(
                    said.get("NUM_VALUE", ""), said.get("NUM_UNIT", ""), said.get("DENOM_VALUE", ""),
                    said.get("DENOM_UNIT", ""),
                )
            )  # fmt: skip
        if len(found) == 1 and (strength := found.pop()) is not None:
            db.execute("INSERT INTO strength VALUES (?, ?, ?)", (component, str(strength[0]), strength[1]))
    db.execute("COMMIT")
