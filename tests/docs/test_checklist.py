"""docs/cds-hooks-checklist.md: every row is there, says how it is met, and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/cds-hooks-checklist.md"
# The rows of the checklist, as its ids.
LAST = {"G": 9, "D": 15, "P": 8, "R": 18, "S": 7, "C": 14, "A": 12, "L": 5, "F": 7, "X": 15, "E": 2, "H": 13}
IDS = ["H0", *(f"{section}{number}" for section, last in LAST.items() for number in range(1, last + 1))]
LEVELS = {"M", "MN", "S", "SN", "m", "I", "-"}
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of each row of the tables, without the heads."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "Id" and set(row[0]) != {"-"}]


ROWS = rows()


@cache
def functions(path: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_is_there_once_and_says_how() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(IDS)
    for row in ROWS:
        assert len(row) == 5, row[0]
        assert all(row), row[0]
        assert row[1] in LEVELS, row[0]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_tests_of_a_row_exist_and_check_something(row: list[str]) -> None:
    named = _TEST.findall(row[4])
    assert named
    assert re.sub(r"[, ]", "", _TEST.sub("", row[4])) == "", "nothing but tests, each as tests/…::name"
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in functions(path), f"{path}::{name}"
        assert any(_asserts(node) for node in ast.walk(functions(path)[name])), f"{name} checks nothing"


def _asserts(node: ast.AST) -> bool:
    """An assertion, `pytest.raises`, or a call of the checker that makes them."""
    called = node.func if isinstance(node, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return isinstance(node, ast.Assert) or name == "raises" or name.startswith("check_")


def test_the_page_is_linked_from_the_other_pages() -> None:
    assert "cds-hooks-checklist.md" in (ROOT / "docs/running.md").read_text("utf-8")
