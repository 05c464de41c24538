"""Files to hook calls: a hook request, a Bundle, a folder of Bundles, or a folder of NDJSON as in a bulk export."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterator
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
_DRAFT_HOOKS = frozenset({"order-sign", "order-select"})


class NotAChart(CdsError):
    """A file that is neither a hook request nor a Bundle."""


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
    by_patient: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    cut: set[str] = set()
    for file in files:
        types = {file.name.partition(".")[0]}
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
                for n, line in enumerate(lines, 1):
                    if line.strip():
                        _sort_line(line, f"{file.name}:{n}", by_patient, types, problems)
        except (OSError, EOFError, zlib.error) as error:
            cut |= types
            reason = (error.strerror if isinstance(error, OSError) else None) or "compressed data is damaged or cut off"
            problems.append(f"{file.name}: not read to its end: {reason}")
    for patient in sorted(by_patient):
        reading = Reading(patient)
        for where, line in by_patient[patient]:
            try:
                reading.add(line, where, source="chart")
            except HookRequestError:
                continue  # a line of another patient is counted by the reading
        yield patient, _call(reading, hook, cut=frozenset(cut))


def _sort_line(
    line: bytes, where: str, by_patient: dict[str, list[tuple[str, bytes]]], types: set[str], problems: list[str]
) -> None:
    """Put a line to its patient. One that is no resource is a problem; one that names no patient belongs to nobody."""
    try:
        parts = envelope.parts_of(line)
        resource_type = envelope.text_of(parts.get("resourceType"))
    except UNREADABLE:
        problems.append(f"{where}: not a JSON object")
        return
    if resource_type is None:
        problems.append(f"{where}: no resourceType")
        return
    types.add(resource_type)
    patient = _patient_of(parts, resource_type)
    if patient:
        by_patient[patient].append((where, line))
    elif resource_type in RESOURCE_TYPES and not issubclass(RESOURCE_TYPES[resource_type], NotOfOnePatient):
        problems.append(f"{where}: names no patient")


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
