"""The picture as one self-contained SVG: no script, no font and no host from elsewhere; it prints as it shows.

Colour is never alone: in hand is solid, to collect and in hospital are hatched, an order is an outline, a draft is
dashed, and where a rule fires is hatched and marked "!".
"""

from __future__ import annotations

import re
from html import escape

from cds.timeline.axis import relative, ticks
from cds.timeline.model import Bar, Lane, Mark, Timeline, Window
from cds.timeline.svg_parts import NORMAL, SMALL, Drawing, Room, fitted, mark_path, style, width_of
from cds.timeline.view import rule_words, view

_ROW, _PAD, _AXIS = 26.0, 10.0, 34.0
_LABEL = 280.0
_LEAST_WIDTH, _A_TICK = 420, 84.0
_BAR_WORDS = {
    "supplied": "in hand (handed over)",
    "estimated": "in hand (estimated from an order)",
    "listed": "on the list, no supply recorded",
    "stated": "the patient reports it",
    "given": "given by staff",
    "to-collect": "left to collect",
    "ordered": "as ordered",
    "draft": "draft",
    "stay": "in hospital",
}
_MARK_WORDS = {
    "contact": "contact",
    "emergency": "emergency visit",
    "visit": "other encounter",
    "booking": "booked visit",
    "result": "result",
    "diagnosis": "diagnosis recorded",
    "stopped": "order stopped",
    "review": "review recorded",
    "dose": "dose",
}
_FIRES_WORDS = {"fires": "! the rule fires when asked on these days", "beyond": "! days beyond the limit"}
_MOST_DIAGNOSIS_ROWS = 3


def as_svg(picture: Timeline, *, width: int = 860, id_prefix: str = "tl") -> str:
    """The picture as an <svg> element.

    width: in pixels, at least 420. id_prefix: letters, digits, - and _; another one for each picture of a page.
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", id_prefix) is None:
        raise ValueError("id_prefix: a letter, then letters, digits, - and _")
    return _Picture(picture, max(width, _LEAST_WIDTH), id_prefix).svg()


class _Picture:
    def __init__(self, picture: Timeline, width: int, prefix: str) -> None:
        self.picture, self.width, self.prefix = picture, width, prefix
        self.view = view(picture)
        self.draw = Drawing(prefix)
        labels = [lane.label for lane in self.view.lanes] + [w.label for w in picture.windows]
        longest = max((width_of(text, NORMAL) for text in labels), default=60)
        self.left = _PAD + min(max(longest + 12, 80), _LABEL, width * 0.34)
        self.right = width - _PAD - 12
        self.y = _PAD + _AXIS
        self.used: list[str] = []

    def svg(self) -> str:
        for lane in self.view.lanes:
            self._lane(lane)
        if self.picture.rule:
            self._windows()
        bottom = self.y
        self._legend()
        self._left_out()
        height = self.y + _PAD - 4
        front, self.draw.parts = self.draw.parts, []
        self._grid(bottom)
        title, told = self._title(), self._told()
        p = self.prefix
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height:.0f}" '
            f'viewBox="0 0 {self.width} {height:.0f}" role="img" aria-labelledby="{p}title {p}desc" '
            f'style="max-width:100%;height:auto">'
            f'<title id="{p}title">{escape(title, quote=False)}</title>'
            f'<desc id="{p}desc">{escape(told, quote=False)}</desc>'
            f"<style>{style(p)}</style><defs>{self.draw.hatches()}</defs>"
            f'<rect width="{self.width}" height="{height:.0f}" rx="6" class="{p}f-paper"/>'
            + "".join([*self.draw.parts, *front])
            + "</svg>"
        )

    def _x(self, day: float) -> float:
        span = self.picture.last - self.picture.first + 1
        return self.left + (day - self.picture.first) * (self.right - self.left) / span

    def _middle(self, day: int) -> float:
        return self._x(day + 0.5)

    def _grid(self, bottom: float) -> None:
        top = _PAD + _AXIS - 6
        for day in ticks(self.picture.first, self.picture.last, int((self.right - self.left) / _A_TICK)):
            x = self._middle(day)
            now = day == 0
            if now:
                self.draw.line(x, top, x, bottom, "ink", width=1.4)
            else:
                self.draw.line(x, top, x, bottom, "line", dash="2 3")
            half = width_of(self.picture.date(day), SMALL) / 2
            at = min(max(x, self.left + half - 20), self.width - _PAD - half + 6)
            self.draw.text(at, _PAD + 11, relative(day), size=NORMAL, anchor="middle", bold=now)
            self.draw.text(at, _PAD + 23, self.picture.date(day), size=SMALL, colour="soft", anchor="middle")

    def _label(self, words: str, *, bold: bool = False, colour: str = "ink") -> None:
        shown = fitted(words, self.left - _PAD - 8, NORMAL)
        self.draw.text(_PAD, self.y + _ROW / 2 + 4, shown, bold=bold, colour=colour)

    def _lane(self, lane: Lane) -> None:
        if lane.kind == "diagnoses":
            self._diagnoses(lane)
            return
        self._label(lane.label, bold=lane.concerned)
        room = Room(self.left, self.width - _PAD)
        for bar in sorted(lane.bars, key=lambda b: b.kind != "ordered"):
            self._bar(bar, room)
        marks = self._stacked(lane.marks)
        for mark, count in marks:
            self._mark(mark, count, room)
        self.y += _ROW

    def _stacked(self, marks: tuple[Mark, ...]) -> list[tuple[Mark, int]]:
        """Marks that would lie on each other are one, with their number; results keep the latest value."""
        found: list[tuple[Mark, int]] = []
        for mark in marks:
            if found:
                before, count = found[-1]
                near = self._middle(mark.day) - self._middle(before.day) < (4 if mark.kind != "result" else 2)
                if near and before.kind == mark.kind:
                    found[-1] = (mark, count + 1)
                    continue
            found.append((mark, 1))
        return found

    def _bar(self, bar: Bar, room: Room) -> None:
        x, end = self._x(bar.first), self._x(bar.last + 1)
        told = f"{_BAR_WORDS[bar.kind]}: {self.picture.date(bar.first)} to {self.picture.date(bar.last)} {bar.label}"
        self._use(bar.kind)
        y, height = self.y + 7, 13.0
        if bar.kind == "ordered":
            self.draw.box(x, self.y + 3, end - x, 3, "drug", told=told, radius=1)
        elif bar.kind == "draft":
            self.draw.box(x, y, end - x, height, "drug", outline=True, dash="4 2", told=told)
        elif bar.kind == "stay":
            self.draw.box(x, y, end - x, height, "calm", hatch="stay", told=told)
        elif bar.kind == "to-collect":
            self.draw.box(x, y, end - x, height, "drug", hatch="wait", told=told)
        elif bar.kind in {"listed", "stated"}:
            self.draw.box(x, y + 3, end - x, height - 6, "drug", outline=True, dash="1 2", told=told)
        else:
            self.draw.box(x, y, end - x, height, "drug", told=told)
        if bar.open_ended and bar.kind != "ordered":
            self.draw.text(end + 2, y + 10, "…", size=SMALL, colour="soft")
        self._bar_label(bar, x, end, room)

    def _bar_label(self, bar: Bar, x: float, end: float, room: Room) -> None:
        if not bar.label or bar.kind == "ordered":
            return
        wide = width_of(bar.label, SMALL)
        solid = bar.kind in {"supplied", "estimated", "given"}
        if wide + 8 <= end - x and room.take(x + 3, x + 5 + wide):
            self.draw.text(x + 4, self.y + 17, bar.label, size=SMALL, colour="paper" if solid else "ink")
        elif room.take(end + 4, end + 4 + wide):
            self.draw.text(end + 5, self.y + 17, bar.label, size=SMALL, colour="soft")

    def _mark(self, mark: Mark, count: int, room: Room) -> None:
        x, y = self._middle(mark.day), self.y + _ROW / 2
        self._use(mark.kind)
        several = f" ({count} close together)" if count > 1 else ""
        told = f"{_MARK_WORDS[mark.kind]} {self.picture.date(mark.day)} {mark.label}{several}".strip()
        outline = mark.kind in {"visit", "booking"}
        colour = {"emergency": "fire", "stopped": "ink", "result": "ink", "review": "calm"}.get(mark.kind, "care")
        self.draw.shape(mark_path(mark, x, y), colour, outline=outline, told=told)
        words = mark.label or (f"×{count}" if count > 1 else "")
        wide = width_of(words, SMALL)
        if words and room.take(x + 5, x + 6 + wide):
            self.draw.text(x + 6, y + 4, words, size=SMALL, colour="ink" if mark.kind == "result" else "soft")

    def _diagnoses(self, lane: Lane) -> None:
        self._label(lane.label)
        rows = [Room(self.left, self.width - _PAD) for _ in range(_MOST_DIAGNOSIS_ROWS)]
        last = 0
        for mark in lane.marks:
            x = self._middle(mark.day)
            wide = width_of(mark.label, SMALL)
            row = next((n for n, room in enumerate(rows) if room.take(x - 4, x + 7 + wide)), None)
            y = self.y + _ROW / 2 + 13 * (row or 0)
            self._use("diagnosis")
            told = f"diagnosis {self.picture.date(mark.day)}: {mark.label}"
            self.draw.shape(mark_path(mark, x, y), "care", told=told)
            if row is not None:
                self.draw.text(x + 6, y + 4, mark.label, size=SMALL)
                last = max(last, row)
        self.y += _ROW + 13 * last

    def _windows(self) -> None:
        self.y += 4
        self.draw.line(_PAD, self.y, self.width - _PAD, self.y, "line")
        self.y += 16
        words = rule_words(self.picture)
        self.draw.text(_PAD, self.y, fitted(words, self.width - 2 * _PAD, NORMAL), bold=True)
        self.y += 4
        for window in self.picture.windows:
            self._window(window)
            self.y += _ROW - 4

    def _window(self, w: Window) -> None:
        self._label(w.label)
        first, last = max(w.first, self.picture.first), min(w.last, self.picture.last)
        y = self.y + _ROW / 2
        if first <= last:
            x, end = self._x(first), self._x(last + 1)
            self.draw.line(x, y, end, y, "calm" if w.silences else "soft", width=2, dash="3 3" if w.silences else "")
            for at, day in ((x, w.first), (end, w.last)):
                if self.picture.first <= day <= self.picture.last:
                    self.draw.line(at, y - 6, at, y + 6, "calm" if w.silences else "soft", width=2)
            if w.silences and end - x > width_of("silent", SMALL) + 12:
                self.draw.text((x + end) / 2, y - 4, "silent", size=SMALL, colour="soft", anchor="middle")
        if w.fires is not None:
            self._fires(w.fires, y, plan=w.plan)

    def _fires(self, days: tuple[int, int], y: float, *, plan: bool) -> None:
        first, last = max(days[0], self.picture.first), min(days[1], self.picture.last)
        if first > last:
            return
        self._use("beyond" if plan else "fires")
        x, end = self._x(first), self._x(last + 1)
        word = "beyond the limit" if plan else "fires"
        told = f"{word} from {self.picture.date(first)} ({relative(days[0])}) to {self.picture.date(last)}"
        self.draw.box(x, y - 6, end - x, 12, "fire", hatch="fires", told=told)
        mark = f"! {relative(days[0])}"
        wide = width_of(mark, SMALL)
        if self.right - end > wide:
            self.draw.text(end + 4, y + 4, mark, size=SMALL, colour="fire", bold=True)
        else:
            self.draw.text(x + 3, y + 4, mark, size=SMALL, colour="fire", bold=True)

    def _use(self, kind: str) -> None:
        if kind not in self.used:
            self.used.append(kind)

    def _legend(self) -> None:
        """What the shapes mean, of those that were used."""
        self.y += 16
        x = _PAD
        for kind in [k for k in (*_BAR_WORDS, *_MARK_WORDS, *_FIRES_WORDS) if k in self.used and k != "result"]:
            words = {**_BAR_WORDS, **_MARK_WORDS, **_FIRES_WORDS}[kind]
            wide = 26 + width_of(words, SMALL) + 10
            if x + wide > self.width - _PAD and x > _PAD:
                x, self.y = _PAD, self.y + 16
            self._sample(kind, x, self.y - 4)
            self.draw.text(x + 24, self.y, words, size=SMALL, colour="soft")
            x += wide
        self.y += 6

    def _sample(self, kind: str, x: float, y: float) -> None:
        if kind == "ordered":
            self.draw.box(x, y - 2, 18, 3, "drug", radius=1)
        elif kind == "draft":
            self.draw.box(x, y - 4, 18, 8, "drug", outline=True, dash="4 2")
        elif kind in {"listed", "stated"}:
            self.draw.box(x, y - 3, 18, 6, "drug", outline=True, dash="1 2")
        elif kind in {"stay", "to-collect", *_FIRES_WORDS}:
            hatch = {"stay": "stay", "to-collect": "wait"}.get(kind, "fires")
            self.draw.box(x, y - 4, 18, 8, {"stay": "calm", "to-collect": "drug"}.get(kind, "fire"), hatch=hatch)
        elif kind in _BAR_WORDS:
            self.draw.box(x, y - 4, 18, 8, "drug")
        else:
            colour = {"emergency": "fire", "stopped": "ink", "review": "calm"}.get(kind, "care")
            mark = Mark(kind, 0)  # type: ignore[arg-type]
            self.draw.shape(mark_path(mark, x + 12, y), colour, outline=kind in {"visit", "booking"})

    def _left_out(self) -> None:
        for words in (*self.view.left_out, *self.picture.left_out):
            self.y += 13
            self.draw.text(_PAD, self.y, fitted(words, self.width - 2 * _PAD, SMALL), size=SMALL, colour="soft")

    def _title(self) -> str:
        about = f" and {self.picture.spec} {self.picture.rule}" if self.picture.rule else ""
        return f"Chart on {self.picture.today.isoformat()}{about}"

    def _told(self) -> str:
        """The picture for those who do not see it: as a list of its lanes and windows."""
        p = self.picture
        told = [f"From {p.date(p.first)} to {p.date(p.last)}."]
        for lane in self.view.lanes:
            spans = [f"{p.date(b.first)} to {p.date(b.last)}" for b in lane.bars if b.kind != "ordered"]
            days = [f"{p.date(m.day)} {m.label}".strip() for m in lane.marks]
            listed = [*spans[:6], *days[:6]]
            more = len(spans) + len(days) - len(listed)
            told.append(f"{lane.label}: {', '.join(listed)}{f' and {more} more' if more else ''}.")
        for w in p.windows:
            fires = f", {'beyond it' if w.plan else 'fires'} from {p.date(w.fires[0])}" if w.fires else ""
            told.append(f"{w.label}: {p.date(w.first)} to {p.date(w.last)}{fires}.")
        return " ".join(told)
