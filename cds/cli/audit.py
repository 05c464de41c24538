"""`psychmed audit`: every patient of an export, by the rules of the service."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from cds.cli.audit_outputs import (
    DEFAULT_EXAMPLES,
    DEFAULT_MIN_CELL,
    ExamplesOption,
    IdentifiedOption,
    MinCellOption,
    bytes_of,
    hand_over,
    handed_over_text,
)
from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.audit.job import Job
    from cds.rules.model import Rule

_NEEDS = "psychmed: an audit needs more packages: pip install 'psychmed-cds[audit]' (missing: {})"


def audit(
    export: Annotated[str, typer.Argument(help="a bulk export, Bundles, or a folder of either; a path or s3://...")],
    *,
    out: Annotated[Path, typer.Option("--out", help="folder of results; named again, it goes on after a crash")],
    today: Annotated[
        str | None, typer.Option("--today", help="the day asked about, as 2026-03-31; default: now")
    ] = None,
    as_: Annotated[
        Literal["point-in-time", "replay"],
        typer.Option("--as", help="point-in-time: the charts on that day; replay: each order of a period on its day"),
    ] = "point-in-time",
    hook: Annotated[
        Literal["batch", "patient-view"],
        typer.Option("--hook", help="batch: every audited rule; patient-view: what opening the chart would show"),
    ] = "batch",
    since: Annotated[str | None, typer.Option("--from", help="first day of a replay")] = None,
    until: Annotated[str | None, typer.Option("--to", help="last day of a replay")] = None,
    rules: Annotated[str | None, typer.Option("--rules", help='only these rules, as "A-01,B-"')] = None,
    patients: Annotated[
        str | None, typer.Option("--patients", help="only these patients: ids with commas, or a file, one a line")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="only the first N patients")] = None,
    memory: Annotated[str, typer.Option("--memory", help="most memory of all processes together, as 2G")] = "2G",
    workers: Annotated[int, typer.Option("--workers", min=0, help="worker processes; 0: one a core")] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="begin again, whatever --out holds of a run")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="write report.html beside the files")] = True,
    min_cell: MinCellOption = DEFAULT_MIN_CELL,
    identified: IdentifiedOption = False,
    examples: ExamplesOption = DEFAULT_EXAMPLES,
    clean: Annotated[bool, typer.Option("--clean", help="remove the shuffled records at the end")] = False,
    settings: Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Evaluate every patient of an export; goes on where a run that was ended had come to."""
    try:
        from cds.audit.folder import RunFolder
        from cds.audit.job import Job
        from cds.audit.outputs.small_cells import check_min_cell
        from cds.audit.run import Options, run_audit
    except ModuleNotFoundError as error:
        typer.echo(_NEEDS.format(error.name), err=True)
        raise typer.Exit(2) from None
    from cds.cli.audit_progress import BarProgress, PlainProgress
    from cds.settings import load_settings
    from hooks.clock import now_text, today_at

    try:
        chosen = load_settings(settings)
        day = _day("--today", today) or today_at(chosen.zone, chosen.today)
        job = Job(
            settings=chosen,
            today=day,
            as_=as_,
            hook=hook,
            since=_day("--from", since),
            until=_day("--to", until),
            rules=_rules(rules),
            patients=_patients(patients),
            limit=limit,
        )
        _check(job)
        check_min_cell(min_cell)
        options = Options(memory=bytes_of(memory), workers=workers, restart=restart)
        progress = BarProgress() if sys.stderr.isatty() and output == "text" else PlainProgress()
        try:
            told = run_audit(export, out, job, options, progress=progress, now=lambda: now_text(chosen.zone))
        finally:
            progress.close()
        summary = hand_over(
            out,
            settings,
            min_cell=min_cell,
            identified=identified,
            examples=examples,
            memory=options.memory,
            report=report,
        )
        if clean:
            RunFolder(out).clean()
    except KeyboardInterrupt:
        typer.echo("psychmed: ended; the same command goes on from here", err=True)
        raise typer.Exit(2) from None
    except CdsError as error:
        typer.echo(f"psychmed: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() if output == "json" else _text(told, out))
    if output == "text":
        typer.echo(handed_over_text(summary, out, report=report))
    for one in told["failed_parts"]:
        typer.echo(f"psychmed: not evaluated: {one['part']}: {one['why']}", err=True)
    for name in told["unread_files"]:
        typer.echo(f"psychmed: {name}: not read to its end", err=True)
    incomplete = bool(told["failed_parts"] or told["unread_files"])
    raise typer.Exit(2 if incomplete else 1 if told["findings"] else 0)


def _day(option: str, text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise CdsError(f'{option}: "{text}" is not a date (write 2026-03-31)') from None


def _rules(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if not named:
        raise CdsError('--rules: name rules by their ids, as "A-01,B-"')
    return named


def _patients(text: str | None) -> frozenset[str] | None:
    """Ids as given, or of a file, without "Patient/"."""
    if text is None:
        return None
    path = Path(text)
    try:
        given = text.split(",") if "," in text or not path.is_file() else path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError):
        raise CdsError("--patients: the file cannot be read as text") from None
    ids = frozenset(part.strip().removeprefix("Patient/") for part in given if part.strip())
    if not ids:
        raise CdsError("--patients: names no patient")
    return ids


def _check(job: Job) -> None:
    """What does not go together, and rules that do not exist."""
    if job.as_ == "replay" and (job.since is None or job.until is None):
        raise CdsError("--as replay: needs --from and --to")
    if job.as_ == "replay" and job.hook != "batch":
        raise CdsError("--hook: a replay asks at order-sign")
    if job.as_ == "point-in-time" and (job.since or job.until):
        raise CdsError("--from, --to: only for --as replay")
    if job.since and job.until and job.since > job.until:
        raise CdsError("--from: lies after --to")
    if job.rules is None:
        return
    evaluator = job.evaluator()
    evaluator.close()
    known: tuple[Rule, ...] = evaluator.rules.rules
    for name in job.rules:
        if not any(rule.spec.startswith(name) for rule in known):
            raise CdsError(f'--rules: no rule begins with "{name}"')


def _text(report: dict[str, Any], out: Path) -> str:
    """The run in a few lines."""
    bad = sum(row["bad_lines"] for row in report["inputs"])
    seconds = report["seconds"]
    lines = [
        f"{_many(report['patients'], 'patient')}, {_many(report['resources'], 'resource')}, "
        f"{_many(report['findings'], 'finding')}" + (f", {_many(bad, 'bad line')}" if bad else ""),
        f"{sum(seconds.values()):.1f} s ({', '.join(f'{name} {value:.1f}' for name, value in seconds.items())}), "
        f"at most {report['peak_memory'] / (1 << 20):.0f} MB",
        f"results in {out}",
    ]
    return "\n".join(lines)


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
