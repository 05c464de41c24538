"""Numbers and reasons as the report says them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from cds.audit.outputs.small_cells import Shown

HIDDEN_MARK = "hidden"
_REFERENCE = re.compile(r"\b[A-Z][A-Za-z]{3,}/[A-Za-z0-9.\-]{1,64}|\burn:(?:uuid|oid):[A-Za-z0-9.\-]+")


def number(shown: Shown, min_cell: int) -> str:
    """ "1,234", "1 to 10", or "hidden"."""
    if shown.value is not None:
        return f"{shown.value:,}"
    return f"1 to {min_cell - 1}" if shown.few else HIDDEN_MARK


def percent(share: float) -> str:
    """ "12 %", "1.2 %", "under 0.1 %": two figures, and a space that no line breaks at."""
    hundredths = 100 * share
    if share in (0.0, 1.0):
        return f"{hundredths:.0f}\u00a0%"
    if hundredths < 0.095:
        return "under 0.1\u00a0%"
    # 99.7 % is not all of them.
    figures = 1 if hundredths < 9.95 or hundredths >= 99.5 else 0
    return f"{hundredths:.{figures}f}\u00a0%"


def between(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}"


def day(date: dt.date | str | None) -> str:
    """ "2 March 2026"; "not known" for none."""
    if date is None or date == "":
        return "not known"
    try:
        read = date if isinstance(date, dt.date) else dt.date.fromisoformat(date[:10])
    except ValueError:
        return str(date)
    return f"{read.day} {read:%B %Y}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def reason(code: str) -> str:
    """Why a rule was not evaluated, in words: "discharge.diagnosis" is a field that the record does not tell."""
    parts = []
    for part in code.split(" + "):
        kind, dot, field = part.partition(".")
        if dot and re.fullmatch(r"[a-z_]+", kind) and re.fullmatch(r"[a-z_]+", field):
            parts.append(f"the record does not tell the {field.replace('_', ' ')} of the {kind.replace('_', ' ')}")
        elif re.fullmatch(r"[a-z]+(-[a-z]+)*", part):
            parts.append(f"{part.replace('-', ' ')}: not available")
        else:
            parts.append(part)
    return "; ".join(parts)


def without_references(text: str) -> str:
    """Text of a finding without the ids of records, which point at a patient as a name does."""
    return _REFERENCE.sub("a record", text)


def why_and_facts(detail: str) -> tuple[str, list[tuple[str, str]], str]:
    """Of the text of a card: its reason, its table of facts, and the row that names the records."""
    why, records = "", ""
    facts: list[tuple[str, str]] = []
    for line in detail.splitlines():
        if line.startswith("**Why:**"):
            why = line.removeprefix("**Why:**").strip()
        elif line.startswith("|") and line.count("|") >= 3:
            name, value = (cell.strip() for cell in line.strip().strip("|").split("|", 1))
            if name == "Records":
                records = value
            elif name != "Fact" and set(name) - set("-: "):
                facts.append((name, value))
    return why, facts, records
