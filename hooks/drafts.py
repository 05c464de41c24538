"""The orders of a hook's context, or the appointments that it books: which are drafts, which end a charted order.

Each keeps its raw bytes; only its type, id and status are read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from cds.errors import HookRequestError
from cds.fhir import envelope
from cds.fhir.reading import Reading
from cds.fhir.references import normalize_reference
from cds.findings import BadResource
from hooks import version

# Clinical specification 10.3: a draft with one of these ends a charted order.
STOP_STATUSES = frozenset({"stopped", "cancelled", "completed"})
IGNORED_STATUS = "entered-in-error"
_NOTHING = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Draft:
    ref: str
    kind: Literal["draft", "stop"]


@dataclass(frozen=True, slots=True)
class Drafts:
    """The orders of the context, or its appointments. unread: how many could not be read, and so go unjudged.

    of_other_version: they are not FHIR R4.
    """

    known: tuple[Draft, ...] = ()
    unread: int = 0
    of_other_version: bool = False

    def refs(self, kind: Literal["draft", "stop"]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(draft.ref for draft in self.known if draft.kind == kind))


@dataclass(slots=True)
class _Head:
    """What is read of a draft here. made: its id is ours, because it had none or one that another draft has."""

    resource_type: str
    id: str
    status: str | None
    made: bool = False

    @property
    def ref(self) -> str:
        return normalize_reference(f"{self.resource_type}/{self.id}")


def read_drafts(context: dict[str, msgspec.Raw], field: str, reading: Reading) -> Drafts:
    """Hand the draft orders to the reading; return which are drafts and which end a charted order.

    Appointments that are being booked are taken in the same way.
    """
    raw = context.get(field)
    where = f"context.{field}"
    if raw is None or envelope.starts_with(raw) == b"n":
        raise HookRequestError(400, f"{where} is missing")
    entries = _draft_entries(raw, where)
    resources = [entry.get("resource", _NOTHING) for entry in entries]
    heads = [_head(resource) for resource in resources]
    if _give_ids(heads, resources, reading, where):
        entries = [entry | {"resource": resource} for entry, resource in zip(entries, resources, strict=True)]
        raw = msgspec.Raw(msgspec.json.encode({"resourceType": "Bundle", "entry": entries}))
    known_bad = len(reading.bad)
    reading.add(raw, where, source="context")
    for head in heads:
        if head is not None and head.made:
            # The client does not know this id: no update and no removal may be suggested under it.
            reading.raws.pop(head.ref, None)
    read = {f"{name}/{record.id}" for name, records in reading.records.items() for record in records}
    drafts = (
        Draft(head.ref, "stop" if head.status in STOP_STATUSES else "draft")
        for head in heads
        if head is not None and head.status != IGNORED_STATUS and not (head.made and head.ref not in read)
    )
    types = {head.resource_type for head in heads if head is not None}
    other = version.drafts_are_other(types) or any(
        version.elements_are_other(resource, head.resource_type)
        for head, resource in zip(heads, resources, strict=True)
        if head is not None
    )
    return Drafts(tuple(drafts), len(reading.bad) - known_bad, other)


def _give_ids(heads: list[_Head | None], resources: list[msgspec.Raw], reading: Reading, where: str) -> bool:
    """Give an id to each draft that has none, or the id of an earlier one: else it would go unjudged.

    Returns whether any was given. A draft that stands twice, word for word, stays one.
    """
    taken = {head.ref for head in heads if head is not None and head.id}
    first: dict[str, bytes] = {}
    for number, head in enumerate(heads):
        if head is None:
            continue
        if head.id and first.setdefault(head.ref, bytes(resources[number])) == bytes(resources[number]):
            continue
        if head.id:
            reading.bad.append(
                BadResource(f"{where}.entry[{number}]", "another draft has this id; judged under another")
            )
        head.id, head.made = f"draft-{number + 1}", True
        while head.ref in taken:
            head.id += "x"
        resources[number] = _with_id(resources[number], head.id)
    return any(head is not None and head.made for head in heads)


def _draft_entries(raw: msgspec.Raw, where: str) -> list[dict[str, msgspec.Raw]]:
    """The entries of the Bundle. One bare order in its place, and orders not wrapped in `resource`, are understood."""
    try:
        parts = envelope.parts_of(raw)
        if envelope.text_of(parts.get("resourceType")) not in (None, "Bundle"):
            return [{"resource": raw}]
        entries = []
        for entry in envelope.items_of(parts["entry"]) if "entry" in parts else []:
            inside = envelope.parts_of(entry) if envelope.starts_with(entry) == b"{" else {}
            unwrapped = "resource" not in inside and "resourceType" in inside
            entries.append({"resource": entry} if unwrapped else inside)
        return entries
    except (msgspec.DecodeError, RecursionError):
        raise HookRequestError(400, f"{where} is not a Bundle of resources") from None


def _head(resource: msgspec.Raw) -> _Head | None:
    """Field by field, as each may be wrong by itself; None when it is no resource: the reading has it among the bad."""
    try:
        parts = envelope.parts_of(resource)
    except (msgspec.DecodeError, RecursionError):
        return None
    resource_type = envelope.text_of(parts.get("resourceType"))
    if resource_type is None:
        return None
    own = _text_or_number(parts.get("id"))
    return _Head(resource_type, own.strip(), envelope.text_of(parts.get("status")))


def _text_or_number(raw: msgspec.Raw | None) -> str:
    try:
        return str(msgspec.json.decode(raw, type=str | int)) if raw is not None else ""
    except (msgspec.DecodeError, RecursionError):
        return ""


def _with_id(resource: msgspec.Raw, made: str) -> msgspec.Raw:
    parts = envelope.parts_of(resource) | {"id": msgspec.Raw(msgspec.json.encode(made))}
    return msgspec.Raw(msgspec.json.encode(parts))


def read_selections(
    context: dict[str, msgspec.Raw], draft_refs: tuple[str, ...], reading: Reading
) -> frozenset[str] | None:
    """What order-select is about; None, all drafts, when the client does not say or names only what it did not send."""
    raw = context.get("selections")
    if raw is None or envelope.starts_with(raw) == b"n":
        return None
    try:
        selections = msgspec.json.decode(raw, type=list[str])
    except (msgspec.DecodeError, RecursionError):
        raise HookRequestError(400, "context.selections is not a list of references") from None
    by_id = {ref.partition("/")[2]: ref for ref in draft_refs}
    named = [by_id.get(text) or normalize_reference(text) for text in selections]
    for number, ref in enumerate(named):
        if ref not in draft_refs:
            reading.bad.append(BadResource(f"context.selections[{number}]", "names no draft of context.draftOrders"))
    selected = frozenset(named).intersection(draft_refs)
    return selected if selected or not named else None
