"""What is known while one rule file is compiled. Problems are gathered: an author sees them all, not only the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds.errors import RuleError
from cds.rules.model import Parameter
from cds.rules.source import Source
from cds.rules.vocabulary import Vocabulary


@dataclass(slots=True)
class Compilation:
    """One file's state: its source, what it may name, what it has used, its problems so far.

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
    replaced: Mapping[str, Parameter] = field(default_factory=dict)

    def problem(self, path: Sequence[str | int], code: str, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(self.source.error(path, code, message, hint, key=key))
