"""What a client offers beside the prefetch: its FHIR server, and a token that reads some of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from cds.fhir.references import id_of

Interaction = Literal["r", "s"]
Grant = Literal["all", "part", "none"]

# SMART 1: patient/Condition.read; SMART 2: user/Condition.rs, with or without a filter behind "?".
_SCOPE: Final = re.compile(r"(patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(\?\S*)?")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")  # what may stand in a header after "Bearer "


class _Authorization(msgspec.Struct):
    access_token: str = ""
    token_type: str | None = None
    expires_in: int | str | None = None
    scope: str | None = None
    patient: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A server and a token for it. server: as the client wrote it, without a slash at the end; not yet trusted.

    scope: None when the client does not say; the server then decides. patient: whom patient/ scopes are about.
    """

    server: str
    token: str = field(repr=False)
    scope: str | None = None
    patient: str | None = None

    def grants(self, resource_type: str, interaction: Interaction, patient_id: str) -> Grant:
        """How much of a type may be read: "part" when only under a filter, so that it is never all there is."""
        if self.scope is None:
            return "all"
        found: Grant = "none"
        for word in self.scope.split():
            matched = _SCOPE.fullmatch(word)
            if matched is None or matched[2] not in ("*", resource_type):
                continue
            if matched[3] not in ("*", "read") and interaction not in matched[3]:
                continue
            if matched[1] == "patient" and self.patient is not None and self.patient != patient_id:
                continue
            if not matched[4]:
                return "all"
            found = "part"
        return found


def read_access(fhir_server: msgspec.Raw, fhir_authorization: msgspec.Raw) -> Access | None:
    """Read both fields of a request; None when one is absent or useless. An odd offer refuses no call."""
    server = _lenient(fhir_server, str)
    said = _lenient(fhir_authorization, _Authorization)
    if not server or said is None or not _TOKEN.fullmatch(said.access_token):
        return None
    if (said.token_type or "Bearer").lower() != "bearer" or _is_over(said.expires_in):
        return None
    patient = id_of(said.patient, "Patient") if said.patient else None
    return Access(server.strip().rstrip("/"), said.access_token, said.scope, patient)


def _is_over(expires_in: int | str | None) -> bool:
    try:
        return expires_in is not None and int(expires_in) <= 0
    except ValueError:
        return False


def _lenient(raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
