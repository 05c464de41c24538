"""The files with one row a finding: `findings.parquet`, `findings.csv`, `worklist.csv`, `detected_issues.ndjson`.

All four name patients: they are for the clinic, and nobody but the owner of the files can read them. Rows are sorted by
patient, day, hook, order, rule, subject; a consumer checks that they come in that order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds.audit.outputs.dataset import Run
from cds.audit.outputs.files import write_csv, write_lines
from cds.errors import CdsError
from cds.fhir.detected_issue import Issue, detected_issue

_SORT = 'patient, day, hook, "order", spec, subject, level, summary, detail'
# `id` is the same for the same finding of the same charts: a hash of what makes it different from all others.
_FINDINGS = f"""
SELECT sha256(concat_ws(chr(31), patient, day, hook, "order", spec, subject, level, summary,
              row_number() OVER (PARTITION BY patient, day, hook, "order", spec, subject, level, summary
                                 ORDER BY detail, about)))[1:32] AS id, *
FROM findings ORDER BY {_SORT}
"""
_CSV = (
    "id", "patient", "day", "hook", "order", "spec", "rule", "version", "level", "indicator", "disposition", "summary",
    "detail", "about", "unit", "prescriber", "since", "implicated", "evidence", "missing",
)  # fmt: skip
NAMES_PATIENTS = "names patients: for the clinic that treats them, not for circulation"


def write_findings(run: Run) -> int:
    """Write `findings.parquet` and `findings.csv`; return the number of findings."""
    _write_parquet(run, run.out / "findings.parquet")
    rows = ([_cell(row[name]) for name in _CSV] for row in _sorted_findings(run))
    return write_csv(run.out / "findings.csv", _CSV, rows)


def _cell(value: Any) -> Any:
    return " ".join(str(v) for v in value) if isinstance(value, list) else value


def _sorted_findings(run: Run) -> Iterator[Mapping[str, Any]]:
    """Findings in order. Raises CdsError when the database breaks it, which it has been seen to do."""
    before: tuple[str, ...] = ()
    for batch in run.reader(_FINDINGS):
        for row in batch.to_pylist():
            place = (row["patient"], str(row["day"]), row["hook"], row["order"], row["spec"])
            if place < before:
                raise CdsError("findings came out of order from the database: nothing was written")
            before = place
            yield row


def _write_parquet(run: Run, path: Path) -> None:
    import pyarrow.parquet as pq

    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    reader = run.reader(_FINDINGS)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with pq.ParquetWriter(part, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
    part.replace(path)


_WORKLIST = f"""
SELECT coalesce(clinic, unit) AS clinic, prescriber, patient, "order", indicator, spec, rule, summary, day, since,
       implicated, missing, disposition
FROM findings LEFT JOIN unit_names USING (unit)
ORDER BY coalesce(clinic, unit) = '', 1, unit, prescriber = '', prescriber,
         CASE indicator WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, {_SORT}
"""
_WORKLIST_HEADER = (
    "clinic", "prescriber", "patient", "patient_in_report", "order", "indicator", "rule", "summary", "asked_on",
    "since", "implicated", "could_not_be_checked", "card",
)  # fmt: skip


def write_worklist(run: Run, numbers: Mapping[str, int]) -> int:
    """Write `worklist.csv`, by clinic and prescriber. numbers: of the patients in the report."""

    def rows() -> Iterator[list[Any]]:
        for batch in run.reader(_WORKLIST):
            for row in batch.to_pylist():
                yield [
                    row["clinic"] or "not recorded",
                    row["prescriber"] or "not recorded",
                    row["patient"],
                    numbers.get(row["patient"], ""),
                    row["order"],
                    row["indicator"],
                    f"{row['spec']} {row['rule']}",
                    row["summary"],
                    row["day"],
                    row["since"],
                    _cell(row["implicated"] or []),
                    "; ".join(row["missing"] or []),
                    row["disposition"],
                ]

    return write_csv(run.out / "worklist.csv", _WORKLIST_HEADER, rows(), note=NAMES_PATIENTS)


def write_detected_issues(run: Run) -> int:
    """Write `detected_issues.ndjson`: FHIR R4, one resource a finding."""
    rules = {str(rule["spec"]): rule for rule in run.told["rules"]}
    version = str(run.told.get("psychmed", ""))

    def lines() -> Iterator[bytes]:
        for row in _sorted_findings(run):
            rule = rules.get(row["spec"], {})
            orders = [*(row["implicated"] or []), *([row["order"]] if row["order"] else [])]
            resource = detected_issue(
                Issue(
                    id=row["id"],
                    patient=row["patient"],
                    day=row["day"],
                    indicator=row["indicator"],
                    rule=row["rule"],
                    version=row["version"],
                    title=str(rule.get("title") or row["rule"]),
                    summary=row["summary"],
                    detail=row["detail"],
                    implicated=tuple(dict.fromkeys(orders)),
                    evidence=tuple(row["evidence"] or []),
                    source_url=str((rule.get("source") or {}).get("url", "")),
                    author=f"psychmed {version}".strip(),
                )
            )
            yield orjson.dumps(resource)

    return write_lines(run.out / "detected_issues.ndjson", lines())
