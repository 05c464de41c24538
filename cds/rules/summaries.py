"""How long a summary becomes on a card: CDS Hooks shows fewer than 140 characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cds.model import Pattern
from cds.rules.compilation import Compilation
from cds.rules.model import Parameter, Rule
from cds.rules.vocabulary import Field, column, rows_of

LONGEST_SUMMARY = 139
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?(?:\|([a-z]+))?\}")
# The longest value of each type that a card shows in earnest.
_LONGEST = {
    "date": "2026-12-31", "days": "1000 days", "mg": "1000 mg", "percent": "100 %", "count": "100", "score": "1000",
    "years": "100", "boolean": "yes",
}  # fmt: skip
_UNITS = {"d": " days", "mg": " mg", "%": " %", "": ""}


def check_summaries(c: Compilation, rule: Rule) -> None:
    """R151: a summary that is too long once its values are filled in, each the longest of its table."""
    parameters = {**c.shared, **c.parameters}
    for n, level in enumerate(rule.levels):
        if level.spec is None:
            continue
        patterns = {p.binding: p for p in level.spec.patterns}
        filled = "".join(_filled(c, level.summary, patterns, parameters))
        if len(filled) > LONGEST_SUMMARY:
            text = f"summary has {len(filled)} characters when filled with the longest values; under 140 are shown"
            c.problem(("levels", n, "summary"), "R151", text, f'shorten "{filled}"')


def _filled(
    c: Compilation, summary: str, patterns: dict[str, Pattern], parameters: dict[str, Parameter]
) -> Iterator[str]:
    """The text in pieces; parts in brackets count, as they stand where their values are known."""
    text = summary.replace("[", "").replace("]", "")
    end = 0
    for m in _PLACEHOLDER.finditer(text):
        yield text[end : m.start()]
        end = m.end()
        pattern = patterns.get(m[1])
        known = c.vocabulary.field(pattern.kind, m[2]) if pattern and m[2] else None
        if pattern is not None and known is not None:
            yield _longest(known, pattern) + (f" {m[3]}s" if m[3] else "")
        elif m[1] in parameters:
            yield _of_parameter(parameters[m[1]])
        else:
            yield m[0]
    yield text[end:]


def _of_parameter(parameter: Parameter) -> str:
    sizes = [float(v) for v in (parameter.value, parameter.low, parameter.high) if v is not None]
    return max((f"{size:g}{_UNITS[parameter.unit]}" for size in sizes), key=len)


def _longest(known: Field, pattern: Pattern) -> str:
    if known.type == "code":
        return max(known.values, key=len)
    if known.type != "text":
        return _LONGEST[known.type]
    if known.tables and known.tables[0].startswith("tables/"):
        file, _, heading = known.tables[0].rpartition(".")
        return max((row[heading] for row in rows_of(file) if _may_be(row, pattern)), key=len, default="")
    return _longest_drug()


def _may_be(row: dict[str, str], pattern: Pattern) -> bool:
    """Whether the pattern's own comparisons leave this row of the table."""
    return all(
        (row[w.field] == w.value) == (w.operator == "is")
        for w in pattern.where
        if w.field in row and isinstance(w.value, str) and w.operator in {"is", "is not"}
    )


@cache
def _longest_drug() -> str:
    """The longest name of one substance that has a class; the two of a combination a card shortens."""
    names = column("drugs/classes.ingredient")
    return max((name for name in names if not any(part in names for part in name.split("-")[1:])), key=len)
