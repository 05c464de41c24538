"""What a rule may say of its suggestions: which keys each `use` takes, and what their values are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cds.rules.grammar import GrammarError, quantity
from cds.rules.vocabulary import nearest

# use -> its required keys; every use also takes `levels` and `recommended`.
KEYS: dict[str, tuple[str, ...]] = {
    "S-SHORT": ("order", "days"),
    "S-DEL": ("pair",),
    "S-XTAPER": ("pair", "days"),
    "S-STOP-OLD": ("pair",),
    "S-FU": ("days",),
    "S-CALL": ("days",),
    "S-PHQ": ("questionnaire",),
    "S-ALT": ("drug",),
    "S-THER": ("therapy",),
    "S-REVIEW": (),
    "S-TAPER": ("of", "days"),
    "S-DOSE": ("to",),
    "S-LAB": ("test", "days"),
}
QUESTIONNAIRES = ("PHQ-9", "GAD-7")
TESTS = ("HbA1c", "lipids", "clozapine level")
# use -> keys it may have besides. S-DOSE takes either: `of` drafts the charted drug anew, `draft` changes the draft.
_OPTIONAL_KEYS: dict[str, tuple[str, ...]] = {"S-TAPER": ("percent",), "S-DOSE": ("of", "draft", "replaces")}
_LARGEST_PERCENT = 25
_LONGEST_DAYS = 365
_LONGEST_TEXT = 60
Problem = tuple[str, str, str, tuple[str | int, ...]]


def suggestion_problems(
    body: Mapping[str, Any], *, bindings: Collection[str], levels: Collection[str]
) -> Iterator[Problem]:
    """(code, message, hint, path inside the suggestion) of everything that is wrong with one suggestion of a rule."""
    use = str(body.get("use"))
    if use not in KEYS:
        yield "R156", f'there is no suggestion "{use}"', nearest(use, KEYS), ("use",)
        return
    for key in KEYS[use]:
        if key not in body:
            yield "R155", f'{use} lacks "{key}"', f"it takes {', '.join(KEYS[use])}", ()
        elif (wrong := _wrong(key, body[key], bindings)) is not None:
            yield "R155", f'{use}: {key} "{body[key]}" {wrong[0]}', wrong[1], (key,)
    for key in body:
        if key in _OPTIONAL_KEYS.get(use, ()):
            if (wrong := _wrong(key, body[key], bindings)) is not None:
                yield "R155", f'{use}: {key} "{body[key]}" {wrong[0]}', wrong[1], (key,)
        elif key not in {*KEYS[use], "use", "levels", "recommended"}:
            yield "R155", f'{use} takes no "{key}"', f"it takes {', '.join(KEYS[use])}", (key,)
    if use == "S-DOSE" and ("of" in body) == ("draft" in body):
        yield "R155", "S-DOSE names neither or both of `of` and `draft`", "`of: <binding>` or `draft: <binding>`", ()
    named = body.get("levels", [])
    if not isinstance(named, list):
        yield "R152", "levels is not a list", "write levels: [<name>]", ("levels",)
        return
    for n, name in enumerate(named):
        if name not in levels:
            yield "R152", f'there is no level "{name}"', nearest(str(name), levels), ("levels", n)


def _wrong(key: str, value: Any, bindings: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with the value, and what to write."""
    if key in {"order", "pair", "of", "draft"}:
        return None if value in bindings else ("is not bound by any level", nearest(str(value), bindings))
    if key == "days":
        try:
            number, unit = quantity(str(value))
        except GrammarError as error:
            return "is not a number of days", error.hint
        whole = unit == "d" and number == int(number) and 1 <= number <= _LONGEST_DAYS
        return None if whole else ("is not a number of days", f"1 d to {_LONGEST_DAYS} d")
    if key == "replaces":
        return None if value is True else ("is not true", "true, or left out")
    if key == "percent":
        try:
            share, unit = quantity(str(value))
        except GrammarError as error:
            return "is not a percentage", error.hint
        right = unit == "%" and 0 < share <= _LARGEST_PERCENT
        return None if right else ("is not a step of a taper", f'at most "{_LARGEST_PERCENT} %"')
    if key == "test":
        return None if value in TESTS else ("is not known", f"one of {', '.join(TESTS)}")
    if key == "questionnaire":
        return None if value in QUESTIONNAIRES else ("is not known", f"one of {', '.join(QUESTIONNAIRES)}")
    named = isinstance(value, str) and value.strip() and len(value) <= _LONGEST_TEXT
    return None if named else ("is not a name", f"at most {_LONGEST_TEXT} characters")
