"""`psychmed drugs load`: read a site's RxNorm release, check it, put it in use; `--rollback` takes the one before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cds.errors import CdsError

_STEP_PERCENT = 10


def register(app: typer.Typer) -> None:
    """Add the command `load` to the `drugs` commands."""
    app.command(name="load")(load)


def load(
    *,
    rrf: Annotated[
        Path | None, typer.Option("--rrf", help="folder of an unpacked RxNorm full release: the one with RXNCONSO.RRF")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="where the table goes; default: drugs.release of the settings")
    ] = None,
    settings: Annotated[Path | None, typer.Option("--settings", help="the site's settings file (site.yaml)")] = None,
    name: Annotated[str, typer.Option("--name", help="name of the release; default: what its folder says")] = "",
    allow_small: Annotated[
        bool, typer.Option("--allow-small", help="take a sample: its size and the codes it lacks are not checked")
    ] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="take a release much smaller than the one in use")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="a shipped product whose other ingredients are right; repeatable"),
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="go back to the release before")] = False,
) -> None:
    """Read a site's RxNorm release, check it, and put it in use; restart the service to use it."""
    from cds.drugs.release_checks import Conditions
    from cds.drugs.release_load import load_release, roll_back

    if (rrf is None) is not rollback:
        raise _fail("give either --rrf DIR or --rollback")
    try:
        path = to if to is not None else _path_of_settings(settings)
        if rrf is None:
            typer.echo(f"back in use: {roll_back(path)}; restart the service")
            return
        show = Shown(typer.echo, terminal=sys.stdout.isatty())
        conditions = Conditions(small=allow_small, shrink=allow_shrink, accepted=frozenset(accept or ()))
        loaded = load_release(rrf, path, conditions=conditions, name=name, progress=show, say=typer.echo)
    except CdsError as error:
        raise _fail(error) from None
    sizes = ", ".join(f"{kind} {number}" for kind, number in loaded.counts.items())
    typer.echo(f"{loaded.name}{f' of {loaded.date}' if loaded.date else ''}: {sizes}")
    shipped = loaded.shipped
    typer.echo(
        f"products of the shipped table: {shipped['the same']} the same, {shipped['missing']} not in this release, "
        f"{shipped['other']} other"
    )
    for note, number in loaded.notes.items():
        if number:
            typer.echo(f"{note}: {number}")
    typer.echo(f"in use: {loaded.path}; restart the service")


class Shown:
    """Progress of each file: one line that changes on a terminal, a plain line for every tenth elsewhere."""

    def __init__(self, echo: Callable[..., None], *, terminal: bool) -> None:
        self._echo, self._terminal = echo, terminal
        self._shown = ("", -1)

    def __call__(self, name: str, done: int, size: int) -> None:
        percent = 100 if done >= size else done * 100 // size
        step = percent if self._terminal else percent // _STEP_PERCENT * _STEP_PERCENT
        if (name, step) == self._shown:
            return
        self._shown = (name, step)
        text = f"reading {name}: {step} % of {size / 1e6:,.1f} MB"
        if self._terminal:
            self._echo(f"\r{text}", nl=percent == 100)
        else:
            self._echo(text)


def _path_of_settings(settings: Path | None) -> Path:
    from cds.settings import load_settings

    release = load_settings(settings).drugs.release
    if release is None:
        raise _fail("say where the table goes: --to FILE, or drugs.release in the settings")
    return release


def _fail(message: object) -> typer.Exit:
    typer.echo(f"psychmed: {message}", err=True)
    return typer.Exit(2)
