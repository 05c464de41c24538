"""The linter of the language's own tables: fact kinds and their fields, parameters that rules share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cds.errors import RuleError
from cds.rules.schema import HookName, ParameterShape
from cds.rules.shape_problems import read_shape
from cds.rules.source import Source

# A field is a quantity or a state. What it means for the patient is decided in the rule, where a clinician reads it.
_VERDICT = re.compile(
    r"(should|must)_\w+|level|verdict|decision|indicator|severity|fires?|finding|alert|warning|warn|suppress(ed)?"
    r"|is_(duplicate|excessive|inappropriate|dangerous|unsafe|wrong|severe|contraindicated|inadequate|overdue|too_\w+)"
    r"|(duplicate|excessive|inappropriate|dangerous|unsafe|contraindicated|overdue)|too_\w+|needs_\w+|recommended"
)
TypeName = Literal["text", "code", "boolean", "date", "days", "count", "mg", "percent", "years", "score"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldShape(_Shape):
    type: TypeName
    values: list[Any] = []
    absent: Literal["unknown", "answer"] = "unknown"
    what: str = ""
    table: str | list[str] = []
    counts: Literal["each day", "covered", "planned"] | None = None
    since: str = ""


class KindShape(_Shape):
    what: str
    hooks: list[HookName] = []
    fields: dict[str, FieldShape]


class VocabularyShape(_Shape):
    """`rules/_vocabulary.yaml`."""

    schema_: str = Field(alias="schema")
    kinds: dict[str, KindShape]


class ParametersShape(_Shape):
    """`rules/_parameters.yaml`."""

    schema_: str = Field(alias="schema")
    parameters: dict[str, ParameterShape]


def lint_vocabulary(source: Source) -> Iterator[RuleError]:
    """Shape, codes without values, and fields that give a verdict (R126)."""
    read = read_shape(source, VocabularyShape)
    yield from read.problems
    for kind, body in read.shape.kinds.items() if read.shape else ():
        for name, field in body.fields.items():
            path = ("kinds", kind, "fields", name)
            if _VERDICT.fullmatch(name):
                text = f'the field "{kind}.{name}" is a verdict'
                hint = "derive a quantity or a state, and decide in the rule"
                yield source.error(path, "R126", text, hint, key=True)
            if (field.type == "code") != bool(field.values):
                text = "a code has no values" if field.type == "code" else f"a {field.type} field has values"
                yield source.error(path, "R004", f"{kind}.{name}: {text}", "values: [...] goes with type: code")


def lint_parameters(source: Source) -> Iterator[RuleError]:
    """The shape of the shared parameters; their values are read when rules are loaded."""
    yield from read_shape(source, ParametersShape).problems
