"""Patients of cases: lines in the case file, a template that several rules share, or FHIR as it stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds.authoring.notation import Writer
from cds.authoring.writing import KEYS, NotationError
from cds.errors import RuleError
from cds.rules.source import Source, read_source

Lines = list[dict[str, Any]]
_LARGEST_FHIR = 20_000_000


def patient_lines(source: Source, path: Path, name: str, patient: Lines | Mapping[Any, str]) -> Lines:
    """The lines of a patient of a case file; `use:` brings in those of a template.

    patient: lines, among them `use: fixtures/patients/x.yaml`, or nothing but that. path: the case file.
    Raises RuleError R212 for a template that cannot be used.
    """
    lines = [patient] if isinstance(patient, Mapping) else patient
    found: Lines = []
    for n, line in enumerate(lines):
        if "use" not in line:
            found.append(dict(line))
            continue
        try:
            found += _template(path, line["use"])
        except (NotationError, RuleError) as error:
            where = ("patients", name, "use") if isinstance(patient, Mapping) else ("patients", name, n, "use")
            raise source.error(where, "R212", f'patient "{name}": {error}') from None
    return found


def _template(path: Path, use: Any) -> Lines:
    file = _beside(path, use)
    data = read_source(file, shown_as=str(use)).data
    lines = data.get("lines")
    if set(data) != {"lines"} or not isinstance(lines, list) or not all(isinstance(x, Mapping) for x in lines):
        raise NotationError(f"{use} is no template (write lines: and below it the lines of a patient)")
    return [dict(line) for line in lines]


def _beside(path: Path, name: Any) -> Path:
    """The file `fixtures/...` of the project that a case file belongs to. Raises NotationError for one outside."""
    if not isinstance(name, str) or not name.startswith("fixtures/"):
        raise NotationError(f'"{name}" is not below fixtures/ (write fixtures/patients/adult.yaml)')
    real = path.resolve()
    root = next((folder.parent for folder in real.parents if folder.name == "fixtures"), real.parent)
    file = (root / name).resolve()
    if not file.is_relative_to(root / "fixtures"):
        raise NotationError(f'"{name}" is outside fixtures/')
    if not file.is_file():
        raise NotationError(f"there is no file {name}")
    return file


def lines_of(
    base: Iterable[Mapping[str, Any]],
    *,
    change: Mapping[str, Mapping[str, Any]],
    without: Iterable[str],
    add: Iterable[Mapping[str, Any]],
) -> list[tuple[str, Any]]:
    """(name, body) of each line of a case: its patient's lines, changed or left out, then its own."""
    gone = set(without)
    names = {name.partition(" ")[2] or name for line in base for name in line}
    unknown = [i for i in [*change, *gone] if i not in names]
    if unknown:
        raise NotationError(f'change or without names "{unknown[0]}", which the patient does not have')
    found: list[tuple[str, Any]] = []
    for line in base:
        for name, body in line.items():
            ident = name.partition(" ")[2] or name
            if ident not in gone:
                found.append((name, {**body, **change[ident]} if ident in change else body))
    for line in add:
        found.extend(line.items())
    return found


def fhir_case(path: Path, name: str, hook: str) -> bytes:
    """The hook request of a case that is given as FHIR: a request as it stands, or a Bundle put into one.

    path: the case file; name: `fixtures/...`. Raises NotationError.
    """
    file = _beside(path, name)
    if file.stat().st_size > _LARGEST_FHIR:
        raise NotationError(f"{name} is larger than {_LARGEST_FHIR} bytes")
    raw = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise NotationError(f"{name} is not JSON") from None
    if isinstance(data, dict) and "hook" in data:
        if data["hook"] != hook:
            raise NotationError(
                f"{name} is a {data['hook']} request, the case asks as {hook} (write hook: in the case)"
            )
        return raw
    if not isinstance(data, dict) or data.get("resourceType") != "Bundle":
        raise NotationError(f"{name} is neither a Bundle nor a hook request")
    return orjson.dumps(_asked_of(data, name, hook))


def _asked_of(bundle: Mapping[str, Any], name: str, hook: str) -> dict[str, Any]:
    """A Bundle of one patient as the request of a client that found all of it, and nothing else."""
    resources = [e["resource"] for e in bundle.get("entry", ()) if isinstance(e, dict) and "resource" in e]
    patients = [r.get("id") for r in resources if r.get("resourceType") == "Patient"]
    if len(patients) != 1:
        raise NotationError(f"{name} has {len(patients)} patients (a case is about one)")
    writer = Writer(dt.date.min)
    for resource in resources:
        ordered = hook in {"order-sign", "order-select"} and resource.get("status") == "draft"
        (writer.drafts if ordered and resource["resourceType"] in KEYS else writer.charted).append(resource)
    request = writer.request(hook)
    request["context"]["patientId"] = patients[0]
    return request
