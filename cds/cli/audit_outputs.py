"""`psychmed report OUT` and the end of `psychmed audit`: outputs and report from the files of an audit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cds.errors import CdsError

if TYPE_CHECKING:
    from cds.audit.outputs.summary import Summary
    from cds.audit.report.pictures import Draw

DEFAULT_MIN_CELL = 11
DEFAULT_EXAMPLES = 3
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

MinCellOption = Annotated[
    int, typer.Option("--min-cell", min=1, help="hide counts of fewer people in all summaries; 1 shows every count")
]
IdentifiedOption = Annotated[
    bool, typer.Option("--identified", help="the report names patients by their identifier, not by a number")
]
ExamplesOption = Annotated[
    int, typer.Option("--examples", min=0, max=20, help="charts that the report shows for each rule; 0: none")
]


def report(
    out: Annotated[Path, typer.Argument(help="the folder of an audit (psychmed audit --out)")],
    *,
    min_cell: MinCellOption = DEFAULT_MIN_CELL,
    identified: IdentifiedOption = False,
    examples: ExamplesOption = DEFAULT_EXAMPLES,
    memory: Annotated[str, typer.Option("--memory", help="most memory of the database, as 1G")] = "1G",
    settings: Annotated[
        Path | None, typer.Option("--settings", help="the settings of the run, for the pictures of charts")
    ] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Write the outputs and the report of an audit anew from its files."""
    try:
        summary = hand_over(
            out, settings, min_cell=min_cell, identified=identified, examples=examples, memory=bytes_of(memory)
        )
    except CdsError as error:
        typer.echo(f"psychmed: {error}", err=True)
        raise typer.Exit(2) from None
    if output == "json":
        typer.echo((out / "summary.json").read_text("utf-8"))
    else:
        typer.echo(handed_over_text(summary, out))


def hand_over(
    out: Path,
    settings: Path | None,
    *,
    min_cell: int,
    identified: bool,
    examples: int,
    memory: int,
    report: bool = True,
) -> Summary:
    """Write the outputs of the audit in `out`, and its report unless `report` is False.

    settings: the site's settings file of the run; its time zone is taken from the run. Raises CdsError.
    """
    try:
        from cds.audit.outputs.dataset import read_told
        from cds.audit.outputs.write import write_outputs
        from cds.audit.report.pictures import drawer, no_pictures
    except ModuleNotFoundError as error:
        raise CdsError(
            f"an audit needs more packages: pip install 'psychmed-cds[audit]' (missing: {error.name})"
        ) from None
    from cds.settings import load_settings

    told = read_told(out)
    draw: Draw = no_pictures
    if report:
        zone = told.get("time_zone")
        draw = drawer(out, told, load_settings(settings, **({"time_zone": zone} if zone else {})))
    return write_outputs(
        out, min_cell=min_cell, identified=identified, memory=memory, report=report, examples=examples, draw=draw
    )


def handed_over_text(summary: Summary, out: Path, *, report: bool = True) -> str:
    """What each rule found, as the report's first table has it, and where everything is."""
    from cds.audit.report.examples import by_weight
    from cds.audit.report.words import number, percent

    counted = "orders" if summary.is_replay else "patients"
    n = summary.min_cell
    lines = []
    if summary.people.few:
        lines.append(f"  fewer than {n} people: no numbers are shown")
    spoken = [r for r in by_weight(summary.rules) if r.indicators or r.counts.in_scope.value or r.reason_names]
    if not spoken and not lines:
        lines.append("  no rule found anything, and each could be evaluated wherever it applied")
    for rule in spoken:
        found, scope = number(rule.counts.found, n), number(rule.counts.in_scope, n)
        rate = f" ({percent(rule.rate)})" if rule.rate is not None else ""
        missed = rule.counts.not_evaluated
        lacking = "" if missed.value == 0 else f", not evaluated {number(missed, n)}"
        worst = rule.indicators[0] if rule.indicators else ""
        lines.append(f"  {worst:8} {rule.spec:8} {found} of {scope} {counted}{rate}{lacking}")
    written = f"report in {out / 'report.html'}; " if report else ""
    lines.append(f"{written}findings.csv, worklist.csv and detected_issues.ndjson name patients")
    return "\n".join(lines)


def bytes_of(text: str) -> int:
    """A size as on the command line. Raises CdsError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise CdsError(f'--memory: "{text}" is not a size (write 2G, or 800M)')
    return int(float(found[1]) * _SIZES[found[2].upper()])
