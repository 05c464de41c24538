"""What two sets of rules say differently of the same question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cds.findings import Evaluation, Finding

Change = Literal["fires", "stops", "level", "withheld", "text", "not evaluated", "evaluated"]
# In this order they are shown.
CHANGES: dict[Change, str] = {
    "fires": "newly fires",
    "stops": "no longer fires",
    "level": "other level or indicator",
    "withheld": "shown or withheld otherwise",
    "text": "other text",
    "not evaluated": "newly not evaluated",
    "evaluated": "newly evaluated",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """old and new: what each side said, in a few words; "" for nothing."""

    spec: str
    change: Change
    old: str = ""
    new: str = ""


def differences(old: Evaluation, new: Evaluation) -> list[Difference]:
    """Every difference between two answers to one question, by rule.

    Findings are the same finding when rule and subject are; of those, a change of level is told before one of text.
    The version of a rule, which stands on every card, makes no other text.
    """
    before, after = _by_subject(old), _by_subject(new)
    found = [d for key in sorted(before.keys() | after.keys()) for d in _of_one(before.get(key), after.get(key))]
    left, right = _not_evaluated(old), _not_evaluated(new)
    found += [Difference(spec, "not evaluated", new=right[spec]) for spec in sorted(right.keys() - left.keys())]
    found += [Difference(spec, "evaluated", old=left[spec]) for spec in sorted(left.keys() - right.keys())]
    return found


def _by_subject(evaluation: Evaluation) -> dict[tuple[str, tuple[str, ...], int], Finding]:
    """Findings by rule, subject and place among the findings of both."""
    counted: dict[tuple[str, tuple[str, ...]], int] = defaultdict(int)
    found = {}
    for finding in evaluation.findings:
        key = finding.spec, finding.subject
        found[*key, counted[key]] = finding
        counted[key] += 1
    return found


def _of_one(old: Finding | None, new: Finding | None) -> Iterator[Difference]:
    if old is None and new is not None:
        yield Difference(new.spec, "fires", new=_said(new))
    elif new is None and old is not None:
        yield Difference(old.spec, "stops", old=_said(old))
    elif old is not None and new is not None:
        same = True
        if (old.level, old.indicator) != (new.level, new.indicator):
            yield Difference(new.spec, "level", _said(old), _said(new))
            same = False
        if old.disposition != new.disposition:
            yield Difference(new.spec, "withheld", old.disposition, new.disposition)
            same = False
        if same and _text(old) != _text(new):
            yield Difference(new.spec, "text", old.summary, new.summary)


def _said(finding: Finding) -> str:
    shown = "" if finding.disposition == "shown" else f", {finding.disposition}"
    return f"{finding.indicator} ({finding.level}{shown})"


def _text(finding: Finding) -> tuple[str, str, tuple[str, ...]]:
    detail = finding.detail.replace(f"version {finding.version}", "")
    return finding.summary, detail, tuple(s.label for s in finding.suggestions)


def _not_evaluated(evaluation: Evaluation) -> dict[str, str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in evaluation.not_evaluated:
        reasons[one.spec].append(one.reason)
    return {spec: "; ".join(sorted(set(found))) for spec, found in reasons.items()}
