"""A bulk export of many patients: python bench/export.py FOLDER [--patients 100000] [--gzip] [--references absolute]

A patient is a filling of results, visits, problems and somatic orders, and for one in ten the chart of a case file, so
that each rule fires in some. One patient has 50,000 resources. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.charts import TODAY, coded, filling
from cds.authoring.cases import case_files, read_cases
from cds.shipped import shipped

SHARD = 2000  # patients of one file of each type
LARGEST = 50_000
PSYCHIATRIC = 0.10
# Resources of a filling; the mean is about 42.
SIZES = (4, 8, 12, 18, 25, 33, 40, 60, 80, 140)
MARK = "psychmed-bench-patient"
Template = list[tuple[str, bytes]]
REFERENCES = {"relative": "", "urn": "urn:uuid:", "absolute": "https://ehr.example.org/fhir/"}


def patient_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number * 2654435761 % (1 << 48):012x}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--patients", type=int, default=100_000)
    arguments.add_argument("--largest", type=int, default=LARGEST)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--gzip", action="store_true")
    arguments.add_argument("--references", choices=tuple(REFERENCES), default="relative")
    asked = arguments.parse_args()
    began = time.perf_counter()
    plan = Plan(asked.folder, asked.patients, asked.largest, asked.seed, asked.gzip, asked.references)
    lines = write_export(plan)
    size = sum(f.stat().st_size for f in asked.folder.iterdir())
    print(f"{asked.patients} patients, {lines} resources, {size / 1e6:.0f} MB, {time.perf_counter() - began:.0f} s")


@dataclass(frozen=True)
class Plan:
    """largest: resources of the first patient. kind: how references are written."""

    folder: Path
    patients: int
    largest: int = LARGEST
    seed: int = 7
    compress: bool = False
    kind: str = "relative"


def write_export(plan: Plan) -> int:
    """Write the files; returns the number of resources."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-plan.patients // SHARD))
    lines = _write_shared(plan.folder, plan.compress)
    if len(shards) == 1:
        return lines + _write_shard(plan, 0)
    with ProcessPoolExecutor() as pool:
        return lines + sum(pool.map(_write_shard, [plan] * len(shards), shards))


def _write_shard(plan: Plan, shard: int) -> int:
    rng = random.Random(f"{plan.seed} {shard}")
    files: dict[str, IO[bytes]] = {}
    lines = 0
    for number in range(shard * SHARD, min((shard + 1) * SHARD, plan.patients)):
        own = patient_id(number).encode()
        size = plan.largest if number == 0 else rng.choice(SIZES)
        template = [*_patient(rng.randrange(40)), *_filling(size, plan.kind)]
        if rng.random() < PSYCHIATRIC:
            of_cases = _cases(plan.kind)
            template += of_cases[rng.randrange(len(of_cases))]
        for resource_type, line in template:
            file = files.get(resource_type)
            if file is None:
                file = files[resource_type] = _open(plan.folder / f"{resource_type}.{shard:04}.ndjson", plan.compress)
            file.write(line.replace(MARK.encode(), own))
            lines += 1
    for file in files.values():
        file.close()
    return lines


def _open(path: Path, compress: bool) -> IO[bytes]:
    if not compress:
        return path.open("wb", buffering=1 << 20)
    # Without a time in the header the same export is the same bytes.
    raw = gzip.GzipFile("", "wb", 1, path.with_name(path.name + ".gz").open("wb"), mtime=0)
    return io.BufferedWriter(raw, 1 << 20)  # type: ignore[return-value]


def _write_shared(folder: Path, compress: bool) -> int:
    """Products, clinicians and places, which are of no one patient."""
    rows: list[dict[str, Any]] = [
        {"resourceType": "Organization", "id": "o1", "name": "Clinic of the benchmark"},
        {"resourceType": "Practitioner", "id": "p1", "qualification": [{"code": {"text": "MD"}}]},
        {"resourceType": "Medication", "id": "m1", "code": coded(RXNORM, "314076", "lisinopril 10 MG Oral Tablet")},
    ]
    for row in rows:
        with _open(folder / f"{row['resourceType']}.ndjson", compress) as file:
            file.write(orjson.dumps(row) + b"\n")
    return len(rows)


RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@cache
def _patient(kind: int) -> Template:
    row = {
        "resourceType": "Patient",
        "id": MARK,
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">narrative</div>'},
        "gender": "female" if kind % 2 else "male",
        "birthDate": f"{1940 + kind * 2}-05-17",
    }
    return [("Patient", orjson.dumps(row) + b"\n")]


@cache
def _filling(size: int, kind: str) -> Template:
    """A chart that no rule is about. One order in four names its product by reference; some types no rule reads."""
    rows: list[dict[str, Any]] = []
    for n, row in enumerate(filling(size)):
        rows.append(row)
        if row["resourceType"] == "MedicationRequest" and n % 4 == 0:
            row["medicationReference"] = {"reference": "Medication/m1"}
            del row["medicationCodeableConcept"]
        if n % 12 == 0:
            claim = {"resourceType": "Claim", "id": f"c{n}", "status": "active", "patient": row["subject"]}
            rows.append(claim | {"item": [{"sequence": i, "note": "x" * 40} for i in range(20)]})
    return _template(rows, "f", kind)


@cache
def _cases(kind: str) -> list[Template]:
    """The charts of the cases that stand on their first day; what they sign is signed on that day."""
    found: list[Template] = []
    for file in case_files(shipped("fixtures/cases")):
        for case in read_cases(file, sweep=False):
            request = orjson.loads(case.request)
            if case.today != TODAY:
                continue
            rows = [e["resource"] for value in request["prefetch"].values() for e in (value or {}).get("entry", ())]
            for entry in request["context"].get("draftOrders", {}).get("entry", ()):
                draft = entry["resource"]
                if draft["resourceType"] == "MedicationRequest":
                    rows.append(draft | {"status": "active", "authoredOn": TODAY.isoformat()})
            rows = [row for row in rows if row["resourceType"] not in ("Practitioner", "PractitionerRole", "Patient")]
            if rows:
                found.append(_template(rows, "k", kind))
    return found


def _template(rows: list[dict[str, Any]], prefix: str, kind: str) -> Template:
    """Lines with a mark where the patient's id goes; ids of resources begin with it, so that they are unique."""
    own = {f"{row['resourceType']}/{row.get('id')}" for row in rows}
    made: Template = []
    for n, row in enumerate(rows):
        changed = _referring(row, own, prefix, kind) | {"id": f"{MARK}-{prefix}{row.get('id', n)}"}
        made.append((row["resourceType"], json.dumps(changed, separators=(",", ":")).encode() + b"\n"))
    return made


def _referring(value: Any, own: set[str], prefix: str, kind: str) -> Any:
    if isinstance(value, dict):
        return {
            k: _reference(v, own, prefix, kind) if k == "reference" else _referring(v, own, prefix, kind)
            for k, v in value.items()
        }
    return [_referring(v, own, prefix, kind) for v in value] if isinstance(value, list) else value


def _reference(text: Any, own: set[str], prefix: str, kind: str) -> Any:
    resource_type, _, name = str(text).partition("/")
    if resource_type == "Patient":
        name = MARK
    elif text in own:
        name = f"{MARK}-{prefix}{name}"
    return f"{REFERENCES[kind]}{name}" if kind == "urn" else f"{REFERENCES[kind]}{resource_type}/{name}"


if __name__ == "__main__":
    main()
