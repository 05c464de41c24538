"""A worker or the whole run killed with SIGKILL at any place: the same findings, and every patient counted once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cds.audit import plan, tasks
from cds.audit.folder import RunFolder
from cds.audit.job import AuditError
from cds.audit.run import Options
from tests.audit.runs import (
    ROOT,
    TODAY,
    environment_of,
    found,
    lines_of,
    psychmed,
    rows,
    run,
    two_patients,
    write_ndjson,
)
from tests.conftest import missing

DATASETS = ("findings", "not_evaluated", "patients", "problems")
PATIENTS = 160
CLAIM = b'{"resourceType": "Claim", "patient": {"reference": "Patient/anna1"}, "x": "' + b"x" * 2000 + b'"}\n'
SECONDS = 90


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than the size that is audited without workers, in several pieces and eight partitions."""
    folder = tmp_path_factory.mktemp("export")
    text = lines_of(two_patients()).decode()
    charts = "".join(text.replace("anna", f"anna{n}").replace("bela", f"bela{n}") for n in range(PATIENTS // 2))
    (folder / "all.ndjson").write_text(charts)
    for number in range(3):
        (folder / f"Claim-{number}.ndjson").write_bytes(CLAIM * (4_500_000 // len(CLAIM)))
    return folder


@pytest.fixture(scope="module")
def undisturbed(export: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = psychmed(*command(export, out))
    assert done.returncode == 1, done.stderr
    assert len({row["patient"] for row in rows(out, "patients")}) == PATIENTS
    return files_of(out)


def command(export: Path, out: Path) -> list[str]:
    return ["audit", str(export), "--today", TODAY.isoformat(), "--out", str(out), "--workers", "1"]


def files_of(out: Path) -> dict[str, bytes]:
    return {f"{name}/{file.name}": file.read_bytes() for name in DATASETS for file in (out / name).glob("*.parquet")}


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


def workers_of(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Processes of the pool, as the system lists them."""
    for entry in Path("/proc").iterdir():
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1] if entry.name.isdigit() else ""
            started_as = (entry / "cmdline").read_bytes() if parent == str(process.pid) else b""
        except OSError:
            continue
        if b"spawn_main" in started_as:
            yield int(entry.name)


# Where a run has come to, seen from its folder.
PLACES: dict[str, Callable[[RunFolder], object]] = {
    "while the export is read": lambda f: f.pieces.is_dir() and any(f.pieces.glob(".piece-*")),
    "when a piece is finished": lambda f: any(f.pieces.glob("piece-*")),
    "when a partition is finished": lambda f: any(f.parts.glob("part-*")),
}


def kill_at_each_place(process: subprocess.Popen[bytes], out: Path, whom: str, places: list[str]) -> int:
    """Kill a worker, or the run, when the run has come to a place; returns how the run ended."""
    try:
        for place in places:
            wait_for(lambda place=place: process.poll() is not None or PLACES[place](RunFolder(out)))  # type: ignore[misc]
            wait_for(lambda: process.poll() is not None or any(workers_of(process)))
            workers = list(workers_of(process))
            assert workers, f"the run was over before it was {place}"
            os.kill(workers[0] if whom == "a worker" else process.pid, signal.SIGKILL)
            wait_for(lambda pid=workers[0]: not is_running(pid))  # type: ignore[misc]
        return process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(export: Path, out: Path) -> subprocess.Popen[bytes]:
    if not Path("/proc/self/stat").exists():
        missing("finds processes in /proc")
    arguments = [sys.executable, "-m", "cds.cli.main", *command(export, out)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(arguments, cwd=ROOT, env=environment_of({}), stdout=quiet, stderr=quiet)


def test_a_worker_killed_at_each_of_three_places_changes_no_byte(
    export: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert kill_at_each_place(start(export, out), out, "a worker", list(PLACES)) == 1, "as if nothing had happened"
    assert files_of(out) == undisturbed
    assert nothing_half_written(out)


def test_the_run_killed_at_each_of_three_places_goes_on_and_changes_no_byte(
    export: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for place in PLACES:
        assert kill_at_each_place(start(export, out), out, "the run", [place]) == -signal.SIGKILL
        assert not (out / "run.json").exists()
    assert psychmed(*command(export, out)).returncode == 1
    assert files_of(out) == undisturbed
    assert nothing_half_written(out)


def nothing_half_written(out: Path) -> bool:
    return not [file for file in out.rglob(".*") if file.name != ".lock"]


def test_a_finished_run_asked_again_does_nothing_anew(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    run(export, tmp_path / "out")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("part-*")}
    run(export, tmp_path / "out")
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("part-*")} == before


@pytest.mark.parametrize("change", ["the files", "the day", "the rules"])
def test_a_folder_of_another_run_is_refused_and_begun_again_when_asked(change: str, tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    run(export, tmp_path / "out")
    given: dict[str, object] = {}
    if change == "the files":
        (export / "Condition.ndjson").write_bytes((export / "Condition.ndjson").read_bytes() + b"\n")
    elif change == "the day":
        given["today"] = TODAY.replace(day=3)
    else:
        given["rules"] = ("A-",)
    with pytest.raises(AuditError, match="--restart"):
        run(export, tmp_path / "out", **given)
    run(export, tmp_path / "out", options=Options(restart=True), **given)
    assert len(rows(tmp_path / "out", "patients")) == 2


@pytest.mark.parametrize("manifest", [None, b'{"transactionTime": "2026-03-02"}', b""])
def test_beginning_anew_removes_nothing_from_a_folder_of_something_else(manifest: bytes | None, tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    theirs = [tmp_path / "home" / name for name in ("work/thesis.txt", "patients/list.txt", "report.html", "a.txt")]
    theirs += [tmp_path / "home" / "manifest.json"] * (manifest is not None)
    for file in theirs:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(manifest or b"theirs")
    with pytest.raises(AuditError, match="something else"):
        run(export, tmp_path / "home", options=Options(restart=True))
    assert all(file.is_file() for file in theirs)


@pytest.mark.parametrize("out", ["in", "in/results"])
def test_a_folder_in_the_export_is_refused_for_its_files_would_be_read_the_next_time(out: str, tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    with pytest.raises(AuditError, match="beside the export"):
        run(export, tmp_path / out)
    assert not (tmp_path / "in/results").exists()


def test_nobody_else_can_read_what_a_run_keeps_of_patients(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    out = tmp_path / "out"
    run(export, out, patients=frozenset({"anna"}))
    private = [*(out / name for name in DATASETS), out / "work", out / "manifest.json", out / "run.json"]
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("mine")
    with pytest.raises(AuditError, match=r"thesis\.docx"):
        run(export, tmp_path / "out")


def test_two_runs_on_one_folder_do_not_meet(tmp_path: Path) -> None:
    export = write_ndjson(tmp_path / "in", two_patients())
    with RunFolder(tmp_path / "out").locked(), pytest.raises(AuditError, match="another audit"):
        run(export, tmp_path / "out")


def test_a_piece_of_the_input_that_was_given_up_is_never_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = write_ndjson(tmp_path / "in", two_patients(), compress=True)
    monkeypatch.setattr(plan, "_SMALLEST_PIECE", 1)  # each compressed file is a piece of its own
    real = tasks.extract

    def fails(ranges: Any, files: Any, *given: Any, **named: Any) -> None:
        if files[ranges[0].file].name == "MedicationDispense.ndjson.gz":
            raise RuntimeError
        real(ranges, files, *given, **named)

    with monkeypatch.context() as broken:
        broken.setattr(tasks, "extract", fails)
        (failed,) = run(export, tmp_path / "out")["failed_parts"]
    assert failed["why"] == "internal: RuntimeError"
    reasons = {(row["patient"], row["reason"]) for row in rows(tmp_path / "out", "not_evaluated")}
    for patient in ("anna", "bela"):
        assert (patient, "medication history: search not read to its end") in reasons
    (again,) = run(export, tmp_path / "out")["failed_parts"]
    assert again["part"] == failed["part"]
    assert "--restart" in again["why"]
    assert run(export, tmp_path / "out", options=Options(restart=True))["failed_parts"] == []
    assert found(tmp_path / "out") == {"anna": ["A-02"], "bela": []}
