"""What `psychmed test` prints: outcomes, coverage, survivors, proposed cases."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import orjson

from cds.authoring.coverage import Covered
from cds.authoring.examine import Examined, total_covered
from cds.authoring.run import Outcome
from cds.cli.pictures import case_picture

_MARKS = {"pass": "pass", "fail": "FAIL", "gap": "gap "}
_MOST_PICTURES = 10


def examined_text(examined: Sequence[Examined], *, quiet: bool = False, shared: Sequence[str] | None = None) -> str:
    """By case file, then the totals; quiet: failures, gaps of coverage, survivors and the totals alone.

    shared: mutants of shared parameters that no rule's cases notice; None where they were not hunted.
    """
    lines: list[str] = []
    failed = [o.case for e in examined for o in e.outcomes if o.state == "fail"]
    pictured = {id(case) for case in failed[:_MOST_PICTURES]}
    for e in examined:
        own = [*_outcomes(e.outcomes, pictured, quiet=quiet), *_coverage(e, quiet=quiet), *_survivors(e, quiet=quiet)]
        if e.outcomes and (own or not quiet):
            lines += [f"{e.rule}  {e.file}", *own]
    if shared:
        lines += ["shared parameters", *(f"  survived  {wording}" for wording in shared)]
    return "\n".join([*lines, *_totals(examined, shared)])


def _outcomes(outcomes: Iterable[Outcome], pictured: Container[int], *, quiet: bool) -> Iterable[str]:
    for o in outcomes:
        if quiet and o.passed:
            continue
        row = f"[{o.case.row}] " if o.case.row else ""
        yield f"  {_MARKS[o.state]}  {row}{o.case.name}  ({o.case.today.isoformat()})  {o.got}"
        if not o.passed:
            yield f"        {o.problem}   [{o.case.file}:{o.case.line}]"
            if id(o.case) in pictured:
                yield from (f"        {line}".rstrip() for line in case_picture(o.case).splitlines())
        if o.state == "gap":
            yield f"        known gap: {o.case.known_gap}"
        if o.near:
            yield f"        near miss  {o.near}"


def _coverage(e: Examined, *, quiet: bool) -> Iterable[str]:
    if e.covered is None or e.gaps is None:
        return
    seen, of = total_covered([e])
    yield f"  coverage: {seen} of {of} comparison outcomes"
    yield from (f"        {line}" for c in e.gaps.unexplained for line in _never(c))
    if not quiet:
        yield from (f"        {line}: {reason}" for c, reason in e.gaps.explained for line in _never(c))
    yield from (f"        {problem}" for problem in e.gaps.problems)


def _never(covered: Covered) -> Iterable[str]:
    return (f"never {word}: line {covered.line}: {covered.text}   ({covered.at})" for word in covered.never)


def _survivors(e: Examined, *, quiet: bool) -> Iterable[str]:
    if e.survivors is None:
        return
    left = e.survivors
    caught = e.mutants - len(left.unexplained) - len(left.explained)
    yield f"  {caught} of {e.mutants} changes caught" + (f", {len(left.explained)} equivalent" * bool(left.explained))
    yield from (f"        survived  {h.mutant}{f'   ({h.mutant.at})' * bool(h.mutant.at)}" for h in left.unexplained)
    if not quiet:
        yield from (f"        equivalent  {h.mutant}   ({h.mutant.at}): {reason}" for h, reason in left.explained)
    yield from (f"        {problem}" for problem in left.problems)
    for proposed in e.proposed:
        if proposed.yaml:
            yield from ("", proposed.yaml)
        else:
            yield from (f"  no single change found for: {mutant}   ({mutant.at})" for mutant in proposed.mutants)


def _totals(examined: Sequence[Examined], shared: Sequence[str] | None) -> Iterable[str]:
    states = [o.state for e in examined for o in e.outcomes]
    gaps = states.count("gap")
    yield f"{states.count('pass')} passed, {states.count('fail')} failed" + (f", {gaps} known gaps" if gaps else "")
    if unchecked := sum(e.unchecked for e in examined):
        yield f"{unchecked} evaluations were not checked by durable-rules: it was late, refused, or was starting"
    if any(e.covered is not None for e in examined):
        seen, of = total_covered(examined)
        explained = sum(len(c.never) for e in examined if e.gaps for c, _ in e.gaps.explained)
        yield f"coverage: {seen} of {of} comparison outcomes" + (f", {explained} with a reason" if explained else "")
    hunted = [e for e in examined if e.survivors is not None]
    if hunted:
        left = sum(len(e.survivors.unexplained) for e in hunted if e.survivors) + len(shared or ())
        equal = sum(len(e.survivors.explained) for e in hunted if e.survivors)
        yield f"mutants: {sum(e.mutants for e in hunted)}, {left} survived, {equal} equivalent"


def examined_json(examined: Sequence[Examined], shared: Sequence[str] | None = None) -> str:
    """{"cases": [...], "rules": [...], "shared_survivors": [...] or null}."""
    document = {
        "cases": [_case(o) for e in examined for o in e.outcomes],
        "rules": [_rule(e) for e in examined],
        "shared_survivors": shared,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _case(o: Outcome) -> dict[str, Any]:
    return {
        "rule": o.case.rule,
        "spec": o.case.spec,
        "row": o.case.row,
        "name": o.case.name,
        "file": o.case.file,
        "line": o.case.line,
        "today": o.case.today.isoformat(),
        "expect": o.case.expect,
        "got": o.got,
        "passed": o.passed,
        "state": o.state,
        "known_gap": o.case.known_gap,
        "problem": o.problem,
        "near_miss": o.near,
    }


def _rule(e: Examined) -> dict[str, Any]:
    return {
        "rule": e.rule,
        "file": e.file,
        "status": e.status,
        "coverage": None
        if e.covered is None
        else [{"line": c.line, "comparison": c.text, "at": c.at, "true": c.true, "false": c.false} for c in e.covered],
        "mutants": e.mutants if e.survivors is not None else None,
        "survivors": None
        if e.survivors is None
        else [{"line": h.mutant.line, "mutant": h.mutant.wording, "at": h.mutant.at} for h in e.survivors.unexplained],
        "equivalent": None
        if e.survivors is None
        else [
            {"line": h.mutant.line, "mutant": h.mutant.wording, "at": h.mutant.at, "reason": reason}
            for h, reason in e.survivors.explained
        ],
        "problems": [*(e.gaps.problems if e.gaps else ()), *(e.survivors.problems if e.survivors else ())],
        "proposed": [{"mutants": [str(m) for m in p.mutants], "yaml": p.yaml} for p in e.proposed],
    }
