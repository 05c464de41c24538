"""Who was seen or is booked: after a start or dose increase, a discharge, in long treatment (D-01 to D-04)."""

from __future__ import annotations

from collections.abc import Iterator

from cds.chart.care import any_of
from cds.chart.model import Visit
from cds.facts import adhd, unseen
from cds.facts.context import Context, fact
from cds.facts.discharges import discharges
from cds.facts.starts import increases, other_starts, planned, starts
from cds.model import Fact

KINDS = frozenset(
    {"treatment_start", "adhd_start", "discharge", "return_to_care", "last_seen", "long_course", "renewal"}
    | {"contact", "emergency_visit", "booking"}
)
_EMERGENCY_LOOK_BACK = 30  # days: longer than any site lets an emergency visit silence


def facts(c: Context) -> Iterator[Fact]:
    found = [*starts(c)]
    # A rise that is itself the start (of a drug that was a low-dose adjunct before) is one event, not two.
    opened = {f.fields["day"] for f in found if f.fields["change"] == "start"}
    found += [f for f in increases(c) if f.fields["day"] not in opened]
    found += [*other_starts(c), *planned(c)]
    events = [*found, *adhd.starts(c), *discharges(c)]
    gaps = [*unseen.facts(c)]
    yield from events
    yield from gaps
    if events:
        yield from _seen(c, since=min(int(f.fields["day"]) for f in events if "day" in f.fields) + c.today)
    if events or gaps:
        yield from _booked(c)


def _booked(c: Context) -> Iterator[Fact]:
    for b in c.chart.bookings:
        if b.day is not None and b.day < c.today:
            continue
        yield fact(
            "booking",
            f"booking:{b.ref}",
            [b.ref],
            dated=b.day is not None,
            day=None if b.day is None else c.rel(b.day),
            of_this_encounter=b.created == c.today or (b.encounter is not None and b.encounter == c.chart.encounter),
            mental_health=_word(b.mental_health),
        )


def _word(answer: bool | None) -> str:
    return "unrecorded" if answer is None else "yes" if answer else "no"


def _seen(c: Context, *, since: int) -> Iterator[Fact]:
    """Contacts since the first event, one fact a day; emergency visits of late, which silence by their last day."""
    contacts: dict[int, list[Visit]] = {}
    for v in c.chart.visits:
        last = v.end if v.end is not None else c.today
        if v.kind == "contact" and v.start >= since:
            contacts.setdefault(v.start, []).append(v)
        elif v.kind == "emergency" and last >= c.today - _EMERGENCY_LOOK_BACK:
            yield fact("emergency_visit", f"emergency_visit:{v.ref}", [v.ref], day=c.rel(last))
    for day, visits in sorted(contacts.items()):
        yield fact(
            "contact",
            f"contact:{day - c.today}",
            [v.ref for v in visits],
            day=c.rel(day),
            # Of several visits of one day, any will do.
            prescriber=_word(any_of(v.prescriber for v in visits)),
            mental_health=_word(any_of(v.mental_health for v in visits)),
        )
