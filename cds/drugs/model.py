"""What is known of a drug: ingredient, strength, form and route, as every stage after `cds.drugs` uses it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Status = Literal["identified", "unidentified", "conflict", "not-listed"]


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One active ingredient of the drug table.

    key: lower-case name in the spelling of the clinical specification. rxcui: RxNorm IN; None when the table has none.
    moiety: members are the same substance for duplicate checks, not equipotent. therapeutic_class: one primary class.
    tags: every list of the specification that names the ingredient, its class and its class group among them.
    """

    key: str
    rxcui: str | None
    moiety: str
    therapeutic_class: str
    class_group: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class DrugPart:
    """One ingredient of a product with its labelled strength.

    unit: "mg" per tablet, capsule, suppository ...; "mg/mL", "mg/h" (patch), "mg/actuation"; None when not known.
    sole: the product has no other ingredient, so a dose in mg is a dose of this one.
    daily: False for long-acting injections, implants and patches, which have no daily dose in mg.
    mg_factor: labelled mg times this = mg of the dose tables (bupropion hydrobromide).
    """

    ingredient: Ingredient
    strength: Decimal | None
    unit: str | None
    sole: bool = True
    daily: bool = True
    mg_factor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Medication:
    """What a coded or named medicine was found to be.

    identified: every ingredient is in the table. not-listed: a well-formed RxNorm code that the table does not hold, as
    for most drugs outside psychiatry. conflict: codes and names contradict each other; nothing is chosen.
    unidentified: nothing usable. step: the rung of the ladder that answered. label: a short name for a card.
    form: RxNorm dose form, with "12 HR " or "24 HR " before it where the product says so. reason: no patient data.
    """

    status: Status
    step: str
    parts: tuple[DrugPart, ...] = ()
    label: str = ""
    product: str | None = None
    form: str | None = None
    route: str | None = None
    extended: bool = False
    long_acting_injection: bool = False
    rescue: bool = False
    systemic: bool = True
    pack: bool = False
    purpose: frozenset[str] = frozenset()
    reason: str = ""
