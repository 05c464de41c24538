"""Rule specifications compiled for durable-rules, on the subset that gives right answers (DR1 to DR13).

The result is plain data: it goes to the child process, which alone loads the C module.

How a fact looks to durable-rules. Every field that a rule reads becomes up to three properties, none ever absent:
`t<n>` the value as text with its type in front ("s:abc", "b:true", "n:30.0"), `y<n>` the type ("s", "b", "n"), and
`v<n>` the number (0.0 for anything else). What is not known is "?". So text never meets a number, which durable-rules
would compare by their spelling, and an absent property never aborts a batch (DR7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cds.engine.checks import check_specs
from cds.engine.durable_limits import (
    PROPERTIES_A_FACT,
    NamedRule,
    between_fields,
    check_number,
    check_text,
    cut_into_rulesets,
    fnv32,
)
from cds.engine.durable_text import UNKNOWN, as_text, type_letter
from cds.errors import EngineError
from cds.model import Comparison, FieldRef, Operator, Pattern, RuleSpec

Test = dict[str, Any]
Rule = dict[str, Any]

_ORDER: Final[dict[Operator, str]] = {
    "less than": "$lt",
    "at most": "$lte",
    "at least": "$gte",
    "more than": "$gt",
}
_GO: Final[dict[str, Test]] = {"go": {"$go": 1}}
_CAP: Final = 65_535  # DR11: all results of a rule in one go, never `count`
_PATTERNS: Final = 15  # DR13: a frame holds 16 messages, one of them is `go`
_JOINED_TESTS: Final = 28  # DR13: 32 places in a sequence, less `$and`, its end, the tail of DR5 and one kept free


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """How the frames of a query become groups. keys: the places of the single patterns in its frames."""

    query: str
    keys: tuple[int, ...]
    at_least: int


@dataclass(frozen=True, slots=True)
class SpecPlan:
    """How the frames of a specification become matches; None as `main` for one that can never match."""

    main: str | None
    singles: int
    groups: tuple[GroupPlan, ...]
    unless: tuple[GroupPlan, ...]
    order: tuple[tuple[bool, int], ...]


@dataclass(frozen=True, slots=True)
class Program:
    """All that the child needs, ready for JSON.

    kinds: fact kind -> its code; fields: fact kind -> [field, text property, type property, number property], "" for
    one that no rule reads; rulesets: durable-rules' own JSON, one for each shard.
    """

    kinds: Mapping[str, str]
    fields: Mapping[str, tuple[tuple[str, str, str, str], ...]]
    rulesets: tuple[str, ...]
    plans: tuple[SpecPlan, ...]


def compile_program(specs: Sequence[RuleSpec]) -> Program:
    """Compile specifications; the plans stand in their order.

    Raises EngineError when one has no meaning, or exceeds what durable-rules can hold (DR13).
    """
    check_specs(specs)
    compiler = _Compiler()
    plans = tuple(compiler.compile(number, spec) for number, spec in enumerate(specs))
    compiler.names.check_properties()
    rulesets = (
        orjson.dumps(shard).decode() for shard in cut_into_rulesets(compiler.rules)
    )  # DR10: one encoder for both sides
    return Program(compiler.names.kinds, compiler.names.fields(), tuple(rulesets), plans)


class _Names:
    """Short property names: durable-rules knows them by a 32-bit hash only, so none may collide (DR9)."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._used: dict[str, dict[str, set[str]]] = {}
        self._hashes = {fnv32(name) for name in ("id", "sid", "$s", "$go", "k", "o")}

    def kind(self, kind: str) -> str:
        return self.kinds.setdefault(kind, f"k{len(self.kinds)}")

    def property(self, kind: str, name: str, channel: str) -> str:
        """Name one property of a field (channel: t, y or v) and remember that facts of this kind must carry it."""
        self._used.setdefault(kind, {}).setdefault(name, set()).add(channel)
        if name not in self._numbers:
            number = max(self._numbers.values(), default=-1) + 1
            while {fnv32(f"{letter}{number}") for letter in "tyv"} & self._hashes:
                number += 1
            self._hashes |= {fnv32(f"{letter}{number}") for letter in "tyv"}
            self._numbers[name] = number
        return f"{channel}{self._numbers[name]}"

    def fields(self) -> dict[str, tuple[tuple[str, str, str, str], ...]]:
        def row(name: str, channels: set[str]) -> tuple[str, str, str, str]:
            text, letter, number = (f"{c}{self._numbers[name]}" if c in channels else "" for c in "tyv")
            return name, text, letter, number

        return {kind: tuple(row(*item) for item in used.items()) for kind, used in self._used.items()}

    def check_properties(self) -> None:
        for kind, used in self._used.items():
            count = sum(map(len, used.values()))
            if count > PROPERTIES_A_FACT:
                raise EngineError(
                    f"fact kind {kind}: rules read too many fields for durable-rules ({count} properties)"
                )


@dataclass(slots=True)
class _Compiler:
    names: _Names = field(default_factory=_Names)
    rules: list[NamedRule] = field(default_factory=list)

    def compile(self, number: int, spec: RuleSpec) -> SpecPlan:
        singles = [pattern for pattern in spec.patterns if pattern.at_least is None]
        if len(singles) + (len(singles) < len(spec.patterns)) > _PATTERNS:
            raise EngineError(f"rule {spec.id}: durable-rules binds at most {_PATTERNS} patterns in a rule")
        places = {pattern.binding: place for place, pattern in enumerate(singles)}
        kinds = {pattern.binding: pattern.kind for pattern in singles}
        order = _order(spec.patterns)
        never = SpecPlan(None, len(singles), (), (), order)

        patterns: list[Test] = []
        tests: dict[str, Test] = {}
        for pattern in singles:
            made = self._pattern(spec, pattern, places, kinds)
            if made is None:
                return never
            tests[pattern.binding] = {f"p{places[pattern.binding]}": made}
            patterns.append(tests[pattern.binding])
        silencers: list[Test] = []
        for pattern in spec.unless:
            made = self._pattern(spec, pattern, places, kinds) if pattern.at_least is None else None
            if made is not None:
                silencers.append({f"u{len(silencers)}$not": made})
        groups: list[GroupPlan] = []
        unless: list[GroupPlan] = []
        queries: list[tuple[str, Rule]] = []
        for pattern in (*spec.patterns, *spec.unless):
            if pattern.at_least is None:
                continue
            silences = any(pattern is other for other in spec.unless)
            made = self._pattern(spec, pattern, places, kinds)
            if made is None:
                if silences:
                    continue
                return never
            into = unless if silences else groups
            used = _needed(pattern, singles)
            keys = tuple(place for binding, place in places.items() if binding in used)
            into.append(GroupPlan(f"{'u' if silences else 'g'}{number}_{len(into)}", keys, pattern.at_least))
            bound = [test for binding, test in tests.items() if binding in used]
            queries.append((into[-1].query, _rule([*bound, {"g": made}])))
        main = f"m{number}"
        # DR2: absences come after everything they refer to, and are only looked at when `go` arrives.
        self.rules += [(main, _rule([*patterns, *silencers])), *queries]
        return SpecPlan(main, len(singles), tuple(groups), tuple(unless), order)

    def _pattern(
        self, spec: RuleSpec, pattern: Pattern, places: Mapping[str, int], kinds: Mapping[str, str]
    ) -> Test | None:
        """The test of one pattern; None when no fact can pass it.

        Equalities with constants come first, sorted, so that rules share them and the stack of DR13 stays low.
        """
        equal: list[Test] = [{"k": self.names.kind(pattern.kind)}]
        own: list[Test] = []
        joins: list[Test] = []
        for comparison in pattern.where:
            where = f"rule {spec.id}, line {comparison.line}"
            ref = comparison.value
            if isinstance(ref, FieldRef):
                mine = ref.binding == pattern.binding
                side = "$m" if mine else f"p{places[ref.binding]}"
                other = pattern.kind if mine else kinds[ref.binding]
                check_number(ref.offset, where)
                guards, tests = self._pair(pattern.kind, comparison, ref, side, other)
                (own if any("$" in next(iter(guard)) for guard in guards) else equal).extend(guards)
                (own if mine else joins).extend(tests)
                continue
            made = self._constant(pattern.kind, comparison, where)
            if made is None:
                return None
            equal += made[0]
            own += made[1]
        if len(joins) > _JOINED_TESTS:
            raise EngineError(f"rule {spec.id}, {pattern.binding}: too many joined comparisons for durable-rules")
        if joins:
            # DR5: a false last comparison of an `$and` reads past its end; so the last one is always true.
            joins.append({"$gte": {"o": {"go": "o"}}})
        return {"$and": [equal[0], *_sorted(equal[1:]), *_stable(own), *joins]}

    def _constant(self, kind: str, comparison: Comparison, where: str) -> tuple[list[Test], list[Test]] | None:
        """Equality and other tests with a constant (DR8: as text with its type, so 1 and 1.0 are one)."""
        value = comparison.value
        assert not isinstance(value, FieldRef)
        name = comparison.field
        if comparison.operator in _ORDER:
            if isinstance(value, str | bool):
                return None
            check_number(value, where)
            letter = {self.names.property(kind, name, "y"): "n"}
            return [letter], [{_ORDER[comparison.operator]: {self.names.property(kind, name, "v"): float(value)}}]
        check_text(value, where)
        text = {self.names.property(kind, name, "t"): as_text(value)}
        if comparison.operator == "is":
            return [text], []
        return [{self.names.property(kind, name, "y"): type_letter(value)}], [{"$neq": text}]

    def _pair(
        self, kind: str, comparison: Comparison, ref: FieldRef, side: str, other: str
    ) -> tuple[list[Test], list[Test]]:
        """Guards on the own fact and tests between two fields, `side` naming the other fact ("$m" for the same one).

        The type of both sides is compared first: numbers with numbers, and the unknown, guarded here, with nothing.
        """

        def mine(channel: str) -> str:
            return self.names.property(kind, comparison.field, channel)

        def theirs(channel: str) -> Test:
            return {side: self.names.property(other, ref.field, channel)}

        if comparison.operator in _ORDER or ref.offset:
            right: Test = theirs("v")
            if ref.offset:
                right = {"$add": {"$l": right, "$r": float(ref.offset)}}
            # `is` as two bounds: an equality would be hashed by its spelling, where -0.0 is not 0.0 (DR8).
            operators = {"is": ["$gte", "$lte"], "is not": ["$neq"]}.get(
                comparison.operator, [_ORDER.get(comparison.operator, "")]
            )
            tests = [{operator: {mine("v"): right}} for operator in operators]
            return [{mine("y"): "n"}], [{mine("y"): theirs("y")}, *tests]
        known = {"$neq": {mine("t"): UNKNOWN}}  # DR7: an absent field is no match, on either side
        if comparison.operator == "is":
            return [known], [{mine("t"): theirs("t")}]
        return [known], [{mine("y"): theirs("y")}, {"$neq": {mine("t"): theirs("t")}}]


def _order(patterns: Sequence[Pattern]) -> tuple[tuple[bool, int], ...]:
    counts = {False: 0, True: 0}
    order: list[tuple[bool, int]] = []
    for pattern in patterns:
        grouped = pattern.at_least is not None
        order.append((grouped, counts[grouped]))
        counts[grouped] += 1
    return tuple(order)


def _rule(patterns: Iterable[Test]) -> Rule:
    # `dist` 0: distinctness is ours to decide, durable-rules would apply it to absences too.
    return {"all": [_GO, *patterns], "cap": _CAP, "dist": 0}


def _needed(pattern: Pattern, singles: Sequence[Pattern]) -> set[str]:
    """The bindings that a group refers to, and those that these refer to in turn."""
    by_name = {single.binding: single for single in singles}
    needed: set[str] = set()
    waiting = [pattern]
    while waiting:
        for comparison in waiting.pop().where:
            ref = comparison.value
            if isinstance(ref, FieldRef) and ref.binding in by_name and ref.binding not in needed:
                needed.add(ref.binding)
                waiting.append(by_name[ref.binding])
    return needed


def _sorted(tests: Iterable[Test]) -> list[Test]:
    unique = {orjson.dumps(test, option=orjson.OPT_SORT_KEYS): test for test in tests}
    return [unique[key] for key in sorted(unique)]


def _stable(tests: Sequence[Test]) -> list[Test]:
    """Tests with constants before tests between fields, without repetition."""
    return _sorted(test for test in tests if not between_fields(test)) + [t for t in tests if between_fields(t)]
