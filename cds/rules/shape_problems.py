"""What is wrong with the shape of a file, all of it, and a shape to go on with: what it says is looked at as well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cds.errors import RuleError
from cds.rules.source import Source
from cds.rules.vocabulary import close, nearest

Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
_FORMS = {
    "version": ("MAJOR.MINOR.PATCH", 'quote it: "{0}"'),
    "spec": ("a row of the clinical specification", "write B-01 or X-DDI-01"),
    "url": ("an address", "write https://..."),
    "id": ("a name", "lower case letters, digits and single hyphens"),
    "name": ("a name", "lower case letters, digits and single hyphens"),
}
_SAID = {
    "list_type": ("is not a list", "write [a, b], or one entry a line after a hyphen"),
    "dict_type": ("is not a mapping of keys", "write key: value"),
    "model_type": ("is not a mapping of keys", "write key: value"),
    "model_attributes_type": ("is not a mapping of keys", "write key: value"),
    "string_type": ("is not text", "put it in quotes"),
    "bool_parsing": ("is not a truth value", "write true or false"),
    "bool_type": ("is not a truth value", "write true or false"),
    "int_parsing": ("is not a whole number", ""),
    "int_type": ("is not a whole number", ""),
    "tuple_type": ("is not a pair", 'write [label, "text"]'),
}
# What a missing or unreadable value is taken for. Nothing is reported of what stands under it.
_TAKEN_FOR = {"version": "0.0.0", "spec": "Z-00", "url": "https://unread", "id": "unread", "name": "unread"}
_MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """shape: None where nothing could be made of the file. repaired: paths that were taken for something else."""

    shape: M | None
    problems: list[RuleError]
    repaired: tuple[Path_, ...]


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of one kind of file. hook: a word that is no hook."""

    unknown: str = "R001"
    missing: str = "R003"
    shape: str = "R004"
    form: str = "R010"
    word: str = "R011"
    hook: str = "R012"


def plain(value: Any) -> Any:
    """Round-trip YAML containers as plain ones, so that dates and numbers stay what they are."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def read_shape(source: Source, model: type[M], codes: Codes | None = None) -> Read[M]:
    """Validate a file as `model`. What is wrong is reported and taken for something harmless, until the rest holds."""
    codes = codes or Codes()
    data = plain(source.data)
    problems: list[RuleError] = []
    repaired: list[Path_] = []
    for _ in range(_MOST_ROUNDS):
        try:
            return Read(model.model_validate(data), problems, tuple(repaired))
        except ValidationError as error:
            errors = error.errors(include_url=False)
        unknown = [_path(e) for e in errors if e["type"] == "extra_forbidden"]
        for e in errors:
            path = _path(e)
            if any(path[: len(done)] == done for done in repaired):
                _repair(data, model, path, e)
                continue
            if e["type"] == "missing" and (path[0] in source.unread or _is_misspelt(path, unknown, data)):
                _repair(data, model, path, e)
                repaired.append(path)
                continue
            if e["type"] == "extra_forbidden" and path[0] in source.unread:
                continue
            problems.append(_problem(source, model, path, e, codes))
            _repair(data, model, path, e)
            if e["type"] != "extra_forbidden":
                repaired.append(path)
    return Read(None, problems, tuple(repaired))


def _path(error: ErrorDetails) -> Path_:
    return tuple(p for p in error["loc"] if not (isinstance(p, str) and p.startswith(("function-", "[key]"))))


def _is_misspelt(path: Path_, unknown: Sequence[Path_], data: Any) -> bool:
    """The key is there under a name that is nearly its own; its value is moved to the right name."""
    for other in unknown:
        if other[:-1] == path[:-1] and close(str(other[-1]), [str(path[-1])]) is not None:
            parent = follow(data, path[:-1])
            if isinstance(parent, dict) and other[-1] in parent:
                parent[str(path[-1])] = parent[str(other[-1])]
                return True
    return False


def _problem(source: Source, model: type[BaseModel], path: Path_, e: ErrorDetails, codes: Codes) -> RuleError:
    kind, name = e["type"], str(path[-1]) if path else ""
    label = name if path and isinstance(path[-1], str) else f"{path[-2]}" if len(path) > 1 else name
    if kind == "extra_forbidden":
        known = _keys(_annotation(model, path[:-1]))
        return source.error(path, codes.unknown, f'unknown key "{name}"', nearest(name, known), key=True)
    if kind == "missing":
        if len(path) == 3 and path[0] == "parameters" and name == "source":
            text = f'parameter "{path[1]}" has no source'
            hint = "write source: <id of a source of this rule>; U where none was read, P for a default of the project"
            return source.error(path, "R021", text, hint)
        return source.error(path, codes.missing, f'key "{name}" is missing', _what_it_is(model, path))
    if kind == "literal_error":
        allowed = _words(_annotation(model, path)) or re.findall(r"'([^']+)'", str(e.get("ctx", {}).get("expected")))
        given = source.written(path) if not isinstance(e.get("input"), str) else e.get("input")
        if "hook" in label:
            return source.error(path, codes.hook, f'unknown hook "{given}"', nearest(str(given), allowed))
        text = f'{label} "{given}" is not one of {", ".join(allowed)}'
        return source.error(path, codes.word, text, nearest(str(given), allowed, or_list=False))
    if name in _FORMS and kind in {"string_pattern_mismatch", "string_type"}:
        form, hint = _FORMS[name]
        given = e.get("input") if isinstance(e.get("input"), str) else source.written(path)
        # 1.10 without quotes is the number 1.1: two parts at most can stand there.
        full = ".".join([*re.findall(r"\d+", str(given))[:3], "0", "0", "0"][:3])
        return source.error(path, codes.form, f'{name} "{given}" is not {form}', hint.format(full))
    said, hint = _SAID.get(kind, (e["msg"][:1].lower() + e["msg"][1:], ""))
    return source.error(path, codes.shape, f"{'.'.join(map(str, path))}: {said}", hint)


def _what_it_is(model: type[BaseModel], path: Path_) -> str:
    allowed = _words(_annotation(model, path))
    return f"one of {', '.join(allowed)}" if allowed else ""


def _repair(data: Any, model: type[BaseModel], path: Path_, e: ErrorDetails) -> None:
    parent = follow(data, path[:-1])
    if not path or not isinstance(parent, (dict, list)):
        return
    name: Any = path[-1]
    if e["type"] == "extra_forbidden":
        if isinstance(parent, dict):
            parent.pop(name, None)
        return
    owner, field = _annotation(model, path[:-1]), None
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        field = _field(owner, str(name))
    if isinstance(parent, list):
        if isinstance(name, int) and name < len(parent):
            parent[name] = _harmless(_annotation(model, path), str(name))
    elif field is not None and not field.is_required():
        parent.pop(name, None)
    elif field is not None or name in parent:
        parent[name] = _harmless(_annotation(model, path), str(name))


def _harmless(annotation: Any, name: str) -> Any:
    origin = get_origin(annotation)
    if origin is Literal:
        return get_args(annotation)[0]
    if origin in (Union, UnionType):
        return None
    if origin is list:
        return [_harmless(get_args(annotation)[0], name)]
    if origin is tuple:
        return ["", ""]
    if origin is dict:
        return {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {}
    if annotation is str:
        return _TAKEN_FOR.get(name, "")
    return {bool: False, int: 0}.get(annotation)


def follow(data: Any, path: Path_) -> Any:
    """What stands at `path`; None where nothing does."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    return next((f for n, f in model.model_fields.items() if name in (n, f.alias)), None)


def _annotation(model: Any, path: Path_) -> Any:
    """The type that the shape has at `path`; None where it has none."""
    found: Any = model
    for step in path:
        if get_origin(found) in (Union, UnionType):
            found = next((a for a in get_args(found) if a is not type(None)), None)
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = _field(found, str(step))
            found = field.annotation if field is not None else None
        elif get_origin(found) in (list, tuple):
            found = get_args(found)[0]
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        else:
            return None
    return found


def _keys(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [f.alias or n for n, f in annotation.model_fields.items()]
    return []


def _words(annotation: Any) -> list[str]:
    if get_origin(annotation) in (Union, UnionType):
        annotation = next((a for a in get_args(annotation) if a is not type(None)), None)
    return [str(a) for a in get_args(annotation)] if get_origin(annotation) is Literal else []
