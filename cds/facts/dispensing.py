"""The same substance supplied twice: dispenses, or orders, of two requests whose days lie over each other (A-01).

Raw intervals, before early fills are carried forward: an early refill of one request is no double supply.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from cds.chart.model import Fill, Order
from cds.dates import Day
from cds.facts.context import Context, fact
from cds.facts.intervals import Interval, common, days_in, union
from cds.facts.layout import CONCURRENT_START_DAYS
from cds.facts.supply import Supply, weakest
from cds.model import Fact, Scalar

_MOST_REQUESTS = 40  # of one substance in three months: more are a damaged feed, and each is compared with each
# Pairs of one substance that agree in these fields are one fact. Orders: what their level asks.
_ALIKE: dict[str, tuple[str, ...]] = {
    "orders": ("source", "older_in_force", "two_strengths"),
    "dispenses": (
        "source",
        "told_apart",
        "older_in_force",
        "same_product",
        "requesters_differ",
        "both_filled_again",
        "two_strengths",
    ),
}


@dataclass(frozen=True)
class Request:
    """What one request supplied of a substance. key: ("order", reference), ("number", ...) or ("pharmacy", ...)."""

    key: tuple[str, str]
    rows: tuple[Supply, ...]
    order: Order | None
    pharmacies: frozenset[str]

    @cached_property
    def first(self) -> Day:
        return min(s.start for s in self.rows)

    @cached_property
    def last_start(self) -> Day:
        return max(s.start for s in self.rows)

    @cached_property
    def dispensed(self) -> bool:
        return all(s.source == "fill" for s in self.rows)

    @cached_property
    def days(self) -> tuple[Interval, ...]:
        return union((s.start, s.end) for s in self.rows)

    @cached_property
    def products(self) -> frozenset[tuple[str, tuple[str, str]]]:
        return frozenset((s.part.ingredient.key, s.product) for s in self.rows)


def facts(c: Context) -> Iterator[Fact]:
    if c.hook not in {"patient-view", "batch"}:
        return
    fills = {f.ref: f for f in c.chart.fills}
    by_moiety: dict[str, list[Supply]] = defaultdict(list)
    for rows in c.recorded.values():
        for row in rows:
            # Orders that nobody dispensed are an audit's business.
            if row.source == "fill" or (c.hook == "batch" and row.source in {"order", "entry"}):
                by_moiety[row.part.ingredient.moiety].append(row)
    for moiety, rows in sorted(by_moiety.items()):
        in_force = _in_force(c, moiety)
        requests, unnamed = _requests(c, rows, fills)
        recent = sorted((r for r in requests if r.days[-1][1] >= _window(c)[0]), key=lambda r: (r.first, r.key))
        yield from _one_for_alike(
            (pair, a, b)
            for a, b in combinations(recent[-_MOST_REQUESTS:], 2)
            if (pair := _double(c, moiety, a, b, in_force)) is not None
        )
        if len(in_force) > 1:
            yield from _untold(c, moiety, unnamed)


def _window(c: Context) -> Interval:
    return c.today - int(c.p["double_supply_window"]), c.today - 1


def _in_force(c: Context, moiety: str) -> list[Order]:
    return [
        o
        for o in c.history.orders
        if o.open
        and any(p.ingredient.moiety == moiety for p in o.medication.parts)
        and not c.history.is_stale(o)
        and not c.history.denied(o)
    ]


def _requests(c: Context, rows: Sequence[Supply], fills: dict[str, Fill]) -> tuple[list[Request], list[Supply]]:
    """Rows by request, and the dispenses of which nothing says whose they are (10.21)."""
    named: dict[tuple[str, str], list[Supply]] = defaultdict(list)
    pharmacies: dict[tuple[str, str], set[str]] = defaultdict(set)
    unnamed: list[Supply] = []
    for row in rows:
        fill = fills.get(row.refs[0]) if row.source == "fill" else None
        key = ("order", row.request or "") if fill is None else _key(fill)
        if key is None:
            unnamed.append(row)
            continue
        named[key].append(row)
        if fill is not None and fill.pharmacy:
            pharmacies[key].add(fill.pharmacy)
    found = [
        Request(key, tuple(of), c.orders.get(key[1]) if key[0] == "order" else None, frozenset(pharmacies[key]))
        for key, of in named.items()
    ]
    return found, unnamed


def _key(fill: Fill) -> tuple[str, str] | None:
    if fill.request is not None:
        return "order", fill.request
    if fill.prescription is not None:
        return "number", fill.prescription
    return None if fill.pharmacy is None else ("pharmacy", fill.pharmacy)


def _double(c: Context, moiety: str, a: Request, b: Request, in_force: Sequence[Order]) -> Fact | None:
    """a: the request that was supplied first."""
    first, last = _window(c)
    both = tuple(common(a.days, b.days))
    days = days_in(both, first, last)
    if not days:
        return None
    return fact(
        "double_supply",
        f"double_supply:{moiety}:{a.key[1]}:{b.key[1]}",
        [ref for s in (*a.rows, *b.rows) for ref in s.refs],
        moiety=moiety,
        drug=a.rows[-1].medication.label,
        other_drug=_unless_same(b.rows[-1].medication.label, a.rows[-1].medication.label),
        source="dispenses" if a.dispensed and b.dispensed else "orders",
        days=days,
        last=c.rel(min(both[-1][1], last)),
        told_apart=_told_apart(a, b),
        older_in_force=_older_in_force(a, in_force),
        same_product=bool(a.products & b.products),
        requesters_differ=_requesters_differ(a, b),
        both_filled_again=a.last_start > b.first and b.last_start > b.first,
        two_strengths=_two_strengths(a, b),
        current_order=a.order.ref if a.order is not None and a.order.open else None,
        confidence=weakest(s.confidence for s in (*a.rows, *b.rows)),
    )


def _one_for_alike(pairs: Iterable[tuple[Fact, Request, Request]]) -> Iterator[Fact]:
    """The pair with most days of each kind: twenty open orders of a substance are one problem, not 190.

    Of pairs with as many days the one that began last is named, which is the one that a reader can act on.
    """
    alike: dict[tuple[Scalar | None, ...], list[tuple[Fact, Request, Request]]] = defaultdict(list)

    def rank(pair: tuple[Fact, Request, Request]) -> tuple[Scalar | None, ...]:
        f, a, b = pair
        return f.fields["days"], f.fields["last"], b.first, a.first, f.ref

    for pair in pairs:
        fields = pair[0].fields
        alike[tuple(fields.get(name) for name in _ALIKE[str(fields["source"])])].append(pair)
    for found in alike.values():
        most = max(found, key=rank)[0]
        requests = {request.key for _, a, b in found for request in (a, b)}
        yield replace(most, fields={**most.fields, "requests": float(len(requests))})


def _unless_same(label: str, first: str) -> str | None:
    return None if label == first else label


def _told_apart(a: Request, b: Request) -> bool | None:
    """None: nothing says whether a dispense that names no order belongs to the other request."""
    if a.key[0] == b.key[0]:
        return True
    return True if a.pharmacies and b.pharmacies and not a.pharmacies & b.pharmacies else None


def _older_in_force(a: Request, in_force: Sequence[Order]) -> bool | None:
    if a.key[0] == "order":
        return None if a.order is None else a.order in in_force
    # Which order a prescription number or a pharmacy stands for is not known; two in force are both of them.
    return len(in_force) > 1 if in_force else None


def _requesters_differ(a: Request, b: Request) -> bool | None:
    if a.order is None or b.order is None or not a.order.requester or not b.order.requester:
        return None
    return a.order.requester != b.order.requester


def _two_strengths(a: Request, b: Request) -> bool:
    """Concurrent strengths (1.4 step 2): one ingredient, another strength or form, begun or refilled side by side."""
    if a.products & b.products or len({key for key, _ in a.products | b.products}) > 1:
        return False
    if a.order is not None and b.order is not None and a.order.ref == b.order.prior:
        return False
    if abs(a.first - b.first) <= CONCURRENT_START_DAYS:
        return True
    side_by_side = a.last_start > b.first and b.last_start > a.first
    return side_by_side and _requesters_differ(a, b) is False


def _untold(c: Context, moiety: str, rows: Sequence[Supply]) -> Iterator[Fact]:
    """Two orders are in force, and dispenses that lie over each other name neither: nobody can tell (10.21)."""
    first, last = _window(c)
    twice: list[Interval] = []
    reached = first - 1
    for row in sorted((s for s in rows if s.end >= first), key=lambda s: (s.start, s.end)):
        if row.start <= reached:
            twice.append((row.start, min(row.end, reached)))
        reached = max(reached, row.end)
    days = days_in(union(twice), first, last)
    if days:
        yield fact(
            "double_supply",
            f"double_supply:{moiety}:unnamed",
            [ref for s in rows for ref in s.refs],
            moiety=moiety,
            drug=rows[0].medication.label,
            other_drug=_unless_same(rows[-1].medication.label, rows[0].medication.label),
            source="dispenses",
            days=days,
            last=c.rel(min(max(end for _, end in twice), last)),
            older_in_force=True,
            same_product=len({s.product for s in rows}) < len(rows),
            both_filled_again=False,
            two_strengths=False,
            confidence="high",
        )
