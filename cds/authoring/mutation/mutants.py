"""The mutants of a rule: what its author could have written instead, one small thing at a time.

Compiled rules are changed, not text; only a parameter is set before compiling, for it may decide whether a comparison
or a pattern is there at all. Texts, sources and suggestions are left alone: a mutant decides otherwise or it is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from cds.authoring.mutation.steps import SHARED, Side, step
from cds.engine.checks import check_specs
from cds.errors import EngineError
from cds.model import Comparison, FieldRef, Indicator, Operator, Pattern, RuleSpec
from cds.rules.compilation import Compilation
from cds.rules.compile import compile_rule
from cds.rules.model import Level, Parameter, Rule, RuleSet
from cds.rules.source import Source
from cds.rules.vocabulary import UNITS, vocabulary

Role = Literal["when", "unless", "lower_one_level_if"]
_OTHER_BOUND: Final[Mapping[Operator, tuple[Operator, str]]] = {
    "at least": ("more than", "exclusive bound"),
    "at most": ("less than", "exclusive bound"),
    "more than": ("at least", "inclusive bound"),
    "less than": ("at most", "inclusive bound"),
}
_NEIGHBOUR: Final[Mapping[Indicator, Indicator]] = {"info": "warning", "warning": "info", "critical": "warning"}
_SIDES: Final[tuple[tuple[Side, int], ...]] = (("down", -1), ("up", 1))
# Of whole numbers "at least 28" made exclusive is "at least 29": that step would be the same mutant again.
_WHOLE: Final = frozenset({"date", "days", "years", "score"})
_SAME_AS_OTHER_BOUND: Final[Mapping[Operator, Side]] = {
    "at least": "up",
    "at most": "down",
    "more than": "down",
    "less than": "up",
}
_WORD = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. wording: in the rule's words; at: "level/binding", or "binding" where every level has it.

    rule: the changed rule; None where the facts alone change. shared: the shared parameters, where one of them is
    the change.
    """

    wording: str
    line: int
    at: str
    rule: Rule | None
    shared: Mapping[str, Parameter] | None = None
    parameter: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.wording}" if self.line else self.wording


Edit = Callable[[Role, Pattern], Pattern | None]


def mutants_of(rule: Rule, shared: Mapping[str, Parameter], source: Source) -> list[Mutant]:
    """Every mutant of a rule, by line; of several with one meaning the first.

    shared: the parameters that rules share. source: the rule's file.
    """
    found: list[Mutant] = []
    seen = {_meaning(rule)}
    for mutant in (
        *_parameters(rule, shared, source),
        *_patterns(rule),
        *_comparisons(rule, shared),
        *_levels(rule, source),
    ):
        assert mutant.rule is not None
        meaning = _meaning(mutant.rule)
        if meaning not in seen:
            seen.add(meaning)
            found.append(mutant)
    return sorted(found, key=lambda m: m.line)


def _meaning(rule: Rule) -> tuple[object, ...]:
    """What a rule decides with. Two mutants with one meaning are one."""
    return tuple(
        (
            lv.spec,
            lv.indicator,
            lv.hooks,
            lv.needs,
            rule.needs,
            tuple(low.spec for low in lv.lowerings),
        )
        for lv in rule.levels
    )


def _parameters(rule: Rule, shared: Mapping[str, Parameter], source: Source) -> Iterator[Mutant]:
    for name, parameter in rule.parameters.items():
        line = source.at(("parameters", name), key=True)[0]
        for other in neighbours(rule.id, parameter):
            changed = recompiled(source, shared, {name: other})
            if changed is not None:
                yield Mutant(f"{name}: {shown(parameter)} -> {shown(other)}", line, "", changed, parameter=name)


def recompiled(source: Source, shared: Mapping[str, Parameter], replaced: Mapping[str, Parameter]) -> Rule | None:
    """The rule of a file with some of its parameters replaced; None when it does not compile so."""
    compilation = Compilation(source, vocabulary(), shared, replaced=replaced)
    rule = compile_rule(compilation)
    return None if compilation.problems else rule


def neighbours(owner: str, parameter: Parameter) -> Iterator[Parameter]:
    """The values next to a parameter's; below 0 there is none. owner: rule id or SHARED."""
    if isinstance(parameter.value, bool):
        yield replace(parameter, value=not parameter.value)
        return
    for side, sign in _SIDES:
        value = parameter.value + sign * step(owner, parameter.name, side)
        if value >= 0:
            yield replace(parameter, value=value)


def shown(parameter: Parameter) -> str:
    """A parameter's value as a rule file has it."""
    if isinstance(parameter.value, bool):
        return str(parameter.value).lower()
    return f"{parameter.value:g} {parameter.unit}".strip()


def _rewritten(rule: Rule, edit: Edit) -> Rule | None:
    """The rule with every pattern edited (None leaves it out); None when that has no meaning."""
    levels = []
    for level in rule.levels:
        if level.spec is None:
            levels.append(level)
            continue
        spec = _edited(level.spec, edit)
        lowerings = []
        for low in level.lowerings:
            last = edit("lower_one_level_if", low.spec.patterns[-1])
            if last is not None:
                patterns = (*spec.patterns, last)
                same = spec is level.spec and last is low.spec.patterns[-1]
                lowerings.append(low if same else replace(low, spec=RuleSpec(low.spec.id, patterns, spec.unless)))
        if spec is level.spec and all(a is b for a, b in zip(lowerings, level.lowerings, strict=False)):
            levels.append(
                replace(level, lowerings=tuple(lowerings)) if len(lowerings) < len(level.lowerings) else level
            )
        else:
            levels.append(replace(level, spec=spec, lowerings=tuple(lowerings)))
        if not spec.patterns:
            return None
    changed = replace(rule, levels=tuple(levels))
    try:
        check_specs(RuleSet((changed,), {}, "").specs)
    except EngineError:
        return None
    return changed


def _edited(spec: RuleSpec, edit: Edit) -> RuleSpec:
    patterns = tuple(p for old in spec.patterns if (p := edit("when", old)) is not None)
    unless = tuple(p for old in spec.unless if (p := edit("unless", old)) is not None)
    same = len(patterns) == len(spec.patterns) and len(unless) == len(spec.unless)
    if same and all(a is b for a, b in zip((*patterns, *unless), (*spec.patterns, *spec.unless), strict=True)):
        return spec
    return RuleSpec(spec.id, patterns, unless)


def patterns_by_role(level: Level) -> Iterator[tuple[Role, Pattern]]:
    """Every pattern of a level, gates included."""
    if level.spec is not None:
        yield from (("when", p) for p in level.spec.patterns)
        yield from (("unless", p) for p in level.spec.unless)
        yield from (("lower_one_level_if", low.spec.patterns[-1]) for low in level.lowerings)


def _places(rule: Rule) -> dict[tuple[Role, str, int], list[str]]:
    """(role, binding, line) of each pattern with the levels that have it."""
    found: dict[tuple[Role, str, int], list[str]] = {}
    for level in rule.levels:
        for role, p in patterns_by_role(level):
            found.setdefault((role, p.binding, p.line), []).append(level.name)
    return found


def place(levels: list[str], rule: Rule, binding: str) -> str:
    """Where a pattern or comparison stands: "level/binding", or "binding" where it is of several levels."""
    return binding if len(levels) > 1 or len(rule.levels) == 1 else f"{levels[0]}/{binding}"


def _patterns(rule: Rule) -> Iterator[Mutant]:
    for (role, binding, line), levels in _places(rule).items():
        one = next(
            p for lv in rule.levels for r, p in patterns_by_role(lv) if (r, p.binding, p.line) == (role, binding, line)
        )

        def matching(r: Role, p: Pattern, key: tuple[Role, str, int] = (role, binding, line)) -> bool:
            return (r, p.binding, p.line) == key

        gate = one.kind == "gate" and not line
        changed = _rewritten(rule, lambda r, p, m=matching: None if m(r, p) else p)  # type: ignore[misc]
        if changed is not None:
            words = (
                f'drop silenced_by "{binding.removeprefix("gate_")}"'
                if gate
                else f'drop {role} "{binding}: {one.kind}"'
            )
            yield Mutant(words, line, "" if gate else place(levels, rule, binding), changed)
        if one.at_least is not None:
            for number in (one.at_least - 1, one.at_least + 1):
                if number < 1:
                    continue
                counted = _rewritten(
                    rule,
                    lambda r, p, m=matching, n=number: replace(p, at_least=n) if m(r, p) else p,  # type: ignore[misc]
                )
                if counted is not None:
                    words = f'"count: at least {one.at_least}" -> at least {number}'
                    yield Mutant(words, line, place(levels, rule, binding), counted)


def _comparisons(rule: Rule, shared: Mapping[str, Parameter]) -> Iterator[Mutant]:
    sites: dict[tuple[Role, str, Comparison], list[str]] = {}
    kinds: dict[tuple[Role, str, Comparison], str] = {}
    for level in rule.levels:
        for role, p in patterns_by_role(level):
            for c in p.where:
                if c.line:  # a gate's own comparison stands in no file
                    sites.setdefault((role, p.binding, c), []).append(level.name)
                    kinds[role, p.binding, c] = p.kind
    for (role, binding, c), levels in sites.items():
        for words, other in _instead(rule, shared, kinds[role, binding, c], c):

            def edit(
                r: Role,
                p: Pattern,
                key: tuple[Role, str, Comparison] = (role, binding, c),
                new: Comparison | None = other,
            ) -> Pattern:
                if (r, p.binding) != key[:2] or key[2] not in p.where:
                    return p
                where = (new if old == key[2] else old for old in p.where)
                return replace(p, where=tuple(w for w in where if w is not None))

            changed = _rewritten(rule, edit)
            if changed is not None:
                yield Mutant(words, c.line, place(levels, rule, binding), changed)


def _instead(
    rule: Rule, shared: Mapping[str, Parameter], kind: str, c: Comparison
) -> Iterator[tuple[str, Comparison | None]]:
    """What could stand in a comparison's place: nothing, the other kind of bound, a bound one unit away."""
    yield f'drop "{c.text}"', None
    if c.operator in _OTHER_BOUND:
        operator, words = _OTHER_BOUND[c.operator]
        yield f'"{c.text}" -> {words}', replace(c, operator=operator)
    known = vocabulary().field(kind, c.field)
    if known is None or (known.type != "date" and known.type not in UNITS):
        return
    unit = "d" if known.type == "date" else UNITS[known.type]
    for side, sign in _SIDES:
        size = _step_of(rule, shared, c.text, side)
        if known.type in _WHOLE and size == 1 and _SAME_AS_OTHER_BOUND.get(c.operator) == side:
            continue
        by = sign * size
        value: float | FieldRef
        if isinstance(c.value, FieldRef):
            if c.operator == "is" and not c.value.offset:
                continue
            value = replace(c.value, offset=c.value.offset + by)
        else:
            value = float(c.value) + by
        yield f'"{c.text}" -> {"+" if sign > 0 else "-"} {size:g} {unit}'.rstrip(), replace(c, value=value)


def _step_of(rule: Rule, shared: Mapping[str, Parameter], text: str, side: Side) -> float:
    """The step of the parameter that a comparison names, else 1."""
    for word in _WORD.findall(text.partition(" is ")[2]):
        if word in rule.parameters:
            return step(rule.id, word, side)
        if word in shared:
            return step(SHARED, word, side)
    return 1.0


def _levels(rule: Rule, source: Source) -> Iterator[Mutant]:
    for n, level in enumerate(rule.levels):
        other = _NEIGHBOUR[level.indicator]
        line = source.at(("levels", n, "indicator"))[0]
        yield Mutant(f"indicator {level.indicator} -> {other}", line, level.name, _with_level(rule, n, indicator=other))


def _with_level(rule: Rule, n: int, *, indicator: Indicator) -> Rule:
    levels = list(rule.levels)
    levels[n] = replace(levels[n], indicator=indicator)
    return replace(rule, levels=tuple(levels))
