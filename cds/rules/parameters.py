"""One parameter of a rule: its value, its range, what a site sets in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds.rules.compilation import Compilation
from cds.rules.grammar import GrammarError, quantity
from cds.rules.model import Parameter

# Words that YAML once read as truth values and no longer does.
_TRUTH_WORDS = frozenset({"yes", "no", "on", "off", "Yes", "No", "On", "Off", "YES", "NO", "True", "False"})


def read_parameter(c: Compilation, name: str, body: Mapping[str, Any], path: Sequence[str | int]) -> Parameter | None:
    """Read one parameter; a site's override takes its place when it is inside the range."""
    value = body["value"]
    if isinstance(value, bool):
        given = c.overrides.get(name, value)
        if not isinstance(given, bool):
            c.problem(path, "R122", f"the site's {name}: {given} is not a truth value", "write true or false")
            return None
        return Parameter(name, given, "", None, None, body["source"], body["why"], body.get("spec", ""))
    try:
        number, unit = quantity(str(value))
        if not body["range"]:
            c.problem(path, "R022", f'parameter "{name}" has no range', "write range: 14 d to 30 d", key=True)
            return None
        low_text, _, high_text = str(body["range"]).partition(" to ")
        (low, low_unit), (high, high_unit) = quantity(low_text), quantity(high_text)
    except GrammarError as error:
        hint = "write true or false" if str(value) in _TRUTH_WORDS else error.hint
        where = "value" if error.part in str(value) else "range"
        c.problem((*path, where), error.code, f"parameter {name}: {error}", hint, word=error.part)
        return None
    if not unit and low_unit and low_unit == high_unit:
        others = f" or {value} wk" if low_unit == "d" else ""
        c.problem((*path, "value"), "R132", f"parameter {name} has no unit", f"write {value} {low_unit}{others}")
        return None
    if not unit == low_unit == high_unit or not low <= number <= high:
        c.problem(
            (*path, "range"),
            "R133",
            f"parameter {name}: {value} is not within {body['range']}",
            "value and range in one unit",
        )
        return None
    if name in c.overrides:
        try:
            given_number, given_unit = quantity(str(c.overrides[name]))
        except GrammarError:
            given_number, given_unit = 0.0, "not a quantity"
        if given_unit != unit or not low <= given_number <= high:
            c.problem(
                path,
                "R133",
                f"the site's {name}: {c.overrides[name]} is not within {body['range']}",
                "see the rule's range",
            )
        else:
            number = given_number
    return Parameter(name, number, unit, low, high, body["source"], body["why"], body.get("spec", ""))
