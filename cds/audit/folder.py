"""The folder of a run: what was planned, what is finished, and who is writing.

What is finished has its final name: a file is written under another one, brought to the disk, and renamed. The manifest
holds the plan and never changes while the run goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from cds.audit.extract import Range
from cds.audit.inputs import InputFile
from cds.audit.job import AuditError
from cds.audit.schema import DATASETS

_FORMAT: Final = 1
OUTPUTS: Final = (
    "findings.parquet", "findings.csv", "worklist.csv", "detected_issues.ndjson", "summary.json",
    "measure_reports.ndjson", "not_evaluated.csv", "data_quality.csv", "report.html",
)  # fmt: skip
_OURS: Final = ("manifest.json", "run.json", "work", ".lock", *DATASETS, *OUTPUTS)


class Manifest(msgspec.Struct, frozen=True):
    """digest: of everything that findings depend on. patients: the only ones, None for all."""

    format: int
    digest: str
    files: list[InputFile]
    left_out: list[str]
    pieces: list[list[Range]]
    parts: int
    patients: list[str] | None
    hook: str
    rules: list[str] | None
    started: str


class PartDone(msgspec.Struct):
    """What came of a partition. latest: the last day of any chart, as text."""

    patients: int
    resources: int
    findings: int
    latest: str | None


class RunFolder:
    """OUT of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.pieces = self.work / "pieces"
        self.parts = self.work / "parts"
        self.manifest_file = path / "manifest.json"
        self.run_file = path / "run.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep other runs out of it. Raises AuditError when one is there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise AuditError(f"--out: cannot be written: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise AuditError("--out: another audit is writing to this folder") from None
            yield

    def read_manifest(self) -> Manifest | None:
        """The plan of an earlier run; None where there is none. Raises AuditError for a folder of something else."""
        try:
            manifest = msgspec.json.decode(self.manifest_file.read_bytes(), type=Manifest)
        except FileNotFoundError:
            others = sorted(p.name for p in self.path.iterdir() if p.name not in {".lock", "work"})
            if others:
                raise _something_else(others[0]) from None
            return None
        except (OSError, msgspec.MsgspecError):
            manifest = None
        if manifest is None or manifest.format != _FORMAT:
            raise AuditError("--out: its manifest.json is of another version or damaged: use --restart") from None
        return manifest

    def begin(self, manifest: Manifest) -> None:
        for folder in (self.work, self.pieces, self.parts, *(self.path / name for name in DATASETS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # they hold what charts say, patient by patient
        write(self.manifest_file, msgspec.json.format(msgspec.json.encode(manifest)))

    def restart(self) -> None:
        """Remove an earlier run; nothing else is touched.

        Raises AuditError for a folder of something else: what has one of our names there (`work`, `patients`,
        `report.html`, the manifest of an export) is not ours to remove.
        """
        others = sorted(p.name for p in self.path.iterdir() if p.name != ".lock")
        strange = [name for name in others if name not in _OURS and not _begun(name)]
        if others and not self._is_ours(damaged=not strange):
            raise _something_else((strange or others)[0])
        for name in _OURS:
            if name != ".lock":
                _remove(self.path / name)

    def _is_ours(self, *, damaged: bool) -> bool:
        """Whether a run began here; damaged: a manifest that cannot be read counts as ours."""
        try:
            found = orjson.loads(self.manifest_file.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, orjson.JSONDecodeError):
            return damaged
        return isinstance(found, dict) and {"format", "digest", "pieces"} <= found.keys()

    def sweep(self) -> None:
        """Remove what a run that was killed had begun to write."""
        for folder in (self.path, self.work, self.pieces, self.parts, *(self.path / name for name in DATASETS)):
            for begun in folder.glob(".*.*") if folder.is_dir() else ():
                if _begun(begun.name):
                    begun.unlink(missing_ok=True)

    def part_file(self, dataset: str, part: int) -> Path:
        return self.path / dataset / f"part-{part:05}.parquet"

    def done_file(self, part: int) -> Path:
        return self.parts / f"part-{part:05}.json"

    def part_done(self, part: int) -> PartDone | None:
        """What came of a partition that is finished."""
        try:
            return msgspec.json.decode(self.done_file(part).read_bytes(), type=PartDone)
        except FileNotFoundError:
            return None

    def clean(self) -> None:
        """Remove the shuffled records; timelines cannot be drawn any more."""
        _remove(self.pieces)
        _remove(self.work / "index.sqlite")


def _something_else(name: str) -> AuditError:
    return AuditError(f"--out: holds something else ({name}): name an empty or a new folder")


def _begun(name: str) -> bool:
    """Whether a file has the name of one that a run began to write."""
    return name.startswith(".") and name.rpartition(".")[2].isdigit()


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def write_json(path: Path, value: dict[str, Any]) -> None:
    write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
