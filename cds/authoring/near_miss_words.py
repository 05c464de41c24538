"""Comparisons and near misses in words: what was compared, what it was, and by how much it fell short.

Days are said as days ("1 d short"), dates as dates ("1 d too early"), codes and truth values as what they were.
"""

from __future__ import annotations

import datetime as dt
import re

from cds.engine.explain import NearMiss
from cds.model import Comparison, FieldRef, Operator, Scalar
from cds.rules.model import Parameter
from cds.rules.vocabulary import UNITS, vocabulary
from cds.text import plain

_DATE_WORDS: dict[Operator, str] = {
    "at least": "on or after",
    "more than": "after",
    "at most": "on or before",
    "less than": "before",
}
NOT_KNOWN = "not recorded"


def comparison_text(miss: NearMiss) -> str:
    """The failing comparison in the words of the rule language, with the value it was compared with."""
    if miss.comparison is None:
        return ""
    operator = miss.comparison.operator
    return (
        f"{miss.comparison.field} {operator if operator.startswith('is') else 'is ' + operator} {_shown(miss.wanted)}"
    )


def describe(miss: NearMiss) -> str:
    """What stood in the way, in one line."""
    if miss.reason == "silenced":
        return f"silenced by {miss.binding} {miss.fact}"
    if miss.reason == "no fact":
        return f"no {miss.kind} for {miss.binding}"
    if miss.reason == "too few":
        return f"{miss.binding}: {miss.found} of {miss.needed} {miss.kind}"
    short = deviation(miss.comparison, miss.kind, miss.actual, miss.wanted) if miss.comparison is not None else ""
    return f"{miss.fact}: {comparison_text(miss)} -> was {_shown(miss.actual)}{f' ({short})' if short else ''}"


def _shown(value: Scalar | None) -> str:
    if value is None:
        return "(not known)"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value


def type_of(kind: str, field: str) -> str:
    """The vocabulary's type of a field; "text" for one it does not have."""
    known = vocabulary().field(kind, field)
    return known.type if known is not None else "text"


def kind_words(kind: str) -> str:
    """A kind of fact with what it is, in a few words: "pair (an order beside a drug in current use)"."""
    what = vocabulary().what.get(kind, "")
    short = re.split(r"[.;:,(]|, ", what, maxsplit=1)[0].strip()
    return f"{kind} ({short[:1].lower()}{short[1:]})" if short else kind


def value_words(value: Scalar | None, type_: str, today: dt.date) -> str:
    """A value as a reader wants it: "28 d", "2026-02-02 (-28 d)", "12.5 mg", "true", "sertraline"."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return plain(value)
    if type_ == "date":
        return date_words(int(value), today)
    unit = UNITS.get(type_, "")
    return f"{_number(value)} {unit}".rstrip()


def date_words(day: int, today: dt.date) -> str:
    """A day as its date and its distance from today."""
    try:
        date = (today + dt.timedelta(days=day)).isoformat()
    except OverflowError:
        return f"{day:+d} d"
    return f"{date} ({'today' if day == 0 else f'{day:+d} d'})"


def parameter_words(parameter: Parameter) -> str:
    """A parameter with its value: "max_days 28 d"."""
    value = parameter.value
    shown = str(value).lower() if isinstance(value, bool) else f"{_number(value)} {parameter.unit}".rstrip()
    return f"{parameter.name} {shown}"


def condition_words(
    comparison: Comparison,
    kind: str,
    wanted: Scalar | None,
    parameter: Parameter | None,
    today: dt.date,
    *,
    were: str,
    of: str = "",
) -> str:
    """A comparison as a condition: "authorised days of the order were more than 28 d (max_days)".

    were: its verb. of: whose field it is, "" where that is said already.
    """
    type_ = type_of(kind, comparison.field)
    name = comparison.field.replace("_", " ")
    operator = comparison.operator
    if operator in {"is", "is not"}:
        verb = f"{were} not" if operator == "is not" else were
    else:
        verb = f"{were} {_DATE_WORDS[operator] if type_ == 'date' else operator}"
    value = value_words(wanted, type_, today)
    return f"{name}{of} {verb} {value}{_origin(comparison, parameter, type_)}"


def _origin(comparison: Comparison, parameter: Parameter | None, type_: str) -> str:
    """Where the compared value comes from: a parameter, a field of another fact, or both; "" for a constant."""
    ref = comparison.value
    base = f"{ref.binding}.{ref.field}" if isinstance(ref, FieldRef) else "today" if type_ == "date" else ""
    if parameter is None:
        return f" ({base})" if isinstance(ref, FieldRef) else ""
    if not base:
        return f" ({parameter.name})"
    offset = ref.offset if isinstance(ref, FieldRef) else float(ref) if not isinstance(ref, str) else 0.0
    return f" ({base} {'minus' if offset < 0 else 'plus'} {parameter_words(parameter)})"


def deviation(comparison: Comparison, kind: str, actual: Scalar | None, wanted: Scalar | None) -> str:
    """How far a comparison is from holding: "1 d short", "1 d too early", "2 mg over"; "" where there is no distance.

    Days are whole: where 28 are too few for "more than 28", one is missing.
    """
    if not _is_number(actual) or not _is_number(wanted) or comparison.operator in {"is", "is not"}:
        return ""
    type_ = type_of(kind, comparison.field)
    wants_more = comparison.operator in {"at least", "more than"}
    gap = float(wanted) - float(actual) if wants_more else float(actual) - float(wanted)  # type: ignore[arg-type]
    strict = comparison.operator in {"more than", "less than"}
    if strict and type_ in {"date", "days", "count", "years"}:
        gap += 1
    if gap < 0:
        return ""
    if gap == 0:
        return "exactly the limit"
    if type_ == "date":
        return f"{_number(gap)} d too {'early' if wants_more else 'late'}"
    unit = UNITS.get(type_, "")
    return f"{_number(gap)} {unit}".rstrip() + (" short" if wants_more else " over")


def _is_number(value: Scalar | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: float) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
