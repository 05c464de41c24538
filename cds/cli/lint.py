"""`psychmed lint`: every problem of rule files and their cases, and the mending of what is safe to mend."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from cds.authoring.lint import Report

_Format = Literal["text", "json", "sarif", "github"]


def lint(  # noqa: PLR0917 - options of a command
    rules: Annotated[
        list[Path] | None, typer.Argument(help="rule folders, rule files or case files; default: the shipped rules")
    ] = None,
    cases: Annotated[Path | None, typer.Option(help="folder of the cases; default: the one beside the rules")] = None,
    today: Annotated[str | None, typer.Option(help="the day that review dates are judged on, as 2026-03-31")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="a git revision: versions and changelog since then")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="mend what is safe to mend, and say what was changed")] = False,
    output: Annotated[_Format, typer.Option("--format", help="text, json, sarif or github")] = "text",
) -> None:
    """Report every problem of rule files and their cases as file:line:column. Exit code 1: there is one."""
    from cds.authoring.lint import lint as lint_all
    from cds.cli.lint_output import problems_as
    from cds.errors import CdsError, RuleError
    from cds.rules.lint import in_order

    given = rules or []
    _check_paths(given, cases)
    day = day_of(today)
    if fix:
        _mend(given, cases, output)
    history: list[RuleError] = []
    if against is not None:
        from cds.authoring.history import changed_since

        try:
            history = changed_since(against, given)
        except CdsError as error:
            typer.echo(f"psychmed: --against: {error}", err=True)
            raise typer.Exit(2) from None
    report: Report = lint_all(given, today=day, cases=cases)
    problems = in_order([*report.problems, *history])
    if text := problems_as(output, problems):
        typer.echo(text)
    for note in report.notes:
        typer.echo(f"psychmed: {note}", err=True)
    if output == "text" and problems:
        files = len({p.path for p in problems})
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        typer.echo(f"{count} in {files} file{'s' if files > 1 else ''}", err=True)
    raise typer.Exit(1 if problems else 0)


def _check_paths(rules: list[Path], cases: Path | None) -> None:
    from cds.rules.lint import files_of

    for path in [*rules, *([cases] if cases else [])]:
        if not path.exists():
            typer.echo(f"psychmed: {path}: no such file or folder", err=True)
            raise typer.Exit(2)
    for path in rules:
        if path.is_dir() and not files_of([path]):
            typer.echo(f"psychmed: {path}: no rule file (*.yaml) in this folder", err=True)
            raise typer.Exit(2)
    if cases is not None and not cases.is_dir():
        typer.echo(f"psychmed: --cases: {cases} is not a folder", err=True)
        raise typer.Exit(2)


def _mend(rules: list[Path], cases: Path | None, output: str) -> None:
    from cds.authoring.fix import mend
    from cds.authoring.lint import every_file
    from cds.rules.lint import shown_as

    for path in every_file(rules, cases):
        try:
            changes = mend(path)
        except OSError as error:
            typer.echo(f"psychmed: {path}: cannot be written: {error.strerror}", err=True)
            raise typer.Exit(2) from None
        for line, what in changes:
            typer.echo(f"{shown_as(path)}:{line}: fixed: {what}", err=output != "text")


def day_of(text: str | None) -> dt.date:
    """The day of `--today`, else the current one at the site; without a site, in UTC."""
    import zoneinfo

    from cds.errors import CdsError
    from cds.settings import load_settings
    from hooks.clock import today_at

    if text is not None:
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            typer.echo(f'psychmed: --today: "{text}" is not a date (write 2026-03-31)', err=True)
            raise typer.Exit(2) from None
    try:
        settings = load_settings()
    except CdsError:  # an author's machine has no site
        return today_at(zoneinfo.ZoneInfo("UTC"))
    return today_at(settings.zone, settings.today)
