"""Facts as they would be on another day, the record standing still: what makes a threshold a span of days.

A date keeps its place; a field that counts each day grows by one a day; covered days grow on covered days. All else
stays as it is: the picture says when a bound is crossed, not what else might change by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds.engine.assignments import Assignment, truth_of
from cds.facts.context import Context
from cds.facts.intervals import days_in
from cds.model import Comparison, Fact, FieldRef, Pattern
from cds.rules.vocabulary import Field, vocabulary
from cds.timeline.lanes import covered


class Moved:
    """The facts of one evaluation on other days. Days count from the day of the evaluation."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known = vocabulary()
        self._covered: dict[tuple[str, ...], Sequence[tuple[int, int]]] = {}
        self._moved: dict[tuple[str, int], Fact] = {}

    def field(self, fact: Fact, name: str) -> Field | None:
        """What the vocabulary says of a field."""
        return self._known.field(fact.kind, name)

    def number(self, fact: Fact | None, name: str) -> int | None:
        """A day or a number of days as a whole number; None where it is not known."""
        value = fact.fields.get(name) if fact is not None else None
        return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def moves(self, pattern: Pattern, comparison: Comparison) -> bool:
        """Whether the passing of days alone can change what a comparison says."""
        field = self._known.field(pattern.kind, comparison.field)
        if field is None:
            return False
        against_today = field.type == "date" and not isinstance(comparison.value, FieldRef)
        return against_today or field.counts in {"each day", "covered"} or self._other_moves(comparison)

    def _other_moves(self, comparison: Comparison) -> bool:
        # A days field of another fact: its kind is not known here, so its name must count in any kind that has it.
        ref = comparison.value
        if not isinstance(ref, FieldRef):
            return False
        fields = (fields.get(ref.field) for fields in self._known.kinds.values())
        return any(f is not None and f.counts in {"each day", "covered"} for f in fields)

    def to(self, fact: Fact, day: int) -> Fact:
        """The fact as it would be when asked on that day."""
        if day == 0:
            return fact
        key = fact.ref, day
        if key not in self._moved:
            self._moved[key] = self._to(fact, day)
        return self._moved[key]

    def _to(self, fact: Fact, day: int) -> Fact:
        fields = dict(fact.fields)
        for name in fact.fields:
            field = self._known.field(fact.kind, name)
            number = self.number(fact, name)
            if field is None or number is None:
                continue
            if field.type == "date":
                fields[name] = float(number - day)
            elif field.counts == "each day":
                fields[name] = float(max(0, number + day))
            elif field.counts == "covered":
                fields[name] = float(self._covered_by(fact, number, field, day))
        return replace(fact, fields=fields)

    def holds(self, comparison: Comparison, fact: Fact, bound: Assignment, day: int) -> bool:
        """Whether a comparison would hold on that day."""
        known = {name: self.to(other, day) for name, other in bound.items()} if day else dict(bound)
        moved = self.to(fact, day)
        return truth_of(comparison, moved, known) is True

    def is_exact(self, fact: Fact, name: str) -> bool:
        """Whether the covered days of a field are those of the records that the fact rests on."""
        field = self.field(fact, name)
        if field is None or field.counts != "covered":
            return True
        start, number = self.number(fact, field.since), self.number(fact, name)
        return start is not None and days_in(self._days(fact), start, -1) == number

    def is_unbroken(self, fact: Fact, first: int) -> bool:
        """Whether the records of a fact cover every day from the first one to yesterday."""
        return days_in(self._days(fact), first, -1) == max(0, -first)

    def _covered_by(self, fact: Fact, number: int, field: Field, day: int) -> int:
        start = self.number(fact, field.since)
        days = self._days(fact)
        if start is not None and days_in(days, start, -1) == number:
            return days_in(days, start, day - 1)
        return max(0, number + day)

    def _days(self, fact: Fact) -> Sequence[tuple[int, int]]:
        if fact.evidence not in self._covered:
            today = self._context.today
            days = covered(self._context, fact.evidence)
            self._covered[fact.evidence] = [(first - today, last - today) for first, last in days]
        return self._covered[fact.evidence]
