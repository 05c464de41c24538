"""Files to hook calls: a hook request, a Bundle, a folder of Bundles, or a folder of NDJSON as in a bulk export."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cds.errors import CdsError, HookRequestError
from cds.evaluate import HookCall
from cds.fhir import envelope
from cds.fhir.decode import UNREADABLE
from cds.fhir.reading import Reading
from cds.fhir.records import NotOfOnePatient
from cds.intake.calls import call_of
from cds.intake.lines import BOM, read_line, types_lost
from cds.intake.shared import InMemory, with_shared
from cds.model import Hook
from hooks.kinds import KINDS
from hooks.request import read_call

_SAID = {
    "not-json": "not a JSON object",
    "no-resource-type": "no resourceType",
    "no-patient": "names no patient",
}


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
        return path.name, call_of(reading, hook or "patient-view", read_whole=state != "failed")
    raise NotAChart(f"{path.name}: neither a hook request nor a Bundle")


def _export(files: list[Path], hook: Hook, problems: list[str]) -> Iterator[tuple[str, HookCall]]:
    """One call a patient of a bulk export; lines are kept as bytes until their patient is read."""
    by_patient: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    shared = InMemory()
    cut: set[str] = set()
    for file in files:
        types: set[str] = set()
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
                for n, line in enumerate(lines, 1):
                    text = line.removeprefix(BOM) if n == 1 else line
                    if text.strip():
                        found = read_line(text, f"{file.name}:{n}")
                        types.add(found.resource_type)
                        for patient in found.patients:
                            by_patient[patient].append((f"{file.name}:{n}", text))
                        if found.problem is not None:
                            problems.append(f"{file.name}:{n}: {_SAID[found.problem]}")
                        elif not found.patients and isinstance(found.record, NotOfOnePatient):
                            shared.add(found.record)
        except (OSError, EOFError, zlib.error) as error:
            cut |= types_lost(file.name, types)
            reason = (error.strerror if isinstance(error, OSError) else None) or "compressed data is damaged or cut off"
            problems.append(f"{file.name}: not read to its end: {reason}")
    for patient in sorted(by_patient):
        reading = Reading(patient)
        for where, line in by_patient[patient]:
            try:
                reading.add(line, where, source="chart")
            except HookRequestError:
                continue  # a line of another patient is counted by the reading
        if len(shared):
            with_shared(reading, shared)
        yield patient, call_of(reading, hook, cut=frozenset(cut))
