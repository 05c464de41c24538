"""Which keys each line of a case's patient takes. The writers ignore what they do not know; the linter does not."""

from __future__ import annotations

_DOSAGE = frozenset({"take", "times", "per", "prn", "steps", "from", "to"})
_ORDER = _DOSAGE | {
    "drug", "category", "end", "days", "quantity", "refills", "valid_from", "status", "intent", "authored", "requester",
    "encounter", "replaces", "reason", "status_reason", "priority", "updated",
}  # fmt: skip
STEP_KEYS = frozenset({"take", "times", "per", "from", "to"})
# None: any key (a FHIR resource as it stands, a list of resource types).
LINE_KEYS: dict[str, frozenset[str] | None] = {
    "patient": frozenset({"age", "birth", "gender", "deceased"}),
    "order": _ORDER,
    "draft": _ORDER,
    "stop": frozenset({"order", "status_reason"}),
    "fills": _DOSAGE | {"drug", "every", "days_supply", "fills", "status", "quantity", "order"},
    "statement": _DOSAGE | {"drug", "status"},
    "visit": frozenset({"this", "status", "date", "end", "class", "by", "diagnosis", "service", "cpt", "disposition"}),
    "booking": frozenset({"status", "date", "created", "service"}),
    "follow_up_request": frozenset({"date"}),
    "condition": frozenset({"status", "verification", "code", "onset", "recorded"}),
    "result": frozenset({"scale", "date", "value"}),
    "allergy": frozenset({"drug", "verification", "date"}),
    "shown": frozenset({"rule", "key", "reason", "date"}),
    "override": frozenset({"rule", "key", "reason", "date"}),
    "fhir": None,
    "failed": None,
    "absent": None,
}
