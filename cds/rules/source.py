"""YAML with places: every value knows its line and column, and duplicate keys are errors."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError

from cds.errors import RuleError

Path_ = Sequence[str | int]
_LONGEST_FILE = 1_000_000
_DEEPEST = 60
_MOST_VALUES = 100_000  # counted once for each alias: a few lines of aliases can mean billions
_MOST_BLOCKS = 40
_OPENED = ("while parsing a flow", "while scanning a quoted")
_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d\d?)-(\d\d?)(?![\w-])")
_DIGITS = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_TOKEN = re.compile(r"[^\s,\]}#]+")
_BREAK = re.compile(r"\r\n|\n|\r")
# What the parser says, to what a person writes.
_SAID = (
    ("cannot start any token", "\t", "a tab stands where spaces belong", "use spaces, or run psychmed lint --fix"),
    ("expected a single document", "", "the file holds more than one document (a line ---)", "one file holds one rule"),
)


@dataclass(slots=True)
class Unreadable(RuleError):
    """No YAML. begun: the line where what could not be read begins, last: the line where reading stopped."""

    begun: int = 0
    last: int = 0


class Source:
    """One parsed file. `data` is plain nested maps and lists; `at(path)` is where a value stands.

    unread: top-level keys whose text could not be parsed and was passed over (`lenient` only).
    """

    def __init__(self, path: str, text: str, *, duplicates: bool = False) -> None:
        self.path, self.text = path, text
        self.lines = _BREAK.split(text)
        self.unread: frozenset[str] = frozenset()
        self._refuse_what_costs_too_much(text)
        yaml = YAML(typ="rt")
        yaml.allow_duplicate_keys = duplicates
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ReusedAnchorWarning)
                self.data: Any = yaml.load(text)
        except DuplicateKeyError as error:
            raise self._yaml_error("R002", error, "remove one of the two keys") from None
        except MarkedYAMLError as error:
            raise self._yaml_error("R000", error, "check indentation, quotes and colons") from None
        except ReaderError as error:
            line, column = _place(text, error.position)
            message = f"the file holds a control character (U+{ord(text[error.position]):04X})"
            raise RuleError(path, line, column, "R000", message, "remove it") from None
        except YAMLError as error:
            raise RuleError(path, 1, 1, "R000", f"not readable as YAML: {type(error).__name__}") from None
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
            # The parser itself gives up on some values ("2026-13-45" looks like a date) and says no place.
            line, column = _no_date(self.lines) or (1, 1)
            raise RuleError(path, line, column, "R000", f"a value cannot be read: {error}", "quote it") from None
        if self.data is None:
            raise RuleError(path, 1, 1, "R000", "the file is empty", "start with: schema: cds-rule/1")
        if not isinstance(self.data, CommentedMap):
            raise RuleError(path, 1, 1, "R000", "the file is not a mapping of keys", "start with: schema: cds-rule/1")
        if sum(1 for _ in _values(self.data)) > _MOST_VALUES:
            text = f"the file means more than {_MOST_VALUES} values"
            raise RuleError(path, 1, 1, "R000", text, "an alias (*name) may stand for itself or multiply others")

    @classmethod
    def lenient(cls, path: str, text: str) -> tuple[Source | None, list[RuleError]]:
        """As much of a file as can be read, and what is wrong with the rest.

        A top-level key whose text is no YAML is passed over, so that the others are looked at all the same.
        """
        problems: list[RuleError] = []
        lines = text.splitlines(keepends=True)
        unread: set[str] = set()
        for _ in range(_MOST_BLOCKS):
            try:
                source = cls(path, "".join(lines))
            except RuleError as error:
                if error.code == "R002":
                    problems += _duplicates(path, "".join(lines))
                    source = cls(path, "".join(lines), duplicates=True)
                else:
                    begun, last = (error.begun, error.last) if isinstance(error, Unreadable) else (error.line,) * 2
                    if begun == 1 and not isinstance(error, Unreadable):
                        return None, [*problems, error]  # of the file as a whole
                    begun, told = _culprit(path, lines, begun, error)
                    problems.append(told)
                    if not (passed := _pass_over(lines, begun, last, unread)):
                        return None, problems
                    lines = passed
                    continue
            source.lines = _BREAK.split(text)
            source.unread = frozenset(unread)
            return source, problems
        return None, problems

    def _refuse_what_costs_too_much(self, text: str) -> None:
        if len(text) > _LONGEST_FILE or _depth(text) > _DEEPEST:
            # The parser's time grows with the square of both.
            limit = f"larger than {_LONGEST_FILE} characters" if len(text) > _LONGEST_FILE else "nested too deeply"
            raise RuleError(self.path, 1, 1, "R000", f"the file is {limit}", "one file holds one rule")
        for n, line in enumerate(self.lines):
            if line.startswith("%"):
                message = f'the line "{line.strip()}" changes how YAML is read'
                raise RuleError(self.path, n + 1, 1, "R000", message, "remove it; under YAML 1.1 a plain no is false")

    def _yaml_error(self, code: str, error: MarkedYAMLError, hint: str) -> RuleError:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = (error.problem or "not readable as YAML").splitlines()[0]
        for said, needs, words, better in _SAID:
            if said in f"{error.context} {error.problem}" and needs in self.lines[min(line, len(self.lines)) - 1]:
                problem, hint = words, better
        begun, last = line, line
        if error.context_mark is not None and (error.context or "").startswith(_OPENED):
            begun = error.context_mark.line + 1
            if begun < last:
                column, line = error.context_mark.column + 1, begun
                problem = f"what is opened here is not closed by line {last}"
        return Unreadable(self.path, line, column, code, problem, hint, begun, last)

    def at(self, path: Path_, *, key: bool = False) -> tuple[int, int]:
        """(line, column), both from 1, of the value at `path`, or of its key; else of the nearest parent."""
        node: Any = self.data
        place = (1, 1)
        for n, step in enumerate(path):
            try:
                if isinstance(node, CommentedMap):
                    found = node.lc.key(step) if key and n == len(path) - 1 else node.lc.value(step)
                elif isinstance(node, CommentedSeq):
                    found = node.lc.item(step)
                else:
                    break
            except (KeyError, IndexError, TypeError, AttributeError):
                break
            if found is None:
                break
            place = (found[0] + 1, found[1] + 1)
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        return place

    def word(self, path: Path_, word: str) -> tuple[int, int]:
        """(line, column) of a word inside the text at `path`; of the text itself where it does not stand there."""
        line, column = self.at(path)
        if not word:
            return line, column
        whole = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        indent = _indent(self.lines[line - 1])
        for n in range(line - 1, len(self.lines)):
            text = self.lines[n]
            if n >= line and text.strip() and _indent(text) <= indent:
                break
            start = column - 1 if n == line - 1 else 0
            found = whole.search(text, start)
            place = found.start() if found else text.find(word, start)
            if place >= 0:
                return n + 1, place + 1
        return line, column

    def written(self, path: Path_) -> str:
        """The value at `path` as the file writes it, of values that are one word: `010`, `1.10`."""
        line, column = self.at(path)
        found = _TOKEN.match(self.lines[line - 1], column - 1)
        return found[0] if found else ""

    def numbers(self) -> Iterator[tuple[Path_, str, str]]:
        """(path, as written, as read) of numbers that YAML reads otherwise than a person would: 010, 0x1F, 1_000."""
        for path, value in _values(self.data):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                text = self.written(path)
                if text and text[0] not in "*&" and _DIGITS.fullmatch(text) is None:
                    yield path, text, f"{float(value):g}"

    def error(self, path: Path_, code: str, message: str, hint: str = "", *, key: bool = False) -> RuleError:
        line, column = self.at(path, key=key)
        return RuleError(self.path, line, column, code, message, hint)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _place(text: str, position: int) -> tuple[int, int]:
    before = _BREAK.split(text[:position])
    return len(before), len(before[-1]) + 1


def _no_date(lines: Sequence[str]) -> tuple[int, int] | None:
    """Where something stands that looks like a date and is none."""
    for n, line in enumerate(lines):
        for found in _DATE.finditer(line):
            try:
                dt.date(*map(int, found.groups()))
            except ValueError:
                return n + 1, found.start() + 1
    return None


def _values(data: Any) -> Iterator[tuple[Path_, Any]]:
    """Every value with its path, as often as aliases mean it; one more than is allowed at most."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    for _ in range(_MOST_VALUES + 1):
        if not waiting:
            return
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, CommentedMap):
            waiting.extend(((*path, key), body) for key, body in value.items())
        elif isinstance(value, CommentedSeq):
            waiting.extend(((*path, n), body) for n, body in enumerate(value))


def _duplicates(path: str, text: str) -> list[RuleError]:
    """Every key that stands twice in its mapping, at its second place."""
    found: list[RuleError] = []
    waiting: list[Node] = [YAML(typ="rt").compose(text)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                mark, name = key.start_mark, str(key.value)
                if name in first:
                    text = f'the key "{name}" stands twice, first in line {first[name]}'
                    found.append(
                        RuleError(path, mark.line + 1, mark.column + 1, "R002", text, "remove one of the two keys")
                    )
                first.setdefault(name, mark.line + 1)
                waiting.append(value)
    return found


def _culprit(path: str, lines: Sequence[str], begun: int, error: RuleError) -> tuple[int, RuleError]:
    """(line, problem) of the one top-level key without which the rest can be read; else of where reading stopped.

    A quote that is not closed is noticed at the next one, often some keys further down.
    """
    told = RuleError(path, error.line, error.column, error.code, error.message, error.hint)
    starts = [n for n in _starts(lines) if n < begun]
    for start in reversed(starts[-_MOST_BLOCKS:]):
        rest = _pass_over(lines, start + 1, start + 1, set())
        try:
            Source(path, "".join(rest), duplicates=True)
        except RuleError:
            continue
        if start != starts[-1]:
            value = re.match(r"[^:]*:\s*", lines[start])
            message = "a quote or a bracket that is opened here is not closed"
            told = RuleError(path, start + 1, value.end() + 1 if value else 1, "R000", message, error.hint)
        return start + 1, told
    return begun, told


def _starts(lines: Sequence[str]) -> list[int]:
    """Lines on which a top-level key begins."""
    return [n for n, line in enumerate(lines) if re.match(r"[A-Za-z_\"']", line)]


def _pass_over(lines: Sequence[str], begins: int, stopped: int, unread: set[str]) -> list[str]:
    """The lines with the top-level key around line `begins` emptied; [] when there is nothing to pass over."""
    starts = _starts(lines)
    begun = [n for n in starts if n < begins] or [n for n in starts if n < stopped]
    if not begun:
        return []
    start = begun[-1]
    end = next((n for n in starts if n > start), len(lines))
    unread.add(lines[start].partition(":")[0].strip())
    return [*lines[:start], *("\n" for _ in range(start, end)), *lines[end:]]


def _depth(text: str) -> int:
    """Brackets open at once at most, roughly: those in quotes count too."""
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth = max(0, depth - 1)
    return deepest


def read_source(path: Path, *, shown_as: str | None = None) -> Source:
    """Read a UTF-8 file (a byte order mark is accepted). Raises RuleError R000 when it is not text or not YAML."""
    name = shown_as or str(path)
    return Source(name, read_text(path, name))


def read_leniently(path: Path, *, shown_as: str | None = None) -> tuple[Source | None, list[RuleError]]:
    """As much of a file as can be read, and everything that stood in the way."""
    name = shown_as or str(path)
    try:
        return Source.lenient(name, read_text(path, name))
    except RuleError as error:
        return None, [error]


def read_text(path: Path, name: str) -> str:
    """A file's text without its byte order mark. Raises RuleError R000 at the first byte that is not UTF-8."""
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(raw[: error.start].decode("utf-8", "replace"), error.start)
        raise RuleError(
            name, line, column, "R000", f"not UTF-8 text (byte {error.start})", "save the file as UTF-8"
        ) from None
    except OSError as error:
        raise RuleError(name, 1, 1, "R000", f"cannot be read: {error.strerror}") from None
