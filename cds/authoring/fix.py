"""What the linter may mend by itself: white space, quotes that text needs, and slips of one known word.

Never a number, a unit, a bound, a text of a card or the name of a parameter. Everything else stays byte for byte, and
what cannot be read the same way afterwards is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cds.authoring.lint_cases import lint_cases_text, looks_like_cases
from cds.errors import RuleError
from cds.rules.lint import lint_text
from cds.rules.shape_problems import plain
from cds.rules.source import Source
from cds.rules.vocabulary import Hint

Change = tuple[int, str]  # line, what was done
# Where the right word is one of a closed set that does not carry a threshold.
_WORDS = frozenset({"R001", "R011", "R012", "R110", "R114", "R203", "R207", "R208"})
_WORD = re.compile(r"[A-Za-z][\w-]*")
_SCALAR = re.compile(r"[^\s,\]}#'\"\[{&*!|>]+")
_ENDS = re.compile(r"\s*([,\]}]|$|\s#)")
_MOST_ROUNDS = 20
_TAB_WIDTHS = (2, 4, 8)


def mend(path: Path) -> list[Change]:
    """Mend a rule or case file in place; what was changed, by line. A second run changes nothing."""
    raw = path.read_bytes()
    text, changes = mended(raw, path.name)
    if changes:
        path.write_bytes(text.encode())
    return changes


def mended(raw: bytes, name: str) -> tuple[str, list[Change]]:
    """The mended text of a file's bytes, and what was changed. A file that is not UTF-8 is left alone."""
    changes: list[Change] = []
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "", []
    for step in (_byte_order_mark, _line_endings, _tabs, _trailing_space, _last_line):
        again, what = step(text)
        if what and _says_the_same(text, again):
            text = again
            changes.extend(what)
    for _ in range(_MOST_ROUNDS):
        found = next(_slips(text, name), None)
        if found is None:
            break
        text, change = found
        changes.append(change)
    return text, changes


def _read(text: str) -> Any:
    try:
        return plain(Source("", text.removeprefix("\ufeff")).data)
    except RuleError as error:
        return error.code


def _says_the_same(before: str, after: str) -> bool:
    """Nothing was lost: the data are equal, or there were none before."""
    was = _read(before)
    return isinstance(was, str) or was == _read(after)


def _byte_order_mark(text: str) -> tuple[str, list[Change]]:
    marked = text.startswith("\ufeff")
    return text.removeprefix("\ufeff"), [(1, "byte order mark removed")] if marked else []


def _line_endings(text: str) -> tuple[str, list[Change]]:
    again = text.replace("\r\n", "\n").replace("\r", "\n")
    return again, [(1, "line endings of Windows made plain")] if again != text else []


def _tabs(text: str) -> tuple[str, list[Change]]:
    """Tabs of the indentation, where it means the same however wide a tab is."""
    lines = text.split("\n")
    tabbed = [n for n, line in enumerate(lines) if "\t" in _indent(line)]
    if not tabbed:
        return text, []
    versions = []
    for width in _TAB_WIDTHS:
        widened = [_indent(line).expandtabs(width) + line[len(_indent(line)) :] for line in lines]
        versions.append("\n".join(widened))
    read = [_read(version) for version in versions]
    if isinstance(read[0], str) or any(other != read[0] for other in read):
        return text, []
    return versions[0], [(n + 1, "tab of the indentation made spaces") for n in tabbed]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _trailing_space(text: str) -> tuple[str, list[Change]]:
    lines = text.split("\n")
    trailing = [n for n, line in enumerate(lines) if line != line.rstrip(" \t")]
    return "\n".join(line.rstrip(" \t") for line in lines), [(n + 1, "space at the end removed") for n in trailing]


def _last_line(text: str) -> tuple[str, list[Change]]:
    again = text.rstrip("\n") + "\n" if text.strip() else text
    return again, [(again.count("\n"), "end of the file made one line break")] if again != text else []


def _slips(text: str, name: str) -> Iterator[tuple[str, Change]]:
    """Each single mending that leaves fewer problems than there were."""
    check: Callable[[str, str], list[RuleError]] = lint_cases_text if looks_like_cases(text) else lint_text
    problems = check(text, name)
    lines = text.split("\n")
    for p in problems:
        if not 1 <= p.line <= len(lines):
            continue
        edited = _edited(lines[p.line - 1], p)
        if edited is None:
            continue
        line, what = edited
        again = "\n".join([*lines[: p.line - 1], line, *lines[p.line :]])
        left = check(again, name)
        if len(left) < len(problems) and not any(q.code == "R002" for q in left):
            yield again, (p.line, what)


def _edited(line: str, p: RuleError) -> tuple[str, str] | None:
    start = p.column - 1
    if p.code in _WORDS and isinstance(p.hint, Hint) and p.hint.only:
        start += line[start : start + 1] in {'"', "'"}
        word = _WORD.match(line, start)
        if word is None or word[0] == p.hint.only:
            return None
        return line[:start] + p.hint.only + line[word.end() :], f'"{word[0]}" made "{p.hint.only}"'
    if p.code in {"R004", "R200"} and p.hint == "put it in quotes":
        scalar = _SCALAR.match(line, start)
        if scalar is None or _ENDS.match(line, scalar.end()) is None:
            return None
        return f'{line[:start]}"{scalar[0]}"{line[scalar.end() :]}', f"{scalar[0]} put in quotes"
    return None
