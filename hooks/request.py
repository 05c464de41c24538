"""A hook request: bytes in, one `HookCall` out, or an HTTP error that names what is wrong with it.

Only the envelope is read here. The FHIR resources stay raw bytes until `cds.fhir` reads the fields it needs,
so that one broken resource costs itself and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from cds.chart.model import Memory
from cds.errors import HookRequestError
from cds.evaluate import HookCall
from cds.fhir import envelope
from cds.fhir.reading import Reading, SearchState
from cds.fhir.references import id_of
from cds.findings import BadResource
from cds.text import plain
from hooks import version
from hooks.discovery import searched_type
from hooks.drafts import Drafts, read_drafts, read_selections
from hooks.kinds import KINDS, UNDERSTOOD_AT
from hooks.reads.access import Access, read_access
from hooks.reads.pages import has_more, read_page
from hooks.reads.plan import Unfinished
from hooks.version import FHIR_VERSION

_BOM = b"\xef\xbb\xbf"
_LONGEST_KEY = 64
_MOST_REMEMBERED = 1000
MEMORY_EXTENSION = "org.psychmed.memory"
_NOTHING = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct, rename="camel"):
    hook: msgspec.Raw = _NOTHING
    hook_instance: msgspec.Raw = _NOTHING
    context: dict[str, msgspec.Raw] | None = None
    prefetch: dict[str, msgspec.Raw] | None = None
    extension: msgspec.Raw = _NOTHING
    fhir_server: msgspec.Raw = _NOTHING
    fhir_authorization: msgspec.Raw = _NOTHING


_envelope = msgspec.json.Decoder(_Envelope)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Received:
    """A request: the call as far as it was sent, and what may be read for it.

    hook: as the client named it. access: server and token; None when the request has none.
    unfinished: prefetched searches with a next page.
    """

    hook: str
    call: HookCall
    access: Access | None
    unfinished: tuple[Unfinished, ...]


def read_call(body: bytes, hook: str) -> HookCall:
    """Read the request of one hook, when nothing can be read for it. Raises as `read_request`."""
    return read_request(body, hook, may_read=False).call


def read_request(body: bytes, hook: str, *, may_read: bool) -> Received:
    """Read the request of one hook, by the name that clients give it.

    may_read: the site lists FHIR servers; else the client's offer is not looked at.

    Raises HookRequestError 400 for what is not JSON, not this hook, not complete, or of another patient.
    """
    fields = _read_envelope(body)
    said = _text(fields.hook, "hook")
    if said is None:
        raise HookRequestError(400, "hook is missing")
    if said != hook and said not in UNDERSTOOD_AT.get(hook, ()):
        raise HookRequestError(400, f"hook is not {hook}, the hook of this service")
    if _text(fields.hook_instance, "hookInstance") is None:
        raise HookRequestError(400, "hookInstance is missing")
    context = fields.context
    if context is None:
        raise HookRequestError(400, "context is missing")
    patient_id = _id(_text(context.get("patientId"), "context.patientId", numbers=True), "Patient")
    if not patient_id:
        raise HookRequestError(400, "context.patientId is missing")

    reading = Reading(patient_id)
    access = read_access(fields.fhir_server, fields.fhir_authorization) if may_read else None
    prefetched = _read_prefetch(fields.prefetch or {}, reading, pages=access is not None)
    kind = KINDS[said]
    drafts = read_drafts(context, kind.orders, reading) if kind.orders is not None else Drafts()
    draft_refs = drafts.refs("draft")
    planned = read_drafts(context, kind.appointments, reading) if kind.appointments is not None else Drafts()
    if planned.unread:
        # For searches that are read later too: it may be the very appointment that was not to be found.
        reading.bad_types.add("Appointment")
    call = HookCall(
        hook=kind.answers,
        families=kind.families,
        patient_id=patient_id,
        user=_text(context.get("userId"), "context.userId"),
        encounter=_id(_text(context.get("encounterId"), "context.encounterId", numbers=True), "Encounter") or None,
        reading=reading,
        searches=_without_proof(prefetched.searches, "Appointment") if planned.unread else prefetched.searches,
        draft_refs=draft_refs,
        selected=read_selections(context, draft_refs, reading) if hook == "order-select" else None,
        stops=drafts.refs("stop"),
        unread_drafts=drafts.unread,
        booked=frozenset(planned.refs("draft")),
        memory=_memory(fields.extension, reading),
        undecidable=FHIR_VERSION if _is_other_version(fields, prefetched, (drafts, planned), reading) else None,
    )
    return Received(said, call, access, prefetched.unfinished)


def _is_other_version(
    fields: _Envelope, prefetched: _Prefetched, in_context: Iterable[Drafts], reading: Reading
) -> bool:
    """Whether the request is not FHIR R4."""
    return (
        any(orders.of_other_version for orders in in_context)
        or prefetched.of_other_version
        or version.records_are_other(reading.ignored)
        or version.server_is_other(fields.fhir_server)
    )


def _without_proof(searches: Mapping[str, SearchState], resource_type: str) -> dict[str, SearchState]:
    """The searches when the context has a resource of this type that could not be read: none found proves nothing."""
    found = {name: envelope.worst(state, "damaged") for name, state in searches.items() if name == resource_type}
    return {**searches, **found}


def _read_envelope(body: bytes) -> _Envelope:
    text = body.removeprefix(_BOM)
    try:
        # The decoder skips over what it keeps raw without looking at its bytes; here every byte is looked at once.
        text.decode("utf-8")
        return _envelope.decode(text)
    except UnicodeDecodeError:
        raise HookRequestError(400, "the body is not UTF-8") from None
    except msgspec.ValidationError:
        raise HookRequestError(400, f"{_not_an_object(text)} is not an object") from None
    except msgspec.DecodeError:
        raise HookRequestError(400, "the body is not well-formed JSON") from None
    except RecursionError:
        raise HookRequestError(400, "the body is nested too deeply") from None


def _not_an_object(text: bytes) -> str:
    """Which part of a well-formed body has the wrong kind."""
    if envelope.starts_with(text) != b"{":
        return "the body"
    fields = _fields.decode(text)
    wrong = (name for name in ("context", "prefetch") if name in fields and envelope.starts_with(fields[name]) != b"{")
    return next(wrong, "the body")


def _text(raw: msgspec.Raw | None, where: str, *, numbers: bool = False) -> str | None:
    """The text of a field; None when it is absent, null or blank."""
    if raw is None:
        return None
    kind: Any = str | int | None if numbers else str | None
    try:
        value = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise HookRequestError(400, f"{where} is not a string") from None
    return None if value is None else str(value).strip() or None


def _id(text: str | None, resource_type: str) -> str:
    """The bare id: real clients send `Patient/123`, or a whole URL, where the specification wants `123`."""
    return id_of(text or "", resource_type)


class _Remembered(msgspec.Struct):
    spec: str
    date: dt.date
    key: str = ""
    kind: Literal["shown", "override"] = "shown"
    reason: str | None = None


def _memory(extension: msgspec.Raw, reading: Reading) -> tuple[Memory, ...]:
    """`extension["org.psychmed.memory"]`: what the client knows was shown or overridden before.

    An entry that cannot be read costs itself: the card is then shown once more.
    """
    try:
        raw = msgspec.json.decode(extension, type=dict[str, msgspec.Raw] | None) or {}
        entries = msgspec.json.decode(raw.get(MEMORY_EXTENSION, b"[]"), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        reading.bad.append(BadResource("extension", "could not be read"))
        return ()
    found: list[Memory] = []
    for number, entry in enumerate(entries[:_MOST_REMEMBERED]):
        try:
            said = msgspec.json.decode(entry, type=_Remembered)
        except (msgspec.DecodeError, RecursionError):
            reading.bad.append(BadResource(f"extension.{MEMORY_EXTENSION}[{number}]", "could not be read"))
            continue
        found.append(Memory(said.spec, said.key, said.kind, said.reason, said.date.toordinal()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Prefetched:
    """What became of the searches the client made, and which of them go on on its server."""

    searches: dict[str, SearchState]
    unfinished: tuple[Unfinished, ...]
    of_other_version: bool


def _read_prefetch(prefetch: dict[str, msgspec.Raw], reading: Reading, *, pages: bool) -> _Prefetched:
    """Read every prefetched value, asked for or not, and what became of the search of each resource type.

    A key that is absent was not looked for; null means looked for and nothing there. When two keys hold searches of
    one type, the worse news counts. A resource that could not be read makes the search of its type "damaged", wherever
    it stood. pages: a next page may be read, so a Bundle that has one is remembered apart.
    """
    searches: dict[str, SearchState] = {}
    unfinished: list[Unfinished] = []
    other = False
    for key, raw in prefetch.items():
        # The key is the client's text, however long, and goes back to it in bad_resources.
        where = f"prefetch.{plain(key, _LONGEST_KEY)}"
        resource_type = searched_type(key)
        other = other or version.elements_are_other(raw, resource_type)
        page = read_page(raw) if pages and resource_type is not None and has_more(raw) else None
        if resource_type is not None and page is not None and page.next is not None:
            unfinished.append(Unfinished(resource_type, page, reading.add(page.body, where, source="prefetch")))
            continue
        state = reading.add(raw, where, source="prefetch")
        if resource_type is not None:
            searches[resource_type] = envelope.worst(searches.get(resource_type, "absent"), state)
    beside = [replace(item, beside=searches.get(item.resource_type, "absent")) for item in unfinished]
    for item in unfinished:  # as long as nobody has read on
        searches[item.resource_type] = envelope.worst(searches.get(item.resource_type, "absent"), "truncated")
    searches = {t: envelope.worst(s, "damaged") if t in reading.bad_types else s for t, s in searches.items()}
    return _Prefetched(searches, tuple(beside), other)
