"""The ways into a compiled release: exact names, NDCs, and retired codes with what replaced them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from cds.drugs.names import normalize
from cds.drugs.staging import insert
from cds.drugs.table import SPECIFICITY

_FARTHEST = 12
_OWN, _OBSOLETE, _SYNONYM = 0, 1, 2
_NAMED = f"""
SELECT name, CASE WHEN active THEN {_OWN} ELSE {_OBSOLETE} END, rxcui FROM site.concept
UNION ALL SELECT s.name, {_SYNONYM}, s.rxcui FROM synonym s JOIN site.concept c ON c.rxcui = s.rxcui AND c.active
"""
_CANDIDATES = """
SELECT n.name, n.rank, n.rxcui, c.tty, c.parts FROM named n JOIN site.concept c ON c.rxcui = n.rxcui
ORDER BY n.name, n.rank
"""
_NDCS = """
SELECT n.ndc, 0, n.rxcui, c.tty, c.parts FROM ndc n JOIN site.concept c ON c.rxcui = n.rxcui ORDER BY n.ndc
"""
_UNKNOWN_NDCS = "SELECT count(*) FROM ndc WHERE rxcui NOT IN (SELECT rxcui FROM site.concept)"


def index(db: sqlite3.Connection, notes: Counter[str]) -> None:
    """Fill the tables `name`, `ndc` and `alias` of the compiled release attached as `site`."""
    _aliases(db, notes)
    _names(db, notes)
    _ndcs(db, notes)


def _names(db: sqlite3.Connection, notes: Counter[str]) -> None:
    """One concept for each name: its own current name before an obsolete one, before a synonym; a tie is no answer."""
    insert(
        db,
        "INSERT INTO named VALUES (?, ?, ?)",
        ((normalize(name), rank, rxcui) for name, rank, rxcui in db.execute(_NAMED)),
    )
    db.execute("CREATE INDEX named_name ON named (name, rank, rxcui)")

    insert(db, "INSERT INTO site.name VALUES (?, ?)", _chosen(db, _CANDIDATES, notes, "names of several drugs"))


def _ndcs(db: sqlite3.Connection, notes: Counter[str]) -> None:
    chosen = ((int(ndc), rxcui) for ndc, rxcui in _chosen(db, _NDCS, notes, "NDCs of several products"))
    insert(db, "INSERT INTO site.ndc VALUES (?, ?)", chosen)
    notes["NDCs of concepts without ingredients"] += int(db.execute(_UNKNOWN_NDCS).fetchone()[0])


def _chosen(db: sqlite3.Connection, query: str, notes: Counter[str], refused: str) -> Iterator[tuple[str, int]]:
    for key, rows in groupby(db.execute(query), key=lambda row: row[0]):
        best = _best(list(rows))
        if best is None:
            notes[refused] += 1
        else:
            yield str(key), best


def _best(rows: list[tuple[str, int, int, str, str]]) -> int | None:
    """The concept that a name or NDC stands for; None when it stands for products that differ in what they contain."""
    lowest = min(row[1] for row in rows)
    first = [row for row in rows if row[1] == lowest]
    if len({row[4] for row in first}) > 1:
        return None
    return min(first, key=lambda row: (-SPECIFICITY.get(row[3], 0), row[2]))[2]


def _aliases(db: sqlite3.Connection, notes: Counter[str]) -> None:
    """Retired codes, followed through every later change; one that was split into different drugs has no successor."""
    found = []
    for (rxcui,) in db.execute("SELECT DISTINCT rxcui FROM retired ORDER BY rxcui"):
        own = db.execute("SELECT parts, active FROM site.concept WHERE rxcui = ?", (rxcui,)).fetchone()
        if own is not None and own[1]:
            notes["current codes that RXNCUI calls retired"] += 1
            continue
        ends = sorted(_ends(db, rxcui))
        parts = {p for end in ends for (p,) in db.execute("SELECT parts FROM site.concept WHERE rxcui = ?", (end,))}
        if not ends or _incomplete(db, rxcui):
            notes["retired codes without a successor"] += 1
        elif len(parts) > 1:
            notes["retired codes with several successors"] += 1
        elif own is not None and keys_of(own[0]) != keys_of(next(iter(parts))):
            notes["retired codes whose successor has other ingredients"] += 1
            db.execute("DELETE FROM site.concept WHERE rxcui = ?", (rxcui,))
        else:
            found.append((rxcui, ends[0]))
    insert(db, "INSERT INTO site.alias VALUES (?, ?)", found)
    notes["retired codes with a successor"] = len(found)


def _incomplete(db: sqlite3.Connection, rxcui: int) -> bool:
    """True when the file says that there are more successors than it names."""
    query = "SELECT count(DISTINCT target) < max(targets) FROM retired WHERE rxcui = ?"
    return bool(db.execute(query, (rxcui,)).fetchone()[0])


def _ends(db: sqlite3.Connection, rxcui: int) -> set[int]:
    """The compiled concepts at the end of every chain of successors."""
    ends, seen, open_ = set(), {rxcui}, [rxcui]
    for _ in range(_FARTHEST):
        following = []
        for code in open_:
            for (target,) in db.execute("SELECT target FROM retired WHERE rxcui = ?", (code,)).fetchall():
                if target in seen:
                    continue
                seen.add(target)
                row = db.execute("SELECT active FROM site.concept WHERE rxcui = ?", (target,)).fetchone()
                goes_on = db.execute("SELECT 1 FROM retired WHERE rxcui = ?", (target,)).fetchone()
                if row is not None and (row[0] or goes_on is None):
                    ends.add(target)
                else:
                    following.append(target)
        open_ = following
    return ends


def keys_of(parts: str) -> frozenset[str]:
    """Ingredient keys of compiled parts."""
    return frozenset(part.partition("=")[0] for part in parts.split("|"))
