"""The way through the house for one patient: what was read → chart → facts → matches → findings."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cds.chart.build import ChartInput, build_chart
from cds.chart.model import Chart, Memory
from cds.decide import Decision, decide, not_decided, unknown_finder, with_unread_drafts
from cds.drugs.model import Ingredient
from cds.drugs.overlay import read_overlays
from cds.drugs.release import site_drug_table
from cds.drugs.resolver import Resolver
from cds.drugs.table import drug_table
from cds.education import topics_for
from cds.engine import compile_engine, default_engine
from cds.engine.checks import check_specs
from cds.errors import EngineError, HookRequestError, RuleError
from cds.facts.derive import Derived, derive
from cds.fhir.reading import Reading, SearchState
from cds.findings import Evaluation, Finding, NotEvaluated, Source
from cds.memory import MemoryPort
from cds.model import Fact, Hook, Match
from cds.needs import looked_at, not_identified
from cds.policy import apply_policy
from cds.render import detail, summary
from cds.rules import Deployment, RuleSet, load_rules
from cds.rules.model import Rule
from cds.settings import Settings
from cds.suggest import Known, suggestions

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HookCall:
    """One question about one patient, from a hook request, a Bundle or a test case.

    searches: state of the search by FHIR type; a type that nobody looked for is missing.
    draft_refs: drafts of the call in its order. selected: the drafts that order-select is about. stops: orders it ends.
    unread_drafts: drafts of the call that could not be read. memory: what the client says was shown or answered before.
    families: starts of the specification ids of the rules that are asked; None for all.
    booked: appointments that are being booked in this call, by reference.
    undecidable: why no rule can be decided on this call at all ("fhir-version"); None for the usual one.
    """

    hook: Hook
    patient_id: str
    user: str | None
    encounter: str | None
    reading: Reading
    searches: Mapping[str, SearchState]
    draft_refs: tuple[str, ...] = ()
    selected: frozenset[str] | None = None
    stops: tuple[str, ...] = ()
    unread_drafts: int = 0
    families: tuple[str, ...] | None = None
    memory: tuple[Memory, ...] = ()
    undecidable: str | None = None
    booked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Basis:
    """What was worked out of a call before any rule was looked at; rules with the same shared parameters share it."""

    chart: Chart
    derived: Derived


def rules_of(settings: Settings) -> tuple[RuleSet, list[RuleError]]:
    """The rules that settings ask for, and what is wrong with them."""
    return load_rules([Path(p) for p in settings.rules_dir], site=deployments(settings))


def deployments(settings: Settings) -> dict[str, Deployment]:
    """What a site sets of its rules, by rule id."""
    return {
        name: Deployment(status=d.status, parameters=dict(d.parameters), why=d.why)
        for name, d in settings.rules.items()
    }


def resolver_of(settings: Settings) -> Resolver:
    """Who identifies medicines, by the site's RxNorm and tables."""
    drugs = settings.drugs
    table = site_drug_table(drugs.release) if drugs.release is not None else drug_table()
    return Resolver(table, overlay=read_overlays(drugs.overlays, table))


_MOST_PAGES = 3
MOST_ORDERS = 100  # orders judged in one call; each is compared with each, and nobody signs more at once


class Evaluator:
    """Rules, engine and drug table, loaded once; `evaluate` is called for each question."""

    def __init__(
        self,
        settings: Settings,
        *,
        every_branch: bool = False,
        memory: MemoryPort | None = None,
        rules: RuleSet | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Load the rules. A rule that does not compile is left out and listed in `problems`.

        rules: these in place of the settings' own. resolver: shared with another evaluator of the same drug settings.
        memory: where shown cards are remembered; None for a service that is stateless.
        every_branch: silent rules and branches count as active, and so do drafts: for tests of the logic, never for a
        service.
        """
        self.settings = settings
        self.tz = settings.zone
        self.rules: RuleSet
        self.problems: list[RuleError]
        self.rules, self.problems = (rules, []) if rules is not None else rules_of(settings)
        self._leave_out_what_no_engine_takes()
        if every_branch:
            self.rules = replace(self.rules, rules=tuple(_without_drafts(rule) for rule in self.rules.rules))
        if settings.require_sign_off:
            signed = tuple(
                r if r.signed_off or r.status != "active" else replace(r, status="silent") for r in self.rules.rules
            )
            self.rules = replace(self.rules, rules=signed)
        self.rules_version = self.rules.version
        self._every_branch = every_branch
        self._memory = memory
        self.engine_name = default_engine() if settings.engine == "auto" else settings.engine
        self.engine = compile_engine(self.rules.specs, self.engine_name, deadline_s=settings.engine_deadline_ms / 1000)
        self.resolver = resolver or resolver_of(settings)
        self._finder = unknown_finder(self.rules)
        self._rank = {rule.spec: -rule.rank for rule in self.rules.rules}

    def _leave_out_what_no_engine_takes(self) -> None:
        """One rule that has no meaning to an engine costs itself, and not the start of the service."""
        kept = []
        for rule in self.rules.rules:
            try:
                check_specs(RuleSet((rule,), {}, "").specs)
            except EngineError as error:
                self.problems.append(RuleError(rule.path, 1, 1, "R127", str(error)))
            else:
                kept.append(rule)
        if len(kept) < len(self.rules.rules):
            self.rules = replace(self.rules, rules=tuple(kept))

    def close(self) -> None:
        """End the engine's child process, if it has one."""
        self.engine.close()

    def chart(self, call: HookCall, *, today: dt.date) -> Chart:
        """The chart as it is known on `today`."""
        judged = call.draft_refs if call.selected is None else tuple(r for r in call.draft_refs if r in call.selected)
        aside = frozenset(call.draft_refs).difference(judged)
        recalled = tuple(self._memory.recall(call.patient_id)) if self._memory is not None else ()
        memory = (*call.memory, *recalled)
        source = ChartInput(
            call.hook, call.reading, call.searches, judged, aside, call.stops, call.encounter, memory, call.booked
        )  # fmt: skip
        bare = self.settings.drugs.bare_counts
        return build_chart(source, today=today, tz=self.tz, resolver=self.resolver, bare_counts=bare)

    def last_record(self, call: HookCall, *, before: dt.date) -> dt.date:
        """The last day up to `before` on which anything was recorded in the chart; `before` for one without dates."""
        latest = self.chart(call, today=before).latest
        return before if latest is None else dt.date.fromordinal(latest)

    def facts(self, chart: Chart, hook: Hook) -> Derived:
        """Facts of the chart, and the kinds that could not be derived."""
        return derive(chart, hook=hook, parameters=self.rules.shared_values)

    def _matches(self, derived: Derived) -> list[Match]:
        """The engine's matches; where it cannot finish (`engine: durable`), direct answers and the event is logged."""
        try:
            return self.engine.evaluate(derived.facts)
        except EngineError as error:
            _log.error("%s did not finish (%s), direct answers", self.engine_name, type(error).__name__)
            return compile_engine(self.rules.specs, "direct").evaluate(derived.facts)

    def prepare(self, call: HookCall, *, today: dt.date) -> Basis:
        """Chart and facts of the call."""
        chart = self.chart(call, today=today)
        return Basis(chart, self.facts(chart, call.hook))

    def evaluate(self, call: HookCall, *, today: dt.date, basis: Basis | None = None) -> Evaluation:
        """Every finding for this call, with its disposition.

        basis: what `prepare` gave for this call and day, here or in an evaluator with the same shared parameters.
        Raises HookRequestError 412 when not one rule could be evaluated because patient and medications were neither
        sent nor read.
        """
        chart = self.chart(call, today=today) if basis is None else basis.chart
        rules = self.rules if call.families is None else self.rules.of(call.families)
        if call.undecidable is not None:
            verdict = not_decided(rules, call.hook, call.undecidable)
        elif sum(order.role != "chart" for order in chart.orders) > MOST_ORDERS:
            verdict = not_decided(rules, call.hook, f"more than {MOST_ORDERS} orders in one call")
        else:
            derived = self.facts(chart, call.hook) if basis is None else basis.derived
            matches = self._matches(derived)
            verdict = decide(rules, matches, derived, chart, call.hook, finder=self._finder)
        if call.unread_drafts:
            verdict = with_unread_drafts(verdict, call.unread_drafts)
        if call.undecidable is None and not verdict.evaluated and _nothing_known(call):
            raise HookRequestError(412, "neither the patient nor the medications were sent, and they could not be read")
        findings: list[Finding] = []
        unwritten: list[NotEvaluated] = []
        words = _Words(chart, Known.of(chart), not_identified(chart)) if verdict.decisions else None
        for decision in verdict.decisions:
            if decision.behind and self._every_branch:
                continue  # where silent branches count as active, the one tried before is the finding
            try:
                assert words is not None
                findings.append(self._finding(decision, words, today))
            except Exception as error:
                # One rule's text costs only itself; the type alone, for a message could carry a value of the chart.
                _log.error("finding of %s could not be written: %s", decision.rule.id, type(error).__name__)
                unwritten.append(NotEvaluated(decision.rule.spec, "internal: card"))
        disposed = apply_policy(
            findings, budget=self.settings.card_budgets.for_hook(call.hook), rank=self._rank, drafts=call.draft_refs
        )
        if self._memory is not None and call.hook != "batch":
            self._memory.remember(call.patient_id, _shown(disposed, chart))
        return Evaluation(
            hook=call.hook,
            today=today,
            rules_version=self.rules_version,
            engine=self.engine_name,
            findings=disposed,
            evaluated=verdict.evaluated,
            not_evaluated=tuple(dict.fromkeys((*verdict.not_evaluated, *unwritten))),
            ignored_resources=_ignored(call.reading),
            bad_resources=tuple(sorted((*call.reading.bad, *chart.unusable), key=lambda b: (b.where, b.reason))),
            medications={
                status: chart.drugs.get(status, 0)
                for status in ("identified", "not-listed", "unidentified", "conflict")
            },
        )

    def _finding(self, d: Decision, words: _Words, today: dt.date) -> Finding:
        rule, parameters = d.rule, {**self.rules.shared, **d.rule.parameters}
        missing = tuple(f"Not checked: {why}" for why in d.not_checked) + words.not_identified
        needs = (*rule.needs.to_fire, *rule.needs.to_suppress, *d.level.needs.to_fire, *d.level.needs.to_suppress)
        evidence = sorted({r for fact in d.bound.values() for r in fact.evidence})
        subject = d.match.bound[0]
        return Finding(
            spec=rule.spec,
            rule=rule.id,
            version=rule.version,
            title=rule.title,
            level=d.level.name,
            indicator=d.indicator,
            summary=summary(d, parameters, today),
            detail=detail(d, parameters, today, missing),
            source=Source(rule.card.source_label, rule.card.source_url),
            evidence=tuple(evidence),
            suggestions=suggestions(d, words.known),
            override_reasons=tuple(dict.fromkeys((*rule.card.override_reasons, "other"))),
            looked_at=words.looked_at(needs),
            missing=missing,
            disposition="silent" if d.silent and not self._every_branch else "shown",
            subject=(subject.ref if isinstance(subject, Fact) else "",),
            about=_about(subject) if isinstance(subject, Fact) else "",
            education=words.education(evidence),
        )


@dataclass(frozen=True, slots=True)
class _Words:
    """What all findings of an evaluation say alike, worked out once."""

    chart: Chart
    known: Known
    not_identified: tuple[str, ...]
    seen: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    ingredients: dict[str, list[Ingredient]] = field(default_factory=dict)

    def education(self, evidence: Sequence[str]) -> tuple[str, ...]:
        """Pages on the drugs that a finding rests on, three at most."""
        if not self.ingredients:
            chart = self.chart
            drugs = [(o.ref, o.medication) for o in chart.orders]
            drugs += [(f.ref, f.medication) for f in chart.fills] + [(s.ref, s.medication) for s in chart.statements]
            for ref, medication in drugs:
                self.ingredients[ref] = [part.ingredient for part in medication.parts]
        return topics_for(i for ref in evidence for i in self.ingredients.get(ref, ()))[:_MOST_PAGES]

    def looked_at(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        if needs not in self.seen:
            self.seen[needs] = looked_at(needs, self.chart)
        return self.seen[needs]


def _without_drafts(rule: Rule) -> Rule:
    """Drafts as silent: they are decided, and not shown."""
    levels = tuple(replace(lv, status="silent") if lv.status == "draft" else lv for lv in rule.levels)
    return replace(rule, levels=levels, status="silent" if rule.status == "draft" else rule.status)


def _nothing_known(call: HookCall) -> bool:
    records = call.reading.records
    has_patient = bool(records.get("Patient")) or call.searches.get("Patient") == "complete"
    medications = ("MedicationRequest", "MedicationDispense", "MedicationStatement", "MedicationAdministration")
    return not has_patient and not any(records.get(t) or call.searches.get(t) == "complete" for t in medications)


def _about(subject: Fact) -> str:
    """What a finding is about, so that it can be recognised another day: the class, else the drug."""
    fields = subject.fields
    return next((str(fields[name]) for name in ("class_group", "ingredient", "moiety", "group") if name in fields), "")


def _shown(findings: Sequence[Finding], chart: Chart) -> list[Memory]:
    return [Memory(f.spec, f.about, "shown", None, chart.today) for f in findings if f.disposition == "shown"]


def _ignored(reading: Reading) -> dict[str, int]:
    counted = dict(reading.ignored)
    if reading.other_patient:
        counted["other-patient"] = reading.other_patient
    return counted
