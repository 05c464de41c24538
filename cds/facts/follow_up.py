"""Who was seen or is booked after a treatment start or dose increase (D-01)."""

from __future__ import annotations

from collections.abc import Iterator

from cds.facts.context import Context, fact
from cds.facts.starts import increases, other_starts, planned, starts
from cds.model import Fact

_EMERGENCY_LOOK_BACK = 30  # days: longer than any site lets an emergency visit silence


def facts(c: Context) -> Iterator[Fact]:
    found = [*starts(c)]
    # A rise that is itself the start (of a drug that was a low-dose adjunct before) is one event, not two.
    opened = {f.fields["day"] for f in found if f.fields["change"] == "start"}
    found += [f for f in increases(c) if f.fields["day"] not in opened]
    found += [*other_starts(c), *planned(c)]
    yield from found
    if not found:
        return
    yield from _seen(c, since=min(int(f.fields["day"]) for f in found) + c.today)
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
        )


def _seen(c: Context, *, since: int) -> Iterator[Fact]:
    """Contacts since the first start, one fact a day; emergency visits of late, which silence by their last day."""
    contacts: dict[int, list[str]] = {}
    for v in c.chart.visits:
        last = v.end if v.end is not None else c.today
        if v.kind == "contact" and v.start >= since:
            contacts.setdefault(v.start, []).append(v.ref)
        elif v.kind == "emergency" and last >= c.today - _EMERGENCY_LOOK_BACK:
            yield fact("emergency_visit", f"emergency_visit:{v.ref}", [v.ref], day=c.rel(last))
    for day, refs in sorted(contacts.items()):
        yield fact("contact", f"contact:{day - c.today}", refs, day=c.rel(day))
