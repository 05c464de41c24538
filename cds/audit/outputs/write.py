"""Everything an audit hands over, made anew from the files of its evaluation."""

from __future__ import annotations

from pathlib import Path

from cds.audit.outputs.count import count
from cds.audit.outputs.dataset import open_run
from cds.audit.outputs.rows import write_detected_issues, write_findings, write_worklist
from cds.audit.outputs.small_cells import DEFAULT_MIN_CELL, check_min_cell
from cds.audit.outputs.summary import Summary, summarise
from cds.audit.outputs.tables import write_data_quality, write_measure_reports, write_not_evaluated, write_summary
from cds.audit.report.examples import MOST_EXAMPLES, choose
from cds.audit.report.pictures import Draw, no_pictures

DEFAULT_MEMORY = 1024 * 1024 * 1024


def write_outputs(
    out: Path,
    *,
    min_cell: int = DEFAULT_MIN_CELL,
    identified: bool = False,
    memory: int = DEFAULT_MEMORY,
    report: bool = True,
    examples: int = MOST_EXAMPLES,
    draw: Draw = no_pictures,
) -> Summary:
    """Write the outputs of the audit in `out` and return what they show.

    min_cell: counts of fewer people are hidden in everything that names no patient. memory: bytes of the database.
    report: write `report.html`; identified: it names patients by their identifier; examples: charts shown for a rule,
    drawn by `draw`.
    Two calls on the same files write the same bytes. Raises CdsError for a folder without a finished audit.
    """
    check_min_cell(min_cell)
    with open_run(out, memory=memory) as run:
        summary = summarise(run, count(run), min_cell)
        chosen = choose(run, summary, most=examples) if report else []
        write_findings(run)
        write_detected_issues(run)
        write_worklist(run, {example.patient: example.number for example in chosen})
        write_summary(summary, out)
        write_not_evaluated(summary, out)
        write_data_quality(run, summary)
        write_measure_reports(summary, out)
        if report:
            from cds.audit.report.write import write_report

            write_report(out, summary, chosen, draw=draw, identified=identified)
    return summary
