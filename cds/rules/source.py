"""YAML with places: every value knows its line and column, and duplicate keys are errors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

from cds.errors import RuleError

Path_ = Sequence[str | int]
_LONGEST_FILE = 1_000_000
_DEEPEST = 60


class Source:
    """One parsed file. `data` is plain nested maps and lists; `at(path)` is where a value stands."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        if len(text) > _LONGEST_FILE or _depth(text) > _DEEPEST:
            # The parser's time grows with the square of both.
            limit = f"larger than {_LONGEST_FILE} characters" if len(text) > _LONGEST_FILE else "nested too deeply"
            raise RuleError(path, 1, 1, "R000", f"the file is {limit}", "one file holds one rule")
        yaml = YAML(typ="rt")
        yaml.allow_duplicate_keys = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ReusedAnchorWarning)
                self.data: Any = yaml.load(text)
        except DuplicateKeyError as error:
            raise self._yaml_error("R002", error, "remove one of the two keys") from None
        except MarkedYAMLError as error:
            raise self._yaml_error("R000", error, "check indentation, quotes and colons") from None
        except YAMLError as error:
            raise RuleError(path, 1, 1, "R000", f"not readable as YAML: {type(error).__name__}") from None
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
            # The parser itself gives up on some values ("2026-13-45" looks like a date) and says no place.
            raise RuleError(path, 1, 1, "R000", f"a value cannot be read: {error}", "quote it") from None
        if not isinstance(self.data, CommentedMap):
            raise RuleError(path, 1, 1, "R000", "the file is not a mapping of keys", "start with: schema: cds-rule/1")

    def _yaml_error(self, code: str, error: MarkedYAMLError, hint: str) -> RuleError:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = (error.problem or "not readable as YAML").splitlines()[0]
        return RuleError(self.path, line, column, code, problem, hint)

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

    def error(self, path: Path_, code: str, message: str, hint: str = "", *, key: bool = False) -> RuleError:
        line, column = self.at(path, key=key)
        return RuleError(self.path, line, column, code, message, hint)


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
    try:
        return Source(name, path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RuleError(name, 1, 1, "R000", f"not UTF-8 text (byte {error.start})", "save the file as UTF-8") from None
    except OSError as error:
        raise RuleError(name, 1, 1, "R000", f"cannot be read: {error.strerror}") from None
