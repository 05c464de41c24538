"""Drug names as text: one normal form for exact comparison, words, and strengths written in a name."""

from __future__ import annotations

import re
from decimal import Decimal

_MARKS = str.maketrans({"®": "", "™": "", "’": "'", "\u00a0": " "})
_WORD = re.compile(r"[a-z0-9']+")
# Titration kits say for whom they are ("for Patients Taking Valproate"): those drugs are not in the kit.
_FOR_PATIENTS = re.compile(r"\([^()]*\b(?:taking|patients)\b[^()]*\)")
_STRENGTH = re.compile(
    r"(?<![\w.])(\d{1,6}(?:,\d{3})*(?:\.\d{1,6})?|\.\d{1,6})\s*(mg|mcg|ug|µg|g|gm)\b"
    r"(?:\s*(?:/|per)\s*(\d{1,4}(?:\.\d{1,4})?)?\s*(ml|hr|hour|h|actuat|mg)\b)?"
)
# Units and what a strength is given per: for names here and for labels as people write them.
MG_OF = {
    "mg": Decimal(1),
    "mcg": Decimal("0.001"),
    "ug": Decimal("0.001"),
    "µg": Decimal("0.001"),
    "g": Decimal(1000),
    "gm": Decimal(1000),
}
STRENGTH_PER = {"ml": "mg/mL", "hr": "mg/h", "hour": "mg/h", "h": "mg/h", "actuat": "mg/actuation", "mg": "mg/mg"}


def normalize(name: str) -> str:
    """Lower case, single spaces, a space around each slash; nothing else is changed, so equal means the same name."""
    return " ".join(name.translate(_MARKS).casefold().replace("/", " / ").split())


def words(name: str) -> tuple[str, ...]:
    """The words of a name, without what stands in brackets about other drugs."""
    return tuple(_WORD.findall(_FOR_PATIENTS.sub(" ", name.translate(_MARKS).casefold())))


def stated_strengths(name: str) -> frozenset[tuple[Decimal, str]]:
    """Strengths that a name states, as (value, unit) in the units of `DrugPart`; empty when it states none.

    "oxycodone 5 MG/5 ML" is (1, "mg/mL"); "fentanyl 25 mcg/hr" is (0.025, "mg/h").
    """
    found = set()
    for number, unit, per_amount, per_unit in _STRENGTH.findall(name.casefold()):
        value = Decimal(number.replace(",", "")) * MG_OF[unit]
        if per_amount and Decimal(per_amount) == 0:
            continue
        if per_unit:
            value /= Decimal(per_amount) if per_amount else 1
        found.add((value, STRENGTH_PER[per_unit] if per_unit else "mg"))
    return frozenset(found)
