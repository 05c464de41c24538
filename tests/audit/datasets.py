"""Audits as their evaluation leaves them, small enough to count by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from cds.audit.schema import FINDINGS, NOT_EVALUATED, PATIENTS, PROBLEMS

DAY = dt.date(2026, 3, 2)
MEMORY = 256 * 1024 * 1024
RULE_IDS = {"B-02": "benzodiazepine-continuous-use", "A-02": "same-class-pair", "D-01": "antidepressant-follow-up"}


def rule(spec: str, **changed: Any) -> dict[str, Any]:
    """A rule as run.json tells it."""
    told = {
        "spec": spec,
        "id": RULE_IDS.get(spec, spec.lower()),
        "version": "1.0.0",
        "title": f"Title of {spec}",
        "status": "active",
        "signed_off": False,
        "review_by": "2027-01-01",
        "source": {"label": f"Source of {spec}", "url": "https://guideline.example/page"},
    }
    return told | changed


def finding(patient: str, spec: str, **changed: Any) -> dict[str, Any]:
    row = {
        "patient": patient, "day": DAY, "hook": "batch", "order": "", "spec": spec,
        "rule": RULE_IDS.get(spec, spec.lower()), "version": "1.0.0", "level": "long", "indicator": "warning",
        "disposition": "shown", "summary": f"Summary of {spec}", "detail": "Detail.",
        "evidence": ["Encounter/e1", "MedicationRequest/m1"], "implicated": ["MedicationRequest/m1"], "about": "bzd",
        "subject": "s1", "unit": "", "prescriber": "Practitioner/p1", "missing": [], "since": dt.date(2026, 1, 15),
        "canonical": "{}",
    }  # fmt: skip
    return row | changed


def not_evaluated(patient: str, spec: str, reason: str = "encounters: not available", **changed: Any) -> dict[str, Any]:
    row = {"patient": patient, "day": DAY, "hook": "batch", "order": "", "spec": spec, "reason": reason, "unit": ""}
    return row | changed


def patient(name: str, *, in_scope: Sequence[str] = (), unit: str = "", **changed: Any) -> dict[str, Any]:
    row = {
        "patient": name, "day": DAY, "hook": "batch", "order": "", "unit": unit, "evaluated": list(in_scope),
        "in_scope": list(in_scope), "resources": 10, "bad": 0, "ignored": 0, "drugs_identified": 2,
        "drugs_unidentified": 0, "drugs_not_listed": 0, "drugs_conflict": 0, "has_psychotropic": bool(in_scope),
        "psychotropic_orders": len(in_scope), "missing_dates": 0, "unidentified": [],
    }  # fmt: skip
    return row | changed


def write_audit(
    out: Path,
    *,
    patients: Sequence[dict[str, Any]] = (),
    findings: Sequence[dict[str, Any]] = (),
    missed: Sequence[dict[str, Any]] = (),
    problems: Sequence[dict[str, Any]] = (),
    rules: Sequence[dict[str, Any]] = (),
    parts: int = 2,
    **told: Any,
) -> Path:
    """Write the datasets, in `parts` files by patient, and run.json. Without rows a dataset has no file."""
    out.mkdir(parents=True, exist_ok=True)
    for name, schema, rows in (
        ("patients", PATIENTS, patients), ("findings", FINDINGS, findings),
        ("not_evaluated", NOT_EVALUATED, missed), ("problems", PROBLEMS, problems),
    ):  # fmt: skip
        (out / name).mkdir(exist_ok=True)
        for part in range(parts):
            chosen = [r for r in rows if sum(str(r.get("patient", r.get("file"))).encode()) % parts == part]
            if chosen:
                pq.write_table(
                    pa.Table.from_pylist(list(chosen), schema=schema), out / name / f"part-{part:05}.parquet"
                )
    run = {
        "psychmed": "0.1.0", "started": "2026-03-02T08:00:00+00:00", "finished": "2026-03-02T08:01:00+00:00",
        "today": DAY.isoformat(), "as": "point-in-time", "from": None, "to": None, "hook": "batch",
        "rules_version": "f00f00f00f00", "engine": "verified",
        "rules": list(rules) or [rule(spec) for spec in ("A-02", "B-02", "D-01")], "settings_changed": [],
        "inputs": [{"file": "Patient.ndjson", "bytes": 1000, "lines": 10, "bad_lines": 0}],
        "patients": len({p["patient"] for p in patients}),
        "resources": 10 * len(patients), "parts": parts, "failed_parts": [], "drug_table": "shipped, RxNorm 2025-10",
        "limit": None, "only_rules": [], "memory": MEMORY, "workers": 1, "peak_memory": 1, "seconds": {},
        "shuffle_bytes": 1, "input_bytes": 1000, "data_date": "2026-03-01",
    }  # fmt: skip
    (out / "run.json").write_bytes(orjson.dumps(run | told))
    return out
