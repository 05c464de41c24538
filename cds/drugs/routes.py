"""Routes: what a text means, which forms are systemic, which are seizure rescue (specification 1.3.4, 10.15)."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z]+")
# First match wins: "subcutaneous injection" is subcutaneous, "oral transmucosal" is not oral.
_TEXT: tuple[tuple[str, frozenset[str]], ...] = (
    ("ophthalmic", frozenset({"ophthalmic", "eye", "ocular", "intraocular", "conjunctival"})),
    ("otic", frozenset({"otic", "ear", "auricular"})),
    ("vaginal", frozenset({"vaginal", "vagina"})),
    ("rectal", frozenset({"rectal", "rectum", "pr"})),
    ("nasal", frozenset({"nasal", "intranasal", "nose"})),
    ("buccal", frozenset({"buccal"})),
    ("sublingual", frozenset({"sublingual", "sl"})),
    ("transdermal", frozenset({"transdermal", "patch", "percutaneous"})),
    ("topical", frozenset({"topical", "cutaneous", "skin", "dermal"})),
    ("inhalation", frozenset({"inhalation", "inhaled", "respiratory"})),
    ("intramuscular", frozenset({"intramuscular", "im"})),
    ("intravenous", frozenset({"intravenous", "iv"})),
    ("subcutaneous", frozenset({"subcutaneous", "sc", "subcut", "sq"})),
    ("oromucosal", frozenset({"oromucosal", "transmucosal"})),
    ("injection", frozenset({"injection", "injectable", "parenteral"})),
    ("oral", frozenset({"oral", "po", "mouth", "orally"})),
)
_NOT_SYSTEMIC = frozenset({"topical", "ophthalmic", "otic", "vaginal"})
_RESCUE = frozenset({"rectal", "nasal", "buccal"})
_INJECTED = frozenset({"intramuscular", "intravenous", "subcutaneous"})


def read_route(text: str | None) -> str | None:
    """The house's word for a route named in text ("Oral route", "IM", "by mouth"); None when it is not known."""
    if not text:
        return None
    said = frozenset(_WORD.findall(text.casefold()))
    return next((route for route, names in _TEXT if said & names), None)


def route_of(product_route: str | None, stated: str | None) -> str | None:
    """The route of use: what the dose form allows, made precise or filled in by what the order states.

    A tablet stays oral whatever the order says; an injectable may be given by any stated route (nasal midazolam).
    """
    if product_route in {None, "", "injection"}:
        return stated or product_route or None
    return product_route


def is_systemic(route: str | None, form: str | None) -> bool:
    """Only topical, eye, ear and vaginal forms are local; a patch is systemic whatever the coded route.

    So is a vaginal ring: it is a contraceptive that enzyme inducers weaken.
    """
    if form and ("Transdermal" in form or "Patch" in form or "Ring" in form):
        return True
    return route not in _NOT_SYSTEMIC


def is_rescue(therapeutic_classes: frozenset[str], route: str | None) -> bool:
    """Rectal, nasal and buccal benzodiazepines are seizure rescue."""
    return "BZD" in therapeutic_classes and route in _RESCUE


def is_injected(route: str | None) -> bool:
    return route == "injection" or route in _INJECTED
