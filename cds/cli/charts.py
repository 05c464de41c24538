"""Files to hook calls: a hook request, a Bundle, a folder of Bundles, or a folder of NDJSON as in a bulk export."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from cds.errors import CdsError, HookRequestError
from cds.evaluate import HookCall
from cds.fhir.reading import Reading, SearchState, normalize_reference
from cds.model import Hook
from hooks.discovery import PREFETCH
from hooks.request import read_call

_SEARCHED = {resource_type: "complete" for resource_type, _ in PREFETCH.values()}
_DRAFT_HOOKS = frozenset({"order-sign", "order-select"})


class _Reference(msgspec.Struct):
    reference: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    """The few fields that say what a file or a line is."""

    resource_type: str | None = None
    id: str | None = None
    status: str | None = None
    hook: str | None = None
    subject: _Reference | None = None
    patient: _Reference | None = None


class NotAChart(CdsError):
    """A file that is neither a hook request nor a Bundle."""


def read_path(path: Path, *, hook: Hook | None) -> Iterator[tuple[str, HookCall]]:
    """(name, call) for each patient of a file or folder, by name.

    hook: which hook to ask as; needed for charts (default patient-view), taken from a request.
    Raises NotAChart and HookRequestError for what cannot be read at all.
    """
    if path.is_dir():
        lines = sorted(p for p in path.iterdir() if p.name.endswith((".ndjson", ".ndjson.gz")))
        if lines:
            yield from _export(lines, hook or "patient-view")
            return
        for file in sorted(path.glob("*.json")):
            yield from read_path(file, hook=hook)
        return
    raw = path.read_bytes()
    try:
        head = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"), type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotAChart(f"{path.name}: not a JSON object") from None
    if head.hook is not None:
        asked = hook or head.hook
        if asked not in get_args(Hook):
            raise NotAChart(f"{path.name}: the hook is not one of {', '.join(get_args(Hook)[:-1])}")
        yield path.name, read_call(raw, asked)  # type: ignore[arg-type]
    elif head.resource_type == "Bundle":
        reading = Reading(None)
        reading.add(raw, "bundle", source="chart")
        yield path.name, _call(reading, hook or "patient-view")
    else:
        raise NotAChart(f"{path.name}: neither a hook request nor a Bundle")


def _call(reading: Reading, hook: Hook) -> HookCall:
    """A whole chart: what is not in it was looked for and not found."""
    drafts: tuple[str, ...] = ()
    if hook in _DRAFT_HOOKS:
        requests = reading.records.get("MedicationRequest", ())
        drafts = tuple(f"MedicationRequest/{r.id}" for r in requests if getattr(r, "status", None) == "draft")
    states: dict[str, SearchState] = dict.fromkeys(_SEARCHED, "complete")
    return HookCall(hook, reading.patient_id or "", None, None, reading, states, drafts)


def _export(files: list[Path], hook: Hook) -> Iterator[tuple[str, HookCall]]:
    """One call a patient of a bulk export; lines are kept as bytes until their patient is read."""
    by_patient: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for file in files:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for n, line in enumerate(lines, 1):
                if line.strip():
                    by_patient[_patient_of(line)].append((f"{file.name}:{n}", line))
    for patient in sorted(by_patient):
        if not patient:
            continue
        reading = Reading(patient)
        for where, line in by_patient[patient]:
            try:
                reading.add(line, where, source="chart")
            except HookRequestError:
                continue  # a line of another patient is counted by the reading
        yield patient, _call(reading, hook)


def _patient_of(line: bytes) -> str:
    """The bare patient id that a line is about; "" when it names none."""
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if head.resource_type == "Patient":
        return head.id or ""
    named = (head.subject.reference if head.subject else None) or (head.patient.reference if head.patient else None)
    return (normalize_reference(named) or "").rpartition("/")[2].removeprefix("urn:uuid:") if named else ""
