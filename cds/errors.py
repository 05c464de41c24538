"""Errors of the house.

CdsError
├── RuleError          a rule file is wrong: path, line, column, code, hint
├── FactError          a fact cannot be derived: resource type and field, nothing of the patient
├── EngineError        an engine could not finish an evaluation; another one answers
└── HookRequestError   a request that cannot be answered: HTTP status and a message safe to send back

No message carries a patient's name, identifier or free text.
"""

from __future__ import annotations

from dataclasses import dataclass


class CdsError(Exception):
    """Base of every error this project raises on purpose."""


_LONGEST = 400


def _one_line(text: str) -> str:
    """A message quotes what stands in the file, however long."""
    line = " ".join(text[: 4 * _LONGEST].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


@dataclass(slots=True)
class RuleError(CdsError):
    """What is wrong in a rule, table, case or settings file, where, and what to write instead."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({_one_line(self.hint)})" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {_one_line(self.message)}{hint}"


@dataclass(slots=True)
class FactError(CdsError):
    """A value of a resource that cannot be read as what it should be."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class EngineError(CdsError):
    """An engine did not finish; its partial result is worthless."""


@dataclass(slots=True)
class HookRequestError(CdsError):
    """A request that is answered with an HTTP error."""

    status: int
    message: str

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"
