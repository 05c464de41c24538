"""A searchset as one page of a search: its resources, where the next page is, and how many there should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE, Raw


class _Link(msgspec.Struct):
    relation: str | None = None
    url: str | None = None


class _Mode(msgspec.Struct):
    mode: str | None = None


class _Entry(msgspec.Struct):
    search: _Mode | None = None


_entries: Final = msgspec.json.Decoder(list[_Entry])


@dataclass(frozen=True, slots=True)
class Page:
    """One page. body: the Bundle without link and total, which say something of the whole search and not of the page.

    next: None on the last page; "" when there is a next page whose address cannot be read.
    """

    body: bytes
    next: str | None
    total: int | None
    matches: int


def read_page(raw: Raw) -> Page | None:
    """Read a Bundle as a page; None when it is no Bundle."""
    try:
        parts = envelope.parts_of(raw)
        if envelope.text_of(parts.get("resourceType")) != "Bundle":
            return None
        links = [_decode(link, _Link) for link in envelope.items_of(parts.pop("link", msgspec.Raw(b"null")))]
        total = _decode(parts.pop("total", None), int)
        following = [link.url or "" for link in links if link is not None and link.relation == "next"]
        matches = _matches(parts.get("entry"))
        return Page(msgspec.json.encode(parts), following[0] if following else None, total, matches)
    except UNREADABLE:
        return None


def has_more(raw: Raw) -> bool:
    """Whether a Bundle may have a next page: a first look, cheap for the many that have none."""
    return b'"next"' in bytes(raw)


def is_whole(pages: Sequence[Page]) -> bool:
    """Whether these pages are all there is of a search."""
    if not pages or pages[-1].next is not None:
        return False
    totals = [page.total for page in pages if page.total is not None]
    return not totals or max(totals) <= sum(page.matches for page in pages)


def _matches(entry: msgspec.Raw | None) -> int:
    if entry is None:
        return 0
    try:
        modes = [found.search.mode if found.search else None for found in _entries.decode(entry)]
    except UNREADABLE:
        return len(envelope.items_of(entry))
    return sum(envelope.is_match(mode) for mode in modes)


def _decode(raw: msgspec.Raw | None, kind: Any) -> Any:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except UNREADABLE:
        return None
