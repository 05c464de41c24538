"""Texts of a rule: each `{...}` names a parameter, or a field of a fact that is bound there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cds.rules.compilation import Compilation
from cds.rules.patterns import RESERVED
from cds.rules.schema import RuleShape
from cds.rules.suggestions import suggestion_problems
from cds.rules.vocabulary import nearest

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")
_THING = re.compile(r"^[a-z]+$")
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")


def check_texts(c: Compilation, shape: RuleShape) -> None:
    """Every `{...}` names a parameter, or a field of a fact that is bound there."""
    everywhere: dict[str, str] = {}
    for body in [*shape.when, *(p for level in shape.levels for p in level.when)]:
        everywhere.update({k: str(v) for k, v in body.items() if k not in RESERVED})
    for n, level in enumerate(shape.levels):
        bound = {k: str(v) for body in [*shape.when, *level.when] for k, v in body.items() if k not in RESERVED}
        _check_text(c, level.summary, ("levels", n, "summary"), bound)
        _check_text(c, level.why, ("levels", n, "why"), bound)
    names = [level.name for level in shape.levels]
    for n, name in enumerate(names):
        if name in names[:n]:
            c.problem(("levels", n, "name"), "R116", f'two levels have the name "{name}"', "rename one")
    for n, body in enumerate(shape.card.suggestions):
        for code, message, hint, where in suggestion_problems(body, bindings=everywhere, levels=names):
            of_key = bool(where) and "takes no" in message
            c.problem(("card", "suggestions", n, *where), code, message, hint, key=of_key)
        if "to" in body:
            kind = everywhere.get(str(body.get("of", body.get("draft"))), "")
            field = c.vocabulary.field(kind, str(body["to"]))
            if field is None or field.type != "mg":
                doses = [name for name, f in c.vocabulary.kinds.get(kind, {}).items() if f.type == "mg"]
                message = f'S-DOSE: to "{body["to"]}" is no dose of {kind or "an unbound name"}'
                c.problem(("card", "suggestions", n, "to"), "R155", message, nearest(str(body["to"]), doses))
    for n, (label, text) in enumerate(shape.card.facts):
        _check_text(c, label, ("card", "facts", n, 0), everywhere)
        _check_text(c, text, ("card", "facts", n, 1), everywhere)


def _check_text(c: Compilation, text: str, path: Sequence[str | int], bound: Mapping[str, str]) -> None:
    if set("[]") & set(_OPTIONAL.sub("", text)):
        c.problem(path, "R153", "the square brackets of the text do not match", "write [, about {order.dose}]")
    if set("{}") & set(_PLACEHOLDER.sub("", text)):
        c.problem(path, "R154", "the braces of the text do not match", "write {order.drug}")
    for found in _PLACEHOLDER.findall(text):
        name, counts, thing = found.partition("|")
        if _NAME.match(name) is None or (counts and _THING.match(thing) is None):
            c.problem(
                path,
                "R154",
                f'"{{{found}}}" cannot be read',
                "write {order.drug}, {max_days} or {order.refills|refill}",
                word=f"{{{found}}}",
            )
            continue
        binding, _, field_name = name.partition(".")
        if not field_name:
            if name in c.parameters or name in c.shared or name in c.unread:
                c.used.add(name)
            else:
                c.problem(
                    path,
                    "R150",
                    f'card uses "{{{name}}}", which is no parameter',
                    nearest(name, {**c.shared, **c.parameters}),
                    word=name,
                )
        elif binding not in bound:
            text = f'card uses "{{{name}}}", which is not bound'
            c.problem(path, "R150", text, nearest(binding, bound), word=name)
        elif bound[binding] in c.vocabulary.kinds and c.vocabulary.field(bound[binding], field_name) is None:
            c.problem(
                path,
                "R150",
                f'card uses "{{{name}}}": {bound[binding]} has no such field',
                nearest(field_name, c.vocabulary.kinds[bound[binding]]),
                word=name,
            )
