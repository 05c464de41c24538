"""A chart to lanes: what the patient takes by ingredient, drafts, visits, bookings, results, diagnoses, stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from cds.chart.model import Chart, Order, Visit
from cds.dates import Day
from cds.drugs.dose import last_day
from cds.drugs.model import Medication
from cds.facts.context import Context
from cds.facts.exposure import Stretch
from cds.facts.intervals import union
from cds.facts.supply import SupplySource
from cds.text import plain
from cds.timeline.model import Bar, BarKind, Lane, Mark, MarkKind

_LONGEST_LABEL = 40
_OF_SOURCE: dict[SupplySource, BarKind] = {
    "fill": "supplied",
    "order": "estimated",
    "refills": "to-collect",
    "entry": "listed",
    "statement": "stated",
    "administration": "given",
}
_RESULT_NAMES = {"phq9": "PHQ-9", "gad7": "GAD-7", "phq9-item9": "PHQ-9 item 9", "cssrs": "C-SSRS"}
UNIDENTIFIED = "medicine not identified"


def lanes(context: Context) -> list[Lane]:
    """Every lane of the chart, medicines first; one without a dated record is left out."""
    chart = context.chart
    found = [
        *_medications(context),
        *_drafts(chart),
        *_stays(chart),
        Lane("visits", "visits", marks=tuple(_visits(chart))),
        Lane("bookings", "bookings", marks=tuple(_bookings(chart))),
        *_results(chart),
        Lane("diagnoses", "diagnoses", marks=tuple(_diagnoses(chart))),
    ]
    return [lane for lane in found if lane.bars or lane.marks]


def _medications(c: Context) -> Iterator[Lane]:
    orders: dict[str, list[Order]] = defaultdict(list)
    for order in c.chart.orders:
        if order.role == "chart" and order.start is not None:
            for name in _names(order.medication):
                orders[name].append(order)
    ranks = {p.ingredient.key: int("SOMATIC" in p.ingredient.tags) for m in _products(c) for p in m.parts}
    for name in sorted({*orders, *c.supply}):
        bars = [*_supplied(c, name), *(bar for o in orders.get(name, ()) if (bar := _ordered(c, o)) is not None)]
        stopped = [_stop(c, o) for o in orders.get(name, ()) if o.progress in {"stopped", "cancelled"}]
        marks = sorted({m for m in stopped if m is not None}, key=lambda m: (m.day, m.refs))
        if bars or marks:
            yield Lane("medication", name, tuple(sorted(bars, key=_place)), tuple(marks), rank=ranks.get(name, 2))


def _products(c: Context) -> Iterator[Medication]:
    chart = c.chart
    yield from (o.medication for o in chart.orders)
    yield from (f.medication for f in chart.fills)
    yield from (s.medication for s in chart.statements)
    yield from (a.medication for a in chart.administrations)


def _names(medication: Medication) -> list[str]:
    keys = [part.ingredient.key for part in medication.parts]
    return keys or [plain(medication.label, _LONGEST_LABEL) if medication.label else UNIDENTIFIED]


def _place(bar: Bar) -> tuple[object, ...]:
    return bar.first, bar.last, bar.kind, bar.label, bar.refs


def _supplied(c: Context, key: str) -> Iterator[Bar]:
    """Days in hand, one bar for each run of one source at one dose."""
    runs: list[list[Stretch]] = []
    for stretch in c.stretches.get(key, ()):
        before = runs[-1][-1] if runs else None
        if before is not None and before.last + 1 == stretch.first and _alike(before) == _alike(stretch):
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    for run in runs:
        kind, mg, open_ended = _alike(run[0])
        refs = tuple(sorted({ref for s in run for ref in s.refs}))
        label = "" if mg is None or not mg else f"{_number(mg)} mg"
        yield Bar(kind, _rel(c, run[0].first), _rel(c, run[-1].last), label, refs, open_ended)


def _alike(stretch: Stretch) -> tuple[BarKind, Decimal | None, bool]:
    # The best source of the day names it: what was handed over speaks louder than an order's estimate.
    sources = {s.source for s in stretch.supplies}
    kind = next(k for source, k in _OF_SOURCE.items() if source in sources)
    return kind, stretch.high, any(s.open_ended for s in stretch.supplies)


def _ordered(c: Context, order: Order) -> Bar | None:
    """The order's own length: to its end, else over what it authorises; without either to today, while it is open."""
    assert order.start is not None
    end = order.end if order.end is not None else last_day(order.steps)
    if end is None and order.authorised_days:
        end = order.start + order.authorised_days - 1
    open_ended = end is None and order.progress in {"current", "paused"}
    if end is None:
        end = max(order.start, c.today) if open_ended else order.start
    if end < order.start:
        return None
    label = f"{order.authorised_days} d" if order.authorised_days else ""
    return Bar("ordered", _rel(c, order.start), _rel(c, end), label, (order.ref,), open_ended)


def _stop(c: Context, order: Order) -> Mark | None:
    if order.end is None or order.end > c.today:
        return None
    return Mark("stopped", _rel(c, order.end), "", (order.ref,))


def _drafts(chart: Chart) -> Iterator[Lane]:
    for order in sorted((o for o in chart.orders if o.role != "chart"), key=lambda o: o.ref):
        start = max(order.start if order.start is not None else chart.today, chart.today)
        end = order.end if order.end is not None else last_day(order.steps)
        if end is None or end < start:
            end = start + (order.authorised_days or 1) - 1
        name = plain(order.medication.label, _LONGEST_LABEL) if order.medication.label else UNIDENTIFIED
        length = f"{order.authorised_days} d" if order.authorised_days else "length not stated"
        word = "draft" if order.role == "draft" else "discharge"
        open_ended = order.authorised_days is None and order.end is None
        bar = Bar("draft", start - chart.today, end - chart.today, length, (order.ref,), open_ended)
        yield Lane("draft", f"{word}: {name}", (bar,))


def _stays(chart: Chart) -> Iterator[Lane]:
    bars = [
        Bar("stay", v.start - chart.today, (chart.today if v.end is None else v.end) - chart.today, "", (v.ref,))
        for v in chart.visits
        if v.kind == "inpatient" and v.start <= chart.today and (v.end is None or v.end >= v.start)
    ]
    if bars:
        yield Lane("stays", "hospital", tuple(sorted(bars, key=_place)))


_VISIT_MARKS: dict[str, MarkKind] = {"contact": "contact", "emergency": "emergency", "other": "visit"}


def _visits(chart: Chart) -> list[Mark]:
    found = [_visit(chart, v) for v in chart.visits if v.kind in _VISIT_MARKS]
    found += [Mark("review", day - chart.today) for day in set(chart.reviews)]
    return sorted(found, key=_mark_place)


def _visit(chart: Chart, visit: Visit) -> Mark:
    return Mark(_VISIT_MARKS[visit.kind], visit.start - chart.today, "", (visit.ref,))


def _mark_place(mark: Mark) -> tuple[object, ...]:
    return mark.day, mark.kind, mark.label, mark.refs


def _bookings(chart: Chart) -> list[Mark]:
    dated = [Mark("booking", b.day - chart.today, "", (b.ref,)) for b in chart.bookings if b.day is not None]
    return sorted(dated, key=_mark_place)


def _results(chart: Chart) -> Iterator[Lane]:
    by_name: dict[str, dict[tuple[int, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for result in chart.results:
        value = f"{_number(result.value)}{' high' if result.high else ''}"
        by_name[result.name][result.day - chart.today, value].append(result.ref)
    for name in sorted(by_name):
        # One value that was sent twice for a day is one mark.
        marks = [Mark("result", day, value, tuple(sorted(refs))) for (day, value), refs in by_name[name].items()]
        yield Lane("results", _RESULT_NAMES.get(name, name), marks=tuple(sorted(marks, key=_mark_place)))


def _diagnoses(chart: Chart) -> list[Mark]:
    found = [
        Mark("diagnosis", d.day - chart.today, "+".join(sorted(d.groups)) + ("" if d.active else " (past)"), (d.ref,))
        for d in chart.diagnoses
        if d.day is not None and d.groups
    ]
    return sorted(found, key=_mark_place)


def covered(context: Context, refs: Iterable[str]) -> Sequence[tuple[Day, Day]]:
    """Days, past and planned, that these records cover: disjoint, in order."""
    wanted = frozenset(refs)
    return union((s.start, s.end) for rows in context.supply.values() for s in rows if not wanted.isdisjoint(s.refs))


def _rel(c: Context, day: Day) -> int:
    return day - c.today


def _number(value: Decimal) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
