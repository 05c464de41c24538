"""What an earlier call showed, or a clinician answered, as facts: for "once per episode" and an earlier override."""

from __future__ import annotations

from collections.abc import Iterator

from cds.facts.context import Context, fact
from cds.model import Fact


def facts(c: Context) -> Iterator[Fact]:
    for entry in sorted(set(c.chart.memory), key=lambda m: (m.spec, m.key, m.kind, m.reason or "", m.day)):
        yield fact(
            "memory",
            f"memory:{entry.spec}:{entry.key}:{entry.kind}:{entry.reason or ''}:{entry.day - c.today}",
            spec=entry.spec,
            key=entry.key,
            kind=entry.kind,
            reason=entry.reason,
            day=c.rel(entry.day),
        )
