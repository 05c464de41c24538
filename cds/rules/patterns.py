"""Patterns of a rule file to engine-neutral patterns: bindings, fact kinds, comparisons, counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cds.model import Comparison, Pattern
from cds.rules.compilation import Compilation
from cds.rules.grammar import AlreadySaid, Folded, GrammarError, Scope, read_comparison
from cds.rules.vocabulary import close, nearest

RESERVED = frozenset({"where", "count", "because"})
_COUNT = re.compile(r"^at least (\d+)$")
_BINDING = re.compile(r"^[a-z][a-z0-9_]*$")
_MOST_COUNTED = 1000


def read_patterns(
    c: Compilation,
    bodies: Sequence[Mapping[str, Any]],
    path: Sequence[str | int],
    bound: dict[str, str],
    *,
    narrows: bool = False,
    stands_alone: bool = False,
    offset: int = 0,
) -> list[Pattern] | None:
    """Patterns of a list. A binding named again narrows the fact it stands for (`narrows`).

    Returns None when a `when` pattern can never hold; an `unless` pattern that can never hold is left out.
    """
    found: list[Pattern] = []
    possible = True
    for n, body in enumerate(bodies):
        here = (*path, n + offset)
        names = [k for k in body if k not in RESERVED]
        if len(names) > 1:
            names = _without_misspelt(c, body, names, here)
        if len(names) != 1:
            bound.update({name: str(body[name]) if str(body[name]) in c.vocabulary.kinds else "" for name in names})
            c.problem(
                here,
                "R102",
                "a pattern is one `<name>: <fact kind>` with where:",
                f"found {', '.join(names) or 'no name'}",
            )
            continue
        binding, kind = names[0], str(body[names[0]])
        if _BINDING.match(binding) is None:
            c.problem((*here, binding), "R102", f'"{binding}" is not a name', "lower case, digits and _", key=True)
            continue
        if kind not in c.vocabulary.kinds:
            if not stands_alone:
                bound[binding] = ""
            c.problem((*here, binding), "R114", f'there is no fact kind "{kind}"', nearest(kind, c.vocabulary.kinds))
            continue
        again = binding in bound
        if again and not (narrows and bound[binding] in {kind, ""}):
            c.problem(
                (*here, binding), "R115", f'"{binding}" is bound twice', "give the second one another name", key=True
            )
        if binding in c.vocabulary.kinds[kind]:
            c.problem(
                (*here, binding),
                "R112",
                f'the binding "{binding}" has the name of a field of {kind}',
                "give it another name",
                key=True,
            )
        scope = Scope(c.vocabulary, kind, binding, bound, {**c.shared, **c.parameters}, c.used, c.unread)
        comparisons = _comparisons(c, body.get("where", []), scope, here)
        if not stands_alone:
            bound[binding] = kind
        if comparisons is None:
            possible = possible and stands_alone
            continue
        found.append(Pattern(binding, kind, tuple(comparisons), _count(c, body, here), c.source.at(here)[0]))
    return found if possible else None


def _count(c: Compilation, body: Mapping[str, Any], here: Sequence[str | int]) -> int | None:
    if "count" not in body:
        return None
    match = _COUNT.match(str(body["count"]))
    if match is None or not 1 <= int(match[1][:9]) <= _MOST_COUNTED:
        c.problem((*here, "count"), "R103", f'cannot read count "{body["count"]}"', "write count: at least 3")
        return None
    return int(match[1])


def _comparisons(c: Compilation, texts: Any, scope: Scope, here: Sequence[str | int]) -> list[Comparison] | None:
    """Comparisons of one pattern; None when one of them is known never to hold."""
    found: list[Comparison] = []
    if not isinstance(texts, list):
        c.problem((*here, "where"), "R004", "where is not a list of comparisons", "write where: [<comparison>]")
        return found
    for n, text in enumerate(texts):
        path = (*here, "where", n)
        try:
            comparison = read_comparison(str(text), scope, c.source.at(path)[0])
        except GrammarError as error:
            if not isinstance(error, AlreadySaid):
                c.problem(path, error.code, str(error), error.hint, word=error.part)
            continue
        if isinstance(comparison, Folded):
            if not comparison.holds:
                return None
        else:
            found.append(comparison)
            c.stands_at(comparison, scope.kind, c.source.at(path), str(text))
    return found


def _without_misspelt(
    c: Compilation, body: Mapping[str, Any], names: Sequence[str], here: Sequence[str | int]
) -> list[str]:
    """The names without those that are nearly a word of the language and name no fact kind."""
    kept = []
    for name in names:
        if str(body[name]) not in c.vocabulary.kinds and close(name, RESERVED) is not None:
            c.problem((*here, name), "R001", f'unknown key "{name}"', nearest(name, RESERVED), key=True)
        else:
            kept.append(name)
    return kept


def narrowed(patterns: Sequence[Pattern]) -> list[Pattern]:
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
