"""Order-time cards per 100 psychotropic orders, by replaying the orders of charts as order-sign on their own day.

    python -m bench.order_replay FOLDER

FOLDER holds NDJSON files of a bulk export (`.ndjson`, `.ndjson.gz`). Each order of a psychotropic drug becomes the
draft of one call, on the day it was authored, with the chart as far as it was dated up to then. What a record said on
that day is not known: an order keeps its present status, so that a course that ended since is missing from the replay.
Prints orders, cards by indicator and by rule, and the interruptive rate (warning and critical) that the clinical
specification limits to 3 per 100 orders (section 4).
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cds.drugs.resolver import Resolver
from cds.drugs.table import drug_table
from cds.evaluate import Evaluator
from cds.settings import load_settings
from hooks.discovery import PREFETCH
from hooks.request import read_call

PSYCHOTROPIC = frozenset(
    {"SRI", "TCA", "MAOI", "AD-OTHER", "AP", "MOOD", "BZD", "ZDRUG", "DORA", "STIM", "ADHD-NS", "GABAP"}
)
KEYS = {resource_type: key for key, (resource_type, _) in PREFETCH.items()}
Resource = dict[str, Any]


def resources(folder: Path) -> Iterator[Resource]:
    for path in sorted(folder.glob("*.ndjson*")):
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
        yield from (json.loads(line) for line in lines if line.strip())


def patient_of(resource: Resource) -> str:
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    who = resource.get("subject") or resource.get("patient") or {}
    return str(who.get("reference", "")).rpartition("/")[2].rpartition(":")[2]


def day_of(resource: Resource) -> str:
    """The day on which a record came to be, as ISO text; empty for one without a date."""
    period = resource.get("period") or resource.get("effectivePeriod") or {}
    for value in (
        resource.get("authoredOn"), resource.get("whenHandedOver"), resource.get("effectiveDateTime"),
        resource.get("recordedDate"), resource.get("onsetDateTime"), period.get("start"), resource.get("issued"),
    ):  # fmt: skip
        if value:
            return str(value)[:10]
    return ""


def calls(folder: Path) -> Iterator[tuple[dt.date, Resource]]:
    """(day, order-sign request) of every psychotropic order."""
    resolver = Resolver(drug_table())
    charts: dict[str, list[tuple[str, Resource]]] = defaultdict(list)
    for resource in resources(folder):
        if resource["resourceType"] in KEYS:
            charts[patient_of(resource)].append((day_of(resource), resource))
    for patient, rows in charts.items():
        for day, order in rows:
            if order["resourceType"] != "MedicationRequest" or not day or not _psychotropic(resolver, order):
                continue
            before = [r for d, r in rows if r is not order and (r["resourceType"] == "Patient" or (d and d <= day))]
            yield dt.date.fromisoformat(day), _request(patient, order, before)


def _psychotropic(resolver: Resolver, order: Resource) -> bool:
    concept = order.get("medicationCodeableConcept") or {}
    codings = [(c.get("system"), c.get("code"), c.get("display")) for c in concept.get("coding", [])]
    found = resolver.resolve(codings, concept.get("text"))
    return any(part.ingredient.class_group in PSYCHOTROPIC for part in found.parts)


def _request(patient: str, order: Resource, chart: list[Resource]) -> Resource:
    prefetch: Resource = {}
    for resource_type, key in KEYS.items():
        found = [r for r in chart if r["resourceType"] == resource_type]
        if resource_type == "Patient":
            prefetch[key] = found[0] if found else None
        else:
            prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in found]}
    draft = {**order, "status": "draft"}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]}
    return {
        "hook": "order-sign",
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": {"userId": "Practitioner/replay", "patientId": patient, "draftOrders": drafts},
        "prefetch": prefetch,
    }


def main(folder: Path) -> None:
    evaluator = Evaluator(load_settings(time_zone="America/New_York", engine="direct"))
    orders = 0
    cards: Counter[str] = Counter()
    by_rule: Counter[tuple[str, str]] = Counter()
    for day, request in calls(folder):
        orders += 1
        evaluation = evaluator.evaluate(read_call(json.dumps(request).encode(), "order-sign"), today=day)
        for finding in evaluation.findings:
            if finding.disposition == "shown":
                cards[finding.indicator] += 1
                by_rule[finding.spec, finding.indicator] += 1
    rate = {indicator: round(100 * cards[indicator] / orders, 2) for indicator in ("critical", "warning", "info")}
    interruptive = cards["critical"] + cards["warning"]
    print(
        f"{orders} psychotropic orders; cards per 100: {rate}; interruptive {100 * interruptive / orders:.2f} (limit 3)"
    )
    for (spec, indicator), n in by_rule.most_common():
        print(f"  {spec:8} {indicator:8} {n:6} {100 * n / orders:6.2f} per 100")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
