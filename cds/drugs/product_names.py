"""What an RxNorm name and dose form say of themselves: strength, hours, modifier, route.

"Smoking Cessation 12 HR bupropion hydrochloride 150 MG Extended Release Oral Tablet" has the component "bupropion
hydrochloride 150 MG", the modifier "Smoking Cessation" and "12 HR" before it, and the dose form behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_STRENGTH = re.compile(rf"(?P<written>.+?) (?P<value>{_NUMBER}) (?P<unit>[A-Z%][A-Z0-9'%]*(?:/[A-Z][A-Z0-9']*)?)\Z")
# A component within a product's name: hours or volume before it, blank or the dose form behind it.
_STATED = re.compile(rf"(?:{_NUMBER} (?:HR|ML|ACTUAT) )?(.+? {_NUMBER} [A-Z%][A-Z0-9'%]*(?:/[A-Z][A-Z0-9']*)?)(?= |\Z)")
_QUANTITY = re.compile(rf"(?:^|(?<= ))({_NUMBER}) ([A-Z]+)\Z")
_HOUSE = {"MG": "mg", "ML": "mL", "HR": "h", "ACTUAT": "actuation", "MEQ": "meq", "UNT": "unt", "MCG": "mcg"}
# One of something: a tablet, a suppository. Written so in the attributes of a strength, left out in names.
_PIECES = frozenset({"", "1", "EACH"})
# First match wins: "Metered Dose Nasal Spray" is nasal, "Oral Lozenge" is not swallowed.
_ROUTES: tuple[tuple[str, str], ...] = (
    (r"Implant", "implant"),
    (r"Transdermal|Patch", "transdermal"),
    (r"Sublingual", "sublingual"),
    (r"Buccal|Chewing Gum", "buccal"),
    (r"Lozenge|Mucosal|Mucous", "oromucosal"),
    (r"Nasal", "nasal"),
    (r"Rectal|Enema", "rectal"),
    (r"Vaginal", "vaginal"),
    (r"Ophthalmic|Intraocular", "ophthalmic"),
    (r"Otic", "otic"),
    (r"Topical|Medicated|Shampoo", "topical"),
    (r"Inhal", "inhalation"),
    (r"Inject|Syringe|Cartridge", "injection"),
    (r"Oral|Chewable|Extended Release Suspension", "oral"),
)
_ROUTE_PATTERNS = tuple((re.compile(rf"\b(?:{pattern})"), route) for pattern, route in _ROUTES)


class Component(NamedTuple):
    """One component of a product: the substance as written, and its strength in the house's units."""

    written: str
    value: Decimal
    unit: str


def read_component(name: str) -> Component | None:
    """The name of an SCDC ("sertraline 50 MG", "fentanyl 0.025 MG/HR"); None when it states no strength."""
    found = _STRENGTH.match(name)
    if found is None:
        return None
    return Component(found["written"].lower(), Decimal(found["value"]), house_unit(found["unit"]))


def read_product(name: str) -> tuple[list[Component], str] | None:
    """(components, dose form) that a product's name states; None when any part of it cannot be read.

    The dose form stands behind the last component, hours and modifier before the first: "12 HR a 1 MG / b 2 MG Tablet".
    """
    found = []
    form = ""
    for piece in name.partition(" [")[0].split(" / "):
        stated = _STATED.match(piece)
        component = read_component(stated[1]) if stated else None
        if stated is None or component is None or form:
            return None
        found.append(component)
        form = piece[stated.end() :].strip()
    return found, form


def strength_of(number: str, unit: str, per: str, per_unit: str) -> tuple[Decimal, str] | None:
    """(value, unit) of the strength attributes: 25 MG per 1 EACH is (25, "mg"), 10 MG per 5 ML is (2, "mg/mL")."""
    try:
        value, denominator = Decimal(number), Decimal(per or "1")
    except InvalidOperation:
        return None
    if not value.is_finite() or not denominator.is_finite() or denominator <= 0 or value <= 0:
        return None
    whole = per_unit.upper() in _PIECES
    return value / denominator, house_unit(unit if whole else f"{unit}/{per_unit}")


def house_unit(unit: str) -> str:
    """ "MG/ML" as "mg/mL", "MG/HR" as "mg/h"; a unit outside the list in lower case."""
    return "/".join(_HOUSE.get(part.upper(), part.lower()) for part in unit.split("/"))


def before_components(name: str, components: Iterable[str]) -> tuple[str, str]:
    """(modifier, hours) that stand before the first component of a name: ("Smoking Cessation", "12 HR")."""
    lowered = name.lower()
    places = [at for c in components if (at := lowered.find(c.lower())) >= 0]
    prefix = name[: min(places)].strip() if places else ""
    quantity = _QUANTITY.search(prefix)
    if quantity is None:
        return prefix, ""
    hours = f"{quantity[1]} HR" if quantity[2] == "HR" else ""
    return prefix[: quantity.start()].strip(), hours


def route_of_form(form: str) -> str:
    """The route that a dose form allows; empty when it does not say (Prefilled Applicator)."""
    return next((route for pattern, route in _ROUTE_PATTERNS if pattern.search(form)), "")


def plain(value: Decimal) -> str:
    """A number without exponent and without zeros behind the last digit."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
