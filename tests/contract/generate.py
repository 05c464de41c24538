"""Random rulesets, and facts planted so that the rules nearly hold, hold, and are silenced.

Everything follows from the `random.Random` that is passed in; a check is named by its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, get_args

from cds.model import Comparison, Fact, FieldRef, Operator, Pattern, RuleSpec, Scalar
from tests.contract import naive

KINDS = ("order", "medication", "visit", "result")
TEXTS = (
    "a", "b", "c", "", "é", "日本", 'quo"te', "back\\slash", "apo'stroph", "{", "}],[{", "true", "1.0", "1",
    "s:a", "?", "n:1.0", "b:true", "null", "line\nbreak", "null\x00byte", "\U0001f48a", "a ", "k0", "go",
)  # fmt: skip
NUMBERS = (-30.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.0001, 0.5, 1.0, 1, 2.0, 2, 3.0, 28.0, 28.000001, 30.0, 1e15, -1e15)
OFFSETS = (0.0, 0.0, 0.0, 1.0, -1.0, 30.0, -30.0, 0.5)
OPERATORS: tuple[Operator, ...] = get_args(Operator)
ORDER = ("less than", "at most", "at least", "more than")
# Field -> what its values usually are; "mixed" is anything.
FIELDS = {"class": "text", "ingredient": "text", "start": "number", "end": "number", "draft": "truth", "mixed": "mixed"}


def some_value(rng: Random, usual: str) -> Scalar:
    """A value for a field; one in twenty is of another type than usual."""
    if usual == "mixed" or rng.random() < 0.05:
        usual = rng.choice(("text", "number", "truth"))
    if usual == "truth":
        return rng.random() < 0.5
    if usual == "number":
        return rng.choice(NUMBERS)
    return rng.choice(TEXTS[:3]) if rng.random() < 0.6 else rng.choice(TEXTS)


def some_field(rng: Random, usual: str) -> str:
    """A field with values of this type."""
    return rng.choice([name for name, of in FIELDS.items() if of == usual] or list(FIELDS))


def some_comparison(rng: Random, own: str, above: Sequence[Pattern], line: int) -> Comparison:
    """A comparison on a fact bound as `own`, with a constant, an own field or a field bound above."""
    operator = rng.choices(OPERATORS, (5, 2, 1, 1, 1, 1))[0]
    ordered = operator in ORDER
    field = some_field(rng, "number") if ordered and rng.random() < 0.9 else rng.choice(list(FIELDS))
    usual = FIELDS[field]
    if above and rng.random() < 0.85:
        return Comparison(field, operator, some_ref(rng, rng.choice(above).binding, field, usual), line)
    if rng.random() < 0.1:
        return Comparison(field, operator, some_ref(rng, own, field, usual), line)
    return Comparison(field, operator, some_value(rng, usual), line)


def some_ref(rng: Random, binding: str, field: str, usual: str) -> FieldRef:
    """A reference to a field that can be compared with `field`, mostly."""
    other = field if rng.random() < 0.6 else some_field(rng, usual)
    return FieldRef(binding, other, rng.choice(OFFSETS) if usual in ("number", "mixed") else 0.0)


def some_pattern(rng: Random, binding: str, above: Sequence[Pattern], *, group: bool, line: int) -> Pattern:
    """A pattern of a random kind with up to three comparisons."""
    # The kind of an earlier pattern half of the time: only then does distinctness matter.
    kind = rng.choice(above).kind if above and rng.random() < 0.5 else rng.choice(KINDS)
    joinable = [pattern for pattern in above if pattern.at_least is None]
    count = rng.choices((0, 1, 2, 3), (1, 9, 7, 2))[0]
    where = tuple(some_comparison(rng, binding, joinable, line + 1 + number) for number in range(count))
    return Pattern(binding, kind, where, rng.choice((1, 2, 2, 3)) if group else None, line)


def some_rule(rng: Random, name: str) -> RuleSpec:
    """A rule of up to three patterns and two absences."""
    patterns: list[Pattern] = []
    for number in range(rng.choices((0, 1, 2, 3), (1, 4, 20, 6))[0]):
        group = rng.random() < 0.2
        patterns.append(some_pattern(rng, f"p{number}", patterns, group=group, line=10 * number + 10))
    unless = tuple(
        some_pattern(rng, f"u{number}", patterns, group=rng.random() < 0.12, line=10 * number + 100)
        for number in range(rng.choices((0, 1, 2), (3, 6, 2))[0])
    )
    return RuleSpec(name, tuple(patterns), unless)


def some_ruleset(rng: Random) -> list[RuleSpec]:
    """One to four rules; one ruleset in fourteen is large, so that it is cut into shards (DR13)."""
    if rng.random() < 0.07:
        rules = [_wide_rule(rng), *(some_rule(rng, f"r{number}") for number in range(2))]
        return [*rules, *(_small_rule(rng, number) for number in range(230))]
    return [some_rule(rng, f"r{number}") for number in range(rng.choice((1, 2, 2, 3, 4)))]


def _small_rule(rng: Random, number: int) -> RuleSpec:
    pattern = Pattern("p0", rng.choice(KINDS), (some_comparison(rng, "p0", (), 11),), line=10)
    return RuleSpec(f"s{number}", (pattern,))


def _wide_rule(rng: Random) -> RuleSpec:
    """As many patterns as durable-rules can bind, each with its own constant so that few facts fit."""
    patterns = [
        Pattern(f"p{number}", KINDS[number % 4], (Comparison("ingredient", "is", f"w{number}"),), line=number)
        for number in range(15)
    ]
    return RuleSpec("wide", tuple(patterns))


def _readable(number: float) -> bool:
    return not number or 1e-4 <= abs(number) <= 1e15


class Planter:
    """Makes the facts of one check."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.facts: list[Fact] = []

    def add(self, kind: str, fields: dict[str, Scalar]) -> Fact:
        """Add a fact; refs are not in the order of the facts, and not of one length.

        Numbers that durable-rules cannot read (DR3) are left out: a test of its own shows that it says so.
        """
        fields = {name: value for name, value in fields.items() if isinstance(value, str) or _readable(value)}
        fact = Fact(kind, f"{self._rng.choice('xyz')}{len(self.facts)}", fields)
        self.facts.append(fact)
        return fact

    def stray(self) -> None:
        """Add a fact made for no rule, sometimes without any field (DR3)."""
        rng = self._rng
        present = rng.choice((0.0, 0.5, 0.8, 1.0))
        names = [name for name in FIELDS if rng.random() < present]
        self.add(rng.choice(KINDS), {name: some_value(rng, FIELDS[name]) for name in names})

    def plant(self, pattern: Pattern, bound: dict[str, Fact]) -> Fact:
        """Add a fact that likely satisfies a pattern: the first of some tries that does, else the last."""
        rng = self._rng
        fields: dict[str, Scalar] = {}
        for _ in range(8):
            fields = {name: some_value(rng, usual) for name, usual in FIELDS.items() if rng.random() < 0.9}
            for comparison in sorted(pattern.where, key=lambda c: c.operator != "is"):
                self._satisfy(comparison, pattern, fields, bound)
            if naive.satisfies(Fact(pattern.kind, "", fields), pattern, bound):
                break
        if fields and rng.random() < 0.06:
            del fields[rng.choice(list(fields))]  # DR7: a field that a comparison may need is missing
        return self.add(pattern.kind, fields)

    def _satisfy(self, wanted: Comparison, pattern: Pattern, fields: dict[str, Scalar], bound: dict[str, Fact]) -> None:
        rng = self._rng
        value: Any = wanted.value
        if isinstance(value, FieldRef):
            source = fields if value.binding == pattern.binding else getattr(bound.get(value.binding), "fields", {})
            other = source.get(value.field)
            number = isinstance(other, int | float) and not isinstance(other, bool)
            value = other + value.offset if number and other is not None else other
        if value is None:
            return
        if wanted.operator == "is":
            fields[wanted.field] = value
        elif wanted.operator in ORDER and not isinstance(value, str | bool):
            step = rng.choice((0.0, 0.0, 1.0, 1.0, 7.0))  # 0: at the bound
            away = -step if wanted.operator in ("less than", "at most") else step
            fields[wanted.field] = value + away

    def plant_rule(self, spec: RuleSpec) -> None:
        """Add what a rule needs, a group one short, just enough or one over, and now and then what silences it."""
        rng = self._rng
        bound: dict[str, Fact] = {}
        for pattern in spec.patterns:
            if pattern.at_least is None:
                bound[pattern.binding] = self.plant(pattern, bound)
            else:
                for _ in range(pattern.at_least + rng.choice((-1, 0, 0, 1))):
                    self.plant(pattern, bound)
        for pattern in spec.unless:
            if rng.random() < 0.4:
                for _ in range((pattern.at_least or 1) + rng.choice((-1, 0, 0, 0)) * bool(pattern.at_least)):
                    self.plant(pattern, bound)


def some_facts(rng: Random, specs: Sequence[RuleSpec]) -> list[Fact]:
    """Up to about fifteen facts in random order, made for one or two of the rules."""
    planter = Planter(rng)
    for spec in rng.sample(specs[:4], k=min(len(specs), rng.choice((0, 1, 2, 2, 3, 3)))):
        planter.plant_rule(spec)
    for _ in range(rng.choice((0, 1, 2, 4))):
        planter.stray()
    rng.shuffle(planter.facts)
    return planter.facts
