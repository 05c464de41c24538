"""The shapes of one picture of a chart: lanes of bars and marks, and the windows of a rule. Days count from today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

BarKind = Literal["supplied", "estimated", "listed", "stated", "given", "to-collect", "ordered", "draft", "stay"]
"""supplied: handed over. estimated: an order without fills. listed: a list entry without end or supply. stated: what
the patient says. given: doses of staff. to-collect: refills that wait. ordered: an order's own length. stay: inpatient.
"""
MarkKind = Literal["contact", "emergency", "visit", "booking", "result", "diagnosis", "dose", "stopped", "review"]
LaneKind = Literal["medication", "draft", "stays", "visits", "bookings", "results", "diagnoses"]

_CENTURIES = 73000  # days


@dataclass(frozen=True, slots=True)
class Bar:
    """Days `first` to `last`, both included. label: a dose or a length, "" for none. open_ended: nothing ends it."""

    kind: BarKind
    first: int
    last: int
    label: str = ""
    refs: tuple[str, ...] = ()
    open_ended: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something of one day. label: a value or a name, "" where the kind says it all."""

    kind: MarkKind
    day: int
    label: str = ""
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the picture. concerned: the rule's finding rests on a record of it.

    rank: of medicines, 0 for those of psychiatry, 1 for others of the drug table, 2 for those that it does not hold.
    """

    kind: LaneKind
    label: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    concerned: bool = False
    rank: int = 0

    @property
    def first(self) -> int:
        return min([*(b.first for b in self.bars), *(m.day for m in self.marks)])

    @property
    def last(self) -> int:
        return max([*(b.last for b in self.bars), *(m.day for m in self.marks)])

    @property
    def refs(self) -> frozenset[str]:
        return frozenset([*(r for b in self.bars for r in b.refs), *(r for m in self.marks for r in m.refs)])


@dataclass(frozen=True, slots=True)
class Window:
    """A parameter of the rule as a span of days.

    name: the parameter, or the field that holds the limit. value: "28 d". first, last: the span, both included.
    fires: the days, within the picture, from which or on which the rule fires as far as this window goes; for the
    length of a plan, the days of the plan that lie beyond it. about: the edge cannot be had to the day.
    plan: it is the length of a plan. silences: a window of `unless`, inside which the rule is silent.
    line: in the rule file.
    """

    name: str
    value: str
    first: int
    last: int
    fires: tuple[int, int] | None = None
    about: bool = False
    silences: bool = False
    line: int = 0
    plan: bool = False

    @property
    def label(self) -> str:
        """What stands before the row; "~": the edge cannot be had to the day."""
        return f"{self.name} {'~' if self.about else ''}{self.value}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """One picture. first, last: the days it shows. beyond: what lies outside of them, by kind of lane.

    rule: id of the rule that is drawn, level: its level, holds: whether it holds on the day; all "" or False without.
    """

    today: dt.date
    first: int
    last: int
    lanes: tuple[Lane, ...]
    rule: str = ""
    spec: str = ""
    level: str = ""
    holds: bool = False
    windows: tuple[Window, ...] = ()
    left_out: tuple[str, ...] = ()

    def date(self, day: int) -> str:
        """A day of the picture as "2026-03-02"; one that is centuries away, or in no calendar, as the last before."""
        ordinal = self.today.toordinal() + max(-_CENTURIES, min(day, _CENTURIES))
        return dt.date.fromordinal(max(1, min(ordinal, dt.date.max.toordinal()))).isoformat()

    def as_dict(self) -> dict[str, Any]:
        """The picture as JSON, days as dates."""
        return {
            "today": self.today.isoformat(),
            "from": self.date(self.first),
            "to": self.date(self.last),
            "rule": self.rule or None,
            "spec": self.spec or None,
            "level": self.level or None,
            "holds": self.holds,
            "lanes": [
                {
                    "kind": lane.kind,
                    "label": lane.label,
                    "concerned": lane.concerned,
                    "bars": list(self._bars(lane)),
                    "marks": [
                        {"kind": m.kind, "date": self.date(m.day), "label": m.label, "records": list(m.refs)}
                        for m in lane.marks
                    ],
                }
                for lane in self.lanes
            ],
            "windows": [
                {
                    "name": w.name,
                    "value": w.value,
                    "from": self.date(w.first),
                    "to": self.date(w.last),
                    "fires": None if w.fires is None else [self.date(w.fires[0]), self.date(w.fires[1])],
                    "about": w.about,
                    "silences": w.silences,
                    "plan": w.plan,
                    "line": w.line,
                }
                for w in self.windows
            ],
            "left_out": list(self.left_out),
        }

    def _bars(self, lane: Lane) -> Iterator[dict[str, Any]]:
        for b in lane.bars:
            yield {
                "kind": b.kind,
                "from": self.date(b.first),
                "to": self.date(b.last),
                "label": b.label,
                "open_ended": b.open_ended,
                "records": list(b.refs),
            }
