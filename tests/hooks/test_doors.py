"""One house, three doors: byte-equal findings over HTTP, by `psychmed check` and by `psychmed test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds.authoring.cases import Case, case_files, read_cases
from cds.cli.doors import EngineDoor
from cds.shipped import shipped
from tests.hooks.invariants import check_response
from tests.hooks.service import ROOT, running

CASES = [c for f in case_files(shipped("fixtures/cases")) for c in read_cases(f)]
DAYS = sorted({c.today for c in CASES})
ZONE = "America/New_York"
COMPARED = (
    "findings",
    "withheld",
    "evaluated",
    "not_evaluated",
    "bad_resources",
    "ignored_resources",
    "medications",
    "today",
)


def canonical(evaluation: dict[str, Any]) -> bytes:
    """What every door must agree on, as canonical JSON; the engine's name may differ."""
    return orjson.dumps({key: evaluation[key] for key in COMPARED}, option=orjson.OPT_SORT_KEYS)


def expected(case: Case, door: EngineDoor) -> bytes:
    evaluation = door(case.request, hook=case.hook, today=case.today, time_zone=case.time_zone)
    return canonical(orjson.loads(orjson.dumps(evaluation.canonical())))


def test_the_sweep_has_a_leap_day_a_year_end_and_a_daylight_saving_change() -> None:
    assert {d.isoformat() for d in DAYS} >= {"2024-02-29", "2025-12-31", "2026-03-09"}
    assert {c.time_zone for c in CASES} == {ZONE}


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_http_and_the_command_give_the_findings_of_the_tests(today: Any, tmp_path: Path) -> None:
    cases = [c for c in CASES if c.today == today]
    door = EngineDoor(every_branch=False)
    wanted = {f"{n:04d}.json": expected(c, door) for n, c in enumerate(cases)}

    over_http: dict[str, bytes] = {}
    with running(PSYCHMED_TODAY=today.isoformat(), PSYCHMED_TIME_ZONE=ZONE) as service:
        for (name, _), case in zip(wanted.items(), cases, strict=True):
            if case.hook == "batch":
                continue  # an audit is no hook of the service
            answer = service.post(f"psychmed-{case.hook}", case.request)
            assert answer.status_code == 200, (case.name, answer.text)
            body = answer.json()
            drafts = [
                f"MedicationRequest/{entry['resource']['id']}"
                for entry in json.loads(case.request)["context"].get("draftOrders", {}).get("entry", [])
            ]
            check_response(body, drafts=drafts)
            over_http[name] = canonical(body["extension"]["org.psychmed.evaluation"])
    of_the_service = {name for name, case in zip(wanted, cases, strict=True) if case.hook != "batch"}
    assert over_http == {name: findings for name, findings in wanted.items() if name in of_the_service}

    for (name, _), case in zip(wanted.items(), cases, strict=True):
        (tmp_path / name).write_bytes(case.request)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cds.cli.main",
            "check",
            str(tmp_path),
            "--today",
            today.isoformat(),
            "--format",
            "json",
        ],
        cwd=ROOT,
        env={**os.environ, "PSYCHMED_TIME_ZONE": ZONE},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr.decode()
    by_command = {row["chart"]: canonical(row["evaluation"]) for row in orjson.loads(done.stdout)}
    assert by_command == wanted
