"""`psychmed drugs ...`: questions about the drug table."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cds.cli import drugs_coverage, drugs_load

if TYPE_CHECKING:
    from cds.drugs.model import DrugPart, Medication

app = typer.Typer(no_args_is_help=True, help="The drug table: questions about it, and a site's own RxNorm.")
drugs_load.register(app)
drugs_coverage.register(app)

_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_NDC = "http://hl7.org/fhir/sid/ndc"
_AN_NDC = re.compile(r"[0-9]{11}|[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}")
_AN_RXCUI = re.compile(r"[0-9]{1,8}")


@app.command()
def why(
    asked: Annotated[str, typer.Argument(help="an RxNorm code, an NDC, or a name with or without a strength")],
    system: Annotated[
        str | None, typer.Option(help="the code's system, where it is another than RxNorm or NDC")
    ] = None,
    display: Annotated[str | None, typer.Option(help="the display that came with the code")] = None,
    route: Annotated[str | None, typer.Option(help="the route of the order, as text")] = None,
) -> None:
    """Say which drug a code or a text is, and what each step of the ladder said. Exit code 1: not identified."""
    from cds.drugs.resolver import Coding, Resolver

    asked = asked.strip()
    guessed = _NDC if _AN_NDC.fullmatch(asked) else _RXNORM if _AN_RXCUI.fullmatch(asked) else None
    used = system or guessed
    codings: list[Coding] = [(used, asked, display)] if used is not None else []
    found, told = Resolver().explain(codings, None if codings else asked, route_text=route)
    for line in told:
        typer.echo(f"  {line}")
    typer.echo(_answer(found))
    for part in found.parts:
        typer.echo(f"  {_part(part)}")
    raise typer.Exit(0 if found.status == "identified" else 1)


def _answer(found: Medication) -> str:
    """The answer in one line; what was asked is not repeated."""
    if found.status != "identified":
        return f"{found.status}: {found.reason}"
    said = [found.label, found.form, found.route and f"route {found.route}"]
    said += [f"RxNorm {found.product}"] if found.product else []
    marks = {
        "extended release": found.extended,
        "long-acting injection": found.long_acting_injection,
        "rescue": found.rescue,
        "not systemic": not found.systemic,
        "pack": found.pack,
    }
    said += [name for name, holds in marks.items() if holds]
    said += [f"for {purpose}" for purpose in sorted(found.purpose)]
    return f"identified by {found.step}: " + ", ".join(s for s in said if s)


def _part(part: DrugPart) -> str:
    drug = part.ingredient
    amount = "strength not known" if part.strength is None else f"{part.strength:f} {part.unit}"
    factor = "" if part.mg_factor == Decimal(1) else f", counted times {part.mg_factor:.4f}"
    code = f"RxNorm {drug.rxcui}" if drug.rxcui else "no RxNorm code"
    lists = "|".join(sorted(drug.tags - {drug.therapeutic_class, drug.class_group}))
    return (
        f"{drug.key} ({code}): {amount}{factor}; class {drug.therapeutic_class}, substance {drug.moiety}"
        + (f", lists {lists}" if lists else "")
        + ("" if part.daily else "; no daily dose")
    )
