"""Audits in tests: small exports, runs of them, and what the files of a run say."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cds.audit.job import Job
from cds.audit.run import Options, run_audit
from cds.authoring.notation import PATIENT, Writer
from cds.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
TODAY = dt.date(2026, 3, 2)
ZONE = "America/New_York"
Resource = dict[str, Any]


class Silent:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, total: int, done: int) -> None: ...

    def advance(self, by: int, *, patients: int = 0) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def job(**given: Any) -> Job:
    return Job(settings=load_settings(time_zone=ZONE), today=given.pop("today", TODAY), **given)


def run(export: Path | str, out: Path, *, options: Options | None = None, **given: Any) -> dict[str, Any]:
    """Audit in this process, where the export is small."""
    return run_audit(
        str(export), out, job(**given), options or Options(), progress=Silent(), now=lambda: "2026-03-02T12:00:00-05:00"
    )


def rows(out: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows of a data set, in the order of its files."""
    return [row for file in sorted((out / dataset).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def found(out: Path) -> dict[str, list[str]]:
    """Specification ids of the findings of each patient that was audited."""
    by_patient: dict[str, list[str]] = {row["patient"]: [] for row in rows(out, "patients")}
    for row in rows(out, "findings"):
        by_patient[row["patient"]].append(row["spec"])
    return by_patient


def chart(patient: str, *lines: tuple[str, Any]) -> list[Resource]:
    """Resources of a patient, in the notation of the case files; ids are made unique by the patient's."""
    writer = Writer(TODAY)
    writer.line("patient", {"age": 45})
    for name, body in lines:
        writer.line(name, body)
    text = json.dumps(writer.charted).replace(f"Patient/{PATIENT}", f"Patient/{patient}")
    resources: list[Resource] = json.loads(text)
    for resource in resources:
        resource["id"] = patient if resource["resourceType"] == "Patient" else f"{patient}-{resource['id']}"
    return resources


# Filled for 31 common days in the last month: A-02 speaks (row 4 of its table).
OVERLAP = (
    ("visit v1", {"date": "-400d"}),
    ("visit v2", {"date": "-5d"}),
    ("fills s", {"drug": "sertraline 50", "take": 1, "from": "-31d", "days_supply": "31d"}),
    ("fills e", {"drug": "escitalopram 10", "take": 1, "from": "-31d", "days_supply": "31d"}),
)
QUIET = (("visit v1", {"date": "-400d"}), ("condition mdd", {"code": "F33.1", "onset": "-300d"}))


def lines_of(resources: Sequence[Resource]) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in resources)


def write_ndjson(folder: Path, resources: Sequence[Resource], *, compress: bool = False) -> Path:
    """One file of each type, as a server exports them."""
    folder.mkdir(parents=True, exist_ok=True)
    by_type: dict[str, list[Resource]] = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    for name, of_type in by_type.items():
        data = lines_of(of_type)
        file = folder / f"{name}.ndjson{'.gz' if compress else ''}"
        file.write_bytes(gzip.compress(data) if compress else data)
    return folder


def two_patients() -> list[Resource]:
    """One in whom A-02 speaks, and one without a medicine."""
    return [*chart("anna", *OVERLAP), *chart("bela", *QUIET)]


def psychmed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cds.cli.main", *arguments],
        cwd=ROOT,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def environment_of(given: Mapping[str, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")}
    return {**inherited, "PSYCHMED_TIME_ZONE": ZONE, **given}
