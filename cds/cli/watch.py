"""`psychmed test --watch`: runs again what a change of rules or cases touches."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import typer
from watchfiles import watch as changes_in

from cds.cli.case_pool import Job, rules_of
from cds.drugs.table import drug_table
from cds.errors import CdsError
from cds.rules.load import rule_files
from cds.rules.source import read_source
from cds.shipped import shipped


def watch(job: Job, again: Callable[[Job], None]) -> None:
    """Run the whole job, then on each change the case files that it touches, until Ctrl-C.

    again: runs and prints a job. Each run is a process of its own: nothing of the rules before is left in it.
    """
    drug_table()  # read once, shared by every run
    _in_a_process(again, job)
    folders = sorted({path.parent for path, _ in job.files} | {shipped("rules"), *job.rules_dir} | _templates(job))
    typer.echo(f"watching {', '.join(map(str, folders))} (Ctrl-C ends it)")
    with contextlib.suppress(KeyboardInterrupt):
        _on_changes(job, again, folders)
    typer.echo("")


def _on_changes(job: Job, again: Callable[[Job], None], folders: Iterable[Path]) -> None:
    for changes in changes_in(*folders, rust_timeout=1000):
        paths = {Path(path) for _, path in changes if path.endswith((".yaml", ".csv"))}
        touched = tuple(_touched(job, paths))
        if not touched:
            continue
        typer.echo(f"\nchanged: {', '.join(sorted(path.name for path in paths))}")
        _in_a_process(again, replace(job, files=touched, shared=job.shared and len(touched) == len(job.files)))


def _templates(job: Job) -> set[Path]:
    return {folder for path, _ in job.files if (folder := path.resolve().parent.parent / "patients").is_dir()}


def _in_a_process(again: Callable[[Job], None], job: Job) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise typer.BadParameter("--watch needs a system that can fork")
    process = multiprocessing.get_context("fork").Process(target=again, args=(job,))
    process.start()
    process.join()


def _touched(job: Job, changed: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The case files to run again: those that changed, those of rules that changed; all for what rules share."""
    paths = {path.resolve() for path in changed}
    files = [(path, shown) for path, shown in job.files if path.exists()]
    own = {path for path, _ in files if path.resolve() in paths}
    rule_paths = {path.resolve() for path in rule_files([shipped("rules"), *job.rules_dir])}
    others = paths - {path.resolve() for path in own}
    if any(path not in rule_paths for path in others):
        yield from files  # a table, the vocabulary, a template, a rule that was taken away
        return
    rules = {_rule_id(path) for path in others}
    for path, shown in files:
        if path in own or (rules and _rule_of(path, shown) in rules):
            yield path, shown


def _rule_id(path: Path) -> str:
    try:
        return str(read_source(path).data.get("id"))
    except CdsError:
        return ""


def _rule_of(path: Path, shown: str) -> str:
    try:
        return rules_of([(path, shown)])[path]
    except CdsError:
        return ""
