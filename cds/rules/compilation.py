"""What is known while one rule file is compiled. Problems are gathered: an author sees them all, not only the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds.errors import RuleError
from cds.model import Comparison
from cds.rules.model import Parameter
from cds.rules.source import Source
from cds.rules.vocabulary import Vocabulary


@dataclass(slots=True)
class Compilation:
    """One file's state: its source, what it may name, what it has used, its problems so far.

    repaired: paths that could not be read and were taken for something else: nothing more is reported there.
    unread: parameters that are there and could not be read.
    places: (line, column, text) of each comparison, by its id().
    overrides: values that a site sets. replaced: parameters taken as they are, whatever the file says and its range
    admits (mutants of a rule).
    """

    source: Source
    vocabulary: Vocabulary
    shared: Mapping[str, Parameter]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    problems: list[RuleError] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    repaired: tuple[tuple[str | int, ...], ...] = ()
    unread: set[str] = field(default_factory=set)
    places: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    kept: list[tuple[Comparison, str]] = field(default_factory=list)
    replaced: Mapping[str, Parameter] = field(default_factory=dict)

    def problem(
        self, path: Sequence[str | int], code: str, message: str, hint: str = "", *, key: bool = False, word: str = ""
    ) -> None:
        """Report what stands at `path`: at its key, or at a word inside its text."""
        if any(tuple(path[: len(done)]) == done for done in self.repaired):
            return
        line, column = self.source.word(path, word) if word else self.source.at(path, key=key)
        self.problems.append(RuleError(self.source.path, line, column, code, message, hint))

    def has_read(self, key: str) -> bool:
        """Whether a top-level key of the file could be read."""
        return (key,) not in self.repaired and key not in self.source.unread

    def stands_at(self, comparison: Comparison, kind: str, place: tuple[int, int], text: str) -> None:
        self.kept.append((comparison, kind))  # so that its id() stays its own
        self.places[id(comparison)] = (*place, text)
