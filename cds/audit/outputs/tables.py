"""The files without patients: `summary.json`, `not_evaluated.csv`, `data_quality.csv`, `measure_reports.ndjson`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cds.audit.outputs.dataset import Run
from cds.audit.outputs.files import write_bytes, write_csv, write_lines
from cds.audit.outputs.small_cells import Shown, ShownRow
from cds.audit.outputs.summary import RuleSummary, Summary
from cds.fhir.measure_report import Population, RuleReport, Stratum, measure_report

MOST_LISTED_LINES = 10_000
_OF_RUN = (
    "psychmed", "today", "as", "from", "to", "hook", "rules_version", "engine", "drug_table", "data_date", "limit",
    "only_rules", "settings_changed", "failed_parts", "unread_files", "inputs",
)  # fmt: skip


def number(shown: Shown, min_cell: int) -> int | str:
    """A number of a summary, or what stands for it: "1 to 10", or "hidden"."""
    if shown.value is not None:
        return shown.value
    return f"1 to {min_cell - 1}" if shown.few else "hidden"


def write_summary(summary: Summary, out: Path) -> None:
    """Write `summary.json`."""
    n = summary.min_cell
    content = {
        **{name: summary.told.get(name) for name in _OF_RUN},
        "min_cell": n,
        "counted": "orders" if summary.is_replay else "patients",
        "asked": number(summary.asked, n),
        "patients": number(summary.people, n),
        "with_any_finding": number(summary.with_finding, n),
        "rules": [_rule(rule, n) for rule in summary.rules],
        "reviews_overdue": [rule.id for rule in summary.overdue],
        "data_quality": _quality(summary),
        "clinical_review": "draft: no clinician has signed off",
    }
    if all(rule.signed_off for rule in summary.rules) and summary.rules:
        content["clinical_review"] = "each rule has a clinician's review entered by the site"
    write_bytes(out / "summary.json", orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))


def _rule(rule: RuleSummary, min_cell: int) -> dict[str, Any]:
    counts = rule.counts
    interval = rule.interval
    return {
        "spec": rule.spec,
        "id": rule.id,
        "version": rule.version,
        "title": rule.title,
        "status": rule.status,
        "signed_off": rule.signed_off,
        "review_by": rule.review_by,
        "asked": number(counts.everybody, min_cell),
        "in_scope": number(counts.in_scope, min_cell),
        "found": number(counts.found, min_cell),
        "not_evaluated": number(counts.not_evaluated, min_cell),
        "not_applicable": number(counts.not_applicable, min_cell),
        "rate": None if rule.rate is None else round(rule.rate, 6),
        "rate_95": None if interval is None else [round(bound, 6) for bound in interval],
        "indicators": {name: dict(rule.by_indicator.shown).get(name, "hidden") for name in rule.indicators},
        "by_unit": [_row(row, min_cell) for row in rule.units],
        "over_time": [_row(row, min_cell) for row in rule.over_time],
        "over_time_by": rule.grain,
        "not_evaluated_because": {
            name: dict(rule.reasons.shown).get(name, "hidden") for name in rule.reason_names
        },
    }  # fmt: skip


def _row(row: ShownRow, min_cell: int) -> dict[str, Any]:
    name = f"{row.pooled} together" if row.pooled else row.name or "not recorded"
    return {"name": name, "in_scope": number(row.in_scope, min_cell), "found": number(row.found, min_cell)}


def _quality(summary: Summary) -> dict[str, Any]:
    quality, n = summary.quality, summary.min_cell
    return {
        "resources": quality.resources,
        "bad_resources": quality.bad,
        "ignored_resources": quality.ignored,
        "patients_with_psychotropics": number(quality.with_psychotropics, n),
        "medication_records": {name: number(shown, n) for name, shown in quality.drugs.items()},
        "unidentified": {code: number(shown, n) for code, shown in quality.unidentified},
        "records_without_a_date": number(quality.missing_dates, n),
        "bad_lines": [{"kind": k, "resource_type": t, "lines": c} for (k, t), c in quality.problems.items()],
    }


def write_not_evaluated(summary: Summary, out: Path) -> None:
    """Write `not_evaluated.csv`: by rule and reason, how many; small numbers hidden."""
    n = summary.min_cell

    def rows() -> Iterator[list[Any]]:
        for rule in summary.rules:
            known = dict(rule.reasons.shown)
            total = number(rule.counts.not_evaluated, n)
            for name in rule.reason_names:
                yield [rule.spec, rule.id, name, known.get(name, "hidden"), total]

    counted = "orders" if summary.is_replay else "patients"
    write_csv(out / "not_evaluated.csv", ["spec", "rule", "reason", counted, f"{counted}_of_rule"], rows())


def write_data_quality(run: Run, summary: Summary) -> None:
    """Write `data_quality.csv`: what could not be identified, dates that are missing, bad lines by file and number."""
    quality, n = summary.quality, summary.min_cell

    def rows() -> Iterator[list[Any]]:
        for code, shown in quality.unidentified:
            system, _, bare = code.rpartition("|")
            yield [
                "medication not identified",
                system or bare,
                bare if system else "",
                "",
                "",
                number(shown, n),
                "patients",
            ]
        for name, shown in quality.drugs.items():
            yield ["medication records", name.replace("_", " "), "", "", "", number(shown, n), "records"]
        yield ["without a date", "", "", "", "", number(quality.missing_dates, n), "records"]
        yield ["resource that could not be read", "", "", "", "", quality.bad, "records"]
        for (kind, resource_type), lines in quality.problems.items():
            yield [f"bad lines: {kind}", resource_type, "", "", "", lines, "lines"]
        yield from _bad_lines(run)

    header = ["what", "system_or_type", "code", "file", "line", "count", "of"]
    write_csv(run.out / "data_quality.csv", header, rows())


def _bad_lines(run: Run) -> Iterator[list[Any]]:
    listed = run.rows(
        "SELECT kind, resource_type, file, line FROM problems ORDER BY file, line, kind, resource_type LIMIT ?",
        [MOST_LISTED_LINES + 1],
    )
    for kind, resource_type, file, line in listed[:MOST_LISTED_LINES]:
        yield [kind, resource_type, "", file, line or "", "", ""]
    if len(listed) > MOST_LISTED_LINES:
        yield [f"more than {MOST_LISTED_LINES} bad lines: the rest is not listed", "", "", "", "", "", ""]


def write_measure_reports(summary: Summary, out: Path) -> int:
    """Write `measure_reports.ndjson`: FHIR R4, one resource a rule."""
    return write_lines(
        out / "measure_reports.ndjson", (orjson.dumps(measure_report(_report(summary, r))) for r in summary.rules)
    )


def _report(summary: Summary, rule: RuleSummary) -> RuleReport:
    counted = "orders" if summary.is_replay else "patients"
    counts = rule.counts
    start, end = (_day(summary.told.get(name)) or summary.today for name in ("from", "to"))
    return RuleReport(
        id=rule.id,
        rule=rule.id,
        version=rule.version,
        title=f"{rule.spec} {rule.title}",
        start=min(start, end),
        end=max(start, end),
        date=summary.today,
        populations=(
            Population("initial-population", counts.everybody.value, f"{counted} asked about"),
            Population("denominator", counts.in_scope.value, f"{counted} in scope"),
            Population("numerator", counts.found.value, f"{counted} with a finding"),
            Population("not-evaluated", counts.not_evaluated.value, f"{counted} that could not be evaluated"),
            Population("not-applicable", counts.not_applicable.value, f"{counted} the rule has nothing to say of"),
        ),
        rate=rule.rate,
        strata=tuple(_stratum(row, counted) for row in rule.units),
    )


def _stratum(row: ShownRow, counted: str) -> Stratum:
    rate = row.found.value / row.in_scope.value if row.found.value is not None and row.in_scope.value else None
    name = f"{row.pooled} smaller units together" if row.pooled else row.name or "not recorded"
    populations = (
        Population("denominator", row.in_scope.value, f"{counted} in scope"),
        Population("numerator", row.found.value, f"{counted} with a finding"),
    )
    return Stratum(name, populations, rate)


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
