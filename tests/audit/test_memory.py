"""What all processes of a run hold together stays below the bound, one patient of many resources included."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cds.audit.job import AuditError
from cds.audit.memory import tree_bytes
from cds.audit.plan import budget_of
from tests.audit.runs import OVERLAP, TODAY, chart, lines_of, psychmed, rows

MB = 1 << 20
BOUND = 340 * MB
RESULTS = 50_000


def test_the_bound_holds_for_the_whole_tree_of_processes(tmp_path: Path) -> None:
    # 120 MB of lines, 50,000 results of one patient that rules read: more than a worker may hold at a time.
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.ndjson").write_bytes(lines_of(chart("anna", *OVERLAP)))
    result = {
        "resourceType": "Observation", "id": "@", "status": "final", "subject": {"reference": "Patient/anna"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        "effectiveDateTime": "2026-02-01", "valueInteger": 9, "note": [{"text": "x" * 2200}],
    }  # fmt: skip
    line = json.dumps(result).encode() + b"\n"
    with (tmp_path / "in" / "Observation.ndjson").open("wb") as file:
        for n in range(RESULTS):
            file.write(line.replace(b"@", b"o%d" % n))
    arguments = ("--today", TODAY.isoformat(), "--out", str(tmp_path / "out"), "--memory", str(BOUND), "--workers", "2")
    done = psychmed("audit", str(tmp_path / "in"), *arguments)
    assert done.returncode == 1, done.stderr
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert report["workers"] == 1, "two do not fit"
    assert 100 * MB < report["peak_memory"] < BOUND
    (patient,) = rows(tmp_path / "out", "patients")
    assert patient["resources"] == RESULTS + 5


def test_the_memory_of_a_tree_is_at_least_that_of_its_root() -> None:
    assert tree_bytes(os.getpid()) > 20 * MB


def test_fewer_workers_are_started_where_all_would_not_fit() -> None:
    assert [budget_of(size * MB, 8).workers for size in (340, 600, 1000, 4000)] == [1, 2, 4, 8]
    with pytest.raises(AuditError, match="at least"):
        budget_of(200 * MB, 8)
