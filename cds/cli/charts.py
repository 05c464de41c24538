"""Files to hook calls: a hook request, a Bundle, a folder of Bundles, or a folder of NDJSON as in a bulk export."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds.errors import CdsError, HookRequestError
from cds.evaluate import HookCall
from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.fhir.records import RESOURCE_TYPES, NotOfOnePatient
from cds.model import Hook
from hooks.discovery import PREFETCH
from hooks.kinds import KINDS
from hooks.request import read_call

_SEARCHED = {resource_type: "complete" for resource_type, _ in PREFETCH.values()}
# Named by records of many patients.
_SHARED = frozenset({"Medication", "Practitioner", "PractitionerRole"})
_DRAFT_HOOKS = frozenset({"order-sign", "order-select"})


class NotAChart(CdsError):
    """A file that is neither a hook request nor a Bundle."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """(place, line) of an export by patient, and by reference what belongs to no patient in particular."""

    by_patient: dict[str, list[tuple[str, bytes]]]
    shared: dict[str, tuple[str, bytes]]
    problems: list[str]


def read_path(path: Path, *, hook: Hook | None, problems: list[str]) -> Iterator[tuple[str, HookCall]]:
    """(name, call) for each patient of a file or folder, by name.

    hook: which hook to ask as; needed for charts (default patient-view), taken from a request.
    problems: what could not be read is added here, one line each, and costs nothing else: a file, a line of an export.
    Raises NotAChart for a single file that cannot be read at all, and for a folder without charts.
    """
    if not path.is_dir():
        yield _read_file(path, hook)
        return
    try:
        files = sorted(p for p in path.iterdir() if p.is_file())
    except OSError as error:
        raise NotAChart(f"{path.name}: cannot be read: {error.strerror}") from None
    lines = [p for p in files if p.name.endswith((".ndjson", ".ndjson.gz"))]
    charts = [p for p in files if p.suffix == ".json"]
    if not lines and not charts:
        raise NotAChart(f"{path.name or path}: no .json, .ndjson or .ndjson.gz file in this folder")
    if lines:
        problems += (f"{p.name}: left out, the folder is read as an export (NDJSON)" for p in charts)
        yield from _export(lines, hook or "patient-view", problems)
        return
    for file in charts:
        try:
            yield _read_file(file, hook)
        except CdsError as error:
            message = str(error)
            problems.append(message if message.startswith(file.name) else f"{file.name}: {message}")


def read_one(path: Path, *, hook: Hook | None, problems: list[str], patient: str | None = None) -> tuple[str, HookCall]:
    """(name, call) of one chart: of a file, or of the patient of a folder; problems and errors as in `read_path`.

    patient: its id, with or without "Patient/", or the name of its file; needed where the folder holds several.
    Raises NotAChart when there is no such chart, or more than one and none is named.
    """
    wanted = patient.strip().removeprefix("Patient/") if patient is not None else None
    found: list[tuple[str, HookCall]] = []
    for name, call in read_path(path, hook=hook, problems=problems):
        if wanted is None or wanted in {name, call.patient_id}:
            found.append((name, call))
        if len(found) > 1:
            several = "several charts" if wanted is None else "several charts of this patient"
            raise NotAChart(f"{path.name or path}: {several}: name one with --patient ID")
    if not found:
        raise NotAChart(f"{path.name or path}: {'no chart' if wanted is None else 'no chart of this patient'}")
    return found[0]


def _read_file(path: Path, hook: Hook | None) -> tuple[str, HookCall]:
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        parts = envelope.parts_of(raw)
    except OSError as error:
        raise NotAChart(f"{path.name}: cannot be read: {error.strerror}") from None
    except UNREADABLE:
        raise NotAChart(f"{path.name}: not a JSON object") from None
    if "hook" in parts:
        asked = hook or envelope.text_of(parts["hook"])
        if asked not in KINDS:
            raise NotAChart(f"{path.name}: the hook is not one of {', '.join(KINDS)}")
        return path.name, read_call(raw, asked)
    if envelope.text_of(parts.get("resourceType")) == "Bundle":
        reading = Reading(None)
        state = reading.add(raw, "bundle", source="chart")
        return path.name, _call(reading, hook or "patient-view", read_whole=state != "failed")
    raise NotAChart(f"{path.name}: neither a hook request nor a Bundle")


def _call(reading: Reading, hook: Hook, *, read_whole: bool = True, cut: frozenset[str] = frozenset()) -> HookCall:
    """A whole chart: what is not in it was looked for and not found, unless part of it could not be read.

    cut: resource types of which a file broke off.
    """
    drafts: tuple[str, ...] = ()
    if hook in _DRAFT_HOOKS:
        requests = reading.records.get("MedicationRequest", ())
        drafts = tuple(f"MedicationRequest/{r.id}" for r in requests if getattr(r, "status", None) == "draft")
    states: dict[str, SearchState] = {t: "damaged" if t in reading.bad_types else "complete" for t in _SEARCHED}
    states |= dict.fromkeys(cut.intersection(_SEARCHED), "truncated")
    if not read_whole:
        states = dict.fromkeys(_SEARCHED, "failed")
    return HookCall(hook, reading.patient_id or "", None, None, reading, states, drafts)


def _export(files: list[Path], hook: Hook, problems: list[str]) -> Iterator[tuple[str, HookCall]]:
    """One call a patient of a bulk export; lines are kept as bytes until their patient is read."""
    sorted_in = _Lines(defaultdict(list), {}, problems)
    cut: set[str] = set()
    for file in files:
        types = {file.name.partition(".")[0]}
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
                for n, line in enumerate(lines, 1):
                    if line.strip():
                        _sort_line(line, f"{file.name}:{n}", types, sorted_in)
        except (OSError, EOFError, zlib.error) as error:
            cut |= types
            reason = (error.strerror if isinstance(error, OSError) else None) or "compressed data is damaged or cut off"
            problems.append(f"{file.name}: not read to its end: {reason}")
    for patient in sorted(sorted_in.by_patient):
        reading = Reading(patient)
        for where, line in sorted_in.by_patient[patient]:
            try:
                reading.add(line, where, source="chart")
            except HookRequestError:
                continue  # a line of another patient is counted by the reading
        _add_named(reading, sorted_in.shared)
        yield patient, _call(reading, hook, cut=frozenset(cut))


def _add_named(reading: Reading, shared: dict[str, tuple[str, bytes]]) -> None:
    """Add the products and clinicians that the patient's own records name: they are nobody's in particular."""
    if not shared:
        return
    records = reading.records.values()
    named = {ref for rows in records for record in rows for ref in _references(record)}
    # A role is known by the clinician in it, too.
    named |= {ref for ref, (_, line) in shared.items() if ref.startswith("PractitionerRole/") and _names(line) & named}
    for ref in sorted(named & shared.keys()):
        where, line = shared[ref]
        reading.add(line, where, source="chart")


def _references(record: object) -> Iterator[str]:
    """References of a record to a product, a prescriber or a clinician."""
    for one in (getattr(record, "medication_reference", None), getattr(record, "requester", None)):
        if one is not None and one.reference:
            yield normalize_reference(one.reference)
    for participant in getattr(record, "participant", ()):
        one = getattr(participant, "individual", None)
        if one is not None and one.reference:
            yield normalize_reference(one.reference)


def _names(line: bytes) -> set[str]:
    """The clinician whom a role names."""
    try:
        named = envelope.text_of(envelope.parts_of(envelope.parts_of(line)["practitioner"]).get("reference"))
    except (*UNREADABLE, KeyError):
        return set()
    return {normalize_reference(named)} if named else set()


def _sort_line(line: bytes, where: str, types: set[str], into: _Lines) -> None:
    """Put a line to its patient. One that is no resource is a problem; one that names no patient belongs to nobody."""
    try:
        parts = envelope.parts_of(line)
        resource_type = envelope.text_of(parts.get("resourceType"))
    except UNREADABLE:
        into.problems.append(f"{where}: not a JSON object")
        return
    if resource_type is None:
        into.problems.append(f"{where}: no resourceType")
        return
    types.add(resource_type)
    patient = _patient_of(parts, resource_type)
    if patient:
        into.by_patient[patient].append((where, line))
    elif resource_type in _SHARED and (own := envelope.text_of(parts.get("id"))):
        into.shared[f"{resource_type}/{own}"] = (where, line)
    elif resource_type in RESOURCE_TYPES and not issubclass(RESOURCE_TYPES[resource_type], NotOfOnePatient):
        into.problems.append(f"{where}: names no patient")


def _patient_of(parts: dict[str, msgspec.Raw], resource_type: str) -> str:
    """The bare patient id that a resource is about; "" when it names none."""
    if resource_type == "Patient":
        return envelope.text_of(parts.get("id")) or ""
    for name in ("subject", "patient"):
        try:
            named = envelope.text_of(envelope.parts_of(parts[name]).get("reference")) if name in parts else None
        except UNREADABLE:
            named = None
        if named:
            return (normalize_reference(named) or "").rpartition("/")[2].removeprefix("urn:uuid:")
    return ""
