"""Evaluations and test outcomes as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import orjson

from cds.authoring.run import Outcome
from cds.cli.pictures import case_picture
from cds.findings import Evaluation

_MOST_PICTURES = 10


def evaluation_text(name: str, evaluation: Evaluation) -> str:
    """One chart's result: findings, then what could not be evaluated."""
    lines = [f"{name}  ({evaluation.hook}, {evaluation.today.isoformat()}, engine {evaluation.engine})"]
    for f in evaluation.findings:
        shown = "" if f.disposition == "shown" else f"  [{f.disposition}]"
        lines.append(f"  {f.indicator:8} {f.spec}  {f.summary}{shown}")
        lines.extend(f"           {m}" for m in f.missing)
    if not evaluation.findings:
        lines.append("  no finding")
    lines.extend(f"  not evaluated  {n.spec}: {n.reason}" for n in evaluation.not_evaluated)
    lines.extend(f"  bad resource   {b.where}: {b.reason}" for b in evaluation.bad_resources)
    return "\n".join(lines)


def outcomes_text(outcomes: Sequence[Outcome], *, quiet: bool = False) -> str:
    """Outcomes by case file, failures with what came instead and the near miss; quiet: failures and the total alone."""
    lines: list[str] = []
    pictures = 0
    for (rule, file), group in groupby(outcomes, key=lambda o: (o.case.rule, o.case.file)):
        lines.append(f"{rule}  {file}")
        for o in group:
            if quiet and o.passed:
                continue
            mark = "pass" if o.passed else "gap " if o.case.known_gap else "FAIL"
            row = f"[{o.case.row}] " if o.case.row else ""
            lines.append(f"  {mark}  {row}{o.case.name}  ({o.case.today.isoformat()})  {o.got}")
            if not o.passed:
                lines.append(f"        {o.problem}   [{o.case.file}:{o.case.line}]")
                if not o.case.known_gap and (pictures := pictures + 1) <= _MOST_PICTURES:
                    lines.extend(f"        {line}".rstrip() for line in case_picture(o.case).splitlines())
            if o.near:
                lines.append(f"        near miss  {o.near}")
    failed = sum(not o.passed and not o.case.known_gap for o in outcomes)
    gaps = sum(not o.passed and bool(o.case.known_gap) for o in outcomes)
    lines.append(f"{len(outcomes) - failed - gaps} passed, {failed} failed" + (f", {gaps} known gaps" if gaps else ""))
    return "\n".join(lines)


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    rows = [
        {
            "rule": o.case.rule,
            "spec": o.case.spec,
            "row": o.case.row,
            "name": o.case.name,
            "today": o.case.today.isoformat(),
            "expect": o.case.expect,
            "got": o.got,
            "passed": o.passed,
            "problem": o.problem,
            "near_miss": o.near,
        }
        for o in outcomes
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()
