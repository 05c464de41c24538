"""The linter's problems in the formats that people, programs and code hosts read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import orjson

from cds.errors import RuleError
from cds.rules.codes import CODES

LintFormat = Literal["text", "json", "sarif", "github"]
_DOCS = "docs/authoring.md"
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def problems_as(output: LintFormat, problems: Sequence[RuleError]) -> str:
    """All problems as one text. SARIF is version 2.1.0; github is a workflow command a line."""
    if output == "json":
        return orjson.dumps([_row(p) for p in problems], option=orjson.OPT_INDENT_2).decode()
    if output == "sarif":
        return orjson.dumps(sarif(problems), option=orjson.OPT_INDENT_2).decode()
    if output == "github":
        return "\n".join(_annotation(p) for p in problems)
    return "\n".join(map(str, problems)) if problems else "no problems"


def _row(p: RuleError) -> dict[str, Any]:
    return {"path": p.path, "line": p.line, "column": p.column, "code": p.code, "message": p.message, "hint": p.hint}


def _words(p: RuleError) -> str:
    return p.message + (f" ({p.hint})" if p.hint else "")


def _annotation(p: RuleError) -> str:
    """`::error file=...::message`, escaped as workflow commands ask: properties more than the message."""
    properties = {
        "file": _uri_path(p.path),
        "line": p.line,
        "col": p.column,
        "title": f"{p.code} {CODES.get(p.code, '')}",
    }
    shown = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::error {shown}::{_data(_words(p))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _uri_path(path: str) -> str:
    """Relative to where the command runs where it can be: code hosts know no other paths."""
    given = Path(path)
    try:
        return given.resolve().relative_to(Path.cwd()).as_posix() if given.is_absolute() else given.as_posix()
    except ValueError:
        return given.as_posix()


def sarif(problems: Sequence[RuleError]) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run: every code that was found, and a result for each problem."""
    codes = sorted({p.code for p in problems})
    place = {code: n for n, code in enumerate(codes)}
    rules = [
        {"id": code, "shortDescription": {"text": CODES.get(code, code)}, "help": {"text": f"See {_DOCS}."}}
        for code in codes
    ]
    results = [
        {
            "ruleId": p.code,
            "ruleIndex": place[p.code],
            "level": "error",
            "message": {"text": _words(p)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(_uri_path(p.path))},
                        "region": {"startLine": max(1, p.line), "startColumn": max(1, p.column)},
                    }
                }
            ],
        }
        for p in problems
    ]
    driver = {"name": "psychmed", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _uri(path: str) -> str:
    """A path as a URI reference: what RFC 3986 does not allow in one is escaped byte by byte."""
    return re.sub(r"[^A-Za-z0-9._~/!$&'()*+,;=@-]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), path)
