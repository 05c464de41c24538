"""Every single change of a case that is worth a try: a number, a date, a length, a word, a line, the hook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cds.authoring.cases import CaseFile
from cds.authoring.patients import Lines
from cds.authoring.writing import NotationError

_DATE: Final = re.compile(r"^(@?)([+-]\d+)d$")
_LENGTH: Final = re.compile(r"^(\d+) ?d$")
Kind = Literal["shift", "less", "word", "hook", "more"]
# Of changes alike in size the kind that leaves most of the case as it is comes first.
_FIRST: Final[Mapping[Kind, int]] = {"shift": 0, "less": 5000, "word": 6000, "hook": 7000, "more": 8000}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A case with one change, as its lines and as the keys of a case. words: what was changed.

    by: how far a value was shifted.
    """

    kind: Kind
    by: int
    words: str
    lines: list[tuple[str, Any]]
    change: dict[str, dict[str, Any]]
    without: list[str]
    add: Lines
    hook: str | None = None

    @property
    def size(self) -> int:
        """For the order of trials, the smallest first."""
        return _FIRST[self.kind] + self.by


def changes(file: CaseFile, number: int, *, days: Iterable[int], hooks: Sequence[str]) -> Iterator[Change]:
    """Every single change of a case. days: distances to bounds, beside 1. hooks: those of the rule."""
    case = file.shape.cases[number]
    try:
        lines = file.lines(number)
    except NotationError:
        return
    make = _Maker(file, number, lines)
    steps = sorted({-1, 1, *days} - {0}, key=abs)
    for at, (name, body) in enumerate(lines):
        if isinstance(body, Mapping):
            for path, value in _leaves(body, ()):
                for by, other in _others(value, steps, make.words_elsewhere(name, path)):
                    yield make.with_value(at, path, other, by)
        yield make.without_line(at)
    here = case.hook or file.shape.hook
    for hook in hooks:
        if hook != here:
            yield make.as_hook(hook)
    for name, body in make.lines_elsewhere():
        yield make.with_line(name, body)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _leaves(inner, (*path, n))
    else:
        yield path, value


def _others(value: Any, steps: Sequence[int], words: Iterable[Any]) -> Iterator[tuple[int | None, Any]]:
    """(how far, value) of everything that could stand in a value's place; None for another word."""
    if isinstance(value, bool):
        yield 1, not value
        return
    if isinstance(value, int | float):
        for by in steps:
            if value + by > 0:
                yield abs(by), type(value)(value + by) if isinstance(value, int) else float(value + by)
        return
    date, length = _DATE.match(str(value)), _LENGTH.match(str(value))
    if date is not None:
        for by in steps:
            yield abs(by), f"{date[1]}{int(date[2]) + by:+d}d"
    elif length is not None:
        for by in steps:
            if int(length[1]) + by > 0:
                yield abs(by), f"{int(length[1]) + by}d"
    else:
        yield from ((None, word) for word in words if word != value)


def _replaced(value: Any, path: Path, other: Any) -> Any:
    if not path:
        return other
    if isinstance(value, Mapping):
        return {k: _replaced(v, path[1:], other) if str(k) == path[0] else v for k, v in value.items()}
    return [_replaced(v, path[1:], other) if n == path[0] else v for n, v in enumerate(value)]


class _Maker:
    """Changes of one case, written both as its lines and as a case of the file."""

    def __init__(self, file: CaseFile, number: int, lines: list[tuple[str, Any]]) -> None:
        self._file, self._lines = file, lines
        self._case = file.shape.cases[number]
        self._own = len(lines) - sum(len(line) for line in self._case.add)

    def with_value(self, at: int, path: Path, other: Any, by: int | None) -> Change:
        name, old = self._lines[at]
        body, words = _replaced(old, path, other), f"{_ident(name)}.{'.'.join(map(str, path))}"
        lines = [*self._lines[:at], (name, body), *self._lines[at + 1 :]]
        change, add = dict(self._case.change), self._case.add
        if at < self._own:
            different = {k: v for k, v in body.items() if k not in old or old[k] != v}
            change[_ident(name)] = {**change.get(_ident(name), {}), **different}
        else:
            add = [{n: b} for n, b in lines[self._own :]]
        return Change("word" if by is None else "shift", by or 0, words, lines, change, list(self._case.without), add)

    def without_line(self, at: int) -> Change:
        name = self._lines[at][0]
        lines = [*self._lines[:at], *self._lines[at + 1 :]]
        change, without, add = dict(self._case.change), list(self._case.without), self._case.add
        if at < self._own:
            change.pop(_ident(name), None)
            without.append(_ident(name))
        else:
            add = [{n: b} for n, b in lines[self._own :]]
        return Change("less", 0, f"without {name}", lines, change, without, add)

    def with_line(self, name: str, body: Any) -> Change:
        lines = [*self._lines, (name, body)]
        case = self._case
        add = [*case.add, {name: body}]
        return Change("more", 0, f"with {name}", lines, dict(case.change), list(case.without), add)

    def as_hook(self, hook: str) -> Change:
        case = self._case
        return Change(
            "hook", 0, f"asked as {hook}", self._lines, dict(case.change), list(case.without), list(case.add), hook
        )

    def words_elsewhere(self, name: str, path: Path) -> list[Any]:
        """The words that stand at the same place of the same kind of line in other cases of the file."""
        kind = name.partition(" ")[0]
        found: dict[str, None] = {}
        for other, body in _every_line(self._file):
            if other.partition(" ")[0] == kind and isinstance(body, Mapping):
                for where, value in _leaves(body, ()):
                    if where == path and isinstance(value, str):
                        found[value] = None
        return list(found)

    def lines_elsewhere(self) -> list[tuple[str, Any]]:
        """The lines of other cases whose name this one does not have; a patient only when it says something new."""
        names = {_ident(name) for name, _ in self._lines}
        found: dict[str, tuple[str, Any]] = {}
        for name, body in _every_line(self._file):
            if _ident(name) not in names or (name == "patient" and body.get("deceased")):
                found[f"{name} {body}"] = (name, body)
        return list(found.values())


def _every_line(file: CaseFile) -> Iterator[tuple[str, Any]]:
    for lines in (*file.patients.values(), *(case.add for case in file.shape.cases)):
        for line in lines:
            yield from line.items()


def _ident(name: str) -> str:
    return name.partition(" ")[2] or name
