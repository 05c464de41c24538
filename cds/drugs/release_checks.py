"""What a compiled release must show before it is used. Every reason against it is given at once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cds.drugs.names import normalize
from cds.drugs.release_index import keys_of
from cds.drugs.table import DrugTable, rows

# Current concepts of a whole release. The lower bounds lie below the counts that the U.S. National Library of Medicine
# gave for the smaller prescribable subset in 2012 (IN 3,005, PIN 471, BN 6,191, SCD 16,016, SBD 10,053, GPCK 288,
# BPCK 369, DF 99, NDC 202,336), the upper ones at about ten times that: they find a torn file, not a change of fashion.
PLAUSIBLE = {
    "IN": (2_500, 60_000),
    "PIN": (400, 20_000),
    "BN": (3_000, 80_000),
    "SCDC": (8_000, 200_000),
    "SCD": (12_000, 250_000),
    "SBD": (6_000, 150_000),
    "GPCK": (150, 8_000),
    "BPCK": (150, 8_000),
    "DF": (60, 1_000),
    "NDC": (100_000, 3_000_000),
}
# subject (RXCUI2), relation, object (RXCUI1).
_DIRECTIONS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    rela: (frozenset(subjects.split()), frozenset(objects.split()))
    for rela, subjects, objects in (
        ("form_of", "PIN", "IN"),
        ("has_ingredient", "SCDC SCDF SCDFP SCDG SCDGP SCD SBDC SBDF SBDFP SBDG SBD BPCK", "IN PIN MIN BN"),
        ("has_precise_ingredient", "SCDC SCDF SCDFP SCDG SCDGP SBD BN", "PIN"),
        ("has_part", "MIN", "IN PIN"),
        ("consists_of", "SCD SBD", "SCDC SBDC"),
        ("tradename_of", "SBDC SBDF SBDFP SBDG SBD BN BPCK", "SCDC SCDF SCDFP SCDG SCDGP SCD IN PIN MIN GPCK"),
        ("contains", "GPCK BPCK", "SCD SBD"),
        ("has_dose_form", "SCDF SCDFP SCD SBDF SBDFP SBD GPCK BPCK", "DF"),
    )
}
_SHARE_KEPT = 0.8
_SHARE_LOOSE = 0.001
_SHARE_ODD = 0.01
_SHOWN = 5
_ALWAYS = ("SCDC",)
_PRODUCTS = ("SCD", "SBD", "GPCK", "BPCK", "PIN")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the person who loads has allowed.

    small: a sample, whose size says nothing and which need not hold the known codes. shrink: it may be much smaller
    than the release in use. accepted: shipped products whose other ingredients were looked at and are right.
    """

    small: bool = False
    shrink: bool = False
    accepted: frozenset[str] = frozenset()


@dataclass(slots=True)
class Verdict:
    """Reasons against the release, and what was counted on the way."""

    reasons: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    shipped: dict[str, int] = field(default_factory=dict)


def check(
    db: sqlite3.Connection,
    table: DrugTable,
    folder: Path,
    conditions: Conditions,
    *,
    notes: Counter[str],
    previous: Mapping[str, int],
) -> Verdict:
    """Check the staged release and its compiled form (attached as `site`). previous: counts of the release in use."""
    verdict = Verdict(counts=count(db))
    verdict.reasons += _sizes(verdict.counts, conditions, previous)
    verdict.reasons += _directions(db)
    verdict.reasons += _loose_ends(db)
    verdict.reasons += _reach(db)
    verdict.reasons += _quality(verdict.counts, notes)
    verdict.reasons += _verified_codes(db, folder, conditions)
    verdict.reasons += _shipped_products(db, table, conditions, verdict.shipped)
    return verdict


def count(db: sqlite3.Connection) -> dict[str, int]:
    """Current concepts by term type, NDCs, and retired codes."""
    found = dict(db.execute("SELECT tty, count(*) FROM term WHERE active GROUP BY tty ORDER BY tty"))
    found["NDC"] = db.execute("SELECT count(DISTINCT ndc) FROM ndc").fetchone()[0]
    found["retired"] = db.execute("SELECT count(DISTINCT rxcui) FROM retired").fetchone()[0]
    return found


def _sizes(counts: Mapping[str, int], conditions: Conditions, previous: Mapping[str, int]) -> Iterable[str]:
    if not conditions.small:
        wrong = []
        for tty, (low, high) in PLAUSIBLE.items():
            if not low <= counts.get(tty, 0) <= high:
                wrong.append(f"{counts.get(tty, 0)} {tty} ({low} to {high})")
        if wrong:
            yield f"not a whole RxNorm release (a sample: --allow-small); found and expected: {', '.join(wrong)}"
    if not conditions.shrink:
        for tty, before in sorted(previous.items()):
            if counts.get(tty, 0) < before * _SHARE_KEPT:
                yield (
                    f"{counts.get(tty, 0)} {tty} where the release in use has {before}: was a file cut off? "
                    "(if not: --allow-shrink)"
                )


def _directions(db: sqlite3.Connection) -> Iterable[str]:
    """RXCUI2 has the relation to RXCUI1; a file or reader that turns that round turns every roll-up round."""
    found = db.execute(
        "SELECT r.rela, s.tty, o.tty, count(*), min(r.subject) FROM relation r "
        "JOIN term s ON s.rxcui = r.subject JOIN term o ON o.rxcui = r.object GROUP BY r.rela, s.tty, o.tty"
    )
    for rela, subject, object_, number, example in found:
        subjects, objects = _DIRECTIONS[rela]
        right = subject in subjects and object_ in objects
        if not right and subject in objects and object_ in subjects:
            yield (
                f'RXNREL.RRF: {number} rows say "{subject} {rela} {object_}" (RXCUI2 {example}), the wrong way '
                "round: RXCUI2 (column 5) has the relation to RXCUI1 (column 1)"
            )


def _loose_ends(db: sqlite3.Connection) -> Iterable[str]:
    for what, table, columns, named in (
        ("relations", "relation", ("subject", "object"), "RXNREL.RRF"),
        ("NDCs", "ndc", ("rxcui",), "RXNSAT.RRF"),
    ):
        total = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        unknown = " OR ".join(f"{column} NOT IN (SELECT rxcui FROM term)" for column in columns)
        loose = db.execute(f"SELECT count(*) FROM {table} WHERE {unknown}").fetchone()[0]
        if loose > total * _SHARE_LOOSE:
            yield f"{named}: {loose} of {total} {what} are of concepts that RXNCONSO.RRF does not have: was it cut off?"
    total = db.execute("SELECT count(*) FROM retired").fetchone()[0]
    lost = db.execute(
        "SELECT count(*) FROM retired WHERE target NOT IN (SELECT rxcui FROM term) "
        "AND target NOT IN (SELECT rxcui FROM retired)"
    ).fetchone()[0]
    if lost > total * _SHARE_KEPT:
        yield f"RXNCUI.RRF: {lost} of {total} successors are not in RXNCONSO.RRF: column 5 must be CUI2"


def _reach(db: sqlite3.Connection) -> Iterable[str]:
    """Every component and nearly every product must reach an ingredient."""
    for tty in (*_ALWAYS, *_PRODUCTS):
        query = (
            "FROM term t LEFT JOIN site.concept c ON c.rxcui = t.rxcui WHERE t.tty = ? AND t.active AND c.rxcui IS NULL"
        )
        lost = db.execute(f"SELECT count(*) {query}", (tty,)).fetchone()[0]
        total = db.execute("SELECT count(*) FROM term WHERE tty = ? AND active", (tty,)).fetchone()[0]
        if lost > (0 if tty in _ALWAYS else total * _SHARE_LOOSE):
            codes = [str(c) for (c,) in db.execute(f"SELECT t.rxcui {query} ORDER BY t.rxcui LIMIT {_SHOWN}", (tty,))]
            yield f"{lost} of {total} {tty} reach no ingredient: {', '.join(codes)}{' ...' if lost > _SHOWN else ''}"


def _quality(counts: Mapping[str, int], notes: Counter[str]) -> Iterable[str]:
    for note, of in (
        ("components whose name and attributes state different strengths", "SCDC"),
        ("current codes that RXNCUI calls retired", "retired"),
        ("retired codes whose successor has other ingredients", "retired"),
        ("NDCs of several products", "NDC"),
    ):
        if notes[note] > counts.get(of, 0) * _SHARE_ODD:
            yield f"{notes[note]} of {counts.get(of, 0)} {note}: are the columns in the order of RxNorm?"


def _verified_codes(db: sqlite3.Connection, folder: Path, conditions: Conditions) -> Iterable[str]:
    """Codes that were read in a public source keep their names."""
    missing = []
    for row in rows(folder / "verified_codes.csv"):
        code, name = row["rxcui"], row["name"]
        found = db.execute("SELECT tty, name FROM term WHERE rxcui = ?", (int(code),)).fetchone()
        if found is None:
            missing.append(f"{code} {name}")
        elif (found[0], normalize(found[1])) != (row["tty"], normalize(name)):
            yield f"RxNorm {code} is {row['tty']} {name}, and this release calls it {found[0]} {found[1]}"
        elif row["ingredient"]:
            parts = db.execute("SELECT parts FROM site.concept WHERE rxcui = ?", (int(code),)).fetchone()
            if parts is None or keys_of(parts[0]) != {row["ingredient"]}:
                yield f"RxNorm {code} ({name}) no longer stands for {row['ingredient']}"
    if missing and not conditions.small:
        yield f"verified codes that this release does not have: {', '.join(missing)}"


def _shipped_products(
    db: sqlite3.Connection, table: DrugTable, conditions: Conditions, tally: dict[str, int]
) -> Iterable[str]:
    """Products of the shipped table contain the same drugs here."""
    wrong = []
    missing = total = 0
    for code in table.product_codes():
        entry = table.by_code(code)
        if entry is None or not code.isdigit():
            continue
        total += 1
        found = db.execute(
            "SELECT parts FROM site.concept WHERE rxcui = coalesce("
            "(SELECT target FROM site.alias WHERE rxcui = ?1), ?1)",
            (int(code),),
        ).fetchone()
        if found is None:
            missing += 1
        elif families(table, keys_of(found[0])) != families(table, entry.keys) and code not in conditions.accepted:
            wrong.append(code)
    tally.update({"total": total, "the same": total - missing - len(wrong), "missing": missing, "other": len(wrong)})
    if wrong:
        shown = ", ".join(wrong[: _SHOWN * 4])
        yield (
            f"{len(wrong)} products of the shipped table have other ingredients here: {shown}. Have a pharmacist look "
            "at them; those that are right in the release: --accept CODE"
        )
    if not conditions.small and missing > total * (1 - _SHARE_KEPT):
        yield f"{missing} of {total} products of the shipped table are not in this release"


def families(table: DrugTable, keys: Iterable[str]) -> frozenset[str]:
    """What two products must share to be the same drugs."""
    return frozenset(table.family(key) for key in keys)
