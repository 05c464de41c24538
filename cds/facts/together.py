"""Several antipsychotics, or several antidepressants, at once: proven from supply, or planned by an order (A-03, A-04).

What counts as one of them (1.3.5, A-03, A-04): scheduled, at more than a low adjunct dose, for longer than a week.
Substances are counted, not products: risperidone and paliperidone, or a tablet and a depot of one drug, are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, product

from cds.chart.model import Order
from cds.dates import Day
from cds.drugs.dose import daily_mg
from cds.drugs.model import DrugPart, Medication
from cds.facts.context import ANTIDEPRESSANT_GROUPS, Context, fact, is_for_smoking
from cds.facts.courses import Course, current_courses
from cds.facts.exposure import Episode, Stretch
from cds.facts.intervals import Interval, common
from cds.facts.orders import judged, was_started_in_stay
from cds.facts.supply import Supply, weakest
from cds.model import Fact

_RECENT_END = 30  # days: 10.23, the run ends in [T-30, T]
_SHORT_SUPPLY = 7  # days authorised in all (A-03, 10.23)
_MEMBERS = {"antipsychotic": frozenset({"AP"}), "antidepressant": ANTIDEPRESSANT_GROUPS - {"MAOI"}}
_SIZES = {"antipsychotic": (2, 3), "antidepressant": (3,)}
# A clinic-given drug and a fixed course; naltrexone-bupropion is no antidepressant to begin with.
_NEVER_COUNTED = frozenset({"esketamine", "zuranolone"})
_INJECTED = frozenset({"injection", "intramuscular", "intravenous", "subcutaneous"})
# Days that one injection certainly lasts: the shortest interval of the drug's depot products (table of X-LAI-01).
_DEPOT_DAYS = {
    "aripiprazole": 30, "aripiprazole lauroxil": 30, "paliperidone": 30, "risperidone": 14, "olanzapine": 14,
    "haloperidol": 28, "fluphenazine": 14,
}  # fmt: skip
_STAY_REASONS = (("delirium", "delirium"), ("agitation", "agitation"), ("insomnia", "sleep"))


@dataclass(frozen=True, slots=True)
class Use:
    """Episodes of one substance up to yesterday, as far as they count."""

    moiety: str
    label: str
    keys: frozenset[str]
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Days on which all of several drugs were in hand. episodes: one of each use, in the order of the uses."""

    uses: tuple[Use, ...]
    episodes: tuple[Episode, ...]
    first: Day
    last: Day
    days: int


def facts(c: Context) -> Iterator[Fact]:
    for group in _MEMBERS:
        if c.hook in {"patient-view", "batch"}:
            yield from _proven(c, group)
        elif c.hook == "order-sign" or (c.hook == "encounter-discharge" and group == "antipsychotic"):
            yield from _planned(c, group)
    if c.hook == "encounter-discharge":
        yield from _begun_in_hospital(c)


# What was taken ---------------------------------------------------------------------------------------------------


def _proven(c: Context, group: str) -> Iterator[Fact]:
    uses = _uses(c, group)
    runs: list[Run] = []
    for size in _SIZES[group]:
        found = [run for chosen in combinations(uses, size) if (run := _longest_run(c, chosen)) is not None]
        # Of four drugs there are four triples, and one of them says it; but each pair is a question of its own.
        runs += sorted(found, key=lambda r: (_is_low(r), -r.days, _names(r)))[:1] if size > 2 else found
    if not runs:
        return
    ends = _planned_ends(current_courses(c))
    for run in runs:
        yield _run_fact(c, group, run, ends)


def _is_low(run: Run) -> bool:
    return weakest(e.confidence for e in run.episodes) == "low"


def _uses(c: Context, group: str) -> list[Use]:
    found: dict[str, list[Stretch]] = defaultdict(list)
    for key in c.stretches:
        for stretch in c.past(key):
            if _counts_as(c, group, stretch):
                found[stretch.part.ingredient.moiety].append(stretch)
    if group == "antipsychotic":
        for stretch in _depots(c):
            found[stretch.part.ingredient.moiety].append(stretch)
    uses = []
    for moiety, rows in sorted(found.items()):
        episodes = tuple(e for e in c.episodes(rows) if e.end >= c.today - _RECENT_END)
        if episodes:
            latest = max(rows, key=lambda s: (s.last, s.first, s.label))
            uses.append(Use(moiety, latest.label, frozenset(s.part.ingredient.key for s in rows), episodes))
    return uses


def _counts_as(c: Context, group: str, stretch: Stretch) -> bool:
    part = stretch.part
    if part.ingredient.class_group not in _MEMBERS[group] or c.is_adjunct(stretch):
        return False
    if group == "antidepressant":
        return _antidepressant(part, stretch.high)
    return any(_scheduled(c, s) for s in stretch.supplies) and not _for_prolactin(c, part, stretch.high)


def _antidepressant(part: DrugPart, mg: Decimal | None) -> bool:
    # of unknown dose mirtazapine is not counted; trazodone, doxepin and tricyclics are adjuncts already.
    return part.ingredient.key not in _NEVER_COUNTED and not (part.ingredient.key == "mirtazapine" and mg is None)


def _scheduled(c: Context, supply: Supply) -> bool:
    order = c.orders.get(supply.request or "")
    short = order is not None and order.authorised_days is not None and order.authorised_days <= _SHORT_SUPPLY
    return not supply.prn and not short and not _short_acting(supply.medication)


def _short_acting(medication: Medication) -> bool:
    """An injection that is no depot: given once, for agitation."""
    return medication.route in _INJECTED and not medication.long_acting_injection


def _for_prolactin(c: Context, part: DrugPart, mg: Decimal | None) -> bool:
    """Low-dose aripiprazole beside another drug that has raised prolactin is no second antipsychotic (A-03)."""
    if not _is_low_aripiprazole(c, part, mg):
        return False
    since = c.today - int(c.p["prolactin_days"])
    return any(r.name == "prolactin" and r.high and r.day >= since for r in c.chart.results)


def _is_low_aripiprazole(c: Context, part: DrugPart, mg: Decimal | None) -> bool:
    low = Decimal(str(c.p["lowdose_aripiprazole"]))
    return part.ingredient.key == "aripiprazole" and mg is not None and mg <= low


def _depots(c: Context) -> Iterator[Stretch]:
    """Injections given in a clinic or on a ward, each for as long as it certainly lasts."""
    for given in c.chart.administrations:
        for part in given.medication.parts:
            days = _DEPOT_DAYS.get(part.ingredient.key)
            if not given.medication.long_acting_injection or part.ingredient.class_group != "AP" or days is None:
                continue
            last = min(given.start + days - 1, c.today - 1)
            if last >= given.start:
                row = Supply(
                    part, given.medication, given.start, last, given.steps, "high", (given.ref,), "administration"
                )  # fmt: skip
                yield Stretch(given.start, last, (row,))


def _longest_run(c: Context, uses: Sequence[Use]) -> Run | None:
    """The longest run that ends in the last days; gaps within grace go on with it and are not counted (10.23)."""
    best: Run | None = None
    for episodes in product(*(use.episodes for use in uses)):
        days: Sequence[Interval] = episodes[0].covered
        for episode in episodes[1:]:
            days = tuple(common(days, episode.covered))
        if days and days[-1][1] >= c.today - _RECENT_END:
            counted = sum(end - start + 1 for start, end in days)
            if best is None or counted > best.days:
                best = Run(tuple(uses), episodes, days[0][0], days[-1][1], counted)
    return best


def _names(run: Run) -> str:
    order = sorted(zip(run.episodes, run.uses, strict=True), key=lambda pair: (pair[0].start, pair[1].label))
    return " + ".join(use.label for _, use in order)


def _run_fact(c: Context, group: str, run: Run, ends: Mapping[str, Day]) -> Fact:
    latest = max(zip(run.episodes, run.uses, strict=True), key=lambda pair: (pair[0].start, pair[1].label))[1]
    stretches = [s for e in run.episodes for s in e.stretches if s.first <= run.last and s.last >= run.first]
    planned = [ends[key] for use in run.uses for key in use.keys if key in ends]
    return fact(
        "drugs_together",
        f"drugs_together:{group}:{'+'.join(use.moiety for use in run.uses)}",
        [ref for e in run.episodes for ref in e.refs],
        group=group,
        count=len(run.uses),
        names=_names(run),
        days=run.days,
        first=c.rel(run.first),
        last=c.rel(run.last),
        later_drug=latest.label,
        current_order=_order_in_force(c, latest.keys),
        clozapine=any(use.moiety == "clozapine" for use in run.uses),
        planned_end_days=min((c.rel(day) for day in planned), default=None),
        failed_trials=_failed_trials(c, [use.moiety for use in run.uses]),
        prolactin_known=_prolactin_known(c, any(_is_low_aripiprazole(c, s.part, s.high) for s in stretches)),
        weakest_confidence=weakest(e.confidence for e in run.episodes),
    )


def _planned_ends(courses: Iterator[Course]) -> dict[str, Day]:
    """When each drug in use is planned to end, by ingredient; a supply that runs out is no plan."""
    return {
        course.part.ingredient.key: day
        for course in courses
        if (day := min((e.day for e in course.endings if e.how in {"stopped", "stated", "tapered"}), default=None))
        is not None
    }


def _order_in_force(c: Context, keys: Collection[str]) -> str | None:
    found = [o for key in sorted(keys) for o in c.history.of_ingredient(key) if o.open and not c.history.denied(o)]
    return max(found, key=lambda o: (o.start or 0, o.ref)).ref if found else None


def _failed_trials(c: Context, present: Collection[str]) -> int:
    """Other antipsychotics that were stopped as not effective, as far as it is coded."""
    given = [
        *((o.medication, o.stop_reasons) for o in c.chart.orders),
        *((s.medication, s.stop_reasons) for s in c.chart.statements),
    ]
    moieties = {p.ingredient.moiety for m, why in given if "ineffective" in why for p in m.parts if _is_ap(p)}
    return len(moieties.difference(present))


def _is_ap(part: DrugPart) -> bool:
    return part.ingredient.class_group == "AP"


def _prolactin_known(c: Context, matters: bool) -> bool | None:
    """None: low-dose aripiprazole is counted, and whether prolactin was raised could not be looked up."""
    return True if not matters or c.chart.searched("Observation") else None


# What is planned --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Drug:
    label: str
    key: str
    end: Day | None
    refs: tuple[str, ...]
    low_aripiprazole: bool


def _planned(c: Context, group: str) -> Iterator[Fact]:
    """One fact for the call: what its orders add to what goes on, or the discharge list by itself."""
    if c.hook == "encounter-discharge" and not c.chart.discharge_list_known:
        # 10.4: without a list nobody knows what goes on: no answer, rather than a silence.
        yield fact("drugs_planned", f"drugs_planned:{group}", group=group, clozapine=False,
                   failed_trials=_failed_trials(c, ()), prolactin_known=True)  # fmt: skip
        return
    ordered: dict[str, tuple[_Drug, Order, DrugPart]] = {}
    for order, part in judged(c):
        if _order_counts(c, group, order, part):
            drug = _Drug(
                order.medication.label, part.ingredient.key, order.end, (order.ref,),
                _is_low_aripiprazole(c, part, _mg(c, order, part)),
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
        count=len(drugs),
        names=" + ".join(d.label for _, d in sorted(drugs.items(), key=lambda item: (item[0] in added, item[0]))),
        clozapine="clozapine" in drugs,
        planned_end_days=None if not ends else c.rel(min(ends)),
        failed_trials=_failed_trials(c, drugs),
        prolactin_known=_prolactin_known(c, any(d.low_aripiprazole for d in drugs.values())),
        list_known=True,
    )


def _mg(c: Context, order: Order, part: DrugPart) -> Decimal | None:
    return daily_mg(order.steps, part, order.start or c.today, high=True)


def _order_counts(c: Context, group: str, order: Order, part: DrugPart) -> bool:
    mg = _mg(c, order, part)
    if part.ingredient.class_group not in _MEMBERS[group] or c.low_dose_adjunct(part, mg):
        return False
    if group == "antidepressant":
        return _antidepressant(part, mg) and not is_for_smoking(part, order.medication.purpose, order.reasons)
    short = order.authorised_days is not None and order.authorised_days <= _SHORT_SUPPLY
    return not (any(s.prn for s in order.steps) or short or _short_acting(order.medication)) and not _for_prolactin(
        c, part, mg
    )


def _present(c: Context, group: str) -> Iterator[tuple[str, _Drug]]:
    """Substances in use that go on: what the call itself stops or replaces does not."""
    for course in current_courses(c):
        mg = course.present_dose(c.today)
        if course.part.ingredient.class_group not in _MEMBERS[group] or any(e.how == "stopped" for e in course.endings):
            continue
        if c.low_dose_adjunct(course.part, mg) or any(c.for_smoking(s) for s in course.supplies):
            continue
        if group == "antidepressant" and not _antidepressant(course.part, mg):
            continue
        if group == "antipsychotic" and (
            not any(_scheduled(c, s) for s in course.supplies) or _for_prolactin(c, course.part, mg)
        ):
            continue
        end = min((e.day for e in course.endings if e.how in {"stated", "tapered"}), default=None)
        low = _is_low_aripiprazole(c, course.part, mg)
        yield course.part.ingredient.moiety, _Drug(course.label, course.part.ingredient.key, end, course.refs, low)
    if group == "antipsychotic":
        for stretch in _depots(c):
            if stretch.last >= c.today - 1:
                key = stretch.part.ingredient.key
                yield stretch.part.ingredient.moiety, _Drug(stretch.label, key, None, stretch.refs, False)


def _begun_in_hospital(c: Context) -> Iterator[Fact]:
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
                reason=reason,
                stated_end=order.end is not None,
            )
