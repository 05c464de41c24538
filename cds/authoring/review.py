"""What is due for review: rules by their date, sources by when they were last read, table entries nothing matches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cds.rules.lint import as_date, files_of, shown_as
from cds.rules.source import read_leniently
from cds.rules.vocabulary import column, rows_of

State = Literal["overdue", "due", "note"]


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to look at again. day: by when, None where there is no day; what: in a sentence."""

    path: str
    line: int
    state: State
    day: dt.date | None
    what: str


def due(paths: Sequence[Path], *, today: dt.date, within: int, checked_within: int) -> list[Due]:
    """Everything that is due, what is overdue first, by day.

    within: days ahead that a review date may lie. checked_within: days for which a source counts as read.
    """
    found = [d for path in files_of(paths) for d in _of_rule(path, today, within, checked_within)]
    if not paths:
        found += _of_tables()
    order = {"overdue": 0, "due": 1, "note": 2}
    return sorted(found, key=lambda d: (order[d.state], d.day or dt.date.max, d.path, d.line))


def _of_rule(path: Path, today: dt.date, within: int, checked_within: int) -> Iterator[Due]:
    shown = shown_as(path)
    source, problems = read_leniently(path, shown_as=shown)
    for problem in problems[:1]:
        yield Due(shown, problem.line, "overdue", None, f"cannot be read: {problem.message}")
    if source is None or path.name.startswith("_") or source.data.get("status") == "retired":
        return
    data: Any = source.data
    name = f"{data.get('spec', '')} {data.get('id', '')}".strip()
    line = source.at(("review_by",))[0]
    day = as_date(data.get("review_by"))
    if day is None:
        yield Due(shown, line, "overdue", None, f"{name} has no review date")
    elif day < today:
        yield Due(shown, line, "overdue", day, f"{name}: review_by passed {_days((today - day).days)} ago")
    elif (day - today).days <= within:
        yield Due(shown, line, "due", day, f"{name}: review_by in {_days((day - today).days)}")
    rows = data.get("sources")
    for n, row in enumerate(rows if isinstance(rows, list) else ()):
        read = as_date(row.get("checked")) if isinstance(row, dict) else None
        at = source.at(("sources", n))[0]
        cited = f'{name}: source "{row.get("id", n + 1)}"' if isinstance(row, dict) else f"{name}: source {n + 1}"
        if read is None:
            yield Due(shown, at, "overdue", None, f"{cited} has no date on which it was checked")
        elif (today - read).days > checked_within:
            yield Due(shown, at, "overdue", read, f"{cited} was checked {_days((today - read).days)} ago")


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def _of_tables() -> Iterator[Due]:
    """Entries of the drug tables that no code leads to."""
    codes = {row["ingredient"] for row in rows_of("drugs/ingredients") if row["rxcui"]}
    for name in sorted(column("drugs/ingredients.ingredient") - codes):
        yield Due("rules/drugs/ingredients.csv", 1, "note", None, f"{name} has no RxNorm code: only its name finds it")
    for name in sorted(column("drugs/classes.ingredient") - column("drugs/ingredients.ingredient")):
        yield Due("rules/drugs/classes.csv", 1, "note", None, f"{name} has a class and is no ingredient of the table")
