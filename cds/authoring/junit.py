"""Outcomes of cases as JUnit XML, which build servers show."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import groupby

from cds.authoring.run import Outcome

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535, *range(55296, 57344)), "�")


def junit_xml(outcomes: Sequence[Outcome]) -> bytes:
    """One `testsuite` a case file, one `testcase` a case and day, with its file and line; a known gap is skipped."""
    root = ET.Element("testsuites", name="psychmed test")
    for (rule, file), group in groupby(outcomes, key=lambda o: (o.case.rule, o.case.file)):
        suite = ET.SubElement(root, "testsuite", name=_text(rule), file=_text(file))
        for outcome in group:
            _testcase(suite, outcome)
        _count(suite, list(suite))
    _count(root, list(root.iter("testcase")))
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _testcase(suite: ET.Element, outcome: Outcome) -> None:
    case = outcome.case
    row = f"[{case.row}] " if case.row else ""
    found = ET.SubElement(
        suite, "testcase", name=_text(f"{row}{case.name} ({case.today.isoformat()})"), classname=_text(case.rule),
        file=_text(case.file), line=str(case.line), time="0",
    )  # fmt: skip
    if outcome.state == "fail":
        failure = ET.SubElement(found, "failure", message=_text(outcome.problem), type="case")
        failure.text = _text(f"{case.file}:{case.line}\n{outcome.problem}\n{outcome.near}".strip())
    elif outcome.state == "gap":
        ET.SubElement(found, "skipped", message=_text(f"known gap: {case.known_gap}"))


def _count(suite: ET.Element, testcases: Sequence[ET.Element]) -> None:
    suite.set("tests", str(len(testcases)))
    suite.set("failures", str(sum(t.find("failure") is not None for t in testcases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(t.find("skipped") is not None for t in testcases)))
    suite.set("time", "0")


def _text(text: str) -> str:
    return text.translate(_NOT_XML)
