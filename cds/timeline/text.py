"""The picture as plain text, ASCII but for names of the chart: for a terminal, a pipe, a failed test.

One row for each lane; a column is one day or several. Where two things fall on one column the later and the more
telling one is seen: a mark over a bar, "!" over all of a window.
"""

from __future__ import annotations

from cds.timeline.axis import relative, ticks
from cds.timeline.model import Bar, Lane, Mark, Timeline, Window
from cds.timeline.view import rule_words, view

_BAR = {
    "supplied": "=",
    "estimated": "-",
    "listed": "?",
    "stated": "~",
    "given": "#",
    "to-collect": ".",
    "ordered": "_",
    "draft": "+",
    "stay": "H",
}
_MARK = {"contact": "o", "emergency": "E", "visit": "'", "booking": "B", "review": "R", "stopped": "x", "result": "*"}
_WORDS = {
    "supplied": "in hand",
    "estimated": "in hand as ordered",
    "listed": "on the list",
    "stated": "patient reports",
    "given": "given by staff",
    "to-collect": "left to collect",
    "ordered": "the order",
    "draft": "draft",
    "stay": "in hospital",
    "contact": "contact",
    "emergency": "emergency visit",
    "visit": "other encounter",
    "booking": "booked visit",
    "review": "review",
    "stopped": "order stopped",
}
_LEAST_WIDTH, _LONGEST_LABEL, _A_TICK = 60, 36, 11


def as_text(picture: Timeline, *, width: int = 80) -> str:
    """The picture in lines of at most `width` characters (60 or more). The same picture gives the same text."""
    return "\n".join(line.rstrip() for line in _Page(picture, max(width, _LEAST_WIDTH)).lines())


class _Page:
    def __init__(self, picture: Timeline, width: int) -> None:
        self.picture, self.width = picture, width
        self.view = view(picture, most_medications=10, most_others=6)
        labels = [_lane_label(lane) for lane in self.view.lanes] + [w.label for w in picture.windows]
        longest = min(max(map(len, labels), default=0), _LONGEST_LABEL, width * 9 // 20)
        self.left = max(longest, 8) + 2
        self.columns = width - self.left
        self.used: list[str] = []

    def lines(self) -> list[str]:
        lines = self._axis()
        for lane in self.view.lanes:
            lines.extend(self._lane(lane))
        if self.picture.rule:
            lines += ["", *self._rule()]
        lines += ["", *self._legend()]
        lines += [_cut(words, self.width) for words in (*self.view.left_out, *self.picture.left_out)]
        return lines

    def _column(self, day: int) -> int:
        """The column of a day; outside of the picture, one outside of the row."""
        span = self.picture.last - self.picture.first + 1
        return (day - self.picture.first) * self.columns // span

    def _row(self) -> list[str]:
        row = [" "] * self.columns
        if self.picture.first <= 0 <= self.picture.last:
            row[self._column(0)] = ":"
        return row

    def _line(self, label: str, row: list[str]) -> str:
        return _cut(label, self.left - 2).ljust(self.left) + "".join(row)

    def _axis(self) -> list[str]:
        names, dates = [" "] * self.columns, [" "] * self.columns
        days = ticks(self.picture.first, self.picture.last, max(1, self.columns // (_A_TICK + 2)))
        # Today first: it gives way to nothing.
        for day in sorted(days, key=lambda d: (d != 0, d)):
            at = self._column(day)
            date = self.picture.date(day)
            if _write(dates, min(at, self.columns - len(date)), date, gap=1):
                _write(names, min(at, self.columns - len(relative(day))), relative(day), gap=1)
        blank = " " * self.left
        return [blank + "".join(names), blank + "".join(dates)]

    def _lane(self, lane: Lane) -> list[str]:
        row = self._row()
        bars = [b for b in lane.bars if b.kind != "ordered"]
        orders = [b for b in lane.bars if b.kind == "ordered"]
        for bar in bars:
            self._bar(row, bar)
        rows = self._marks(row, lane)
        lines = [self._line(_lane_label(lane), rows[0])]
        lines += [self._line("", other) for other in rows[1:]]
        handed_over = any(b.kind in {"supplied", "given"} for b in bars)
        if orders and (handed_over or not bars):
            below = self._row()
            for bar in orders:
                self._bar(below, bar)
            if not bars:
                return [self._line(_lane_label(lane), self._marks(below, lane)[0])]
            lines.append(self._line("  as ordered", below))
        return lines

    def _bar(self, row: list[str], bar: Bar) -> None:
        self._use(bar.kind)
        a, b = self._column(bar.first), self._column(bar.last)
        glyph = _BAR[bar.kind]
        row[a : b + 1] = [glyph] * (b - a + 1)
        row[a] = "|"
        row[b] = ">" if bar.open_ended else "|"
        label = bar.label.replace(" ", "")
        if label and b - a - 1 >= len(label) + 2:
            at = a + 1 + (b - a - 1 - len(label)) // 2
            row[at : at + len(label)] = label

    def _marks(self, row: list[str], lane: Lane) -> list[list[str]]:
        """The row with its marks; words that would meet another's go to a row below, of which there are at most two."""
        rows = [row]
        taken = [[" "] * self.columns]
        for mark in lane.marks:
            words = self._words(mark)
            at = min(self._column(mark.day), self.columns - len(words))
            if at < 0:
                continue
            if len(words) == 1:
                row[at] = words
                taken[0][at] = words
                continue
            number = next((n for n, line in enumerate(taken) if _write(line, at, words, gap=1)), None)
            if number is None and len(rows) < 3:
                rows.append(self._row())
                taken.append([" "] * self.columns)
                number = len(rows) - 1
                _write(taken[number], at, words, gap=1)
            if number is not None:
                rows[number][at : at + len(words)] = words
        return rows

    def _words(self, mark: Mark) -> str:
        if mark.kind in {"result", "diagnosis"}:
            return _cut(mark.label, self.columns) or "*"
        self._use(mark.kind)
        return _MARK.get(mark.kind, "*")

    def _rule(self) -> list[str]:
        p = self.picture
        return [_cut(rule_words(p), self.width), *map(self._window, p.windows)]

    def _window(self, w: Window) -> str:
        row = self._row()
        first, last = max(w.first, self.picture.first), min(w.last, self.picture.last)
        if first <= last:
            a, b = self._column(first), self._column(last)
            row[a : b + 1] = [("." if w.silences else "-")] * (b - a + 1)
            if first == w.first:
                row[a] = "|"
            if last == w.last:
                row[b] = "|"
            words = "silent" if w.silences else w.value.replace(" ", "")
            if b - a - 1 >= len(words) + 2:
                at = a + 1 + (b - a - 1 - len(words)) // 2
                row[at : at + len(words)] = words
        if w.fires is not None:
            first, last = max(w.fires[0], self.picture.first), min(w.fires[1], self.picture.last)
            if first <= last:
                a, b = self._column(first), self._column(last)
                row[a : b + 1] = ["!"] * (b - a + 1)
        return self._line(w.label, row)

    def _use(self, kind: str) -> None:
        if kind not in self.used:
            self.used.append(kind)

    def _legend(self) -> list[str]:
        """What the signs mean, of those that were used."""
        known = {**_BAR, **_MARK}
        said = [f"{known[kind]} {words}" for kind, words in _WORDS.items() if kind in self.used]
        fires = [w.fires[0] for w in self.picture.windows if w.fires is not None and not w.plan]
        if fires:
            said.append(f"! fires from {self.picture.date(min(fires))} ({relative(min(fires))})")
        if any(w.fires is not None and w.plan for w in self.picture.windows):
            said.append("! days beyond the limit")
        if any(w.about for w in self.picture.windows):
            said.append("~ about: its edge cannot be had to the day")
        if any(lane.concerned for lane in self.view.lanes):
            said.append("* the rule looks at it")
        lines: list[str] = []
        for words in said:
            if lines and len(lines[-1]) + 3 + len(words) <= self.width:
                lines[-1] += "   " + words
            else:
                lines.append(words)
        return lines


def _lane_label(lane: Lane) -> str:
    return f"* {lane.label}" if lane.concerned else lane.label


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: max(0, most - 2)] + ".."


def _write(row: list[str], at: int, words: str, *, gap: int) -> bool:
    """Put words into the free columns of a row, with a gap to what stands there; False when there is no room."""
    if at < 0 or at + len(words) > len(row):
        return False
    if any(c != " " for c in row[max(0, at - gap) : at + len(words) + gap]):
        return False
    row[at : at + len(words)] = words
    return True
