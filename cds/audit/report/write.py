"""`report.html`: one file that needs no network, runs nothing, and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cds.audit.outputs.files import write_bytes
from cds.audit.outputs.summary import Summary
from cds.audit.report.examples import Example
from cds.audit.report.page import Page
from cds.audit.report.pictures import Draw
from cds.errors import CdsError

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def write_report(out: Path, summary: Summary, examples: Sequence[Example], *, draw: Draw, identified: bool) -> None:
    """Write the report of the audit in `out`. Raises CdsError when the extra [report] is not installed."""
    page = Page(summary, examples, draw(examples), identified=identified)
    write_bytes(out / "report.html", render(page).encode())


def render(page: Page) -> str:
    """The page as HTML; every text in it is escaped."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise CdsError("the report needs the extra [report] (pip install 'psychmed-cds[report]')") from None

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup  # SVG of our own, whose texts are escaped where it is made
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(page=page, css=Markup(css))
