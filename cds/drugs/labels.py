"""Drug labels as people write them: "sertraline 100 mg tab", "Zoloft 50mg tablet", "oxycodone-apap 5-325 mg".

A label is understood whole or not at all: every word must be the exact name of a drug, a number, a unit, or one of the
words of `cds.drugs.label_words`. "sertraline 100 mg daily" is therefore no label, and nothing is guessed from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from cds.drugs.label_words import EXTENDED, FORMS, HOURS, IMMEDIATE, PACKS, ROUTES, SILENT
from cds.drugs.names import MG_OF, STRENGTH_PER, normalize
from cds.drugs.table import DrugTable, Entry

_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+|[a-zµ']+|[/+&\-,()\[\].]")
_NUMBER = re.compile(r"[\d.]")
_NEW_DRUG_APPLICATION = re.compile(r"^nda\d{6} ")
_LONGEST_LABEL = 300
_LONGEST_NAME = 8
_JOINTS = frozenset("/+&-,().") | {"and", "with"}
_UNCOUNTED = frozenset({"unt", "unit", "units", "iu", "meq"})
# RxNorm rounds; over the years by up to one part in a hundred.
_TOLERANCE = Decimal("0.01")

Strength = tuple[Decimal, str]


@dataclass(frozen=True, slots=True)
class Label:
    """A label taken apart: its names, strengths and other words in order; hours ("24 HR"); whether it is a pack."""

    names: tuple[Entry, ...]
    strengths: tuple[Strength, ...]
    words: tuple[str, ...]
    hours: str = ""
    pack: bool = False

    def says(self, words: AbstractSet[str]) -> bool:
        return not words.isdisjoint(self.words)

    @property
    def form(self) -> str | None:
        """The dose form in RxNorm's words, where a label is all that is known of a product."""
        said = [
            "Extended Release" if w in EXTENDED else FORMS[w][0] if w in FORMS else "Oral"
            for w in self.words
            if w in EXTENDED or w in FORMS or w == "oral"
        ]
        return " ".join(dict.fromkeys((self.hours, *said) if self.says(EXTENDED) else said)).strip() or None


class Labels:
    """Reads labels with the names of one drug table."""

    def __init__(self, table: DrugTable) -> None:
        self._table = table
        self._named: dict[tuple[str, ...], Entry] = {}
        for name, entry in table.names():
            spelled = tuple(t for t in _TOKEN.findall(normalize(name)) if t not in _JOINTS)
            # A drug's own name goes before a brand spelled alike.
            if 0 < len(spelled) <= _LONGEST_NAME and (spelled not in self._named or entry.tty == "name"):
                self._named[spelled] = entry
        self._sold: dict[frozenset[str], list[tuple[tuple[Strength, ...], Entry]]] = {}
        self._first = frozenset(spelled[0] for spelled in self._named)

    def read(self, text: str) -> Label | None:
        """The parts of a label; None when anything in it is not understood."""
        if len(text) > _LONGEST_LABEL:
            return None
        plain = _NEW_DRUG_APPLICATION.sub("", normalize(text))
        tokens = _TOKEN.findall(plain)
        if sum(map(len, tokens)) != sum(not c.isspace() for c in plain):
            return None
        tokens = _without_brackets(tokens, self._named)
        names: list[Entry] = []
        strengths: list[Strength] = []
        others: list[str] = []
        loose: list[Decimal] = []
        hours = ""
        uncounted = False
        at = 0
        while at < len(tokens):
            token = tokens[at]
            length = self._name_at(tokens, at)
            if length > 1 or (length == 1 and not (names and token in SILENT)):
                spelled = tuple(t for t in tokens[at : at + length] if t not in _JOINTS)
                names.append(self._named[spelled])
                # "Wellbutrin XL" is a name, and its ending says which Wellbutrin.
                others.extend(t for t in spelled[1:] if t in EXTENDED)
                at += length
            elif _NUMBER.match(token) and token != ".":
                number = Decimal(token.replace(",", ""))
                unit = tokens[at + 1] if at + 1 < len(tokens) else ""
                if unit in MG_OF:
                    strength, at = _strength(number, tokens, at + 1)
                    if strength is None:
                        return None
                    strengths.extend((n * MG_OF[unit], strength[1]) for n in loose)
                    loose.clear()
                    strengths.append(strength)
                    continue
                if unit in _UNCOUNTED:
                    # Units of activity are no milligrams: the strength stays unknown.
                    uncounted, at = True, _after_per(tokens, at + 2)
                    continue
                if unit in {"hr", "hrs", "hour"}:
                    hours = f"{token} HR"
                    at += 1
                elif unit in {"ml", "actuat", "day"}:
                    at += 1
                else:
                    loose.append(number)
                at += 1
            elif token in _JOINTS:
                at += 1
            elif token in FORMS or token in EXTENDED or token in IMMEDIATE or token in PACKS or token in SILENT:
                others.append(token)
                at += 1
            else:
                return None
        pack = not PACKS.isdisjoint(others)
        if not names or (loose and not pack):
            return None
        return Label(
            tuple(names), () if pack or uncounted else tuple(strengths), tuple(dict.fromkeys(others)), hours, pack
        )

    def _name_at(self, tokens: Sequence[str], at: int) -> int:
        """How many tokens from here are the longest known name; 0 for none. A name does not run across "/" or ","."""
        if tokens[at] not in self._first:
            return 0
        spelled: list[str] = []
        best = 0
        for end in range(at, min(len(tokens), at + 2 * _LONGEST_NAME)):
            if tokens[end] in _JOINTS:
                if tokens[end] in {"/", ",", "(", ")"}:
                    break
                continue
            spelled.append(tokens[end])
            if tuple(spelled) in self._named:
                best = end + 1 - at
        return best

    def entry(self, text: str) -> Entry | None:
        """The drug of a label, with strength and form as far as the table's products bear them out.

        A strength that no product of the drug has is dropped, unless the drug's products are not in the table.
        """
        label = self.read(text)
        keys = self._keys(label.names) if label is not None else None
        if label is None or keys is None:
            return None
        table = self._table
        fitting = self._fitting(label, keys)
        if fitting:
            return _common(fitting, label, text)
        parts = tuple(f"{key}=" for key in keys)
        # Strengths follow their drugs only where each drug is named by itself, never behind a brand of several.
        one_each = len(label.strengths) == len(keys) and [n.keys for n in label.names] == [(key,) for key in keys]
        if one_each and not any(table.has_codes(key) and table.classified(key) for key in keys):
            parts = tuple(f"{k}={_plain(v)} {u}" for k, (v, u) in zip(keys, label.strengths, strict=True))
        flags = set().union(*(name.flags for name in label.names))
        flags |= {"extended"} if label.says(EXTENDED) else set()
        flags |= {"pack"} if label.pack else set()
        stated = next((route for route, words in ROUTES if label.says(words)), None)
        return Entry(
            "label",
            keys,
            parts,
            name=text,
            form=label.form,
            route=next((n.route for n in label.names if n.route), None) or stated,
            flags=frozenset(flags),
        )

    def _keys(self, names: Sequence[Entry]) -> tuple[str, ...] | None:
        """Ingredients of all names together; None where a brand and the drugs beside it are not the same."""
        table = self._table
        brands = {n.keys for n in names if n.tty == "brand"}
        drugs = tuple(dict.fromkeys(key for n in names if n.tty != "brand" for key in n.keys))
        for key, components in table.components.items():
            if frozenset(drugs) == components:
                drugs = (key,)
        sets = {frozenset(table.family(key) for key in keys) for keys in (*brands, drugs) if keys}
        if len(sets) != 1:
            return None
        return drugs or brands.pop()

    def _products(self, families: frozenset[str]) -> list[tuple[tuple[Strength, ...], Entry]]:
        """The products of these ingredients with their strengths, taken apart once."""
        found = self._sold.get(families)
        if found is None:
            found = self._sold[families] = [(_strengths(e), e) for e in self._table.products_of(families)]
        return found

    def _fitting(self, label: Label, keys: tuple[str, ...]) -> list[Entry]:
        """The products of the table that the whole label describes."""
        if not label.strengths:
            return []
        found = [
            entry
            for strengths, entry in self._products(frozenset(self._table.family(key) for key in keys))
            if _same(strengths, label.strengths)
            and all(any(part in (entry.form or "") for part in FORMS[w]) for w in label.words if w in FORMS)
        ]
        # A component (SCDC) has no form: it speaks only where no product does.
        found = [e for e in found if e.tty in {"SCD", "SBD"}] or ([] if label.says(FORMS.keys()) else found)
        brands = {normalize(n.name) for n in label.names if n.tty == "brand"}
        of_brand = [e for e in found if e.brand and any(_sold_as(b, normalize(e.brand)) for b in brands)]
        found = of_brand or found
        if label.says(EXTENDED) or any("extended" in n.flags for n in label.names):
            found = [e for e in found if "extended" in e.flags]
        elif label.says(IMMEDIATE):
            found = [e for e in found if "extended" not in e.flags]
        if any("depot" in n.flags for n in label.names):
            found = [e for e in found if "depot" in e.flags]
        wanted = label.hours or next((HOURS[w] for w in HOURS if w in label.words), "")
        of_hours = [e for e in found if wanted and (e.form or "").startswith(wanted)]
        return of_hours or found


def _common(fitting: Sequence[Entry], label: Label, text: str) -> Entry:
    """What all fitting products share. Where they do not agree on the strength, or some are depots, it is not known."""
    first = fitting[0]
    flags = frozenset.intersection(*(e.flags for e in fitting)) - {"pack"}
    agreed = len({e.parts for e in fitting}) == 1 and len({"depot" in e.flags for e in fitting}) == 1
    generic = [e for e in fitting if e.tty == "SCD"]
    only = fitting[0] if len(fitting) == 1 else generic[0] if len(generic) == 1 and not _branded(label) else None
    forms, routes, modifiers = ({getattr(e, n) for e in fitting} for n in ("form", "route", "modifier"))
    return Entry(
        "label",
        first.keys,
        first.parts if agreed else tuple(f"{key}=" for key in first.keys),
        rxcui=only.rxcui if only is not None and agreed else None,
        name=text,
        form=forms.pop() if len(forms) == 1 else None,
        route=routes.pop() if len(routes) == 1 else None,
        flags=flags,
        modifier=modifiers.pop() if len(modifiers) == 1 else "",
    )


def _sold_as(name: str, brand: str) -> bool:
    """RxNorm's brand of Wellbutrin XL is Wellbutrin."""
    return name == brand or name.startswith(brand + " ")


def _branded(label: Label) -> bool:
    return any(n.tty == "brand" for n in label.names)


def _after_per(tokens: Sequence[str], at: int) -> int:
    """The place after "/ML" or "/0.5 ML", if that is what stands here."""
    if at < len(tokens) and tokens[at] == "/":
        after = at + 2 if at + 1 < len(tokens) and _NUMBER.match(tokens[at + 1]) else at + 1
        if after < len(tokens) and tokens[after] in STRENGTH_PER:
            return after + 1
    return at


def _strength(number: Decimal, tokens: Sequence[str], at: int) -> tuple[Strength | None, int]:
    """A strength whose unit stands at `at`, with what it is "per"; and the place after it."""
    value = number * MG_OF[tokens[at]]
    at += 1
    if at < len(tokens) and tokens[at] == "/":
        after = at + 1
        per = Decimal(1)
        if after + 1 < len(tokens) and _NUMBER.match(tokens[after]) and tokens[after + 1] in STRENGTH_PER:
            per = Decimal(tokens[after].replace(",", ""))
            # "5 mg / 325 mg" are two strengths, "5 mg / 5 ml" is one.
            if tokens[after + 1] == "mg":
                return (value, "mg"), at
            after += 1
        if after < len(tokens) and tokens[after] in STRENGTH_PER:
            return ((value / per, STRENGTH_PER[tokens[after]]) if per else None), after + 1
    return (value, "mg"), at


def _without_brackets(tokens: list[str], named: dict[tuple[str, ...], Entry]) -> list[str]:
    """RxNorm puts the brand in brackets at the end; a brand the table does not know adds nothing and takes nothing."""
    if not tokens or tokens[-1] != "]" or "[" not in tokens:
        return tokens
    start = tokens.index("[")
    inside = tuple(t for t in tokens[start + 1 : -1] if t not in _JOINTS)
    return [*tokens[:start], *(inside if inside in named else ())]


def _strengths(entry: Entry) -> tuple[Strength, ...]:
    found = []
    for part in entry.parts:
        value, _, unit = part.partition("=")[2].partition("@")[0].partition(" ")
        if not value:
            return ()
        found.append((Decimal(value), unit))
    return tuple(found)


def _same(own: Sequence[Strength], stated: Sequence[Strength]) -> bool:
    """Every stated strength is one of the product's, each once; the order is the writer's."""
    if len(own) != len(stated):
        return False
    if len(own) == 1:
        (value, unit), (said, said_unit) = own[0], stated[0]
        return unit == said_unit and abs(value - said) <= _TOLERANCE * value
    left = list(own)
    for value, unit in stated:
        match = next((s for s in left if s[1] == unit and abs(s[0] - value) <= _TOLERANCE * s[0]), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
