"""The fact kinds and fields that rules may speak of: `rules/_vocabulary.yaml`."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cds.rules.source import read_source
from cds.shipped import shipped

VOCABULARY = "rules/_vocabulary.yaml"
TYPES = frozenset({"text", "code", "boolean", "date", "days", "count", "mg", "percent", "years", "score"})
COUNTS = frozenset({"each day", "covered", "planned"})
UNITS = {"days": "d", "mg": "mg", "percent": "%", "count": "", "years": "", "score": ""}


@dataclass(frozen=True, slots=True)
class Field:
    """type: one of TYPES. values: the closed set of a code. reports_absence: a missing value means "not evaluated".

    counts: what the days of a days field are: of each day that passes, covered days up to yesterday, of a plan; "" for
    another number. since: the date field ("start", or "continuous_use.start" of another kind) they are counted from.
    tables: columns whose values a text is one of, as "drugs/classes.class_group".
    """

    type: str
    values: tuple[str, ...]
    reports_absence: bool
    what: str
    counts: str = ""
    since: str = ""
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Fields by kind, the hooks on which facts of a kind are ever derived (a kind that is not there: on each).

    what: each kind in a sentence.
    """

    kinds: Mapping[str, Mapping[str, Field]]
    hooks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    what: Mapping[str, str] = field(default_factory=dict)

    def field(self, kind: str, name: str) -> Field | None:
        return self.kinds.get(kind, {}).get(name)


@cache
def vocabulary(path: Path | None = None) -> Vocabulary:
    """The shipped vocabulary."""
    source = read_source(path or shipped("rules/_vocabulary.yaml"), shown_as=None if path else VOCABULARY)
    return Vocabulary(
        {
            kind: {
                name: Field(
                    str(f["type"]),
                    tuple(map(str, f.get("values", ()))),
                    f.get("absent", "unknown") == "unknown",
                    str(f.get("what", "")),
                    str(f.get("counts", "")),
                    str(f.get("since", "")),
                    (f["table"],) if isinstance(f.get("table"), str) else tuple(f.get("table", ())),
                )
                for name, f in body["fields"].items()
            }
            for kind, body in source.data["kinds"].items()
        },
        {kind: frozenset(body["hooks"]) for kind, body in source.data["kinds"].items() if "hooks" in body},
        {kind: str(body.get("what", "")) for kind, body in source.data["kinds"].items()},
    )


@cache
def column(name: str) -> frozenset[str]:
    """Values of a column of a shipped table: "drugs/classes.class_group" of `rules/drugs/classes.csv`."""
    file, _, heading = name.rpartition(".")
    return frozenset(row[heading] for row in rows_of(file) if row[heading])


@cache
def rows_of(file: str) -> tuple[dict[str, str], ...]:
    """Rows of the shipped table `rules/<file>.csv`; lines that start with # are its notes."""
    with shipped(f"rules/{file}.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(line for line in lines if not line.startswith("#")))


def close(word: str, known: Iterable[str]) -> str | None:
    """The nearest right word; None when none is near."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


class Hint(str):
    """What to write. only: the one word that can be meant, a slip of the pen away; "" where more than one could be."""

    only: str = ""


def nearest(word: str, known: Iterable[str], *, or_list: bool = True) -> str:
    """Hint with the nearest right word, or with the whole short list; "" when there is none."""
    options = sorted(known)
    meant = close(word, options)
    if meant is None:
        return f"one of {', '.join(options)}" if options and or_list else ""
    hint = Hint(f'did you mean "{meant}"?')
    slips = [option for option in options if _slip_apart(word, option)]
    # Two right words that are a slip apart are never chosen between.
    hint.only = meant if slips == [meant] and not any(_slip_apart(meant, o) for o in options) else ""
    return hint


def _slip_apart(word: str, option: str) -> bool:
    """One letter more, less or other, or two neighbours exchanged."""
    if abs(len(word) - len(option)) > 1 or min(len(word), len(option)) < 3 or word == option:
        return False
    start = next((n for n, (a, b) in enumerate(zip(word, option, strict=False)) if a != b), min(len(word), len(option)))
    a, b = word[start:], option[start:]
    return a[1:] == b[1:] or a == b[1:] or a[1:] == b or (a[:2] == b[1::-1] and a[2:] == b[2:] and len(a) > 1)
