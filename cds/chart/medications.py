"""MedicationRequest, -Dispense and -Statement to orders, fills and statements (1.2, 1.4 step 1, 10.3-10.5, 10.10)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from cds.chart.codes import condition_groups, reason_groups
from cds.chart.model import Fill, Order, OrderRole, Progress, Setting, Statement
from cds.dates import Day
from cds.drugs.dose import DoseStep, anchor, last_day, read_dosage, units_per_day
from cds.drugs.model import Medication
from cds.fhir import records as r
from cds.fhir.reading import normalize_reference

if TYPE_CHECKING:
    from cds.chart.build import Builder

_COUNTED_INTENTS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_DAYS_PER = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7, "mo": 30, "month": 30, "months": 30}
_ENDED: dict[str, Progress] = {"completed": "ended", "stopped": "stopped", "cancelled": "cancelled", "unknown": "ended"}
_LONGEST_SUPPLY = 3660


def order(b: Builder, m: r.MedicationRequest) -> Order | None:
    """An order that counts: current, paused, ended or stopped; None for what 1.2 ignores."""
    where = f"MedicationRequest/{m.id or 'without-id'}"
    if where in b.source.set_aside:
        return None
    is_draft = where in b.source.draft_refs
    is_stop = where in b.source.stops
    if m.status == "entered-in-error" or m.do_not_perform:
        return None
    # 10.3: whatever stands in draftOrders and is not ended is a draft, whatever its status or intent.
    if not (is_draft or is_stop) and (
        m.status in {None, "draft"} or (m.intent is not None and m.intent not in _COUNTED_INTENTS)
    ):
        return None
    setting = _setting(m)
    role: OrderRole = "draft" if is_draft else "chart"
    encounter = b.locate(m.encounter)
    if b.source.hook == "encounter-discharge" and not is_draft and setting == "discharge" and m.status == "active":
        here = b.source.encounter
        role = "discharge" if here and encounter == normalize_reference(f"Encounter/{here}") else "chart"
    progress: Progress = "stopped" if is_stop else "current" if is_draft else _progress(m.status)
    medication = _medication(
        b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage_instruction
    )
    dispense = m.dispense_request
    refills = dispense.number_of_repeats_allowed if dispense and dispense.number_of_repeats_allowed else 0
    quantity = dispense.quantity.value if dispense and dispense.quantity else None
    start = _start(b, m, role)
    steps = _steps(b, m.dosage_instruction, start)
    end, recorded_only = _end(b, m, steps, stopped=progress in {"stopped", "ended", "cancelled"}, is_stop=is_stop)
    return Order(
        ref=where,
        medication=medication,
        role=role,
        progress=progress,
        setting=setting,
        authored=b.day(m.authored_on),
        start=start,
        end=end,
        end_is_recorded_stop=recorded_only,
        steps=steps,
        days_per_fill=_days(
            dispense.expected_supply_duration if dispense else None,
            dispense.quantity if dispense else None,
            steps,
            medication,
        ),
        quantity=quantity,
        refills=max(0, int(refills)),
        requester=m.requester.reference if m.requester else None,
        prior=b.locate(m.prior_prescription),
        encounter=encounter,
        reasons=frozenset().union(*(condition_groups(c) for c in m.reason_code)),
        stop_reasons=reason_groups([m.status_reason]),
        emergency=m.priority == "stat",
        last_updated=b.day(m.meta.last_updated) if m.meta else None,
    )


def fill(b: Builder, m: r.MedicationDispense) -> Fill | None:
    """A dispense that was handed over; None for others and for one without a date."""
    handed = b.day(m.when_handed_over)
    given = (m.quantity is not None and (m.quantity.value or 0) > 0) or m.days_supply is not None
    if m.status == "completed" or (m.status == "stopped" and given):
        start = handed if handed is not None else b.day(m.when_prepared)
    elif m.status == "in-progress":
        start = handed
    else:
        start = None
    if start is None:
        return None
    medication = _medication(
        b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage_instruction
    )
    steps = _steps(b, m.dosage_instruction, start)
    request = next((p for p in m.authorizing_prescription if p.reference), None)
    return Fill(
        ref=f"MedicationDispense/{m.id or 'without-id'}",
        medication=medication,
        start=start,
        days=_days(m.days_supply, m.quantity, steps, medication),
        steps=steps,
        request=b.locate(request),
    )


def statement(b: Builder, m: r.MedicationStatement) -> Statement | None:
    """What the patient is said to take, or not to take."""
    if m.status not in {"active", "intended", "completed", "stopped", "not-taken", "on-hold"}:
        return None
    start = b.day(m.effective_period.start if m.effective_period else m.effective_date_time)
    end = b.day(m.effective_period.end, end=True) if m.effective_period else None
    return Statement(
        ref=f"MedicationStatement/{m.id or 'without-id'}",
        medication=_medication(b, m.medication_codeable_concept, m.medication_reference, m.contained, m.dosage),
        taken=m.status != "not-taken",
        current=m.status in {"active", "intended"},
        start=start,
        end=end,
        steps=_steps(b, m.dosage, start),
    )


def _steps(b: Builder, dosages: Sequence[r.Dosage], start: Day | None) -> tuple[DoseStep, ...]:
    """Dose steps; those that state only a length are put on the calendar from the start on."""
    steps = read_dosage(dosages, b.tz, bare_counts=b.bare_counts)
    return anchor(steps, start) if start is not None else steps


def _progress(status: str | None) -> Progress:
    if status == "active":
        return "current"
    return "paused" if status == "on-hold" else _ENDED.get(status or "", "ended")


def _setting(m: r.MedicationRequest) -> Setting:
    codes = {c.code for concept in m.category for c in concept.coding}
    if "inpatient" in codes:
        return "inpatient"
    return "discharge" if "discharge" in codes else "outpatient"


def _start(b: Builder, m: r.MedicationRequest, role: OrderRole) -> Day | None:
    periods = [d.timing.repeat.bounds_period for d in m.dosage_instruction if d.timing and d.timing.repeat]
    bounds = [b.day(p.start) for p in periods if p is not None]
    bounds_start = min((d for d in bounds if d is not None), default=None)
    if role == "draft":
        # 10.5: a draft starts at its bounds when they lie ahead, else today.
        return max(bounds_start, b.today) if bounds_start is not None else b.today
    validity = (
        m.dispense_request.validity_period.start if m.dispense_request and m.dispense_request.validity_period else None
    )
    known = [d for d in (b.day(m.authored_on), b.day(validity), bounds_start) if d is not None]
    return max(known, default=None)


def _end(
    b: Builder, m: r.MedicationRequest, steps: Sequence[DoseStep], *, stopped: bool, is_stop: bool
) -> tuple[Day | None, bool]:
    """(last day of use as recorded, whether it is only the day the record last changed)."""
    if is_stop:
        return b.today, False
    explicit = last_day(steps)
    # A planned end that lies ahead is not when a stopped order ended.
    if not stopped or (explicit is not None and explicit <= b.today):
        return explicit, False
    changed = b.day(m.meta.last_updated) if m.meta and m.meta.last_updated else None
    if changed is None and explicit is not None:
        return b.today, True
    return changed, changed is not None


def _days(
    stated: r.Quantity | None, quantity: r.Quantity | None, steps: Sequence[DoseStep], medication: Medication
) -> int | None:
    """Days of one fill: as stated, else quantity over units a day; None when neither is known."""
    if stated is not None and stated.value is not None:
        unit = (stated.code or stated.unit or "d").strip().lower()
        factor = _DAYS_PER.get(unit)
        days = int(stated.value * factor) if factor else 0
        return days if 0 < days <= _LONGEST_SUPPLY else None
    if quantity is None or quantity.value is None or _in_ml(quantity) != any(s.unit == "mL" for s in steps):
        return None  # millilitres do not count tablets
    per_day = _units_per_day(steps, medication)
    if not per_day:
        return None
    days = int(quantity.value / per_day)
    return days if 0 < days <= _LONGEST_SUPPLY else None


def _in_ml(quantity: r.Quantity) -> bool:
    return (quantity.code or quantity.unit or "").strip().lower() in {"ml", "milliliter", "milliliters", "millilitre"}


def _units_per_day(steps: Sequence[DoseStep], medication: Medication) -> Decimal | None:
    """Tablets (or mL) a day at the high end; a dose in mg is counted in tablets of a single-ingredient product."""
    part = medication.parts[0] if len(medication.parts) == 1 else None
    return units_per_day(steps, None, high=True, part=part)


def _medication(
    b: Builder,
    concept: r.CodeableConcept | None,
    reference: r.Reference | None,
    contained: Sequence[r.Medication],
    dosages: Sequence[r.Dosage],
) -> Medication:
    """Resolve the drug, from the concept or from the Medication it refers to, and keep count of how that went."""
    text = None
    if concept is None and reference is not None:
        target = reference.reference or ""
        local = {f"#{m.id}": m for m in contained}
        product = local.get(target) or b.products.get(b.locate(reference) or "")
        concept, text = (product.code if product else None), reference.display
    route = next((d.route.text or next((c.display for c in d.route.coding), None) for d in dosages if d.route), None)
    codings = [(c.system, c.code, c.display) for c in concept.coding] if concept else []
    found = b.resolver.resolve(codings, concept.text if concept and concept.text else text, route_text=route)
    b.drugs[found.status] += 1
    if found.status in {"unidentified", "conflict"}:
        name = (concept.text if concept else None) or text or next((d for _, _, d in codings if d), None)
        b.unidentified.append(name or "a medicine without a name or code")
    return found
