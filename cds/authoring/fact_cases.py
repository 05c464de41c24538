"""Fact cases: `fixtures/facts/*.yaml`. What fills, orders and visits become before any rule is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cds.authoring.cases import Case, plain
from cds.authoring.notation import NotationError, Writer
from cds.authoring.patients import Lines, lines_of, patient_lines
from cds.authoring.run import Outcome, with_closed_gaps
from cds.authoring.writing import days
from cds.errors import RuleError
from cds.model import Fact, Scalar
from cds.rules.grammar import GrammarError, quantity
from cds.rules.source import Source, read_source
from cds.rules.vocabulary import UNITS, nearest, vocabulary

_HOOK = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FactCaseShape(_Shape):
    """One case. facts: every fact of each kind named, by the fields that are looked at."""

    name: str
    hook: _HOOK | None = None
    patient: str | None = None
    change: dict[str, dict[str, Any]] = {}
    without: list[str] = []
    add: Lines = []
    facts: dict[str, list[dict[str, Any]]] = Field(min_length=1)
    known_gap: str | None = None


class FactFileShape(_Shape):
    """A file of fact cases. facts: what they are about; spec: the section of the clinical specification."""

    facts: str
    spec: str
    today: dt.date
    also_today: list[dt.date] = []
    time_zone: str = "UTC"
    hook: _HOOK
    patients: dict[str, Lines | dict[Literal["use"], str]] = {}
    cases: list[FactCaseShape] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class FactCase:
    """One case on one day. wanted: by kind, the fields of each fact as a fact has them."""

    case: Case
    wanted: Mapping[str, Sequence[Mapping[str, Scalar]]]


def read_fact_cases(path: Path, *, shown_as: str | None = None, sweep: bool = True) -> list[FactCase]:
    """Every case of a file, on its day and (sweep) on each of `also_today`. Raises RuleError."""
    source = read_source(path, shown_as=shown_as)
    try:
        shape = FactFileShape.model_validate(plain(source.data))
    except ValidationError as error:
        item = error.errors()[0]
        raise source.error(item["loc"], "R200", f"{'.'.join(map(str, item['loc']))}: {item['msg']}") from None
    patients = {name: patient_lines(source, path, name, p) for name, p in shape.patients.items()}
    return list(_cases(source, shape, patients, sweep))


def _cases(source: Source, shape: FactFileShape, patients: Mapping[str, Lines], sweep: bool) -> Iterator[FactCase]:
    for n, body in enumerate(shape.cases):
        if body.patient is not None and body.patient not in patients:
            known = ", ".join(patients) or "the file has no patients"
            raise source.error(
                ("cases", n, "patient"), "R201", f'there is no patient "{body.patient}"', f"one of {known}"
            )
        wanted = {kind: [_fields(source, n, kind, fact) for fact in facts] for kind, facts in _kinds(source, n, body)}
        hook = body.hook or shape.hook
        for today in (shape.today, *(shape.also_today if sweep else ())):
            writer = Writer(today)
            try:
                base = patients[body.patient] if body.patient else []
                for name, line in lines_of(base, change=body.change, without=body.without, add=body.add):
                    writer.line(name, line)
                request = orjson.dumps(writer.request(hook))
            except (NotationError, ValueError, TypeError) as error:
                raise source.error(("cases", n), "R202", f'case "{body.name}": {error}') from None
            case = Case(
                source.path, source.at(("cases", n))[0], f"facts: {shape.facts}", shape.spec, body.name, None, hook,
                today, shape.time_zone, request, "facts", None, None, None, None, body.known_gap, number=n,
            )  # fmt: skip
            yield FactCase(case, wanted)


def _kinds(source: Source, n: int, body: FactCaseShape) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for kind, facts in body.facts.items():
        if kind not in vocabulary().kinds:
            hint = nearest(kind, vocabulary().kinds)
            raise source.error(("cases", n, "facts", kind), "R114", f'there is no fact kind "{kind}"', hint, key=True)
        yield kind, facts


def _fields(source: Source, n: int, kind: str, body: Mapping[str, Any]) -> dict[str, Scalar]:
    """Expected fields as a fact has them: dates as days from today, quantities as numbers."""
    found: dict[str, Scalar] = {}
    for name, value in body.items():
        field = vocabulary().field(kind, name)
        if field is None:
            hint = nearest(name, vocabulary().kinds[kind])
            raise source.error(("cases", n, "facts", kind), "R110", f'"{kind}" has no field "{name}"', hint)
        try:
            found[name] = _value(field.type, value)
        except (GrammarError, NotationError, ValueError) as error:
            text = f'case "{source.data["cases"][n]["name"]}": {kind}.{name}: {error}'
            raise source.error(("cases", n, "facts", kind), "R202", text) from None
    return found


def _value(kind: str, value: Any) -> Scalar:
    if kind == "boolean":
        if not isinstance(value, bool):
            raise NotationError(f'"{value}" is not a truth value (write true or false)')
        return value
    if kind == "date":
        text = str(value)
        if text[:1] not in "+-":
            raise NotationError(f'"{text}" is not a day from today (write -28d or +0d)')
        return float(days(text[1:]) * (-1 if text[0] == "-" else 1))
    if kind in UNITS:
        number, unit = quantity(str(value))
        if unit != UNITS[kind]:
            raise NotationError(
                f'"{value}" is in {unit or "plain numbers"}, the field in {UNITS[kind] or "plain numbers"}'
            )
        return number
    return str(value)


def run_fact_cases(cases: Sequence[FactCase], facts: Callable[[Case], Sequence[Fact]]) -> list[Outcome]:
    """Derive the facts of every case and compare. facts: the derived facts of a case."""
    return with_closed_gaps([_run_one(case, facts(case.case)) for case in cases])


def _run_one(case: FactCase, facts: Sequence[Fact]) -> Outcome:
    problems, got = [], []
    for kind, wanted in case.wanted.items():
        names = list(dict.fromkeys(name for fields in wanted for name in fields))
        came = [fact for fact in facts if fact.kind == kind]
        got.append(f"{len(came)} {kind}")
        left = list(came)
        for fields in wanted:
            fits = next((f for f in left if all(_same(f.fields.get(k), v) for k, v in fields.items())), None)
            if fits is None:
                there = "; ".join(_shown(kind, f.fields, names) for f in left) or "none"
                problems.append(f"expected {_shown(kind, fields, names)}, got {there}")
            else:
                left.remove(fits)
        if not problems and left:
            problems += [f"a {kind} more than expected: {_shown(kind, f.fields, names)}" for f in left]
    return Outcome(case.case, ", ".join(got), "; ".join(problems), "")


def _same(came: Scalar | None, wanted: Scalar) -> bool:
    return came is not None and type(came) is type(wanted) and came == wanted


def _shown(kind: str, fields: Mapping[str, Scalar], names: Sequence[str]) -> str:
    """A fact as the file writes it, with the fields that a case looks at."""
    shown = []
    for name in names or list(fields):
        value = fields.get(name)
        field = vocabulary().field(kind, name)
        if value is None or field is None:
            text = "not known"
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, str):
            text = value
        else:
            text = f"{value:+g}d" if field.type == "date" else f"{value:g} {UNITS.get(field.type, '')}".strip()
        if value is not None or name in fields or names:
            shown.append(f"{name}: {text}")
    return f"{kind} {{{', '.join(shown)}}}"


__all__ = ["FactCase", "RuleError", "read_fact_cases", "run_fact_cases"]
