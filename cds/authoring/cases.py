"""Case files: `fixtures/cases/<rule>.yaml`. Patients apart from expectations, dates relative to today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cds.authoring.notation import NotationError, Writer
from cds.errors import RuleError
from cds.rules.source import Source, read_source

Expectation = Literal["silent", "fire", "info", "warning", "critical", "not evaluated"]
_HOOK = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]
Lines = list[dict[str, Any]]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CaseShape(_Shape):
    """One case. row: the row of the clinical specification's test table that it shows."""

    name: str
    row: str | None = None
    hook: _HOOK | None = None
    patient: str | None = None
    change: dict[str, dict[str, Any]] = {}
    without: list[str] = []
    add: Lines = []
    expect: Expectation
    level: str | None = None
    because: str | None = None
    withheld: Literal["absorbed", "budget", "silent"] | None = None
    summary: str | None = None
    known_gap: str | None = None
    also_today: bool = True


class FileShape(_Shape):
    """A case file."""

    rule: str
    spec: str
    today: dt.date
    also_today: list[dt.date] = []
    time_zone: str = "UTC"
    hook: _HOOK
    patients: dict[str, Lines] = {}
    cases: list[CaseShape] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Case:
    """One case on one day, ready for a door. request: the hook request as bytes."""

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
    expect: Expectation
    level: str | None
    because: str | None
    withheld: str | None
    summary: str | None
    known_gap: str | None


def case_files(folder: Path) -> list[Path]:
    """Case files of a folder, by name."""
    return sorted(folder.glob("*.yaml"))


def read_cases(path: Path, *, shown_as: str | None = None, sweep: bool = True) -> list[Case]:
    """Every case of a file, on its day and (sweep) on each of `also_today`.

    Raises RuleError with file, line and column for the first thing that cannot be read.
    """
    source = read_source(path, shown_as=shown_as)
    try:
        shape = FileShape.model_validate(_plain(source.data))
    except ValidationError as error:
        item = error.errors()[0]
        raise source.error(item["loc"], "R200", f"{'.'.join(map(str, item['loc']))}: {item['msg']}") from None
    return list(_cases(source, shape, sweep))


def _cases(source: Source, shape: FileShape, sweep: bool) -> Iterator[Case]:
    for n, case in enumerate(shape.cases):
        if case.patient is not None and case.patient not in shape.patients:
            raise source.error(
                ("cases", n, "patient"),
                "R201",
                f'there is no patient "{case.patient}"',
                f"one of {', '.join(shape.patients)}",
            )
        hook = case.hook or shape.hook
        days = [shape.today, *(shape.also_today if sweep and case.also_today else [])]
        for today in days:
            writer = Writer(today)
            try:
                for name, body in _lines(case, shape.patients):
                    writer.line(name, body)
                request = orjson.dumps(writer.request(hook))
            except (NotationError, ValueError, TypeError) as error:
                raise source.error(("cases", n), "R202", f'case "{case.name}": {error}') from None
            yield Case(
                source.path, source.at(("cases", n))[0], shape.rule, shape.spec, case.name, case.row, hook, today,
                shape.time_zone, request, case.expect, case.level, case.because, case.withheld, case.summary,
                case.known_gap,
            )  # fmt: skip


def _lines(case: CaseShape, patients: Mapping[str, Lines]) -> Iterator[tuple[str, Any]]:
    """The patient's lines with the case's changes, then its own."""
    base: Sequence[Mapping[str, Any]] = patients[case.patient] if case.patient else []
    names = {name.partition(" ")[2] or name for line in base for name in line}
    unknown = [i for i in [*case.change, *case.without] if i not in names]
    if unknown:
        raise NotationError(f'change or without names "{unknown[0]}", which the patient does not have')
    for line in base:
        for name, body in line.items():
            ident = name.partition(" ")[2] or name
            if ident not in case.without:
                yield name, {**body, **case.change[ident]} if ident in case.change else body
    for line in case.add:
        yield from line.items()


def _plain(value: Any) -> Any:
    """Round-trip YAML containers as plain ones, so that dates and numbers stay what they are."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


__all__ = ["Case", "RuleError", "case_files", "read_cases"]
