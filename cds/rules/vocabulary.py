"""The fact kinds and fields that rules may speak of: `rules/_vocabulary.yaml`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cds.rules.source import read_source
from cds.shipped import shipped

TYPES = frozenset({"text", "code", "boolean", "date", "days", "count", "mg", "percent", "years", "score"})
COUNTS = frozenset({"each day", "covered", "planned"})
UNITS = {"days": "d", "mg": "mg", "percent": "%", "count": "", "years": "", "score": ""}


@dataclass(frozen=True, slots=True)
class Field:
    """type: one of TYPES. values: the closed set of a code. reports_absence: a missing value means "not evaluated".

    counts: what the days of a days field are: of each day that passes, covered days up to yesterday, of a plan; "" for
    another number. since: the date field ("start", or "continuous_use.start" of another kind) they are counted from.
    """

    type: str
    values: tuple[str, ...]
    reports_absence: bool
    what: str
    counts: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Fields by kind. what: each kind in a sentence."""

    kinds: Mapping[str, Mapping[str, Field]]
    what: Mapping[str, str] = field(default_factory=dict)

    def field(self, kind: str, name: str) -> Field | None:
        return self.kinds.get(kind, {}).get(name)


@cache
def vocabulary(path: Path | None = None) -> Vocabulary:
    """The shipped vocabulary."""
    source = read_source(path or shipped("rules/_vocabulary.yaml"))
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
                )
                for name, f in body["fields"].items()
            }
            for kind, body in source.data["kinds"].items()
        },
        {kind: str(body.get("what", "")) for kind, body in source.data["kinds"].items()},
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Hint with the nearest right word, or with the whole short list."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"one of {', '.join(options)}"
