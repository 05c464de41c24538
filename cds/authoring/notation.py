"""Case notation to FHIR: a patient in a few readable lines becomes the hook request an EHR would send.

Every line is `<kind> <id>: {...}`; dates are relative to the case's today (`-28d`, `+0d`), lengths are `28d` or `4wk`.
What comes out is plain R4 JSON, so that a case goes through each door as real traffic does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cds.authoring import medicine_lines, record_lines
from cds.authoring.writing import PATIENT, RXNORM, Keys, NotationError, Written

__all__ = ["KINDS", "PATIENT", "RXNORM", "NotationError", "Writer"]

KINDS: dict[str, Callable[[Written, str, Any], None]] = {
    "patient": record_lines.patient,
    "order": medicine_lines.charted_order,
    "draft": medicine_lines.draft,
    "stop": medicine_lines.stop,
    "fills": medicine_lines.fills,
    "statement": medicine_lines.statement,
    "visit": record_lines.visit,
    "booking": record_lines.booking,
    "follow_up_request": record_lines.follow_up_request,
    "condition": record_lines.condition,
    "result": record_lines.result,
    "allergy": record_lines.allergy,
    "shown": record_lines.remembered("shown"),
    "override": record_lines.remembered("override"),
    "fhir": record_lines.raw,
    "failed": record_lines.unavailable("failed"),
    "absent": record_lines.unavailable("absent"),
}


class Writer(Written):
    """Writes the resources of one case, line by line."""

    def line(self, name: str, body: Any) -> None:
        """Add one line. name: "<kind> <id>". Raises NotationError for a kind or a key that it does not know."""
        kind, _, ident = name.partition(" ")
        writer = KINDS.get(kind)
        if writer is None:
            raise NotationError(f'there is no line "{kind}" (one of {", ".join(sorted(KINDS))})')
        charted, drafts = len(self.charted), len(self.drafts)
        read = Keys(body) if isinstance(body, Mapping) else None
        try:
            writer(self, ident or kind, body if read is None else read)
        except KeyError as error:
            raise NotationError(f'"{name}" lacks {error}') from None
        if read is not None and (unread := [key for key in body if key not in read.read]):
            raise NotationError(f'"{name}": nothing is done with "{unread[0]}" here')
        new = [*self.charted[charted:], *self.drafts[drafts:]]
        self.refs[ident or kind] = tuple(f"{r['resourceType']}/{r.get('id', '')}" for r in new)
