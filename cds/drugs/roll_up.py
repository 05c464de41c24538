"""From a staged release to a compiled one: every concept rolled up to its ingredients.

IN itself; PIN form_of IN; MIN has_part IN; SCDC, SCDF and SCDG has_ingredient IN; SCD consists_of SCDC; branded ones
tradename_of their generic; packs contains SCD and SBD; a brand is the SBDs that have it as ingredient.
A concept of which any part cannot be rolled up is left out and counted: half a product is worse than none.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from cds.drugs.composition import Composition, Line, ingredient_key, read_part
from cds.drugs.names import normalize
from cds.drugs.product_names import before_components, read_component, read_product, route_of_form
from cds.drugs.staging import insert
from cds.drugs.table import DrugTable

_TOLERANCE = 0.01
_SCHEMA = """
CREATE TABLE site.concept (rxcui INTEGER PRIMARY KEY, tty TEXT NOT NULL, name TEXT NOT NULL, parts TEXT NOT NULL,
    form TEXT NOT NULL, route TEXT NOT NULL, flags TEXT NOT NULL, modifier TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE site.ingredient (key TEXT PRIMARY KEY, rxcui INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE site.name (name TEXT PRIMARY KEY, rxcui INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE site.ndc (ndc INTEGER PRIMARY KEY, rxcui INTEGER NOT NULL);
CREATE TABLE site.alias (rxcui INTEGER PRIMARY KEY, target INTEGER NOT NULL);
CREATE TABLE site.manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE named (name TEXT NOT NULL, rank INTEGER NOT NULL, rxcui INTEGER NOT NULL);
"""
_RELATED = """
SELECT t.rxcui, t.name, t.active,
    (SELECT group_concat(d.name, '|') FROM relation f JOIN term d ON d.rxcui = f.object AND d.tty = 'DF'
     WHERE f.subject = t.rxcui AND f.rela = 'has_dose_form'),
    r.object, o.tty, c.name, c.parts, c.form, c.route, c.flags, c.modifier
FROM term t JOIN relation r ON r.subject = t.rxcui AND r.rela = ?
LEFT JOIN term o ON o.rxcui = r.object LEFT JOIN site.concept c ON c.rxcui = r.object
WHERE t.tty = ? AND NOT EXISTS (SELECT 1 FROM site.concept done WHERE done.rxcui = t.rxcui)
ORDER BY t.rxcui, r.object
"""
_BRANDS = """
SELECT t.rxcui, t.name, t.active, c.active, c.parts, c.route, c.flags FROM term t
JOIN relation r ON r.object = t.rxcui AND r.rela = 'has_ingredient'
JOIN site.concept c ON c.rxcui = r.subject AND c.tty IN ('SBD', 'BPCK') WHERE t.tty = 'BN' ORDER BY t.rxcui, c.rxcui
"""
_UNREACHED = """
SELECT t.rxcui, t.tty, t.name FROM term t LEFT JOIN site.concept c ON c.rxcui = t.rxcui
WHERE c.rxcui IS NULL AND t.active = 0 AND t.tty IN ('SCDC', 'SCD', 'SBD') ORDER BY t.rxcui
"""


class Target(NamedTuple):
    """A concept that another one is related to, as compiled."""

    rxcui: int
    name: str
    parts: tuple[str, ...]
    form: str
    route: str
    flags: frozenset[str]
    modifier: str


class Compiled(NamedTuple):
    """What a concept was compiled to."""

    parts: tuple[str, ...]
    form: str = ""
    route: str = ""
    flags: frozenset[str] = frozenset()
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A concept to compile, with its dose form."""

    rxcui: int
    tty: str
    name: str
    form: str


Build = Callable[[Subject, list[Target]], Compiled | None]


class RollUp:
    """Compiles one staged release into `out`. `notes` counts what was left out, and why."""

    def __init__(self, db: sqlite3.Connection, out: Path, table: DrugTable, known: Composition) -> None:
        self._db, self._table, self._known = db, table, known
        self.notes: Counter[str] = Counter()
        self._ambiguous: set[int] = set()
        db.execute("ATTACH ? AS site", (str(out),))
        # Written beside the table in use and swapped in only when whole, so a journal would protect nothing.
        db.execute("PRAGMA site.journal_mode = OFF")
        db.execute("PRAGMA site.synchronous = OFF")
        db.executescript(_SCHEMA)

    def run(self) -> None:
        """Every pass, in the order in which concepts rest on each other."""
        self._ingredients()
        self._pass("PIN", "form_of", {"IN"}, self._precise)
        self._pass("MIN", "has_part", {"IN", "PIN"}, _joined)
        self._pass("SCDC", "has_ingredient", {"IN"}, self._component)
        self._pass("SCDC", "has_precise_ingredient", {"PIN"}, self._component)
        for tty in ("SCDF", "SCDFP", "SCDG", "SCDGP"):
            self._pass(tty, "has_ingredient", {"IN"}, self._form_only)
            self._pass(tty, "has_precise_ingredient", {"PIN"}, self._form_only)
        self._pass("SCD", "consists_of", {"SCDC"}, self._product)
        branded = {"SBDC": "SCDC", "SBDF": "SCDF", "SBDFP": "SCDFP", "SBDG": "SCDG", "SBD": "SCD"}
        for tty, generic in branded.items():
            self._pass(tty, "tradename_of", {generic}, _same)
        self._pass("SBD", "consists_of", {"SCDC"}, self._product)
        self._pass("GPCK", "contains", {"SCD", "SBD"}, self._pack)
        self._pass("BPCK", "contains", {"SCD", "SBD"}, self._pack)
        self._pass("BPCK", "tradename_of", {"GPCK"}, _same)
        self._brands()
        self._pass("BN", "tradename_of", {"IN", "PIN", "MIN"}, self._brand_of)
        self._obsolete()

    def _write(self, made: Iterable[tuple[Subject, Compiled, bool]]) -> None:
        rows = (
            (s.rxcui, s.tty, s.name, "|".join(c.parts), c.form, c.route, "|".join(sorted(c.flags)), c.modifier, active)
            for s, c, active in made
        )
        insert(self._db, "INSERT INTO site.concept VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _ingredients(self) -> None:
        found = self._db.execute("SELECT rxcui, name, active FROM term WHERE tty = 'IN' ORDER BY active DESC, rxcui")
        keyed = [(ingredient_key(self._table, code, name), code, name, bool(active)) for code, name, active in found]
        self._write(
            (Subject(code, "IN", name, ""), Compiled((f"{key}=",)), active) for key, code, name, active in keyed
        )
        rows = ((key, code) for key, code, _, _ in keyed)
        insert(self._db, "INSERT OR IGNORE INTO site.ingredient VALUES (?, ?)", rows)

    def _pass(self, tty: str, rela: str, wanted: set[str], build: Build) -> None:
        """Compile the concepts of one term type from what they are related to."""
        made = [
            (subject, compiled, active)
            for subject, active, targets in self._related(tty, rela, wanted)
            if (compiled := build(subject, targets)) is not None and compiled.parts
        ]
        self._write(made)

    def _related(self, tty: str, rela: str, wanted: set[str]) -> Iterator[tuple[Subject, bool, list[Target]]]:
        """Concepts whose every target is compiled, with those targets."""
        found = self._db.execute(_RELATED, (rela, tty))
        for rxcui, lines in groupby(found, key=lambda line: line[0]):
            targets, whole = [], True
            for _, name, active, forms, object_, type_, *compiled in lines:
                subject, is_active = Subject(rxcui, tty, name, _only(forms)), bool(active)
                if type_ is not None and type_ not in wanted:
                    continue
                if compiled[0] is None:
                    whole = False
                    continue
                target_name, parts, form, route, flags, modifier = compiled
                marks = frozenset(filter(None, flags.split("|")))
                targets.append(Target(object_, target_name, tuple(parts.split("|")), form, route, marks, modifier))
            if whole and targets:
                yield subject, is_active, targets

    def _component(self, subject: Subject, targets: list[Target]) -> Compiled | None:
        """A component has its strength in its name; where the attributes state another, it has none."""
        keys = list(dict.fromkeys(part for t in targets for part in t.parts))
        stated = read_component(subject.name)
        if len(keys) > 1 or stated is None:
            return Compiled(tuple(keys))
        asserted = self._db.execute("SELECT value, unit FROM strength WHERE component = ?", (subject.rxcui,)).fetchone()
        line = Line(keys[0].partition("=")[0], stated.written, stated.value, stated.unit)
        if asserted is not None and asserted[1] == stated.unit:
            value = float(asserted[0])
            if abs(value - float(stated.value)) > _TOLERANCE * value:
                self.notes["components whose name and attributes state different strengths"] += 1
                line = line._replace(value=None, unit="")
        return Compiled(self._known.parts([line], pack=False))

    def _form_only(self, subject: Subject, targets: list[Target]) -> Compiled:
        return _joined(subject, targets)._replace(form=subject.form, route=route_of_form(subject.form))

    def _product(self, subject: Subject, targets: list[Target]) -> Compiled | None:
        if subject.name.partition(" [")[0].count(" / ") + 1 != len(targets):
            self.notes["products whose name and components disagree in number"] += 1
            return None
        place = subject.name.lower().find
        ordered = sorted(targets, key=lambda t: (place(_written(t.name)), t.rxcui))
        lines = [read_part(part, _written(t.name)) for t in ordered for part in t.parts]
        modifier, hours = before_components(subject.name, (_written(t.name) for t in targets))
        return self._made(lines, f"{hours} {subject.form}".strip(), modifier)

    def _made(self, lines: list[Line], form: str, modifier: str) -> Compiled:
        route = route_of_form(form)
        parts = self._known.parts(lines, pack=False)
        marks = {
            "extended": "Extended Release" in form,
            "depot": self._known.is_depot(lines, route),
            "rescue": self._known.is_rescue((p.partition("=")[0] for p in parts), route),
        }
        return Compiled(parts, form, route, frozenset(mark for mark, holds in marks.items() if holds), modifier)

    def _pack(self, _subject: Subject, targets: list[Target]) -> Compiled:
        lines = [read_part(part, part.partition("@")[2]) for t in targets for part in t.parts]
        routes = {t.route for t in targets}
        common = frozenset.intersection(*(t.flags for t in targets))
        modifiers = {t.modifier for t in targets}
        return Compiled(
            self._known.parts(lines, pack=True),
            "Pack",
            routes.pop() if len(routes) == 1 else "",
            common | {"pack"},
            modifiers.pop() if len(modifiers) == 1 else "",
        )

    def _brands(self) -> None:
        """A brand stands for what all its products contain; with several sets of ingredients it stands for none."""
        made = []
        for rxcui, found in groupby(self._db.execute(_BRANDS), key=lambda row: row[0]):
            products = list(found)
            _, name, active, *_ = products[0]
            sold = [p for p in products if p[3]] or products
            sets = {frozenset(part.partition("=")[0] for part in p[4].split("|")) for p in sold}
            if len(sets) > 1:
                self.notes["brands with several sets of ingredients"] += 1
                self._ambiguous.add(rxcui)
                continue
            routes = {p[5] for p in sold}
            flags = frozenset.intersection(*(frozenset(p[6].split("|")) for p in sold)) - {"", "pack"}
            parts = tuple(f"{part.partition('=')[0]}=" for part in sold[0][4].split("|"))
            compiled = Compiled(parts, "", routes.pop() if len(routes) == 1 else "", flags)
            made.append((Subject(rxcui, "BN", name, ""), compiled, bool(active)))
        self._write(made)

    def _brand_of(self, subject: Subject, targets: list[Target]) -> Compiled | None:
        """A brand without products: of one ingredient, or of one combination."""
        return None if subject.rxcui in self._ambiguous else _same(subject, targets)

    def _precise(self, subject: Subject, targets: list[Target]) -> Compiled:
        depot = subject.name.lower() in self._known.depot_salts
        return _joined(subject, targets)._replace(flags=frozenset({"depot"}) if depot else frozenset())

    def _obsolete(self) -> None:
        """Obsolete products have lost their relations, but their names still say exactly what is in them."""
        names: dict[str, str] = {}
        for name, parts in self._db.execute("SELECT name, parts FROM site.concept WHERE tty IN ('IN', 'PIN')"):
            names.setdefault(normalize(name), parts)
        made = []
        for rxcui, tty, name in self._db.execute(_UNREACHED):
            stated = read_product(name)
            found = [names.get(normalize(c.written), "") for c in stated[0]] if stated is not None else []
            if stated is None or any(not parts or "|" in parts for parts in found):
                self.notes["obsolete products that cannot be read"] += 1
                continue
            components, form = stated
            lines = [Line(p.partition("=")[0], *c) for p, c in zip(found, components, strict=True)]
            modifier, hours = before_components(name, (c.written for c in components))
            made.append((Subject(rxcui, tty, name, form), self._made(lines, f"{hours} {form}".strip(), modifier)))
        self._write((subject, compiled, False) for subject, compiled in made)


def _only(forms: str | None) -> str:
    return "" if forms is None or "|" in forms else forms


def _written(component: str) -> str:
    stated = read_component(component)
    return stated.written if stated is not None else component.lower()


def _joined(_subject: Subject, targets: list[Target]) -> Compiled:
    """The ingredients of all targets, without strengths."""
    return Compiled(tuple(dict.fromkeys(f"{part.partition('=')[0]}=" for t in targets for part in t.parts)))


def _same(_subject: Subject, targets: list[Target]) -> Compiled | None:
    """What the one generic concept is; None when there are several that differ."""
    if len({t.parts for t in targets}) > 1:
        return None
    first = targets[0]
    return Compiled(first.parts, first.form, first.route, first.flags, first.modifier)
