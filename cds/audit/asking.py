"""One patient asked: the questions of the job, and the rows that the answers give."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds.audit.compact import Gathered
from cds.audit.job import Job
from cds.chart.model import Administration, Chart, Fill, Order, Statement
from cds.dates import Day
from cds.errors import HookRequestError
from cds.evaluate import Basis, Evaluator, HookCall
from cds.fhir import records as r
from cds.fhir.reading import Reading, normalize_reference
from cds.findings import Evaluation, Finding, NotEvaluated
from cds.intake.calls import call_of
from cds.intake.shared import SharedRecords, with_shared
from cds.replay.calls import is_psychotropic, replayed_orders
from cds.replay.known import Past
from cds.rules.model import Rule

_log = logging.getLogger(__name__)
_DRUG_TYPES = ("MedicationRequest/", "MedicationDispense/", "MedicationStatement/", "MedicationAdministration/")
_IMPLICATED = _DRUG_TYPES[:3]
Row = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """One patient's rows of each data set. latest: the last day on which anything was recorded."""

    patient: str
    latest: dt.date | None = None
    findings: list[Row] = field(default_factory=list)
    not_evaluated: list[Row] = field(default_factory=list)
    patients: list[Row] = field(default_factory=list)
    problems: list[Row] = field(default_factory=list)


class Asker:
    """Asks the questions of one job. cut: types of which not all was read, for anybody."""

    def __init__(self, job: Job, evaluator: Evaluator, *, shared: SharedRecords, cut: frozenset[str]) -> None:
        self._job, self._evaluator, self._shared, self._cut = job, evaluator, shared, cut
        rules = evaluator.rules if job.rules is None else evaluator.rules.of(job.rules)
        self._first_kinds = {hook: _first_kinds(rules.rules, hook) for hook in ("batch", "patient-view", "order-sign")}
        self._asked = {
            hook: [rule.spec for rule in rules.rules if hook in rule.hooks and rule.status in {"active", "silent"}]
            for hook in ("batch", "patient-view", "order-sign")
        }

    def call(self, gathered: Gathered) -> HookCall:
        """The call of a whole chart, as of the audit's day."""
        return call_of(
            gathered.reading, self._job.hook, read_whole=gathered.whole, cut=self._cut, families=self._job.rules
        )

    def ask(self, patient: str, gathered: Gathered) -> Outcome:
        """Every question about this patient. A defect costs the question in which it lies, and is named."""
        outcome = Outcome(patient)
        reading = gathered.reading
        unknown = with_shared(reading, self._shared)
        outcome.problems = [{"file": "", "line": 0, "kind": "unknown-reference", "resource_type": k} for k in unknown]
        places = _Places(reading)
        asked = False
        for day, order, call in self._questions(gathered):
            asked = True
            self._one(outcome, _Question(patient, day, order, call, gathered, places))
        if not asked:
            # Replay: nothing was ordered in the time asked about. The patient counts all the same.
            day = self._job.until or self._job.today
            row = _patient_row(_Question(patient, day, "", self.call(gathered), gathered, places), "order-sign", "")
            outcome.patients.append(row)
        # In a replay several orders may be of one day.
        outcome.findings.sort(key=lambda row: (row["day"], row["spec"], row["subject"], row["order"], row["canonical"]))
        return outcome

    def _questions(self, gathered: Gathered) -> Iterator[tuple[dt.date, str, HookCall]]:
        job, call = self._job, self.call(gathered)
        if job.as_ == "point-in-time":
            yield job.today, "", call
            return
        past = Past(call, tz=self._evaluator.tz)
        resolver = self._evaluator.resolver
        for replayed in replayed_orders(past, resolver=resolver, since=job.since, until=job.until):
            yield replayed.day, replayed.call.draft_refs[0], replayed.call

    def _one(self, outcome: Outcome, q: _Question) -> None:
        try:
            basis = self._evaluator.prepare(q.call, today=q.day)
            evaluation = self._evaluator.evaluate(q.call, today=q.day, basis=basis)
        except HookRequestError:
            self._nothing_known(outcome, q, "chart: could not be read")
            return
        except Exception as error:
            # The type alone: a message could carry a value of the chart.
            _log.error("a chart could not be evaluated: %s", type(error).__name__)
            self._nothing_known(outcome, q, f"internal: {type(error).__name__}")
            return
        chart = basis.chart
        unit = q.places.of_patient(chart)
        if chart.latest is not None:
            latest = dt.date.fromordinal(chart.latest)
            outcome.latest = max(outcome.latest or latest, latest)
        outcome.findings += [_finding_row(q, f, chart, unit) for f in evaluation.findings]
        outcome.not_evaluated += [_not_evaluated_row(q, n, unit) for n in evaluation.not_evaluated]
        outcome.patients.append(self._evaluated_row(q, unit, basis, evaluation))

    def _nothing_known(self, outcome: Outcome, q: _Question, why: str) -> None:
        rows = [_not_evaluated_row(q, NotEvaluated(spec, why), "") for spec in self._asked[q.call.hook]]
        outcome.not_evaluated += rows
        outcome.patients.append(_patient_row(q, q.call.hook, ""))

    def _evaluated_row(self, q: _Question, unit: str, basis: Basis, evaluation: Evaluation) -> Row:
        chart, hook = basis.chart, q.call.hook
        kinds = {fact.kind for fact in basis.derived.facts}
        first = self._first_kinds[hook]
        evaluated = sorted(set(evaluation.evaluated))
        drugs = evaluation.medications
        others: list[Fill | Statement | Administration] = [*chart.fills, *chart.statements, *chart.administrations]
        given = [row.medication for row in others]
        psychotropic = [o for o in chart.orders if is_psychotropic(o.medication)]
        found = drugs["unidentified"] + drugs["conflict"]
        starts = [*(o.start for o in chart.orders), *(s.start for s in chart.statements)]
        return _patient_row(q, hook, unit) | {
            "evaluated": evaluated,
            "in_scope": [spec for spec in evaluated if not first.get(spec, frozenset()).isdisjoint(kinds)],
            "bad": len(evaluation.bad_resources),
            "drugs_identified": drugs["identified"],
            "drugs_unidentified": drugs["unidentified"],
            "drugs_not_listed": drugs["not-listed"],
            "drugs_conflict": drugs["conflict"],
            "has_psychotropic": bool(psychotropic) or any(map(is_psychotropic, given)),
            "psychotropic_orders": len(psychotropic),
            "missing_dates": starts.count(None),
            "unidentified": _unidentified(q.call.reading, self._evaluator) if found else [],
        }


@dataclass(frozen=True, slots=True)
class _Question:
    """order: the reference of the order that is replayed, else ""."""

    patient: str
    day: dt.date
    order: str
    call: HookCall
    gathered: Gathered
    places: _Places


def _first_kinds(rules: Sequence[Rule], hook: str) -> dict[str, frozenset[str]]:
    return {rule.spec: first_kinds(rule, hook) for rule in rules if hook in rule.hooks}


def first_kinds(rule: Rule, hook: str) -> frozenset[str]:
    """The kinds of fact that the levels of a rule begin with at a hook: what it is about.

    Not the patient, whom every chart has: a level that begins with them is about what it binds next.
    """
    patterns = [level.spec.patterns for level in rule.levels if level.spec is not None and hook in level.hooks]
    return frozenset(kinds[0] for bound in patterns if (kinds := [p.kind for p in bound if p.kind != "patient"]))


def _patient_row(q: _Question, hook: str, unit: str) -> Row:
    """A row of the patient, or of an order of theirs, before anything was evaluated."""
    reading = q.gathered.reading
    return {
        "patient": q.patient,
        "day": q.day,
        "hook": hook,
        "order": q.order,
        "unit": unit,
        "evaluated": [],
        "in_scope": [],
        "resources": q.gathered.resources,
        "bad": len(reading.bad),
        "ignored": sum(reading.ignored.values()),
        "drugs_identified": 0,
        "drugs_unidentified": 0,
        "drugs_not_listed": 0,
        "drugs_conflict": 0,
        "has_psychotropic": False,
        "psychotropic_orders": 0,
        "missing_dates": 0,
        "unidentified": [],
    }


def _not_evaluated_row(q: _Question, n: NotEvaluated, unit: str) -> Row:
    return {
        "patient": q.patient,
        "day": q.day,
        "hook": q.call.hook,
        "order": q.order,
        "spec": n.spec,
        "reason": n.reason,
        "unit": unit,
    }


def _finding_row(q: _Question, f: Finding, chart: Chart, unit: str) -> Row:
    implicated = sorted(ref for ref in f.evidence if ref.startswith(_IMPLICATED))
    since = _began(chart, f.evidence, q.day.toordinal())
    orders = [o for o in chart.orders if o.ref in implicated]
    newest = max(orders, key=lambda o: (o.start or 0, o.ref), default=None)
    here = q.places.of_encounter(newest.encounter) if newest is not None else ""
    return {
        "patient": q.patient,
        "day": q.day,
        "hook": q.call.hook,
        "order": q.order,
        "spec": f.spec,
        "rule": f.rule,
        "version": f.version,
        "level": f.level,
        "indicator": f.indicator,
        "disposition": f.disposition,
        "summary": f.summary,
        "detail": f.detail,
        "evidence": sorted(f.evidence),
        "implicated": implicated,
        "about": f.about,
        "subject": "|".join(f.subject),
        "unit": here or unit,
        "prescriber": normalize_reference(newest.requester) if newest is not None and newest.requester else "",
        "missing": list(f.missing),
        "since": dt.date.fromordinal(since) if since is not None else None,
        "canonical": orjson.dumps(f.canonical(), option=orjson.OPT_SORT_KEYS).decode(),
    }


def _began(chart: Chart, evidence: Collection[str], today: Day) -> Day | None:
    """When what a finding rests on came about: the newest order began, or, without any medicine, a stay or visit ended.

    A fill counts with the order that it was handed out for; without one, the fills of a product begin with the first
    of them: a refill begins nothing. What starts later than the day asked about has not begun.
    """
    starts: dict[str, Day] = {}
    rows: list[Order | Statement | Fill] = [*chart.orders, *chart.statements, *chart.fills]
    for row in rows:
        if row.ref not in evidence or row.start is None or row.start > today:
            continue
        if isinstance(row, Fill):
            key = row.request or "|".join(sorted(p.ingredient.key for p in row.medication.parts)) or row.ref
        else:
            key = row.ref
        starts[key] = min(row.start, starts.get(key, row.start))
    if starts:
        return max(starts.values())
    left = (v.start if v.end is None else v.end for v in chart.visits if v.ref in evidence)
    return max((day for day in left if day <= today), default=None)


class _Places:
    """Where encounters took place: the organisation that provided them, else the place; "" where none is recorded."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._units: Mapping[str, str] | None = None

    def of_encounter(self, ref: str | None) -> str:
        if self._units is None:
            self._units = {f"Encounter/{e.id}": _unit(e) for e in self._reading.of(r.Encounter) if e.id}
        return self._units.get(ref or "", "")

    def of_patient(self, chart: Chart) -> str:
        """Of the last mental-health visit, else of the last of any kind."""
        seen = sorted(chart.visits, key=lambda v: (v.mental_health is True, v.start, v.ref), reverse=True)
        return next((unit for visit in seen if (unit := self.of_encounter(visit.ref))), "")


def _unit(e: r.Encounter) -> str:
    for reference in (e.service_provider, *(place.location for place in e.location)):
        if reference is not None and (reference.reference or reference.display):
            return normalize_reference(reference.reference) if reference.reference else reference.display or ""
    return ""


def _unidentified(reading: Reading, evaluator: Evaluator) -> list[str]:
    """Codes of the medicines that were not identified, as "system|code"; "text" for those that are text alone."""
    products = {f"Medication/{m.id}": m for m in reading.of(r.Medication) if m.id}
    found: set[str] = set()
    for name in _DRUG_TYPES:
        for record in reading.records.get(name[:-1], ()):
            concept = getattr(record, "medication_codeable_concept", None)
            reference = getattr(record, "medication_reference", None)
            if concept is None and reference is not None and reference.reference:
                own = {f"#{m.id}": m for m in getattr(record, "contained", ())}
                product = own.get(reference.reference) or products.get(reading.locate(reference.reference))
                concept = product.code if product is not None else None
            codings = [(c.system, c.code, c.display) for c in concept.coding] if concept is not None else []
            text = concept.text if concept is not None else reference.display if reference is not None else None
            if evaluator.resolver.resolve(codings, text).status in {"unidentified", "conflict"}:
                codes = [f"{system or ''}|{code}" for system, code, _ in codings if code]
                found.add(codes[0] if codes else "text")
    return sorted(found)
