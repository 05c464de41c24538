"""`psychmed test`: runs the cases of the rules, and says what they do not notice."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cds.errors import CdsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.authoring.examine import Examined
    from cds.cli.case_pool import Job


def run_cases(
    cases: Annotated[Path | None, typer.Argument(help="a case file or folder; default: the shipped cases")] = None,
    *,
    k: Annotated[str, typer.Option("-k", help="only cases whose rule or name contains this")] = "",
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="a folder of rules beside the shipped ones")
    ] = None,
    engine: Annotated[Literal["direct", "verified", "durable"], typer.Option(help="which engine decides")] = "direct",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="say which comparisons were never true, or never false")
    ] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="change each rule a little: which changes no case notices")
    ] = False,
    write_boundaries: Annotated[
        bool, typer.Option("--write-boundaries", help="with each such change, a case that would notice it, to paste")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="run again whenever a rule or a case file changes")] = False,
    no_sweep: Annotated[bool, typer.Option("--no-sweep", help="on the day of the case file alone")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="write the outcomes to this file as JUnit XML")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="only failures and the totals")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Run the case files of the rules."""
    from cds.authoring.examine import Wanted
    from cds.cli.case_pool import Job

    wanted = Wanted(
        k=k, sweep=not no_sweep, coverage=coverage, mutate=mutate or write_boundaries, boundaries=write_boundaries
    )
    for folder in rules or []:
        if not folder.is_dir():
            raise _fail(f"--rules {folder}: no such folder")
    files = _files(cases)
    whole = cases is None and not k and not rules
    job = Job(files, wanted, engine, tuple(rules or ()), shared=wanted.mutate and whole)
    again = functools.partial(_run_once, quiet=quiet, output=output, junit=junit)
    if watch:
        _watch(job, again)
        raise typer.Exit(0)
    raise typer.Exit(again(job))


def _watch(job: Job, again: Callable[[Job], int]) -> None:
    try:
        from cds.cli.watch import watch
    except ImportError:
        raise _fail("--watch needs watchfiles: pip install 'psychmed-cds[author]'") from None

    def run(job: Job) -> None:
        with contextlib.suppress(typer.Exit):  # what went wrong is printed; the next change may mend it
            again(job)

    watch(job, run)


def _fail(message: object) -> typer.Exit:
    typer.echo(f"psychmed: {message}", err=True)
    return typer.Exit(2)


def _files(cases: Path | None) -> tuple[tuple[Path, str], ...]:
    """(path, name to show) of every case file that is meant."""
    from cds.authoring.cases import case_files
    from cds.shipped import shipped

    if cases is not None and not cases.exists():
        raise _fail(f"{cases}: no such file or folder")
    if cases is None:
        folders = [shipped("fixtures/cases"), shipped("fixtures/facts")]
        return tuple((file, f"fixtures/{f.name}/{file.name}") for f in folders for file in case_files(f))
    files = case_files(cases) if cases.is_dir() else [cases]
    if not files:
        raise _fail(f"{cases}: no case file (*.yaml) in this folder")
    return tuple((file, str(file)) for file in files)


def _run_once(job: Job, *, quiet: bool, output: str, junit: Path | None) -> int:
    """Run, print, and say with which code to end."""
    from cds.authoring.junit import junit_xml
    from cds.cli.case_pool import examine_all
    from cds.cli.show_cases import examined_json, examined_text

    try:
        examined = examine_all(job)
        shared = _shared_survivors(job, examined)
    except CdsError as error:
        raise _fail(error) from None
    typer.echo(
        examined_json(examined, shared) if output == "json" else examined_text(examined, quiet=quiet, shared=shared)
    )
    outcomes = [o for e in examined for o in e.outcomes]
    if not outcomes:
        raise _fail("no case was run")
    if junit is not None:
        try:
            junit.write_bytes(junit_xml(outcomes))
        except OSError as error:
            raise _fail(f"{junit}: cannot be written: {error.strerror}") from None
    return 1 if shared or any(_has_failed(e) for e in examined) else 0


def _shared_survivors(job: Job, examined: Sequence[Examined]) -> list[str] | None:
    if not job.shared:
        return None
    from cds.authoring.mutation.shared import shared_mutants
    from cds.rules.load import load_shared

    noticed = frozenset[str]().union(*(e.shared for e in examined))
    return [m.wording for m in shared_mutants(load_shared([])) if m.wording not in noticed]


def _has_failed(e: Examined) -> bool:
    """A case failed, an entry of the file is not true, or an active rule has survivors that nobody explained."""
    if any(o.state == "fail" for o in e.outcomes) or (e.gaps and e.gaps.problems):
        return True
    if e.survivors is None:
        return False
    return bool(e.survivors.problems) or (e.status == "active" and bool(e.survivors.unexplained))
