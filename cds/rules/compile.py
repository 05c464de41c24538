"""A parsed rule file to a Rule with engine-neutral specifications. Gathers every problem, not only the first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from cds.errors import RuleError
from cds.model import Comparison, Pattern, RuleSpec
from cds.rules.grammar import Folded, GrammarError, Scope, quantity, read_comparison
from cds.rules.model import Card, Level, Lowering, Needs, Parameter, Rule
from cds.rules.schema import NeedsShape, RuleShape
from cds.rules.source import Source
from cds.rules.suggestions import suggestion_problems
from cds.rules.vocabulary import Vocabulary, nearest

_RESERVED = frozenset({"where", "count", "because"})
_COUNT = re.compile(r"^at least (\d+)$")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")
_BINDING = re.compile(r"^[a-z][a-z0-9_]*$")
_MOST_COUNTED = 1000
_THING = re.compile(r"^[a-z]+$")
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")
_UNSOURCED = frozenset({"V", "U", "P"})
# Pydantic's error types to the codes of this linter.
_CODES = {"extra_forbidden": "R001", "missing": "R003", "literal_error": "R011", "string_pattern_mismatch": "R010"}


@dataclass(slots=True)
class Compiler:
    """State of one file's compilation."""

    source: Source
    vocabulary: Vocabulary
    shared: Mapping[str, Parameter]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    problems: list[RuleError] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def problem(self, path: Sequence[str | int], code: str, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(self.source.error(path, code, message, hint, key=key))

    def rule(self) -> Rule | None:
        """The compiled rule; None when the shape alone is wrong. Look at `problems` either way."""
        try:
            shape = RuleShape.model_validate(self.source.data)
        except ValidationError as error:
            self._shape_problems(error)
            return None
        self.parameters = {
            name: parameter
            for name, body in shape.parameters.items()
            if (parameter := self.parameter(name, body.model_dump(), ("parameters", name))) is not None
        }
        for name in self.overrides:
            if name not in shape.parameters:
                self.problem(
                    ("parameters",),
                    "R032",
                    f'the site sets "{name}", which this rule does not have',
                    nearest(name, shape.parameters),
                )
        self._sources(shape)
        hooks = frozenset(shape.hooks)
        levels = [self._level(shape, n, hooks) for n in range(len(shape.levels))]
        self._texts(shape)
        for name in shape.parameters:
            if name not in self.used:
                self.problem(
                    ("parameters", name),
                    "R140",
                    f'parameter "{name}" is never used',
                    "remove it, or use it in a comparison",
                    key=True,
                )
        source = next((s for s in shape.sources if s.id == shape.card.source), shape.sources[0])
        return Rule(
            id=shape.id,
            spec=shape.spec,
            version=shape.version,
            status=shape.status,
            title=shape.title,
            rank=shape.rank,
            hooks=hooks,
            needs=_needs(shape.needs),
            levels=tuple(levels),
            card=Card(
                source.cite,
                source.url,
                shape.card.evidence,
                tuple(shape.card.facts),
                tuple(shape.card.options),
                tuple(shape.card.override_reasons),
                tuple(shape.card.suggestions),
            ),
            parameters=self.parameters,
            path=self.source.path,
            signed_off=bool(shape.clinical_review),
        )

    def _shape_problems(self, error: ValidationError) -> None:
        for item in error.errors():
            path = [p for p in item["loc"] if not (isinstance(p, str) and p.startswith("function-"))]
            code = _CODES.get(item["type"], "R004")
            name = path[-1] if path else ""
            message, hint = f"{'.'.join(map(str, path))}: {item['msg']}", ""
            if code == "R001":
                known = [f.alias or n for n, f in RuleShape.model_fields.items()] if len(path) == 1 else []
                message, hint = f'unknown key "{name}"', nearest(str(name), known) if known else "remove it"
            elif code == "R011":
                given = item.get("input")
                allowed = re.findall(r"'([^']+)'", str(item.get("ctx", {}).get("expected", "")))
                message, hint = f'{name} "{given}" is not one of {", ".join(allowed)}', nearest(str(given), allowed)
            elif code == "R010" and name == "version":
                message, hint = f'version "{item.get("input")}" is not MAJOR.MINOR.PATCH', 'quote it: "1.0.0"'
            elif code == "R003":
                message = f'key "{name}" is missing'
            self.problem(path, code, message, hint, key=code == "R001")

    def parameter(self, name: str, body: Mapping[str, Any], path: Sequence[str | int]) -> Parameter | None:
        """Read one parameter; a site's override takes its place when it is inside the range."""
        value = body["value"]
        if isinstance(value, bool):
            given = self.overrides.get(name, value)
            if not isinstance(given, bool):
                self.problem(path, "R122", f"the site's {name}: {given} is not a truth value", "write true or false")
                return None
            return Parameter(name, given, "", None, None, body["source"], body["why"], body.get("spec", ""))
        try:
            number, unit = quantity(str(value))
            if not body["range"]:
                self.problem(path, "R021", f'parameter "{name}" has no range', "write range: 14 d to 30 d")
                return None
            low_text, _, high_text = str(body["range"]).partition(" to ")
            (low, low_unit), (high, high_unit) = quantity(low_text), quantity(high_text)
        except GrammarError as error:
            self.problem((*path, "value"), error.code, f"parameter {name}: {error}", error.hint)
            return None
        if not unit == low_unit == high_unit or not low <= number <= high:
            self.problem(
                (*path, "range"),
                "R133",
                f"parameter {name}: {value} is not within {body['range']}",
                "value and range in one unit",
            )
            return None
        if name in self.overrides:
            try:
                given_number, given_unit = quantity(str(self.overrides[name]))
            except GrammarError:
                given_number, given_unit = 0.0, "not a quantity"
            if given_unit != unit or not low <= given_number <= high:
                self.problem(
                    path,
                    "R133",
                    f"the site's {name}: {self.overrides[name]} is not within {body['range']}",
                    "see the rule's range",
                )
            else:
                number = given_number
        return Parameter(name, number, unit, low, high, body["source"], body["why"], body.get("spec", ""))

    def _sources(self, shape: RuleShape) -> None:
        ids = {s.id for s in shape.sources}
        for name, body in shape.parameters.items():
            if body.source not in ids | _UNSOURCED:
                self.problem(
                    ("parameters", name, "source"),
                    "R021",
                    f'parameter "{name}" names no source of this rule',
                    nearest(body.source, ids | _UNSOURCED),
                )
        if shape.card.source not in ids:
            self.problem(
                ("card", "source"),
                "R021",
                f'"{shape.card.source}" is not a source of this rule',
                nearest(shape.card.source, ids),
            )

    # patterns ------------------------------------------------------------------------------------------------------

    def _level(self, shape: RuleShape, n: int, hooks: frozenset[str]) -> Level:
        level = shape.levels[n]
        path: tuple[str | int, ...] = ("levels", n)
        bound: dict[str, str] = {}
        common = self._patterns(shape.when, ("when",), bound)
        own = self._patterns(level.when, (*path, "when"), bound, narrows=True)
        gates = [
            Pattern(f"gate_{name}", "gate", (Comparison("name", "is", name),)) for name in sorted(shape.silenced_by)
        ]
        unless = [
            *self._patterns(shape.unless, ("unless",), bound, stands_alone=True),
            *self._patterns(level.unless, (*path, "unless"), bound, stands_alone=True),
        ]
        spec_id = f"{shape.id}#{level.name}"
        patterns = _narrowed([*(common or []), *(own or [])]) if common is not None and own is not None else None
        if not (patterns or shape.when or level.when):
            self.problem(path, "R161", f'level "{level.name}" has no pattern', "write when:")
        spec = RuleSpec(spec_id, tuple(patterns), (*gates, *unless)) if patterns else None
        lowerings = [
            Lowering(RuleSpec(f"{spec_id}~{k}", (*spec.patterns, pattern), spec.unless), str(body.get("because", "")))
            for where, bodies in (
                (("lower_one_level_if",), shape.lower_one_level_if),
                ((*path, "lower_one_level_if"), level.lower_one_level_if),
            )
            for k, body in enumerate(bodies)
            for pattern in (self._patterns([body], where, bound, offset=k, stands_alone=True) or [])
            if spec is not None
        ]
        level_hooks = frozenset(level.hooks) if level.hooks is not None else hooks
        if not level_hooks <= hooks:
            self.problem(
                (*path, "hooks"),
                "R012",
                f'level "{level.name}" names a hook that the rule does not have',
                f"the rule has {', '.join(sorted(hooks))}",
            )
        return Level(
            level.name,
            level.indicator,
            level.status,
            level_hooks,
            spec,
            tuple(lowerings),
            _needs(level.needs),
            level.summary,
            level.why,
        )

    def _patterns(
        self,
        bodies: Sequence[Mapping[str, Any]],
        path: Sequence[str | int],
        bound: dict[str, str],
        *,
        narrows: bool = False,
        stands_alone: bool = False,
        offset: int = 0,
    ) -> Any:
        """Patterns of a list. A binding named again narrows the fact it stands for (`narrows`).

        Returns None when a `when` pattern can never hold; an `unless` pattern that can never hold is left out.
        """
        found: list[Pattern] = []
        possible = True
        for n, body in enumerate(bodies):
            here = (*path, n + offset)
            names = [k for k in body if k not in _RESERVED]
            if len(names) != 1:
                self.problem(
                    here,
                    "R102",
                    "a pattern is one `<name>: <fact kind>` with where:",
                    f"found {', '.join(names) or 'no name'}",
                )
                continue
            binding, kind = names[0], str(body[names[0]])
            if _BINDING.match(binding) is None:
                self.problem(here, "R102", f'"{binding}" is not a name', "lower case, digits and _", key=True)
                continue
            if kind not in self.vocabulary.kinds:
                self.problem(
                    (*here, binding), "R114", f'there is no fact kind "{kind}"', nearest(kind, self.vocabulary.kinds)
                )
                continue
            again = binding in bound
            if again and not (narrows and bound[binding] == kind):
                self.problem(here, "R115", f'"{binding}" is bound twice', "give the second one another name", key=True)
            if binding in self.vocabulary.kinds[kind]:
                self.problem(
                    (*here, binding),
                    "R112",
                    f'the binding "{binding}" has the name of a field of {kind}',
                    "give it another name",
                    key=True,
                )
            comparisons = self._comparisons(body.get("where", []), kind, binding, here, bound)
            if not stands_alone:
                bound[binding] = kind
            if comparisons is None:
                possible = possible and stands_alone
                continue
            found.append(Pattern(binding, kind, tuple(comparisons), self._count(body, here), self.source.at(here)[0]))
        return found if possible else None

    def _count(self, body: Mapping[str, Any], here: Sequence[str | int]) -> int | None:
        if "count" not in body:
            return None
        match = _COUNT.match(str(body["count"]))
        if match is None or not 1 <= int(match[1][:9]) <= _MOST_COUNTED:
            self.problem((*here, "count"), "R103", f'cannot read count "{body["count"]}"', "write count: at least 3")
            return None
        return int(match[1])

    def _comparisons(
        self, texts: Any, kind: str, binding: str, here: Sequence[str | int], bound: Mapping[str, str]
    ) -> list[Comparison] | None:
        """Comparisons of one pattern; None when one of them is known never to hold."""
        scope = Scope(self.vocabulary, kind, binding, bound, {**self.shared, **self.parameters}, self.used)
        found: list[Comparison] = []
        if not isinstance(texts, list):
            self.problem((*here, "where"), "R004", "where is not a list of comparisons", "write where: [<comparison>]")
            return found
        for n, text in enumerate(texts):
            path = (*here, "where", n)
            try:
                comparison = read_comparison(str(text), scope, self.source.at(path)[0])
            except GrammarError as error:
                line, column = self.source.at(path)
                shift = max(0, str(text).find(error.part)) if error.part else 0
                self.problems.append(
                    RuleError(self.source.path, line, column + shift, error.code, str(error), error.hint)
                )
                continue
            if isinstance(comparison, Folded):
                if not comparison.holds:
                    return None
            else:
                found.append(comparison)
        return found

    # texts ---------------------------------------------------------------------------------------------------------

    def _texts(self, shape: RuleShape) -> None:
        """Every `{...}` names a parameter, or a field of a fact that is bound there."""
        everywhere: dict[str, str] = {}
        for body in [*shape.when, *(p for level in shape.levels for p in level.when)]:
            everywhere.update({k: str(v) for k, v in body.items() if k not in _RESERVED})
        for n, level in enumerate(shape.levels):
            bound = {k: str(v) for body in [*shape.when, *level.when] for k, v in body.items() if k not in _RESERVED}
            self._text(level.summary, ("levels", n, "summary"), bound)
            self._text(level.why, ("levels", n, "why"), bound)
        names = [level.name for level in shape.levels]
        for n, name in enumerate(names):
            if name in names[:n]:
                self.problem(("levels", n, "name"), "R116", f'two levels have the name "{name}"', "rename one")
        for n, body in enumerate(shape.card.suggestions):
            for code, message, hint in suggestion_problems(body, bindings=everywhere, levels=names):
                self.problem(("card", "suggestions", n), code, message, hint)
            if "to" in body:
                kind = everywhere.get(str(body.get("of", body.get("draft"))), "")
                field = self.vocabulary.field(kind, str(body["to"]))
                if field is None or field.type != "mg":
                    doses = [name for name, f in self.vocabulary.kinds.get(kind, {}).items() if f.type == "mg"]
                    message = f'S-DOSE: to "{body["to"]}" is no dose of {kind or "an unbound name"}'
                    self.problem(("card", "suggestions", n), "R155", message, nearest(str(body["to"]), doses))
        for n, (label, text) in enumerate(shape.card.facts):
            self._text(label, ("card", "facts", n), everywhere)
            self._text(text, ("card", "facts", n), everywhere)

    def _text(self, text: str, path: Sequence[str | int], bound: Mapping[str, str]) -> None:
        if set("[]") & set(_OPTIONAL.sub("", text)):
            self.problem(path, "R153", "the square brackets of the text do not match", "write [, about {order.dose}]")
        if set("{}") & set(_PLACEHOLDER.sub("", text)):
            self.problem(path, "R154", "the braces of the text do not match", "write {order.drug}")
        for found in _PLACEHOLDER.findall(text):
            name, counts, thing = found.partition("|")
            if _NAME.match(name) is None or (counts and _THING.match(thing) is None):
                self.problem(
                    path,
                    "R154",
                    f'"{{{found}}}" cannot be read',
                    "write {order.drug}, {max_days} or {order.refills|refill}",
                )
                continue
            binding, _, field_name = name.partition(".")
            if not field_name:
                if name in self.parameters or name in self.shared:
                    self.used.add(name)
                else:
                    self.problem(
                        path,
                        "R150",
                        f'card uses "{{{name}}}", which is no parameter',
                        nearest(name, {**self.shared, **self.parameters}),
                    )
            elif binding not in bound:
                self.problem(path, "R150", f'card uses "{{{name}}}", which is not bound', nearest(binding, bound))
            elif bound[binding] in self.vocabulary.kinds and self.vocabulary.field(bound[binding], field_name) is None:
                self.problem(
                    path,
                    "R150",
                    f'card uses "{{{name}}}": {bound[binding]} has no such field',
                    nearest(field_name, self.vocabulary.kinds[bound[binding]]),
                )


def _needs(shape: NeedsShape) -> Needs:
    return Needs(tuple(shape.to_fire), tuple(shape.to_suppress), shape.fires_if_damaged)


def _narrowed(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Merge patterns of one binding: the later one narrows the earlier."""
    merged: dict[str, Pattern] = {}
    for p in patterns:
        first = merged.get(p.binding)
        merged[p.binding] = (
            p
            if first is None
            else Pattern(p.binding, p.kind, first.where + p.where, first.at_least or p.at_least, first.line)
        )
    return list(merged.values())
