"""An audit of a large export: python bench/audit.py [EXPORT] [--patients 100000] [--memory 2G]

CPU seconds of all processes against the floor, `orjson.loads` of the same lines in the same run: on a busy machine the
wall clock says little. Peak memory is of the whole tree of processes. Without EXPORT one is made (bench/export.py).
"""

from __future__ import annotations

import argparse
import gzip
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.charts import TODAY
from bench.export import Plan, write_export
from cds.audit.job import Job
from cds.audit.run import Options, run_audit
from cds.settings import load_settings

MB = 1 << 20
SAMPLE = 20  # one file in so many is decoded for the floor


class Quiet:
    """Shows nothing."""

    def stage(self, name: str, total: int, done: int) -> None: ...

    def advance(self, by: int, *, patients: int = 0) -> None: ...

    def note(self, text: str) -> None: ...


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("export", type=Path, nargs="?")
    arguments.add_argument("--patients", type=int, default=100_000)
    arguments.add_argument("--gzip", action="store_true")
    arguments.add_argument("--memory", type=int, default=2048, help="MB")
    arguments.add_argument("--workers", type=int, default=2)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = asked.export or Path(folder) / "export"
        if asked.export is None:
            write_export(Plan(export, asked.patients, compress=asked.gzip))
        measure(export, Path(folder) / "out", memory=asked.memory * MB, workers=asked.workers)


def measure(export: Path, out: Path, *, memory: int, workers: int) -> None:
    """Run one audit and print its figures."""
    job = Job(load_settings(time_zone="America/New_York"), TODAY)
    before, began = cpu(), time.perf_counter()
    report = run_audit(str(export), out, job, Options(memory, workers), progress=Quiet(), now=lambda: "")
    spent, wall = cpu() - before, time.perf_counter() - began
    files = sorted(f for f in export.iterdir() if ".ndjson" in f.name)
    decoded = floor(files)
    patients = report["patients"]
    print(f"{patients} patients, {report['resources']} resources, {report['input_bytes'] / 1e6:.0f} MB")
    print(f"findings            {report['findings']}")
    print(f"CPU                 {spent:.1f} s, {patients / spent:.0f} patients/s and core")
    print(f"floor               {decoded:.1f} s to decode the lines, ratio {spent / decoded:.2f}")
    print(f"wall                {wall:.1f} s with {report['workers']} workers, {report['seconds']}")
    print(f"peak memory         {report['peak_memory'] / MB:.0f} MB of {memory / MB:.0f}")
    print(f"shuffle / input     {report['shuffle_bytes'] / report['input_bytes']:.3f}")
    shutil.rmtree(out)


def floor(files: list[Path]) -> float:
    """CPU seconds to decode every line, from a sample of the files by size."""
    total, sampled, seconds = 0, 0, 0.0
    for number, file in enumerate(files):
        total += file.stat().st_size
        if number % SAMPLE:
            continue
        sampled += file.stat().st_size
        lines = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).splitlines()
        began = time.process_time()
        for line in lines:
            orjson.loads(line)
        seconds += time.process_time() - began
    return seconds * total / sampled


def cpu() -> float:
    """CPU seconds of this process and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    main()
