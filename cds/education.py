"""What a patient may be told of a class of medicines: `rules/education/*.yaml`, in plain language, with its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from cds.drugs.model import Ingredient
from cds.rules.source import read_source
from cds.shipped import shipped


@dataclass(frozen=True, slots=True)
class Topic:
    """One page. classes: class groups it is for, or `<class group>:<moiety>` for one drug that has a page of its own.

    not_for: drugs of these classes that work or are given otherwise, so that the page would mislead.
    sources: (citation, address). sourced: which of the lines have been read in a source, and which await review.
    """

    id: str
    title: str
    classes: tuple[str, ...]
    how_it_works: str
    when_it_works: str
    early_effects: tuple[str, ...]
    when_to_call: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    sourced: str
    not_for: tuple[str, ...] = ()


@cache
def topics() -> Mapping[str, Topic]:
    """Every page by its id."""
    found = {}
    for path in sorted(shipped("rules/education").glob("*.yaml")):
        data = read_source(path).data
        topic = Topic(
            id=str(data["id"]),
            title=str(data["title"]),
            classes=tuple(map(str, data["classes"])),
            how_it_works=str(data["how_it_works"]),
            when_it_works=str(data["when_it_works"]),
            early_effects=tuple(map(str, data["early_effects"])),
            when_to_call=tuple(map(str, data["when_to_call"])),
            sources=tuple((str(s["cite"]), str(s["url"])) for s in data["sources"]),
            sourced=str(data["sourced"]),
            not_for=tuple(map(str, data.get("not_for", ()))),
        )
        found[topic.id] = topic
    return found


@cache
def _by_class() -> Mapping[str, str]:
    return {name: topic.id for topic in topics().values() for name in topic.classes}


def topics_for(ingredients: Iterable[Ingredient]) -> tuple[str, ...]:
    """Ids of the pages on these drugs, sorted; a drug's own page goes before that of its class."""
    by_class = _by_class()
    found = ((i, by_class.get(f"{i.class_group}:{i.moiety}") or by_class.get(i.class_group)) for i in ingredients)
    return tuple(sorted({topic for i, topic in found if topic is not None and i.key not in topics()[topic].not_for}))
