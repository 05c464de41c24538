"""Several antipsychotics or antidepressants that orders would bring together; what a stay began (A-03, A-04)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart
from cds.facts.context import Context, fact, is_for_smoking
from cds.facts.counted import (
    MEMBERS,
    SHORT_SUPPLY,
    against_prolactin,
    depots,
    failed_trials,
    is_antidepressant,
    is_low_aripiprazole,
    is_scheduled,
    is_short_acting,
    prolactin_known,
)
from cds.facts.courses import current_courses
from cds.facts.orders import judged, was_started_in_stay
from cds.model import Fact

_STAY_REASONS = (("delirium", "delirium"), ("agitation", "agitation"), ("insomnia", "sleep"))


@dataclass(frozen=True, slots=True)
class _Drug:
    label: str
    key: str
    end: Day | None
    refs: tuple[str, ...]
    low_aripiprazole: bool


def planned(c: Context, group: str) -> Iterator[Fact]:
    """One fact for the call: what its orders add to what goes on, or the discharge list by itself."""
    if c.hook == "encounter-discharge" and not c.chart.discharge_list_known:
        # 10.4: without a list nobody knows what goes on: no answer, rather than a silence.
        yield fact("drugs_planned", f"drugs_planned:{group}", group=group, clozapine=False,
                   failed_trials=failed_trials(c, ()), prolactin_known=True)  # fmt: skip
        return
    ordered: dict[str, tuple[_Drug, Order, DrugPart]] = {}
    for order, part in judged(c):
        if _order_counts(c, group, order, part):
            drug = _Drug(
                order.medication.label, part.ingredient.key, order.end, (order.ref,),
                is_low_aripiprazole(c, part, _mg(c, order, part)),
            )  # fmt: skip
            ordered[part.ingredient.moiety] = drug, order, part
    present = dict(_present(c, group)) if ordered and c.hook == "order-sign" else {}
    added = sorted(set(ordered).difference(present)) if c.hook == "order-sign" else sorted(ordered)
    drugs = {**present, **{moiety: drug for moiety, (drug, _, _) in ordered.items()}}
    if not added or len(drugs) < 2:
        return
    _, order, part = ordered[added[-1]]
    ends = [d.end for d in drugs.values() if d.end is not None]
    yield fact(
        "drugs_planned",
        f"drugs_planned:{group}",
        [ref for d in drugs.values() for ref in d.refs],
        group=group,
        order=f"{order.ref}#{part.ingredient.key}",
        drug=order.medication.label,
        moiety="+".join(sorted(drugs)),
        count=len(drugs),
        names=" + ".join(d.label for _, d in sorted(drugs.items(), key=lambda item: (item[0] in added, item[0]))),
        clozapine="clozapine" in drugs,
        planned_end_days=None if not ends else c.rel(min(ends)),
        failed_trials=failed_trials(c, drugs),
        prolactin_known=prolactin_known(c, any(d.low_aripiprazole for d in drugs.values())),
        list_known=True,
    )


def _mg(c: Context, order: Order, part: DrugPart) -> Decimal | None:
    return daily_mg(order.steps, part, order.start or c.today, high=True)


def _order_counts(c: Context, group: str, order: Order, part: DrugPart) -> bool:
    mg = _mg(c, order, part)
    if part.ingredient.class_group not in MEMBERS[group] or c.low_dose_adjunct(part, mg):
        return False
    if group == "antidepressant":
        return is_antidepressant(part, mg) and not is_for_smoking(part, order.medication.purpose, order.reasons)
    short = order.authorised_days is not None and order.authorised_days <= SHORT_SUPPLY
    return not (
        any(s.prn for s in order.steps) or short or is_short_acting(order.medication)
    ) and not against_prolactin(c, part, mg)


def _present(c: Context, group: str) -> Iterator[tuple[str, _Drug]]:
    """Substances in use that go on: what the call itself stops or replaces does not."""
    for course in current_courses(c):
        mg = course.present_dose(c.today)
        if course.part.ingredient.class_group not in MEMBERS[group] or any(e.how == "stopped" for e in course.endings):
            continue
        if c.low_dose_adjunct(course.part, mg) or any(c.for_smoking(s) for s in course.supplies):
            continue
        if group == "antidepressant" and not is_antidepressant(course.part, mg):
            continue
        if group == "antipsychotic" and (
            not any(is_scheduled(c, s) for s in course.supplies) or against_prolactin(c, course.part, mg)
        ):
            continue
        end = min((e.day for e in course.endings if e.how in {"stated", "tapered"}), default=None)
        low = is_low_aripiprazole(c, course.part, mg)
        yield course.part.ingredient.moiety, _Drug(course.label, course.part.ingredient.key, end, course.refs, low)
    if group == "antipsychotic":
        for stretch in depots(c):
            if stretch.last >= c.today - 1:
                key = stretch.part.ingredient.key
                yield stretch.part.ingredient.moiety, _Drug(stretch.label, key, None, stretch.refs, False)


def begun_in_hospital(c: Context) -> Iterator[Fact]:
    """Antipsychotics of the discharge list that this stay began, with what they were begun for (A-03)."""
    stay = next((v for v in c.chart.visits if v.ref == c.chart.encounter), None)
    for order, part in judged(c):
        if not _order_counts(c, "antipsychotic", order, part) or not was_started_in_stay(c, order):
            continue
        reasons = set(order.reasons)
        evidence = [order.ref]
        if not reasons and stay is not None:
            # The order says nothing: what was diagnosed in the stay does.
            seen = [d for d in c.chart.diagnoses if d.day is not None and stay.start <= d.day <= c.today]
            reasons = {group for d in seen for group in d.groups}
            evidence += [d.ref for d in seen]
        reason = next((word for group, word in _STAY_REASONS if group in reasons), None)
        if reason is not None:
            yield fact(
                "hospital_antipsychotic",
                f"hospital_antipsychotic:{order.ref}#{part.ingredient.key}",
                evidence,
                order=f"{order.ref}#{part.ingredient.key}",
                drug=order.medication.label,
                dose=_mg(c, order, part),
                moiety=part.ingredient.moiety,
                reason=reason,
                stated_end=order.end is not None,
            )
