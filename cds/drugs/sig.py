"""Directions in free text ("1-2 tabs qhs prn") as dose steps, with a confidence.

Every word must be understood. A word that is not, or words that can be read in two ways, lower the confidence below
`ENOUGH`, and then the dose is unknown (clinical specification 1.5). Nothing is looked up in the drug table: "sertraline
50 mg daily" names a drug, which belongs in another field, and is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from cds.drugs.sig_words import NUMBERS, PHRASES, RATES, REASONS, ROUTES, SILENT, TIMES, UNITS
from cds.drugs.steps import DoseStep

ENOUGH = 0.95
_SURE, _DOUBTFUL, _LEFT_OVER, _NOTHING = 1.0, 0.8, 0.4, 0.0
_LONGEST = 400
_LARGEST = Decimal(10_000)
_LONGEST_DAYS = 3660

_NUMBER = r"[0-9]{1,5}(?:\.[0-9]{1,4})?"
_RANGE = rf"({_NUMBER})(?:(?: ?- ?| to | or )({_NUMBER}))?"
_UNIT = "|".join(re.escape(u) for u in sorted(UNITS, key=len, reverse=True))
_DAYS_IN = {"day": 1, "days": 1, "d": 1, "week": 7, "weeks": 7, "wk": 7, "wks": 7, "month": 30, "months": 30}
_LENGTH = "|".join(sorted(_DAYS_IN, key=len, reverse=True))
_A_DAY = r"(?:(?:per|a|each|in a|every|in|in any|/) ?(?:1 )?(?:day|24 hours?|24 h|24 hrs?)|daily)"
_HOURS = r"(?:hours?|hrs?|h)"


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))


_END = r"(?![\w.])"
_MAXIMUM = re.compile(
    rf"(?:max(?:imum)?(?: daily)?(?: dose)?(?: of)?|(?:do )?not (?:to )?exceed|no more than|mdd) ?:? ?"
    rf"({_NUMBER})(?: ({_UNIT}))?(?: ?{_A_DAY})?{_END}"
)
_MAXIMUM_SAYS_DAY = re.compile(rf"daily|mdd|{_A_DAY}")
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("maximum", _MAXIMUM),
    ("prn", re.compile(rf"(?:only )?(?:prn|as needed|if needed|when needed|as required|if required){_END}")),
    ("reason", re.compile(rf"(?:for )?(?:{_any(REASONS)}){_END}")),
    ("length", re.compile(rf"(?:for|x)(?: up to)? ({_NUMBER}) ({_LENGTH}){_END}")),
    ("hours", re.compile(rf"(?:every|q) ?{_RANGE} {_HOURS}{_END}")),
    ("days", re.compile(rf"(?:every|q) ({_NUMBER}) (days?|d|weeks?|wks?|months?){_END}")),
    ("times", re.compile(rf"{_RANGE} (?:times|x) ?(?:/ ?)?(?:daily|(?:a|per|each|every)? ?day|d){_END}")),
    ("weekly", re.compile(rf"({_NUMBER}) (?:times|x) ?(?:/ ?)?(?:weekly|(?:a|per|each|every)? ?week|wk){_END}")),
    ("rate", re.compile(rf"(?:{_any(RATES)}){_END}")),
    ("total", re.compile(rf"\( ?({_NUMBER}) (mg|mcg|g)(?: total)? ?\){_END}")),
    ("amount", re.compile(rf"{_RANGE}(?: \({_NUMBER}\))? (?:of (?:a|an|1) |a )?({_UNIT})(?![\w])")),
    ("bare", re.compile(rf"{_RANGE}(?= (?:po|by mouth|{_any(RATES)}|{_any(TIMES)}|prn|every|q)\b)")),
    ("phrase", re.compile(rf"(?:{_any(PHRASES)}){_END}")),
    ("time", re.compile(rf"(?:{_any(TIMES)}){_END}")),
    ("route", re.compile(rf"(?:{_any(ROUTES)}){_END}")),
    ("and", re.compile(r"(?:and|&|\+)(?!\w)")),
    ("silent", re.compile(rf"(?:{_any(SILENT)}){_END}")),
    ("pause", re.compile(r"[,;.:]")),
)
_NUMBER_WORDS = re.compile(rf"\b(?:{_any(NUMBERS)})\b")
_WORD = re.compile(r"\S+")
_SPACES = re.compile(r"\s+")
_STOP = frozenset({"stop", "stop .", "discontinue", "discontinue ."})
# Wider than this, "5-325 mg" is the strength of a combination and no range.
_WIDEST_RANGE = 4
_THEN = re.compile(r"[,;.]? ?\b(?:and then|then)\b ?,?")


@dataclass(frozen=True, slots=True)
class Sig:
    """What directions say. confidence: 0 to 1; the steps count only from `ENOUGH` on."""

    steps: tuple[DoseStep, ...]
    confidence: float


@dataclass(slots=True)
class _Line:
    """One administration while it is being read."""

    amount: tuple[Decimal, Decimal, str] | None = None
    total_mg: Decimal | None = None
    rates: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    prn: bool = False
    days: int | None = None
    most: tuple[Decimal, str] | None = None
    joined: bool = False


@dataclass(slots=True)
class _Doubt:
    """How sure the reading is; it only ever falls."""

    level: float = _SURE

    def at_most(self, level: float) -> None:
        self.level = min(self.level, level)


def parse_sig(text: str, *, bare_counts: bool = False) -> Sig:
    """Read directions. Never raises for their content; letter case and the amount of white space do not matter.

    bare_counts: the sender writes pieces without a unit ("take 1 po bid"). Off, such a number is not understood.
    """
    if len(text) > _LONGEST:
        return Sig((), _NOTHING)
    plain = _plain(text)
    if not plain:
        return Sig((), _NOTHING)
    doubt = _Doubt()
    parts = [part.strip() for part in _THEN.split(plain) if part.strip()]
    stops = len(parts) > 1 and parts[-1] in _STOP
    phases = [_read(part, doubt, bare_counts=bare_counts) for part in (parts[:-1] if stops else parts)]
    several = len(phases) > 1
    ending = phases if stops else phases[:-1]
    if any(all(line.days is None for line in phase) for phase in ending):
        # "Then" after what has no stated length: when the change comes is not said.
        doubt.at_most(_DOUBTFUL)
    steps: list[DoseStep] = []
    for number, phase in enumerate(phases, start=1):
        days = next((line.days for line in phase if line.days is not None), None)
        for line in phase:
            step = _step(line, doubt, sequence=number if several else None, days=days)
            if step is not None:
                steps.append(step)
            else:
                doubt.at_most(_DOUBTFUL)
    return Sig(tuple(steps), doubt.level if steps else _NOTHING)


def _plain(text: str) -> str:
    """Lower case, single spaces, numbers as digits and apart from letters, abbreviations without their dots."""
    plain = _SPACES.sub(" ", text.casefold()).strip()
    plain = re.sub(r"\b(\d+) 1/2\b", r"\g<1>.5", plain)
    plain = re.sub(r"(\d) ?½", r"\g<1>.5", plain).replace("½", "0.5")
    plain = re.sub(r"(?<![\d/.])1/2(?![\d/])", "0.5", plain)
    plain = re.sub(r"\b([a-z])\.([a-z])\.(?:([a-z])\.)?", lambda m: "".join(g for g in m.groups() if g), plain)
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    plain = re.sub(r"(?<![\d.])\.(?=\d)", "0.", plain)
    plain = re.sub(r"(\d)(?=[a-zµ])", r"\1 ", plain)
    plain = re.sub(r"([a-zµ])(?=\d)", r"\1 ", plain)
    plain = re.sub(r"\b(?:one|a)[ -]half\b", "0.5", plain)
    plain = _NUMBER_WORDS.sub(lambda m: NUMBERS[m[0]], plain)
    plain = re.sub(r"\b(\d+) and (?:1|a) 0\.5\b|\b(\d+) and 0\.5\b", lambda m: f"{m[1] or m[2]}.5", plain)
    plain = re.sub(r"\b(?:1|a) 0\.5\b", "0.5", plain)
    plain = re.sub(r"(\d) ?\(\1(?: ?)\)", r"\1", plain)
    plain = re.sub(r"(?<=[a-z)])/(?=day|d\b|week|24)", " / ", plain)
    plain = re.sub(r"(?<=\d)/(?=day|d\b|24 )", " / ", plain)
    plain = re.sub(r"(?<=[\w)])([,;:])", r" \1", plain)
    return _SPACES.sub(" ", re.sub(r"(?<!\d)\.(?!\d)|(?<=\d)\.(?!\d)|(?<=[a-z)])\.(?=\d)", " . ", plain)).strip()


def _read(plain: str, doubt: _Doubt, *, bare_counts: bool) -> list[_Line]:
    """The administrations of one phase: "1 tab in the morning and 2 tabs at bedtime" are two."""
    lines = [_Line()]
    at = 0
    joined = False
    last = ""
    while at < len(plain):
        if plain[at] == " ":
            at += 1
            continue
        kind, found = next(((k, m) for k, p in _PATTERNS if (m := p.match(plain, at))), ("", None))
        if found is None:
            word = _WORD.match(plain, at)
            doubt.at_most(_LEFT_OVER)
            at = word.end() if word is not None else at + 1
            last = "unknown"
            continue
        if kind in {"amount", "bare"} and lines[-1].amount is not None:
            lines.append(_Line(joined=joined))
        if kind == "prn" and joined:
            # "Twice daily and as needed" is more than twice.
            doubt.at_most(_DOUBTFUL)
        if kind == "reason" and not (last == "prn" or found[0].startswith("for ")):
            doubt.at_most(_LEFT_OVER)
        _take(kind, found, lines[-1], doubt, bare_counts=bare_counts)
        joined = kind == "and" or (joined and kind in {"silent", "pause"})
        last = kind if kind not in {"silent", "pause"} else last
        at = found.end()
    _judge_together(lines, doubt)
    return lines


def _judge_together(lines: list[_Line], doubt: _Doubt) -> None:
    """Two amounts side by side: both, or one instead of the other? "And" says both; so do different times of day."""
    for before, after in pairwise(lines):
        by_time = before.times and after.times and not (before.rates or after.rates)
        if not (after.joined or (by_time and set(before.times).isdisjoint(after.times))):
            doubt.at_most(_DOUBTFUL)
    if len(lines) > 1 and (len({line.prn for line in lines}) > 1 or any(line.most for line in lines)):
        # What is said once at the end: of the last line, or of all?
        doubt.at_most(_DOUBTFUL)


def _take(kind: str, found: re.Match[str], line: _Line, doubt: _Doubt, *, bare_counts: bool) -> None:
    if kind in {"amount", "bare"}:
        low, high = Decimal(found[1]), Decimal(found[2] or found[1])
        if kind == "bare" and not bare_counts:
            doubt.at_most(_DOUBTFUL)
        per_one, unit = UNITS[found[3]] if kind == "amount" else (Decimal(1), "unit")
        if not 0 < low <= high <= min(_LARGEST, low * _WIDEST_RANGE):
            doubt.at_most(_DOUBTFUL)
        line.amount = (low * per_one, high * per_one, unit)
    elif kind == "total":
        if line.amount is None or line.amount[2] != "unit" or line.total_mg is not None:
            doubt.at_most(_DOUBTFUL)
        line.total_mg = Decimal(found[1]) * UNITS[found[2]][0]
    elif kind == "maximum":
        # "Max 4 a day" is four of what the amount is counted in, and that must be pieces.
        in_pieces = line.amount is not None and line.amount[2] == "unit"
        if line.most is not None or not _MAXIMUM_SAYS_DAY.search(found[0]) or not (found[2] or in_pieces):
            doubt.at_most(_DOUBTFUL)
        else:
            per_one, counted_in = UNITS[found[2]] if found[2] else (Decimal(1), "unit")
            line.most = (Decimal(found[1]) * per_one, counted_in)
    elif kind == "prn":
        line.prn = True
    elif kind == "length":
        days = Decimal(found[1]) * _DAYS_IN[found[2]]
        if line.days is not None or days != days.to_integral_value() or not 0 < days <= _LONGEST_DAYS:
            doubt.at_most(_DOUBTFUL)
        else:
            line.days = int(days)
    elif kind == "time":
        line.times.append(TIMES[found[0]])
    elif (rate := _rate(kind, found, doubt)) is not None:
        line.rates.append(rate)


def _rate(kind: str, found: re.Match[str], doubt: _Doubt) -> tuple[Decimal, Decimal] | None:
    """(low, high) administrations a day."""
    if kind == "rate":
        rate = RATES[found[0]]
        return rate, rate
    if kind not in {"hours", "days", "times", "weekly"}:
        return None
    low = Decimal(found[1])
    high = Decimal(found[2]) if kind in {"hours", "times"} and found[2] else low
    if not 0 < low <= high:
        doubt.at_most(_DOUBTFUL)
        return None
    if kind == "hours":
        return Decimal(24) / high, Decimal(24) / low
    if kind == "days":
        unit = found[2]
        span = low * (30 if unit.startswith("month") else 7 if unit.startswith("w") else 1)
        return 1 / span, 1 / span
    share = Decimal(7) if kind == "weekly" else Decimal(1)
    return low / share, high / share


def _step(line: _Line, doubt: _Doubt, *, sequence: int | None, days: int | None) -> DoseStep | None:
    times = len(set(line.times))
    if len(set(line.rates)) > 1 or times != len(line.times):
        doubt.at_most(_DOUBTFUL)
    rate = line.rates[0] if line.rates else (Decimal(times), Decimal(times)) if times else None
    if line.rates and times and rate is not None and rate != (Decimal(times), Decimal(times)):
        # "Twice daily at bedtime"; but "weekly in the morning" is one dose.
        doubt.at_most(_SURE if times == 1 and rate[1] <= 1 else _DOUBTFUL)
    if rate is None and line.amount is None:
        return None
    if rate is not None and rate[1] > 48:
        doubt.at_most(_DOUBTFUL)
    low, high, unit = line.amount if line.amount is not None else (None, None, None)
    return DoseStep(
        start=None,
        end=None,
        prn=line.prn,
        per_day_low=Decimal(0) if line.prn else rate[0] if rate else None,
        per_day_high=rate[1] if rate else None,
        amount_low=low,
        amount_high=high,
        unit=unit,
        sequence=sequence,
        days=days,
        max_per_day=line.most[0] if line.most else None,
        max_unit=line.most[1] if line.most else None,
        also_mg=line.total_mg,
    )
