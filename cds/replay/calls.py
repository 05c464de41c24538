"""Replay: each psychotropic order of a chart as an order-sign, and each visit as a patient-view, on its own day.

The contract:

* Input is one patient's whole chart as a `HookCall` (what `psychmed check` reads from an export or a Bundle); its hook,
  drafts and encounter are not looked at. `cds.replay.known.Past` is built once and may be asked for both.
* `replayed_orders` gives one `Replayed` for each order that was signed here: identified as psychotropic, intent of an
  order, `authoredOn` to the day or finer, neither a draft or a proposal still, nor reported, nor in error, nor a
  "do not perform". By time of signing, orders of the same time by id.
* The order is the draft of its call (`draft_refs`), in place of its record: it is not in the chart besides, whatever
  its status is now. Its encounter is the call's encounter.
* The chart is the one known at that moment (`cds.replay.known`). Of the same day: what has a time is in the chart when
  it is not later; what has none is, save that supply follows orders: a dispense or an administration of the same day
  must be shown to be earlier. Of orders signed at the same time, each finds in the chart those that come before it by
  id, so that a pair of two of them is met once.
* `replayed_visits` gives one patient-view for each visit that took place (finished or going on, with a day), as it
  began.
* Nothing is written, no clock is read, no call is evaluated: give `Replayed.call` to `Evaluator.evaluate` with
  `today=Replayed.day`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

from msgspec.structs import replace as changed

from cds.chart.medications import named
from cds.drugs.model import Medication
from cds.drugs.resolver import Resolver
from cds.evaluate import HookCall
from cds.fhir import records as r
from cds.replay.known import Past
from cds.replay.moment import Moment

# Class groups of rules/drugs/classes.csv that the rules speak of as psychiatric medicines (clinical specification 1.3).
PSYCHOTROPIC = frozenset(
    {"SRI", "TCA", "MAOI", "AD-OTHER", "AP", "MOOD", "BZD", "ZDRUG", "DORA", "STIM", "ADHD-NS", "GABAP"}
)
_DAY_LETTERS = 10  # "2026-03-31": a month is no day of signing
_SIGNED_INTENTS = frozenset({None, "order", "original-order", "reflex-order", "filler-order", "instance-order"})
_NOT_SIGNED = frozenset({None, "draft", "entered-in-error"})
_TOOK_PLACE = frozenset({"finished", "in-progress", "onleave"})


@dataclass(frozen=True, slots=True)
class Replayed:
    """day: to be asked on. order, medication: what was signed, None of a visit. visit: its encounter, where sent."""

    day: dt.date
    call: HookCall
    order: r.MedicationRequest | None = None
    medication: Medication | None = None
    visit: r.Encounter | None = None


def is_psychotropic(medication: Medication) -> bool:
    return any(part.ingredient.class_group in PSYCHOTROPIC for part in medication.parts)


def replayed_orders(
    past: Past, *, resolver: Resolver, since: dt.date | None = None, until: dt.date | None = None
) -> Iterator[Replayed]:
    """Each psychotropic order signed from `since` to `until` (both included; None: no bound) as an order-sign."""
    orders = _dated_orders(past)
    visits = _visits(past)
    supplies = _supplies(past)
    for n, (signed, order) in enumerate(orders):
        if not _within(signed, since, until):
            continue
        medication = medication_of(past, order, resolver)
        if not is_psychotropic(medication):
            continue
        later = {id(o) for m, o in orders[n:] if m.day == signed.day}
        later |= {id(s) for given, s in supplies if given.day == signed.day and given.before(signed) is not True}
        known = past.at(signed, without=later)
        draft = changed(order, status="draft", status_reason=None)
        records = {**known.reading.records}
        charted = [o for o in records.get("MedicationRequest", ()) if o.id != order.id]
        records["MedicationRequest"] = sorted([*charted, draft], key=lambda o: o.id or "")
        where = past.call.reading.locate(order.encounter.reference or "") if order.encounter is not None else ""
        call = replace(
            known,
            hook="order-sign",
            reading=known.reading.with_records(records),
            draft_refs=(f"MedicationRequest/{order.id}",),
            encounter=where.rpartition("/")[2] or None,
        )
        yield Replayed(dt.date.fromordinal(signed.day), call, order, medication, visits.get(where))


def replayed_visits(past: Past, *, since: dt.date | None = None, until: dt.date | None = None) -> Iterator[Replayed]:
    """Each visit that began from `since` to `until` as a patient-view at its beginning, by time."""
    begun = [
        (moment, ref, visit)
        for ref, visit in _visits(past).items()
        if visit.status in _TOOK_PLACE
        and visit.period is not None
        and (moment := past.moment(visit.period.start)) is not None
        and _within(moment, since, until)
    ]
    for moment, _, visit in sorted(begun, key=lambda row: (row[0].day, row[0].at or 0.0, row[1])):
        call = replace(past.at(moment), hook="patient-view", encounter=visit.id)
        yield Replayed(dt.date.fromordinal(moment.day), call, visit=visit)


def medication_of(past: Past, order: r.MedicationRequest, resolver: Resolver) -> Medication:
    """What the order is for, by its concept or the Medication that it names."""
    concept, text = named(
        order.medication_codeable_concept,
        order.medication_reference,
        order.contained,
        past.products,
        past.call.reading.locate,
    )
    codings = [(c.system, c.code, c.display) for c in concept.coding] if concept is not None else []
    return resolver.resolve(codings, text)


def _dated_orders(past: Past) -> list[tuple[Moment, r.MedicationRequest]]:
    """Orders that were signed, by time and then by id."""
    found = [
        (moment, order)
        for order in past.call.reading.of(r.MedicationRequest)
        if order.id
        and order.status not in _NOT_SIGNED
        and order.intent in _SIGNED_INTENTS
        and not order.do_not_perform
        and not order.reported_boolean
        and len(order.authored_on or "") >= _DAY_LETTERS
        and (moment := past.moment(order.authored_on)) is not None
    ]
    return sorted(found, key=lambda row: (row[0].day, row[0].at or 0.0, row[1].id or ""))


def _supplies(past: Past) -> list[tuple[Moment, r.Record]]:
    reading = past.call.reading
    dispensed = [(past.moment(d.when_handed_over or d.when_prepared), d) for d in reading.of(r.MedicationDispense)]
    given = [
        (past.moment(a.effective_period.start if a.effective_period else a.effective_date_time), a)
        for a in reading.of(r.MedicationAdministration)
    ]
    both: list[tuple[Moment | None, r.Record]] = [*dispensed, *given]
    return [(moment, row) for moment, row in both if moment is not None]


def _visits(past: Past) -> dict[str, r.Encounter]:
    return {f"Encounter/{e.id}": e for e in past.call.reading.of(r.Encounter) if e.id}


def _within(moment: Moment, since: dt.date | None, until: dt.date | None) -> bool:
    return (since is None or moment.day >= since.toordinal()) and (until is None or moment.day <= until.toordinal())
