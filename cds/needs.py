"""What data a rule needs, whether it is there, and how a card says so (1.10, 10.17-10.19)."""

from __future__ import annotations

from collections.abc import Iterable

from cds.chart.model import Chart
from cds.dates import age_range
from cds.text import plain

NEW_TO_SYSTEM_DAYS = 90  # 10.17, 10.19
_TYPES: dict[str, tuple[str, str]] = {
    "problem-list": ("Condition", "problem list"),
    "appointments": ("Appointment", "appointments"),
    "results": ("Observation", "results"),
    "allergies": ("AllergyIntolerance", "allergies"),
    "reviews": ("Task", "risk-benefit reviews"),
}
_STATE = {
    "failed": "search failed",
    "truncated": "search not read to its end",
    "damaged": "some records could not be read",
    "absent": "not available",
    "out-of-scope": "not available: not in scope",
}
_MOST_NAMES = 5
_MEDICATION_TYPES = ("MedicationRequest", "MedicationDispense", "MedicationStatement")


def unmet(need: str, chart: Chart) -> str | None:
    """Why the need is not met, in words for a card ("problem list: search failed"); None when it is met."""
    if need in _TYPES:
        resource_type, name = _TYPES[need]
        return _state(chart, resource_type, name)
    if need == "medication-history":
        # An EHR without dispenses or statements is normal: only a search that was tried and failed spoils the history.
        spoiled = [
            t
            for t in ("MedicationDispense", "MedicationStatement")
            if chart.searches.get(t) in {"failed", "truncated", "damaged"}
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
    if need == "birth-date":
        return None if age_range(chart.birth, chart.today) is not None else "birth date: not recorded"
    if need == "discharge-list":
        return None if chart.discharge_list_known else "discharge list: no discharge order in this encounter"
    raise KeyError(need)


def types_of(need: str) -> tuple[str, ...]:
    """The FHIR types whose searches a need is about. Raises KeyError for a need that does not exist."""
    if need in _TYPES:
        return (_TYPES[need][0],)
    return {
        "medication-history": _MEDICATION_TYPES,
        "discharge-list": ("MedicationRequest",),
        "encounters": ("Encounter",),
        "patient": ("Patient",),
        "birth-date": ("Patient",),
    }[need]


def is_damaged(need: str, chart: Chart) -> bool:
    """Whether the need is unmet only because some records could not be read."""
    if need != "medication-history" and need not in _TYPES:
        return False
    types = _MEDICATION_TYPES if need == "medication-history" else (_TYPES[need][0],)
    states = [chart.searches.get(t, "absent") for t in types]
    return "damaged" in states and states[0] in {"complete", "damaged"} and not {"failed", "truncated"} & set(states)


def _state(chart: Chart, resource_type: str, name: str) -> str | None:
    state = chart.searches.get(resource_type, "absent")
    return None if state == "complete" else f"{name}: {_STATE[state]}"


def looked_at(needs: Iterable[str], chart: Chart) -> tuple[str, ...]:
    """What was read for these needs, with counts; a search that found nothing says so."""
    met = (need for need in dict.fromkeys(needs) if unmet(need, chart) is None)
    listed = any(order.role == "discharge" for order in chart.orders)
    return tuple(_seen(need, chart) for need in met if listed or need != "discharge-list")


def _seen(need: str, chart: Chart) -> str:
    if need == "medication-history":
        drafts = sum(o.role == "draft" for o in chart.orders)
        orders = len(chart.orders) - drafts
        parts = (_many(orders, "order"), _many(len(chart.fills), "fill"), _many(len(chart.statements), "statement"))
        return f"medications: {', '.join(parts)}"
    if need == "patient":
        return "patient: birth date " + ("read" if chart.birth else "not recorded")
    if need == "birth-date":
        return "birth date: read"
    if need == "discharge-list":
        return f"discharge list: {_many(sum(o.role == 'discharge' for o in chart.orders), 'order')}"
    counts = {
        "problem-list": ("problem list", len({d.ref for d in chart.diagnoses}), "condition that the rules know"),
        "appointments": ("appointments", len(chart.bookings), "booking"),
        "results": ("results", len(chart.results), "score that the rules know"),
        "allergies": ("allergies", len(chart.intolerances), "drug intolerance"),
        "reviews": ("risk-benefit reviews", len(chart.reviews), "review"),
        "encounters": ("encounters", len(chart.visits), "visit"),
    }
    name, n, what = counts[need]
    return f"{name}: searched, {_many(n, what)}" if n else f"{name}: searched, none found"


def _many(n: int, what: str) -> str:
    """ "1 visit", "2 visits", "2 scores that the rules know"."""
    thing, _, rest = what.partition(" that ")
    return f"{n} {thing}{'' if n == 1 else 's'}{f' that {rest}' if rest else ''}"


def not_identified(chart: Chart) -> tuple[str, ...]:
    """Medicines that could not be identified, by the name they came with; they take part in no rule.

    The names are free text of the chart: cleaned and shortened, five at most.
    """
    n = len(chart.unidentified)
    if not n:
        return ()
    names = "; ".join(dict.fromkeys(plain(name) for name in chart.unidentified[:_MOST_NAMES]))
    more = f"; and {n - _MOST_NAMES} more" if n > _MOST_NAMES else ""
    if n == 1:
        return (f"1 medicine could not be identified and was not checked: {names}",)
    return (f"{n} medicines could not be identified and were not checked: {names}{more}",)
