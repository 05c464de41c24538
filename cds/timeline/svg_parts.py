"""SVG by hand: escaped text, shapes that differ without colour, and room for labels."""

from __future__ import annotations

from html import escape
from xml.sax.saxutils import quoteattr

from cds.timeline.model import Mark

_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
_A_CHARACTER = 0.6  # of the font size; on the wide side, so that labels keep their distance
SMALL, NORMAL = 10.0, 12.0
# Fill in light and in dark; each kind of bar has a pattern or a word too.
_COLOURS = {
    "paper": ("#ffffff", "#15181c"),
    "ink": ("#1c2126", "#e8eaed"),
    "soft": ("#5c6670", "#a6afb8"),
    "line": ("#d5dade", "#3a4149"),
    "drug": ("#2f6fad", "#6aa9e0"),
    "care": ("#3a7d44", "#7cc489"),
    "fire": ("#b3261e", "#ff8a80"),
    "calm": ("#6b5b95", "#b9a7e6"),
}


def style(prefix: str) -> str:
    """The sheet of one picture: its classes carry its prefix, for a sheet inside a page holds for the whole page."""
    rules = [f".{prefix}t{{{_FONT};font-variant-numeric:tabular-nums}}"]
    rules += [_rule(prefix, name, light) for name, (light, _) in _COLOURS.items()]
    dark = "".join(_rule(prefix, name, shade) for name, (_, shade) in _COLOURS.items())
    rules.append(f".{prefix}h{{stroke-width:3px;paint-order:stroke;stroke-linejoin:round}}")
    return "".join(rules) + f"@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _rule(prefix: str, name: str, colour: str) -> str:
    halo = f".{prefix}h{{stroke:{colour}}}" if name == "paper" else ""
    return f"{halo}.{prefix}f-{name}{{fill:{colour}}}.{prefix}s-{name}{{stroke:{colour};fill:none}}"


class Drawing:
    """Collects the elements of one picture."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.parts: list[str] = []

    def text(
        self, x: float, y: float, words: str, *, size: float = NORMAL, colour: str = "ink", anchor: str = "start",
        bold: bool = False,
    ) -> None:  # fmt: skip
        halo = f" {self.prefix}h" if colour != "paper" else ""  # keeps words clear of the lines behind them
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{self.prefix}t{halo} {self.prefix}f-{colour}" font-size="{size:g}" '
            f'text-anchor="{anchor}"{weight}>{escape(words, quote=False)}</text>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1, dash: str = ""
    ) -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{self.prefix}s-{colour}" '
            f'stroke-width="{width:g}"{dashed}/>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, *, hatch: str = "", outline: bool = False,
        dash: str = "", told: str = "", radius: float = 2,
    ) -> None:  # fmt: skip
        """A bar: solid, hatched (name of a pattern) or outlined. told: what a pointer or a screen reader gets."""
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1.5):.1f}" height="{height:g}" rx="{radius:g}"'
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        kind = f'class="{self.prefix}{"s" if outline or hatch else "f"}-{colour}"'
        title = f"<title>{escape(told, quote=False)}</title>" if told else ""
        if hatch:
            self.parts.append(f'<rect {shape} fill="url(#{self.prefix}{hatch})"/>')
        self.parts.append(f"<rect {shape} {kind}{dashed}>{title}</rect>")

    def shape(self, path: str, colour: str, *, outline: bool = False, told: str = "") -> None:
        title = f"<title>{escape(told, quote=False)}</title>" if told else ""
        kind = f'class="{self.prefix}{"s" if outline else "f"}-{colour}"'
        width = ' stroke-width="1.5"' if outline else ""
        self.parts.append(f"<path d={quoteattr(path)} {kind}{width}>{title}</path>")

    def hatches(self) -> str:
        """Patterns for what colour alone must not tell."""
        found = []
        for name, colour, turn, gap in (("fires", "fire", 45, 5), ("stay", "calm", -45, 5), ("wait", "drug", 90, 4)):
            found.append(
                f'<pattern id="{self.prefix}{name}" width="{gap}" height="{gap}" patternUnits="userSpaceOnUse" '
                f'patternTransform="rotate({turn})"><line x1="0" y1="0" x2="0" y2="{gap}" '
                f'class="{self.prefix}s-{colour}" stroke-width="{2 if name != "wait" else 1}"/></pattern>'
            )
        return "".join(found)


class Room:
    """Which stretches of a row have a label already."""

    def __init__(self, left: float, right: float) -> None:
        self._left, self._right = left, right
        self._taken: list[tuple[float, float]] = []

    def take(self, start: float, end: float, *, gap: float = 4) -> bool:
        """Claim a stretch; False when it leaves the row or meets another label."""
        if start < self._left or end > self._right:
            return False
        if any(start < b + gap and end > a - gap for a, b in self._taken):
            return False
        self._taken.append((start, end))
        return True


def width_of(words: str, size: float) -> float:
    """About how wide a text is drawn."""
    return len(words) * size * _A_CHARACTER


def fitted(words: str, width: float, size: float) -> str:
    """The words, or their beginning and an ellipsis, within a width."""
    most = max(2, int(width / (size * _A_CHARACTER)))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def mark_path(mark: Mark, x: float, y: float) -> str:
    """A path for each kind, so that none needs its colour."""
    if mark.kind == "emergency":
        return f"M{x:.1f} {y - 6:.1f} L{x + 6:.1f} {y + 5:.1f} L{x - 6:.1f} {y + 5:.1f} Z"
    if mark.kind == "booking":
        return f"M{x - 4:.1f} {y - 4:.1f} h8 v8 h-8 Z"
    if mark.kind == "review":
        return f"M{x:.1f} {y - 5:.1f} L{x + 5:.1f} {y:.1f} L{x:.1f} {y + 5:.1f} L{x - 5:.1f} {y:.1f} Z"
    if mark.kind == "stopped":
        return f"M{x - 1:.1f} {y - 8:.1f} h2 v16 h-2 Z"
    if mark.kind in {"result", "diagnosis"}:
        return f"M{x - 3:.1f} {y:.1f} L{x:.1f} {y - 4:.1f} L{x + 3:.1f} {y:.1f} L{x:.1f} {y + 4:.1f} Z"
    radius = 3.2 if mark.kind == "visit" else 4
    half = f"a{radius} {radius} 0 1 0"
    return f"M{x - radius:.1f} {y:.1f} {half} {2 * radius} 0 {half} {-2 * radius} 0 Z"
