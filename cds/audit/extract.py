"""One piece of the input to rows keyed by patient, in a worker process; memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import orjson

from cds.audit.compact import Bad, Tally, bad_row, bundle_row, is_read, left_out_day, record_row, tally_row
from cds.audit.inputs import BROKEN, InputFile, lines_of, open_input
from cds.audit.job import Job
from cds.audit.shuffle import Extracted, InputProblem, PieceWriter
from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE, Raw
from cds.fhir.reading import Reading
from cds.fhir.records import Patient, Record, Resource
from cds.intake.lines import BOM, Line, patient_id, read_line, types_lost

# Problems listed for a piece of the input; all are counted.
_MOST_PROBLEMS: Final = 10_000
_MOST_NAMES: Final = 20_000
_TALLY_BYTES: Final = 700
_PLACES: Final = frozenset({"Organization", "Location"})


class Range(msgspec.Struct, array_like=True, frozen=True):
    """Part of an input file by its number, in bytes. end None: to its end."""

    file: int
    start: int
    end: int | None


@dataclass(slots=True)
class _Piece:
    """Working state of one piece."""

    job: Job
    writer: PieceWriter
    largest_chart: int
    extracted: Extracted = field(default_factory=Extracted)
    tallies: dict[str, Tally] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    range: int = 0
    line: int = 0

    def problem(self, kind: str, resource_type: str = "", *, line: int | None = None) -> None:
        if kind != "truncated-file":
            self.extracted.bad[-1] += 1
        if len(self.extracted.problems) < _MOST_PROBLEMS:
            at = self.line if line is None else line
            self.extracted.problems.append(InputProblem(self.range, at, kind, resource_type))

    def tally(self, patient: str) -> Tally:
        found = self.tallies.get(patient)
        if found is None:
            found = self.tallies[patient] = Tally()
            self.writer.hold(_TALLY_BYTES)
        return found

    def flush(self) -> None:
        for patient, tally in self.tallies.items():
            self.writer.add(patient, tally_row(tally))
        self.tallies.clear()
        self.writer.flush()


def extract(
    ranges: Sequence[Range],
    files: Sequence[InputFile],
    job: Job,
    target: Path,
    *,
    parts: int,
    flush_bytes: int,
) -> None:
    """Read ranges of input files and write their rows to `target`. A file that breaks off costs only its rest."""
    with PieceWriter(target, parts=parts, flush_bytes=flush_bytes) as writer:
        piece = _Piece(job, writer, largest_chart=max(flush_bytes // 2, 4 << 20))
        for number, part in enumerate(ranges):
            file = files[part.file]
            piece.range, piece.line, piece.types = number, 0, set()
            piece.extracted.lines.append(0)
            piece.extracted.bad.append(0)
            try:
                if file.kind == "chart":
                    _chart_file(piece, file)
                else:
                    _lines(piece, file, part)
            except BROKEN:
                piece.problem("truncated-file", line=0)
                piece.extracted.unread.append(number)
                if file.kind == "lines":
                    piece.extracted.cut += sorted(types_lost(file.name, piece.types))
            piece.extracted.lines[-1] = piece.line
            piece.extracted.bytes += file.size if part.end is None else min(part.end, file.size) - part.start
        piece.flush()
        writer.finish(piece.extracted)


def _lines(piece: _Piece, file: InputFile, part: Range) -> None:
    writer = piece.writer
    for text in lines_of(file, part.start, part.end):
        piece.line += 1
        if text is None:
            piece.problem("unreadable-resource")
        elif not text.isspace():
            _one(piece, text, f"{file.name}:{piece.line}")
        if writer.full:
            piece.flush()


def _one(piece: _Piece, raw: Raw, where: str) -> None:
    line = read_line(raw, where)
    if line.resource_type == "Bundle":
        _bundle(piece, bytes(raw), where)
        return
    piece.types.add(line.resource_type)
    if line.problem is not None:
        piece.problem(line.problem, line.resource_type)
        return
    if line.bad is not None:
        piece.problem("unreadable-resource", line.resource_type)
    piece.extracted.resources += 1
    wanted = piece.job.patients
    for patient in line.patients:
        if wanted is None or patient in wanted:
            _of_patient(piece, patient, line)
    if not line.patients:
        _of_nobody(piece, line, raw)


def _of_patient(piece: _Piece, patient: str, line: Line) -> None:
    tally = piece.tally(patient)
    tally.resources += 1
    record = line.record
    if line.bad is not None:
        piece.writer.add(patient, bad_row(Bad(line.bad.where, line.bad.reason, line.resource_type)))
    elif record is None:
        tally.ignored[line.resource_type] = tally.ignored.get(line.resource_type, 0) + 1
    elif is_read(record):
        piece.writer.add(patient, record_row(record))
    else:
        _leave_out(piece, tally, record)


def _leave_out(piece: _Piece, tally: Tally, record: Resource) -> None:
    day = left_out_day(record, piece.job.settings.zone)
    if day is not None:
        tally.leave_out(*day, piece.job.today.toordinal())


class _Place(msgspec.Struct, gc=False, rename="camel"):
    id: str | None = None
    name: str | None = None


_place: Final = msgspec.json.Decoder(_Place)


def _of_nobody(piece: _Piece, line: Line, raw: Raw) -> None:
    if line.record is not None and not isinstance(line.record, Patient):
        piece.writer.add_shared(line.record)
    elif line.resource_type in _PLACES and len(piece.extracted.names) < _MOST_NAMES:
        try:
            place = _place.decode(raw)
        except UNREADABLE:
            return
        if place.id and place.name:
            piece.extracted.names[f"{line.resource_type}/{place.id}"] = place.name


# Bundles -------------------------------------------------------------------------------------------------------------


def _chart_file(piece: _Piece, file: InputFile) -> None:
    """A .json file: a Bundle, or one resource."""
    with open_input(file) as stream:
        raw = stream.read(piece.largest_chart + 1).removeprefix(BOM)
    piece.line = 1
    if len(raw) > piece.largest_chart:
        piece.problem("unreadable-resource", "Bundle", line=0)
        piece.extracted.unread.append(piece.range)
        return
    known = piece.extracted.resources
    _one(piece, raw, file.name)
    if piece.extracted.resources == known:
        piece.extracted.unread.append(piece.range)  # a chart is lost
    if piece.writer.full:
        piece.flush()


def _bundle(piece: _Piece, raw: bytes, where: str) -> None:
    """A chart as `psychmed check` reads it; one of several patients is taken apart, entry by entry."""
    reading = Reading(None)
    state = reading.add(raw, "bundle", source="chart")
    records = reading.records
    if state == "failed" and not records:
        piece.problem("not-json" if reading.bad else "unreadable-resource", "Bundle")
        return
    if reading.other_patient:
        _several(piece, raw, where)
        return
    patient = reading.patient_id
    if not patient:
        piece.problem("no-patient", "Bundle")
        return
    read = sum(map(len, records.values())) + sum(reading.ignored.values()) + len(reading.bad)
    piece.extracted.resources += read
    if piece.job.patients is not None and patient not in piece.job.patients:
        return
    tally = piece.tally(patient)
    tally.resources += read
    tally.failed = tally.failed or state == "failed"
    for bad in reading.bad:
        piece.problem("unreadable-resource")
        del bad
    piece.writer.add(patient, bundle_row(_smaller(piece, raw, tally)))


def _smaller(piece: _Piece, raw: bytes, tally: Tally) -> bytes:
    """The Bundle without what no rule reads; as it is, where it does not decode at the first attempt."""
    try:
        bundle = envelope.bundle_decoder.decode(raw)
    except UNREADABLE:
        return raw
    entries: list[dict[str, object]] = []
    for entry in bundle.entry if isinstance(bundle, envelope.Bundle) else ():
        record = entry.resource
        if isinstance(record, envelope.OperationOutcome | envelope.NestedBundle | envelope.NoResource):
            return raw
        if not isinstance(record, Record):
            tally.ignored[record.resource_type] = tally.ignored.get(record.resource_type, 0) + 1
        elif is_read(record):
            own = {"fullUrl": entry.full_url} if entry.full_url else {}
            entries.append({**own, "resource": msgspec.Raw(msgspec.json.encode(record))})
        else:
            _leave_out(piece, tally, record)
    return msgspec.json.encode({"resourceType": "Bundle", "entry": entries})


def _several(piece: _Piece, raw: bytes, where: str) -> None:
    """Each entry as a line of its own; patients that entries know by a urn get their id in its place."""
    entries: list[tuple[str | None, Raw]] = []
    try:
        for entry in envelope.items_of(envelope.parts_of(raw)["entry"]):
            parts = envelope.parts_of(entry)
            if "resource" in parts:
                entries.append((envelope.text_of(parts.get("fullUrl")), parts["resource"]))
    except (*UNREADABLE, KeyError):
        piece.problem("unreadable-resource", "Bundle")
        return
    ids: dict[str, str] = {}
    for url, resource in entries:
        if url and url.startswith("urn:"):
            line = read_line(resource, where)
            if line.record is not None and line.record.id:
                ids[url] = f"{line.resource_type}/{line.record.id}"
    for number, (_, resource) in enumerate(entries):
        _one(piece, _renamed(resource, ids), f"{where}.entry[{number}]")


def _renamed(raw: Raw, ids: dict[str, str]) -> Raw:
    """References by urn as the ids that their entries have."""
    if b"urn:" not in bytes(raw) or all(patient_id(url) == own.partition("/")[2] for url, own in ids.items()):
        return raw
    try:
        return orjson.dumps(_replaced(orjson.loads(bytes(raw)), ids))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return raw


def _replaced(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {
            k: ids.get(v, v) if k == "reference" and isinstance(v, str) else _replaced(v, ids) for k, v in value.items()
        }
    return [_replaced(v, ids) for v in value] if isinstance(value, list) else value
