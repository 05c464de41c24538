"""MedicationRequest, -Dispense, -Statement and -Administration to house records (1.2, 1.4 step 1, 10.3-10.5, 10.10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from cds.chart.codes import condition_groups, reason_groups
from cds.chart.model import Administration, Fill, Order, OrderRole, Progress, Setting, Statement
from cds.chart.supplied import counted_quantity, stated_days, supply_days
from cds.dates import Day
from cds.drugs.amounts import amount_of
from cds.drugs.dose import DoseStep, anchor, last_day, read_dosage
from cds.drugs.model import Medication
from cds.fhir import records as r
from cds.fhir.reading import normalize_reference

if TYPE_CHECKING:
    from cds.chart.build import Builder

_COUNTED_INTENTS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_PROGRESS: dict[str, Progress] = {
    "active": "current",
    "on-hold": "paused",
    "stopped": "stopped",
    "cancelled": "cancelled",
}
_LONGEST_ADMINISTRATION = 31  # days; one record that claims more is a mistake


def order(b: Builder, m: r.MedicationRequest) -> Order | None:
    """An order that counts: current, paused, ended or stopped; None for what 1.2 ignores."""
    where = b.ref(m)
    if where in b.source.set_aside:
        return None
    is_draft = where in b.source.draft_refs
    is_stop = where in b.source.stops
    if m.status == "entered-in-error" or m.do_not_perform:
        return None
    # 10.3: whatever stands in draftOrders and is not ended is a draft, whatever its status or intent.
    counted = m.status not in {None, "draft"} and (m.intent is None or m.intent in _COUNTED_INTENTS)
    if not (is_draft or is_stop or counted):
        return None
    setting = _setting(m.category)
    encounter = b.locate(m.encounter)
    role = _role(b, m, setting, encounter, is_draft=is_draft)
    progress: Progress = "stopped" if is_stop else "current" if is_draft else _PROGRESS.get(m.status or "", "ended")
    medication = _medication(
        b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage_instruction
    )
    start = _start(b, m, role)
    steps = anchor(read_dosage(m.dosage_instruction, b.tz, bare_counts=b.bare_counts), start)
    dispense = m.dispense_request
    stated_quantity = dispense.quantity if dispense else None
    quantity, unit = counted_quantity(stated_quantity)
    days = stated_days(dispense.expected_supply_duration if dispense else None)
    end, only_updated = _end(b, m, steps, progress, is_stop=is_stop)
    reasons = [condition_groups(c) for c in (*m.reason_code, *_referenced(b, m.reason_reference))]
    return Order(
        ref=where,
        medication=medication,
        role=role,
        progress=progress,
        setting=setting,
        authored=b.recorded(m.authored_on),
        start=start,
        end=end,
        end_is_last_update=only_updated,
        steps=steps,
        days_per_fill=days if days is not None else supply_days(quantity, unit, steps, medication),
        quantity=stated_quantity.value if stated_quantity else None,
        quantity_unit=unit,
        refills=max(0, (dispense.number_of_repeats_allowed or 0) if dispense else 0),
        requester=m.requester.reference if m.requester else None,
        prior=b.locate(m.prior_prescription),
        encounter=encounter,
        reasons=frozenset().union(*reasons),
        stop_reasons=reason_groups([m.status_reason]),
        emergency=m.priority == "stat",
        last_updated=b.day(m.meta.last_updated) if m.meta else None,
        ended_by_call=is_stop,
        unknown_reason=not all(reasons),
        valid_from=b.day(dispense.validity_period.start) if dispense and dispense.validity_period else None,
    )


def _referenced(b: Builder, references: Sequence[r.Reference]) -> list[r.CodeableConcept | None]:
    """What the conditions are that an order names as its reason; None for one that was not sent."""
    return [b.conditions.get(b.locate(reference) or "") for reference in references]


def with_replacements(orders: Sequence[Order]) -> tuple[Order, ...]:
    """The same orders, each knowing which one names it as its prior prescription (10.3)."""
    known = {o.ref for o in orders}
    replaced: dict[str, Order] = {}
    for o in sorted(orders, key=lambda o: (o.role == "draft", o.start or 0, o.ref)):
        if o.prior in known and o.prior != o.ref and o.progress not in {"stopped", "cancelled"}:
            replaced[o.prior or ""] = o  # a draft of the call counts before what the chart says
    return tuple(
        replace(o, replaced_by=by.ref, ended_by_call=o.ended_by_call or by.role == "draft")
        if (by := replaced.get(o.ref)) is not None and o.role != "draft"
        else o
        for o in orders
    )


def fill(b: Builder, m: r.MedicationDispense) -> Fill | None:
    """A dispense that was handed over; None for others and for one without a date."""
    handed = b.recorded(m.when_handed_over)
    quantity, unit = counted_quantity(m.quantity)
    given = (m.quantity is not None and (m.quantity.value or 0) > 0) or m.days_supply is not None
    if m.status == "completed" or (m.status == "stopped" and given):
        start = handed if handed is not None else b.recorded(m.when_prepared)
    elif m.status == "in-progress":
        start = handed
    else:
        start = None
    if start is None:
        return None
    medication = _medication(
        b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage_instruction
    )
    steps = anchor(read_dosage(m.dosage_instruction, b.tz, bare_counts=b.bare_counts), start)
    days = stated_days(m.days_supply)
    return Fill(
        ref=b.ref(m),
        medication=medication,
        start=start,
        days=days if days is not None else supply_days(quantity, unit, steps, medication),
        steps=steps,
        request=next((ref for p in m.authorizing_prescription if (ref := b.locate(p)) is not None), None),
        setting=_setting([m.category] if m.category else []),
        quantity=quantity,
        quantity_unit=unit,
        prescription=next((n for p in m.authorizing_prescription if p.identifier and (n := p.identifier.value)), None),
        pharmacy=_pharmacy(m),
    )


def _pharmacy(m: r.MedicationDispense) -> str | None:
    """The place, else the organization that handed it over; a person may work in several."""
    actors = [p.actor.reference for p in m.performer if p.actor is not None and p.actor.reference]
    if m.location is not None and m.location.reference:
        return m.location.reference
    return next((a for a in actors if "Organization/" in a), None)


def statement(b: Builder, m: r.MedicationStatement) -> Statement | None:
    """What the patient is said to take, or not to take."""
    if m.status not in {"active", "intended", "completed", "stopped", "not-taken"}:
        return None
    if _setting([m.category] if m.category else []) == "inpatient":
        return None
    period = m.effective_period
    start = b.day(period.start if period else m.effective_date_time)
    end = b.day(period.end, end=True) if period else None
    mentions = [d for d in (start, end, b.recorded(m.date_asserted)) if d is not None and d <= b.today]
    return Statement(
        ref=b.ref(m),
        medication=_medication(b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage),
        taken=m.status != "not-taken",
        current=m.status in {"active", "intended"},
        start=start,
        end=end,
        steps=anchor(read_dosage(m.dosage, b.tz, bare_counts=b.bare_counts), start),
        dated=period is not None and start is not None,
        mentioned=max(mentions, default=None),
        stop_reasons=reason_groups(m.status_reason),
    )


def administration(b: Builder, m: r.MedicationAdministration) -> Administration | None:
    """Doses that were given; None for those that were not, and for undated ones."""
    if m.status not in {"completed", "in-progress", "stopped"}:
        return None
    period = m.effective_period
    start = b.recorded(period.start if period else m.effective_date_time)
    if start is None or start > b.today:
        return None
    end = (b.day(period.end, end=True) if period else None) or start
    if not start <= end < start + _LONGEST_ADMINISTRATION:
        end = start
    given = amount_of(m.dosage.dose, bare_counts=False) if m.dosage else None
    once = Decimal(1)
    steps = (DoseStep(None, None, False, once, once, given[0], given[0], given[1]),) if given else ()
    route = r.Dosage(route=m.dosage.route) if m.dosage and m.dosage.route else None
    return Administration(
        ref=b.ref(m),
        medication=_medication(
            b, m.medication_codeable_concept, m.medication_reference, m.contained, [route] if route else []
        ),
        start=start,
        end=min(end, b.today),
        steps=steps,
    )


def _role(b: Builder, m: r.MedicationRequest, setting: Setting, encounter: str | None, *, is_draft: bool) -> OrderRole:
    if is_draft:
        return "draft"
    # 10.4: the discharge list are the active discharge orders of the encounter that ends.
    if b.source.hook == "encounter-discharge" and setting == "discharge" and m.status == "active":
        here = b.source.encounter
        if here and encounter == normalize_reference(f"Encounter/{here}"):
            return "discharge"
    return "chart"


def _setting(categories: Sequence[r.CodeableConcept]) -> Setting:
    codes = {c.code for concept in categories for c in concept.coding}
    if "inpatient" in codes:
        return "inpatient"
    return "discharge" if "discharge" in codes else "outpatient"


def _start(b: Builder, m: r.MedicationRequest, role: OrderRole) -> Day | None:
    starts = [b.day(p.start) for p in _bounds(m)]
    bounds_start = min((d for d in starts if d is not None), default=None)
    if role == "draft":
        # 10.5: a draft starts at its bounds when they lie ahead, else today.
        return max(bounds_start, b.today) if bounds_start is not None else b.today
    validity = m.dispense_request.validity_period if m.dispense_request else None
    dates = (b.day(m.authored_on), b.day(validity.start) if validity else None, bounds_start)
    return max((d for d in dates if d is not None), default=None)


def _bounds(m: r.MedicationRequest) -> list[r.Period]:
    timings = [d.timing for d in m.dosage_instruction if d.timing is not None]
    repeats = [t.repeat for t in timings if t.repeat is not None]
    return [p.bounds_period for p in repeats if p.bounds_period is not None]


def _end(
    b: Builder, m: r.MedicationRequest, steps: Sequence[DoseStep], progress: Progress, *, is_stop: bool
) -> tuple[Day | None, bool]:
    """(last day of use as recorded, whether it is only the day the record last changed)."""
    if is_stop:
        return b.today, False
    explicit = last_day(steps)
    bounds = _bounds(m)
    if explicit is None and not steps and bounds and len(bounds) == len(m.dosage_instruction):
        # The dose is free text, but every line of it ends.
        ends = [b.day(p.end, end=True) for p in bounds]
        explicit = max((d for d in ends if d is not None), default=None) if None not in ends else None
    closed = progress in {"stopped", "cancelled"}
    if explicit is not None and not (closed and explicit > b.today):
        return explicit, False
    if progress not in {"stopped", "cancelled", "ended"}:
        return explicit, False
    # A stopped order whose planned end still lies ahead was stopped before it: the last change is all that is known.
    changed = b.day(m.meta.last_updated) if m.meta else None
    return (min(changed, b.today), True) if changed is not None else (None, False)


def named(
    concept: r.CodeableConcept | None,
    reference: r.Reference | None,
    contained: Sequence[r.Medication],
    products: Mapping[str, r.Medication],
    locate: Callable[[str], str],
) -> tuple[r.CodeableConcept | None, str | None]:
    """(what names the drug, its text): the concept, else the contained or charted Medication that is referred to."""
    text = None
    if concept is None and reference is not None:
        target = reference.reference or ""
        local = {f"#{m.id}": m for m in contained}
        product = local.get(target) or products.get(locate(target) if target else "")
        concept, text = (product.code if product else None), reference.display
    return concept, (concept.text if concept is not None else None) or text


def _medication(
    b: Builder,
    concept: r.CodeableConcept | None,
    reference: r.Reference | None,
    contained: Sequence[r.Medication],
    dosages: Sequence[r.Dosage],
) -> Medication:
    """Resolve the drug, from the concept or from the Medication it refers to, and keep count of how that went."""
    concept, text = named(concept, reference, contained, b.products, b.source.reading.locate)
    route = next((d.route.text or next((c.display for c in d.route.coding), None) for d in dosages if d.route), None)
    codings = [(c.system, c.code, c.display) for c in concept.coding] if concept else []
    found = b.resolver.resolve(codings, text, route_text=route)
    b.drugs[found.status] += 1
    if found.status in {"unidentified", "conflict"}:
        name = text or next((d for _, _, d in codings if d), None)
        b.unidentified.append(name or "a medicine without a name or code")
    return found
