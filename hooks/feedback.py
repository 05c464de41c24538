"""`POST /cds-services/{id}/feedback`: what became of our cards.

Counted by rule and outcome; an override of a card of which we still know what it was about is remembered, where the
site has a memory. What a user wrote is never looked at: it can hold anything.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from cds.chart.model import Memory
from cds.errors import HookRequestError
from cds.findings import Finding
from cds.memory import MemoryPort
from cds.shipped import table
from hooks.cards import OVERRIDE_SYSTEM
from hooks.metrics import Metrics

MOST_CARDS = 20_000
MOST_ENTRIES = 1000
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownCard:
    """A card that went out. patient: empty where there is no memory, for then nobody needs to know."""

    spec: str
    about: str
    patient: str
    day: dt.date


class KnownCards:
    """The cards of late of this worker, by uuid."""

    def __init__(self, most: int = MOST_CARDS) -> None:
        self._cards: OrderedDict[str, KnownCard] = OrderedDict()
        self._most = most

    def add(self, uuid: str, card: KnownCard) -> None:
        """Remember a card; the oldest goes when there are too many."""
        self._cards[uuid] = card
        while len(self._cards) > self._most:
            self._cards.popitem(last=False)

    def get(self, uuid: str) -> KnownCard | None:
        """The card, if it is one of ours and not long ago."""
        return self._cards.get(uuid.lower())

    def __len__(self) -> int:
        return len(self._cards)


class _Accepted(msgspec.Struct):
    id: str


class _Coding(msgspec.Struct):
    code: str | None = None
    system: str | None = None


class _Override(msgspec.Struct, rename="camel"):
    # userComment is not a field here, so that it is not even decoded.
    reason: _Coding | None = None


class _Entry(msgspec.Struct, rename="camel"):
    card: str
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: dt.datetime
    accepted_suggestions: list[_Accepted] | None = None
    override_reason: _Override | None = None


class _Feedback(msgspec.Struct):
    feedback: list[_Entry]


_decode = msgspec.json.Decoder(_Feedback).decode
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that happened to a card. reason: a code of our own table; "other-system" for anybody else's."""

    card: str
    outcome: Literal["accepted", "overridden"]
    at: dt.datetime
    reason: str | None = None


def read_feedback(body: bytes) -> list[Outcome]:
    """Read a feedback request, all of it or nothing.

    Raises HookRequestError 400 that names the field and not its value.
    """
    try:
        text = body.removeprefix(_BOM)
        text.decode("utf-8")
        entries = _decode(text).feedback
    except UnicodeDecodeError:
        raise HookRequestError(400, "the body is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise HookRequestError(400, _place(str(error))) from None
    except msgspec.DecodeError:
        raise HookRequestError(400, "the body is not well-formed JSON") from None
    except RecursionError:
        raise HookRequestError(400, "the body is nested too deeply") from None
    if len(entries) > MOST_ENTRIES:
        raise HookRequestError(400, f"feedback has more than {MOST_ENTRIES} entries")
    return [_outcome(number, entry) for number, entry in enumerate(entries)]


def _place(message: str) -> str:
    """Where the decoder stumbled, without what it found there."""
    _, at, path = message.rpartition(" - at `$")
    if not at:
        if "missing required field" in message:
            return "feedback is missing"
        return "the body is not an object"
    where = path.rstrip("`").lstrip(".").replace("[...]", "[]")
    if "missing required field" in message:
        missing = message.partition("field `")[2].partition("`")[0]
        return f"{where}.{missing} is missing"
    return f"{where} is not as CDS Hooks 2.0 has it"


def _outcome(number: int, entry: _Entry) -> Outcome:
    where = f"feedback[{number}]"
    if not entry.card.strip():
        raise HookRequestError(400, f"{where}.card is empty")
    if entry.outcome_timestamp.tzinfo is None:
        raise HookRequestError(400, f"{where}.outcomeTimestamp has no time zone")
    if entry.outcome == "accepted" and not entry.accepted_suggestions:
        raise HookRequestError(400, f"{where}.acceptedSuggestions is missing")
    reason = None
    if entry.outcome == "overridden" and entry.override_reason is not None:
        reason = _code(entry.override_reason.reason)
    return Outcome(entry.card.strip(), entry.outcome, entry.outcome_timestamp, reason)


def _code(reason: _Coding | None) -> str | None:
    if reason is None or reason.code is None:
        return None
    if reason.system not in (OVERRIDE_SYSTEM, None) or reason.code not in _codes():
        return "other-system"
    return reason.code


def _codes() -> set[str]:
    return {row["code"] for row in table("override_reasons")}


@dataclass(frozen=True, slots=True)
class FeedbackDesk:
    """Takes feedback in: counts it, and remembers overrides where there is a memory."""

    cards: KnownCards
    metrics: Metrics
    memory: MemoryPort | None

    def sent(self, cards: Sequence[dict[str, object]], findings: Sequence[Finding], patient: str, day: dt.date) -> None:
        """Cards that go out, each with the finding it tells, in the same order."""
        kept = patient if self.memory is not None else ""
        for card, finding in zip(cards, findings, strict=True):
            self.cards.add(str(card["uuid"]), KnownCard(finding.spec, finding.about, kept, day))

    def take(self, outcomes: Sequence[Outcome], *, today: dt.date, zone: zoneinfo.ZoneInfo) -> int:
        """Count every outcome; how many were about a card we know."""
        known = 0
        for outcome in outcomes:
            card = self.cards.get(outcome.card)
            known += card is not None
            rule = card.spec if card is not None else UNKNOWN
            self.metrics.count("psychmed_feedback_total", rule, outcome.outcome, outcome.reason or "")
            if card is not None and outcome.outcome == "overridden" and self.memory is not None:
                self.memory.remember(card.patient, [_override(card, outcome, today, zone)])
        return known


def _override(card: KnownCard, outcome: Outcome, today: dt.date, zone: zoneinfo.ZoneInfo) -> Memory:
    # A client's clock may be wrong; a card cannot be overridden before it was shown or after today.
    try:
        said = outcome.at.astimezone(zone).date()
    except (OverflowError, ValueError):
        said = today
    day = min(max(said, card.day), max(today, card.day))
    return Memory(card.spec, card.about, "override", outcome.reason, day.toordinal())
