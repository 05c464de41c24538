"""What data a rule needs, whether it is there, and how a card says so (1.10, 10.17-10.19)."""

from __future__ import annotations

from collections.abc import Iterable

from cds.chart.model import Chart

NEW_TO_SYSTEM_DAYS = 90  # 10.17, 10.19
_TYPES: dict[str, tuple[str, str]] = {
    "problem-list": ("Condition", "problem list"),
    "appointments": ("Appointment", "appointments"),
    "results": ("Observation", "results"),
    "allergies": ("AllergyIntolerance", "allergies"),
}
_STATE = {"failed": "search failed", "truncated": "search not read to its end", "absent": "not available"}


def unmet(need: str, chart: Chart) -> str | None:
    """Why the need is not met, in words for a card ("problem list: search failed"); None when it is met."""
    if need in _TYPES:
        resource_type, name = _TYPES[need]
        return _state(chart, resource_type, name)
    if need == "medication-history":
        # An EHR without dispenses or statements is normal: only a search that was tried and failed spoils the history.
        spoiled = [
            t for t in ("MedicationDispense", "MedicationStatement") if chart.searches.get(t) in {"failed", "truncated"}
        ]
        return _state(chart, "MedicationRequest", "medication history") or (
            f"medication history: {_STATE[chart.searches[spoiled[0]]]}" if spoiled else None
        )
    if need == "encounters":
        new = not chart.visits and (chart.earliest is None or chart.earliest > chart.today - NEW_TO_SYSTEM_DAYS)
        return _state(chart, "Encounter", "encounters") or (
            "encounters: none ever, patient new to this record" if new else None
        )
    if need == "patient":
        return None if chart.birth or chart.searches.get("Patient") == "complete" else "patient: not available"
    if need == "discharge-list":
        return None if chart.discharge_list_known else "discharge list: no discharge order in this encounter"
    raise KeyError(need)


def _state(chart: Chart, resource_type: str, name: str) -> str | None:
    state = chart.searches.get(resource_type, "absent")
    return None if state == "complete" else f"{name}: {_STATE[state]}"


def looked_at(needs: Iterable[str], chart: Chart) -> tuple[str, ...]:
    """What was read for these needs, with counts; a search that found nothing says so."""
    return tuple(_seen(need, chart) for need in dict.fromkeys(needs) if unmet(need, chart) is None)


def _seen(need: str, chart: Chart) -> str:
    if need == "medication-history":
        drafts = sum(o.role == "draft" for o in chart.orders)
        orders = len(chart.orders) - drafts
        return f"medications: {orders} orders, {len(chart.fills)} fills, {len(chart.statements)} statements"
    if need == "patient":
        return "patient: birth date " + ("read" if chart.birth else "not recorded")
    if need == "discharge-list":
        return f"discharge list: {sum(o.role == 'discharge' for o in chart.orders)} orders"
    counts = {
        "problem-list": ("problem list", len({d.ref for d in chart.diagnoses}), "conditions that the rules know"),
        "appointments": ("appointments", len(chart.bookings), "bookings"),
        "results": ("results", len(chart.results), "scores that the rules know"),
        "allergies": ("allergies", len(chart.intolerances), "drug intolerances"),
        "encounters": ("encounters", len(chart.visits), "visits"),
    }
    name, n, what = counts[need]
    return f"{name}: searched, {n} {what}" if n else f"{name}: searched, none found"


def not_identified(chart: Chart) -> tuple[str, ...]:
    """Medicines that could not be identified, by the name they came with; they take part in no rule."""
    if not chart.unidentified:
        return ()
    names = "; ".join(chart.unidentified[:5]) + ("; …" if len(chart.unidentified) > 5 else "")
    n = len(chart.unidentified)
    return (f"{n} {'medicine' if n == 1 else 'medicines'} could not be identified and were not checked: {names}",)
