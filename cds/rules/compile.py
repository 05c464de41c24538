"""A parsed rule file to a Rule with engine-neutral specifications."""

from __future__ import annotations

from cds.model import Comparison, Pattern, RuleSpec
from cds.rules.compilation import Compilation
from cds.rules.model import Card, Level, Lowering, Needs, Rule
from cds.rules.parameters import read_parameter
from cds.rules.patterns import narrowed, read_patterns
from cds.rules.schema import NeedsShape, RuleShape
from cds.rules.shape_problems import read_shape
from cds.rules.texts import check_texts
from cds.rules.vocabulary import nearest

_UNSOURCED = frozenset({"V", "U", "P"})


def compile_rule(c: Compilation) -> Rule | None:
    """The compiled rule; None when nothing could be made of its shape. Look at `problems` either way."""
    _odd_numbers(c)
    read = read_shape(c.source, RuleShape)
    c.problems.extend(read.problems)
    c.repaired = read.repaired
    if (shape := read.shape) is None:
        return None
    c.parameters = {
        name: parameter
        for name, body in shape.parameters.items()
        if (parameter := c.replaced.get(name) or read_parameter(c, name, body.model_dump(), ("parameters", name)))
        is not None
    }
    c.unread = set(shape.parameters).difference(c.parameters)
    for name in c.overrides:
        if name not in shape.parameters:
            c.problem(
                ("parameters",),
                "R032",
                f'the site sets "{name}", which this rule does not have',
                nearest(name, shape.parameters),
            )
    _check_sources(c, shape)
    hooks = frozenset(shape.hooks)
    levels = [_level(c, shape, n, hooks) for n in range(len(shape.levels))]
    check_texts(c, shape)
    for name in shape.parameters:
        if name not in c.used and c.has_read("when") and c.has_read("levels") and c.has_read("card"):
            c.problem(
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
        parameters=c.parameters,
        path=c.source.path,
        signed_off=bool(shape.clinical_review),
        review_by=str(shape.review_by or ""),
    )


def _odd_numbers(c: Compilation) -> None:
    for path, written, value in c.source.numbers():
        if path[-1] != "version":
            text = f'"{written}" is read as the number {value}'
            c.problem(path, "R005", text, "write plain digits, or put it in quotes")


def _check_sources(c: Compilation, shape: RuleShape) -> None:
    ids = {s.id for s in shape.sources}
    if not c.has_read("sources"):
        return
    for name, body in shape.parameters.items():
        if body.source not in ids | _UNSOURCED:
            c.problem(
                ("parameters", name, "source"),
                "R021",
                f'parameter "{name}" names no source of this rule',
                nearest(body.source, ids | _UNSOURCED),
            )
    if shape.card.source not in ids and c.has_read("card"):
        c.problem(
            ("card", "source"),
            "R023",
            f'"{shape.card.source}" is not a source of this rule',
            nearest(shape.card.source, ids),
        )


def _level(c: Compilation, shape: RuleShape, n: int, hooks: frozenset[str]) -> Level:
    level = shape.levels[n]
    path: tuple[str | int, ...] = ("levels", n)
    bound: dict[str, str] = {}
    common = read_patterns(c, shape.when, ("when",), bound)
    own = read_patterns(c, level.when, (*path, "when"), bound, narrows=True)
    gates = [Pattern(f"gate_{name}", "gate", (Comparison("name", "is", name),)) for name in sorted(shape.silenced_by)]
    unless = [
        *(read_patterns(c, shape.unless, ("unless",), bound, stands_alone=True) or []),
        *(read_patterns(c, level.unless, (*path, "unless"), bound, stands_alone=True) or []),
    ]
    spec_id = f"{shape.id}#{level.name}"
    patterns = narrowed([*(common or []), *(own or [])]) if common is not None and own is not None else None
    if not (patterns or shape.when or level.when) and c.has_read("when"):
        c.problem(path, "R104", f'level "{level.name}" has no pattern', "write when:")
    spec = RuleSpec(spec_id, tuple(patterns), (*gates, *unless)) if patterns else None
    lowerings = [
        Lowering(RuleSpec(f"{spec_id}~{k}", (*spec.patterns, pattern), spec.unless), str(body.get("because", "")))
        for where, bodies in (
            (("lower_one_level_if",), shape.lower_one_level_if),
            ((*path, "lower_one_level_if"), level.lower_one_level_if),
        )
        for k, body in enumerate(bodies)
        for pattern in (read_patterns(c, [body], where, bound, offset=k, stands_alone=True) or [])
        if spec is not None
    ]
    level_hooks = frozenset(level.hooks) if level.hooks is not None else hooks
    for k, hook in enumerate(level.hooks or ()):
        if hook not in hooks and c.has_read("hooks"):
            c.problem(
                (*path, "hooks", k),
                "R171",
                f'level "{level.name}" names the hook {hook}, which the rule does not have',
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


def _needs(shape: NeedsShape) -> Needs:
    return Needs(tuple(shape.to_fire), tuple(shape.to_suppress), shape.fires_if_damaged)
