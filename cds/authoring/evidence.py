"""From a fact back to the records of the chart: of what kind, of which day, about which drug."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cds.chart.model import Chart
from cds.dates import Day
from cds.drugs.model import Medication
from cds.text import plain


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ref: "MedicationDispense/7"; day: counted from today, None where undated; what: drug or value."""

    ref: str
    day: int | None
    what: str

    @property
    def type(self) -> str:
        return self.ref.partition("/")[0]


def records(chart: Chart, refs: Iterable[str]) -> list[Record]:
    """The records behind these references, by day; one that the chart does not hold any more is named alone."""
    known = {record.ref: record for record in _all(chart)}
    found = [known.get(ref, Record(ref, None, "")) for ref in sorted(set(refs))]
    return sorted(found, key=lambda r: (r.day is None, r.day or 0, r.ref))


def _all(chart: Chart) -> Iterator[Record]:
    def at(day: Day | None) -> int | None:
        return None if day is None else day - chart.today

    for o in chart.orders:
        role = {"chart": o.progress, "draft": "draft", "discharge": "discharge list"}[o.role]
        yield Record(o.ref, at(o.start), f"{_drug(o.medication)}, {role}")
    for f in chart.fills:
        yield Record(f.ref, at(f.start), f"{_drug(f.medication)}{f', {f.days} d' if f.days else ''}")
    for s in chart.statements:
        yield Record(s.ref, at(s.start), f"{_drug(s.medication)}{'' if s.taken else ', not taken'}")
    for a in chart.administrations:
        yield Record(a.ref, at(a.start), _drug(a.medication))
    for v in chart.visits:
        yield Record(v.ref, at(v.start), {"contact": "contact", "other": "no contact"}.get(v.kind, v.kind))
    for b in chart.bookings:
        yield Record(b.ref, at(b.day), "booked visit")
    for d in chart.diagnoses:
        yield Record(d.ref, at(d.day), ", ".join(sorted(d.groups)) + ("" if d.active else " (past)"))
    for r in chart.results:
        yield Record(r.ref, at(r.day), f"{r.name} {r.value:f}")
    for i in chart.intolerances:
        yield Record(i.ref, None, "intolerance: " + ", ".join(sorted(i.ingredients | i.moieties)))


def _drug(medication: Medication) -> str:
    return plain(medication.label) if medication.label else "medicine not identified"
