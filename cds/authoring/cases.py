"""Case files: `fixtures/cases/<rule>.yaml`. Patients apart from expectations, dates relative to today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cds.authoring.notation import NotationError, Writer
from cds.authoring.patients import Lines, fhir_case, lines_of, patient_lines
from cds.errors import RuleError
from cds.model import Indicator
from cds.rules.source import Source, read_source

Expectation = Literal["silent", "fire", "info", "warning", "critical", "not evaluated"]
_HOOK = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FindsShape(BaseModel):
    """One expected finding: its words, and for each binding the line of the patient that it is bound to."""

    model_config = ConfigDict(extra="allow")
    level: str | None = None
    indicator: Indicator | None = None
    summary: str | None = None
    detail_contains: str | None = None


class CaseShape(_Shape):
    """One case. row: the row of the clinical specification's test table that it shows."""

    name: str
    row: str | None = None
    hook: _HOOK | None = None
    patient: str | None = None
    fhir: str | None = None
    change: dict[str, dict[str, Any]] = {}
    without: list[str] = []
    add: Lines = []
    expect: Expectation
    level: str | None = None
    because: str | None = None
    withheld: Literal["absorbed", "budget", "silent"] | None = None
    summary: str | None = None
    finds: list[FindsShape] | None = None
    not_evaluated: list[str] | None = None
    known_gap: str | None = None
    also_today: bool = True


class ExplainedShape(_Shape):
    """Something that no case can show, and why. mutant or comparison in the rule's words; at: places, all if empty."""

    mutant: str = ""
    comparison: str = ""
    at: list[str] = []
    reason: str = Field(min_length=10)


class FileShape(_Shape):
    """A case file."""

    rule: str
    spec: str
    today: dt.date
    also_today: list[dt.date] = []
    time_zone: str = "UTC"
    hook: _HOOK
    patients: dict[str, Lines | dict[Literal["use"], str]] = {}
    cases: list[CaseShape] = Field(min_length=1)
    equivalent: list[ExplainedShape] = []
    uncovered: list[ExplainedShape] = []


@dataclass(frozen=True, slots=True)
class Expected:
    """One finding that a case expects. bindings: binding to the line of the patient that it must rest on."""

    level: str | None
    indicator: str | None
    summary: str | None
    detail_contains: str | None
    bindings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One case on one day, ready for a door.

    request: the hook request as bytes. lines: each line of the patient with the FHIR references of what it wrote.
    number: its place in the file, from 0.
    """

    file: str
    line: int
    rule: str
    spec: str
    name: str
    row: str | None
    hook: str
    today: dt.date
    time_zone: str
    request: bytes
    expect: Expectation | Literal["facts"]
    level: str | None
    because: str | None
    withheld: str | None
    summary: str | None
    known_gap: str | None
    finds: tuple[Expected, ...] | None = None
    not_evaluated: tuple[str, ...] | None = None
    lines: Mapping[str, tuple[str, ...]] | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """An entry of `equivalent` or `uncovered`: words of the rule, places ("level/binding"), reason, its own line."""

    text: str
    at: tuple[str, ...]
    reason: str
    line: int


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file, read and checked; its cases are written out on demand."""

    path: Path
    source: Source
    shape: FileShape
    patients: Mapping[str, Lines]

    @property
    def rule(self) -> str:
        return self.shape.rule

    @property
    def equivalent(self) -> list[Explained]:
        """Mutants of the rule that no data can tell apart."""
        return self._explained("equivalent", self.shape.equivalent)

    @property
    def uncovered(self) -> list[Explained]:
        """Comparisons of the rule that no data can make false, or true."""
        return self._explained("uncovered", self.shape.uncovered)

    def _explained(self, key: str, entries: list[ExplainedShape]) -> list[Explained]:
        return [
            Explained(e.mutant or e.comparison, tuple(e.at), e.reason, self.source.at((key, n))[0])
            for n, e in enumerate(entries)
        ]

    def lines(self, number: int) -> list[tuple[str, Any]]:
        """The lines of a case: its patient's, changed, and its own. Raises NotationError."""
        case = self.shape.cases[number]
        base = self.patients[case.patient] if case.patient else []
        return lines_of(base, change=case.change, without=case.without, add=case.add)

    def cases(self, *, sweep: bool = True) -> Iterator[Case]:
        """Every case on its day and (sweep) on each of `also_today`. Raises RuleError R201 or R202."""
        for n, case in enumerate(self.shape.cases):
            fixed = case.fhir is not None  # dates in FHIR are dates, and do not move with today
            also = self.shape.also_today if sweep and case.also_today and not fixed else []
            lines = self._read_lines(n) if not fixed else []
            for today in (self.shape.today, *also):
                yield self.case(n, lines, today)

    def _read_lines(self, n: int) -> list[tuple[str, Any]]:
        case = self.shape.cases[n]
        if case.patient is not None and case.patient not in self.patients:
            known = ", ".join(self.patients) or "the file has no patients"
            raise self.source.error(
                ("cases", n, "patient"), "R201", f'there is no patient "{case.patient}"', f"one of {known}"
            )
        try:
            return self.lines(n)
        except NotationError as error:
            raise self.source.error(("cases", n), "R202", f'case "{case.name}": {error}') from None

    def case(self, n: int, lines: list[tuple[str, Any]], today: dt.date, *, hook: str = "") -> Case:
        """Case `n` with these lines on this day. hook: another than its own. Raises RuleError R202."""
        case = self.shape.cases[n]
        hook = hook or case.hook or self.shape.hook
        written: Mapping[str, tuple[str, ...]] = {}
        try:
            if case.fhir is not None:
                request = fhir_case(self.path, case.fhir, hook)
            else:
                writer = Writer(today)
                for name, body in lines:
                    writer.line(name, body)
                request, written = orjson.dumps(writer.request(hook)), writer.refs
        except (NotationError, ValueError, TypeError) as error:
            raise self.source.error(("cases", n), "R202", f'case "{case.name}": {error}') from None
        return Case(
            self.source.path, self.source.at(("cases", n))[0], self.rule, self.shape.spec, case.name, case.row, hook,
            today, self.shape.time_zone, request, case.expect, case.level, case.because, case.withheld, case.summary,
            case.known_gap, _expected(case), None if case.not_evaluated is None else tuple(case.not_evaluated),
            written, n,
        )  # fmt: skip


def _expected(case: CaseShape) -> tuple[Expected, ...] | None:
    if case.finds is None:
        return None
    return tuple(
        Expected(
            f.level, f.indicator, f.summary, f.detail_contains, {k: str(v) for k, v in (f.model_extra or {}).items()}
        )
        for f in case.finds
    )


def case_files(folder: Path) -> list[Path]:
    """Case files of a folder, by name."""
    return sorted(folder.glob("*.yaml"))


def read_file(path: Path, *, shown_as: str | None = None) -> CaseFile:
    """Read a case file. Raises RuleError with file, line and column for the first thing that cannot be read."""
    source = read_source(path, shown_as=shown_as)
    try:
        shape = FileShape.model_validate(plain(source.data))
    except ValidationError as error:
        item = error.errors()[0]
        loc = [p for p in item["loc"] if not (isinstance(p, str) and ("[" in p or p == "dict"))]
        raise source.error(loc, "R200", f"{'.'.join(map(str, loc))}: {item['msg']}") from None
    for problem in contradictions(source, shape):
        raise problem
    return CaseFile(
        path, source, shape, {name: patient_lines(source, path, name, p) for name, p in shape.patients.items()}
    )


def contradictions(source: Source, shape: FileShape) -> Iterator[RuleError]:
    """What pydantic cannot see: keys that contradict each other."""
    for n, case in enumerate(shape.cases):
        fires = case.expect not in {"silent", "not evaluated"}
        for key in ("level", "summary", "finds", "withheld"):
            if getattr(case, key) is not None and not fires:
                text = f'case "{case.name}" expects {case.expect} and has {key}:'
                yield source.error(("cases", n, key), "R200", text, "expect a finding, or leave it out", key=True)
        if case.because is not None and fires:
            text = f'case "{case.name}" expects {case.expect} and has because:'
            yield source.error(("cases", n, "because"), "R200", text, "because goes with a silent case", key=True)
        if case.not_evaluated is not None and case.expect != "not evaluated":
            text = f'case "{case.name}" expects {case.expect} and has not_evaluated:'
            yield source.error(("cases", n, "not_evaluated"), "R200", text, "write expect: not evaluated", key=True)
        if case.fhir is not None and (case.patient or case.change or case.without or case.add):
            text = f'case "{case.name}" has fhir: and lines of a patient'
            yield source.error(("cases", n, "fhir"), "R200", text, "one or the other", key=True)
    for key, word in (("equivalent", "mutant"), ("uncovered", "comparison")):
        for n, entry in enumerate(getattr(shape, key)):
            if not getattr(entry, word):
                yield source.error((key, n), "R200", f"{key}.{n}: the key {word} is missing")


def read_cases(path: Path, *, shown_as: str | None = None, sweep: bool = True) -> list[Case]:
    """Every case of a file, on its day and (sweep) on each of `also_today`. Raises RuleError."""
    return list(read_file(path, shown_as=shown_as).cases(sweep=sweep))


def plain(value: Any) -> Any:
    """Round-trip YAML containers as plain ones, so that dates and numbers stay what they are."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


__all__ = [
    "Case",
    "CaseFile",
    "Expected",
    "Explained",
    "RuleError",
    "case_files",
    "contradictions",
    "plain",
    "read_cases",
    "read_file",
]
