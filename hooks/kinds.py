"""The hooks that clients fire, and how each is answered: by which hook of the house, and where its orders stand.

order-dispatch is deliberately not among them: a dispatched order is signed, and nothing about it can be changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cds.model import Hook

WireHook = Literal[
    "patient-view", "encounter-start", "appointment-book", "order-select", "order-sign", "medication-refill",
    "encounter-discharge", "medication-prescribe", "order-review",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """answers: the hook whose rules decide. orders: context field with the draft orders; None where there are none.

    appointments: context field with what is being booked.
    selection: how many suggestions of a card may be taken; a client of CDS Hooks 1.0 knows at-most-one alone.
    families: first letters of the rules that are asked; None for all of the hook's.
    """

    answers: Hook
    orders: str | None = None
    appointments: str | None = None
    families: tuple[str, ...] | None = None
    selection: Literal["any", "at-most-one"] = "any"


KINDS: dict[str, Kind] = {
    "patient-view": Kind("patient-view"),
    "encounter-start": Kind("patient-view"),
    # Whoever books wants to know whom to see, not which tablets collide.
    "appointment-book": Kind("patient-view", appointments="appointments", families=("D-",)),
    "order-select": Kind("order-select", "draftOrders"),
    "order-sign": Kind("order-sign", "draftOrders"),
    "medication-refill": Kind("order-sign", "medications"),
    "encounter-discharge": Kind("encounter-discharge"),
    # Withdrawn from the standard and still fired: what was prescribed then is signed now.
    "medication-prescribe": Kind("order-sign", "medications", selection="at-most-one"),
    "order-review": Kind("order-sign", "orders", selection="at-most-one"),
    # No hook of the service: an audit asks the same questions of a chart.
    "batch": Kind("batch"),
}
# A client of an older version posts to the service it knows: these hooks are understood at order-sign too.
UNDERSTOOD_AT: dict[str, frozenset[str]] = {"order-sign": frozenset({"medication-prescribe", "order-review"})}
