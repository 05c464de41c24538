"""The vocabulary as an author reads it: what each fact kind is, what can be asked of it, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cds.errors import CdsError
from cds.facts.derive import module_of
from cds.facts.rests_on import RESTS_ON
from cds.rules.schema import HookName
from cds.rules.source import read_source
from cds.rules.vocabulary import UNITS, nearest
from cds.shipped import shipped

HOOKS: tuple[str, ...] = HookName.__args__  # type: ignore[attr-defined]
_ABSENT = {
    "unknown": "not evaluated: the rule is reported so where this field would decide",
    "answer": "there is nothing to say: the comparison does not hold",
}


@dataclass(frozen=True, slots=True)
class FieldPage:
    """unit: what a number in a comparison is written with. absent: what it means when the field is left out."""

    name: str
    type: str
    unit: str
    values: tuple[str, ...]
    table: tuple[str, ...]
    absent: str
    what: str


@dataclass(frozen=True, slots=True)
class KindPage:
    """module: where it is derived, with the first line of what that says of itself. rests_on: FHIR resource types."""

    name: str
    what: str
    hooks: tuple[str, ...]
    fields: tuple[FieldPage, ...]
    module: str
    module_says: str
    rests_on: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def pages(wanted: str | None = None) -> list[KindPage]:
    """One page for each fact kind, or the wanted one. Raises CdsError for a kind that does not exist."""
    kinds: Mapping[str, Any] = read_source(shipped("rules/_vocabulary.yaml")).data["kinds"]
    if wanted is not None and wanted not in kinds:
        raise CdsError(f'there is no fact kind "{wanted}" ({nearest(wanted, kinds)})')
    return [_page(name, body) for name, body in kinds.items() if wanted in {None, name}]


def _page(name: str, body: Mapping[str, Any]) -> KindPage:
    module = module_of(name)
    says = (module.__doc__ or "").strip().splitlines()[0] if module is not None else ""
    named = body.get("hooks")
    return KindPage(
        name=name,
        what=str(body["what"]),
        hooks=tuple(map(str, named)) if named else HOOKS,
        fields=tuple(_field(field, spec) for field, spec in body["fields"].items()),
        module=module.__name__ if module is not None else "",
        module_says=says,
        rests_on=tuple(dict.fromkeys(RESTS_ON[name])),
    )


def _field(name: str, body: Mapping[str, Any]) -> FieldPage:
    table = body.get("table", ())
    return FieldPage(
        name=str(name),
        type=str(body["type"]),
        unit=UNITS.get(str(body["type"]), ""),
        values=tuple(map(str, body.get("values", ()))),
        table=(table,) if isinstance(table, str) else tuple(map(str, table)),
        absent=_ABSENT[str(body.get("absent", "unknown"))],
        what=str(body.get("what", "")),
    )


def index_text(found: Sequence[KindPage]) -> str:
    """A line for each kind."""
    width = max(len(page.name) for page in found)
    lines = [f"{page.name:{width}}  {page.what}" for page in found]
    return "\n".join([*lines, "", "psychmed vocabulary KIND shows what can be asked of one."])


def page_text(page: KindPage) -> str:
    """A kind with its fields."""
    hooks = "every hook" if page.hooks == HOOKS else ", ".join(page.hooks)
    lines = [f"{page.name}: {page.what}", "", f"hooks     {hooks}"]
    lines.append(f"rests on  {', '.join(page.rests_on) or 'what the client and the service remember'}")
    lines += [f"made by   {page.module}: {page.module_says}", "", "fields"]
    width = max(len(field.name) for field in page.fields)
    for field in page.fields:
        unit = f", in {field.unit}" if field.unit not in {"", field.type} else ""
        lines.append(f"  {field.name:{width}}  {field.type}{unit}{'; ' + field.what if field.what else ''}")
        if field.values:
            lines.append(f"  {'':{width}}  one of: {', '.join(field.values)}")
        if field.table:
            lines.append(f"  {'':{width}}  one of: {', '.join(f'rules/{name}' for name in field.table)}")
        if field.absent == _ABSENT["answer"]:
            lines.append(f"  {'':{width}}  left out: {field.absent}")
    lines += ["", f"Another field that is left out: {_ABSENT['unknown']}."]
    return "\n".join(lines)
