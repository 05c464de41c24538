"""What verbs over charts share: settings, the day to ask on, and how problems are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.settings import Settings

Format = Literal["text", "json"]
FormatOption = Annotated[Format, typer.Option("--format", help="text or json")]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")]
ChartsArgument = Annotated[
    Path, typer.Argument(metavar="CHARTS", help="a Bundle, or a folder of Bundles or NDJSON", exists=True)
]
HookName = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]
_MOST_PROBLEMS = 100


def fail(message: object) -> typer.Exit:
    """Say what is wrong; raise what this returns. Exit code 2."""
    typer.echo(f"psychmed: {message}", err=True)
    return typer.Exit(2)


def read_settings(path: Path | None) -> Settings:
    """The site's settings; ends the command with what is wrong with them.

    One engine answers: a second one beside it, as in the service, would ask every question of a folder twice.
    """
    from cds.settings import load_settings

    try:
        return load_settings(path, engine="direct")
    except CdsError as error:
        raise fail(error) from None


def read_day(text: str | None, option: str) -> dt.date | None:
    """A date of an option; None when it was not given."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise fail(f'{option}: "{text}" is not a date (write 2026-03-31)') from None


def read_today(text: str | None, settings: Settings) -> tuple[dt.date, bool]:
    """(the day to ask on, whether each chart is asked on its last dated record up to it)."""
    from hooks.clock import today_at

    last = text == "last"
    given = None if last else read_day(text, "--today")
    return given or today_at(settings.zone, settings.today), last


def tell(problems: Sequence[str]) -> None:
    """What could not be read, to the error output; a hundred lines at most."""
    for line in problems[:_MOST_PROBLEMS]:
        typer.echo(f"psychmed: {line}", err=True)
    if len(problems) > _MOST_PROBLEMS:
        typer.echo(f"psychmed: and {len(problems) - _MOST_PROBLEMS} more problems", err=True)
