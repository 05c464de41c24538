"""What of a resource goes through the shuffle: the record that rules can use, and counts of what they cannot.

A record is kept whole as `cds.fhir` reads it, so that findings are those of the full resource. Types no rule reads, and
results without a code of the observation table, are left out and counted. Of the results left out, the first and the
last day are kept: the length of the record depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from cds.chart.codes import result_name
from cds.dates import day_of
from cds.errors import HookRequestError
from cds.fhir import records as r
from cds.fhir.reading import Reading
from cds.findings import BadResource

_RECORD, _BUNDLE, _BAD, _TALLY = b"r", b"b", b"x", b"t"
# Read into no chart: counted alone.
_UNUSED: Final = (r.Procedure, r.QuestionnaireResponse)
_NOT_COUNTED: Final = frozenset({"entered-in-error", "cancelled", "registered"})

_encode: Final = msgspec.msgpack.Encoder().encode
_record: Final[msgspec.msgpack.Decoder[r.Resource]] = msgspec.msgpack.Decoder(r.Resource)


class Bad(msgspec.Struct, array_like=True):
    """A resource of a patient that could not be read."""

    where: str
    reason: str
    resource_type: str


class Tally(msgspec.Struct):
    """What was counted of one patient in one piece of the input. days: [day, text] of results left out."""

    resources: int = 0
    ignored: dict[str, int] = {}
    first: tuple[int, str] | None = None
    last: tuple[int, str] | None = None
    failed: bool = False

    def leave_out(self, day: int, text: str, today: int) -> None:
        if self.first is None or day < self.first[0]:
            self.first = (day, text)
        if day <= today and (self.last is None or day > self.last[0]):
            self.last = (day, text)


_bad: Final = msgspec.msgpack.Decoder(Bad)
_tally: Final = msgspec.msgpack.Decoder(Tally)


def record_row(record: r.Resource) -> bytes:
    return _RECORD + _encode(record)


def bundle_row(raw: bytes) -> bytes:
    return _BUNDLE + raw


def bad_row(bad: Bad) -> bytes:
    return _BAD + _encode(bad)


def tally_row(tally: Tally) -> bytes:
    return _TALLY + _encode(tally)


def decode_record(row: bytes) -> r.Resource:
    """The record of a `record_row`."""
    return _record.decode(memoryview(row)[1:])


def is_read(record: r.Resource) -> bool:
    """Whether a chart is built from such a record."""
    if isinstance(record, r.Observation):
        codes = (record.code, *(component.code for component in record.component))
        return any(result_name(code) is not None for code in codes)
    return not isinstance(record, _UNUSED)


def left_out_day(record: r.Resource, zone: ZoneInfo) -> tuple[int, str] | None:
    """Day, and its text, of a result that is left out; None where it says nothing of the length of the record."""
    if not isinstance(record, r.Observation) or record.status in _NOT_COUNTED:
        return None
    period = record.effective_period.start if record.effective_period else None
    text = record.effective_date_time or period or record.effective_instant or record.issued
    day = day_of(text, zone, partial="start")
    return (day, text) if day is not None and text is not None else None


@dataclass(slots=True)
class Gathered:
    """One patient, put together again. whole: False where their Bundle could not be read to its end."""

    reading: Reading
    resources: int = 0
    whole: bool = True


def gather(patient: str, rows: Iterable[bytes]) -> Gathered:
    """Rows of a patient, in any order, to the reading that their resources would have given."""
    found = Gathered(Reading(patient))
    reading = found.reading
    first: list[tuple[int, str]] = []
    last: list[tuple[int, str]] = []
    for row in rows:
        tag, body = row[:1], memoryview(row)[1:]
        if tag == _RECORD:
            reading.add_record(_record.decode(body), "export")
        elif tag == _BAD:
            bad = _bad.decode(body)
            reading.bad.append(BadResource(bad.where, bad.reason))
            if bad.resource_type in r.RESOURCE_TYPES:
                reading.bad_types.add(bad.resource_type)
        elif tag == _TALLY:
            tally = _tally.decode(body)
            found.resources += tally.resources
            found.whole = found.whole and not tally.failed
            reading.ignored.update(tally.ignored)
            first += [tally.first] if tally.first is not None else []
            last += [tally.last] if tally.last is not None else []
        else:
            _add_bundle(reading, bytes(body))
    for name, day in (("first", min(first, default=None)), ("last", max(last, default=None))):
        if day is not None:
            # Of no code: it says only how long there has been a record.
            stub = r.Observation(
                id=f"psychmed-{name}-left-out",
                status="final",
                subject=r.Reference(reference=f"Patient/{patient}"),
                effective_date_time=day[1],
            )
            reading.add_record(stub, "export")
    return found


def _add_bundle(reading: Reading, raw: bytes) -> None:
    try:
        reading.add(raw, "bundle", source="chart")
    except HookRequestError:
        return  # of another patient: counted by the reading
