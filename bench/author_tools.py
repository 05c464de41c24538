"""CPU seconds of `psychmed test` and `--mutate` over all shipped rules and cases: python bench/author_tools.py

Floors of the same run: for the test `orjson.loads` of the cases' requests, for the mutants one evaluation of each case
on the day of its file. All of it in one process; the commands use every processor.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cds.authoring.cases import CaseFile, case_files, read_file
from cds.authoring.coverage import coverage
from cds.authoring.examine import SharedHunt, Wanted, examine, hunt_shared
from cds.authoring.mutation.hunt import Hunt
from cds.authoring.mutation.mutants import mutants_of
from cds.authoring.mutation.shared import shared_mutants
from cds.cli.doors import EngineDoor
from cds.rules.load import rule_path
from cds.rules.source import read_source
from cds.shipped import shipped


def main() -> None:
    door = EngineDoor()
    rules = door.evaluator("America/New_York").rules
    by_id = {rule.id: rule for rule in rules.rules}
    files: list[CaseFile] = []
    spent = {"read": seconds(lambda: files.extend(map(read_file, case_files(shipped("fixtures/cases")))))}
    requests = [case.request for file in files for case in file.cases()]
    base = [case for file in files for case in file.cases(sweep=False)]
    spent["floor of the test"] = seconds(lambda: [orjson.loads(request) for request in requests])
    spent["floor of the mutants"] = seconds(
        lambda: [door(c.request, hook=c.hook, today=c.today, time_zone=c.time_zone) for c in base]
    )
    spent["test"] = seconds(lambda: [examine(file, door, rules, Wanted()) for file in files])
    prepared = {file.rule: [door.prepared(case) for case in file.cases(sweep=False)] for file in files}
    hunts = {rule: Hunt(by_id[rule], ready) for rule, ready in prepared.items()}
    sources = {rule: read_source(rule_path(by_id[rule])) for rule in prepared}
    spent["coverage"] = seconds(lambda: [coverage(by_id[rule], ready) for rule, ready in prepared.items()])
    mutants = {}
    spent["mutants written"] = seconds(
        lambda: mutants.update({r: mutants_of(by_id[r], rules.shared, sources[r]) for r in prepared})
    )
    spent["mutants hunted"] = seconds(lambda: [hunts[r].hunt(found) for r, found in mutants.items()])
    shared = SharedHunt(shared_mutants(rules.shared), bytearray(2 * len(rules.shared)))
    spent["shared parameters"] = seconds(lambda: [hunt_shared(shared, hunts[r], sources[r], rules) for r in prepared])
    print(f"{len(files)} rules, {len(requests)} runs of cases, {sum(map(len, mutants.values()))} mutants")
    for name, taken in spent.items():
        print(f"{name:22}{taken:8.2f} s")
    mutate = sum(spent[n] for n in ("mutants written", "mutants hunted", "shared parameters"))
    print(f"ratio  test {spent['test'] / spent['floor of the test']:.1f}", end="   ")
    print(f"mutate {mutate / spent['floor of the mutants']:.1f}")


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
