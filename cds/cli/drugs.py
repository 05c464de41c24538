"""`psychmed drugs ...`: questions about the drug table, and a site's own RxNorm."""

from __future__ import annotations

import typer

from cds.cli import drugs_load

app = typer.Typer(no_args_is_help=True, help="The drug table: a site's own RxNorm.")
drugs_load.register(app)
