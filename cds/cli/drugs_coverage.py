"""`psychmed drugs coverage`: which medicines of charts the rules see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cds.cli.asked import ChartsArgument, FormatOption, SettingsOption, fail, read_settings, tell
from cds.errors import CdsError
from cds.text import shorten

if TYPE_CHECKING:
    from cds.authoring.drug_coverage import Coverage, Seen
    from cds.evaluate import Evaluator


def register(app: typer.Typer) -> None:
    """Add the command `coverage` to the `drugs` commands."""
    app.command(name="coverage")(coverage)


def coverage(
    charts: ChartsArgument,
    *,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="show unidentified medicines as written: may hold patient data")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="ingredients of the classes in use that no chart holds, too")
    ] = False,
    settings: SettingsOption = None,
    output: FormatOption = "text",
) -> None:
    """Count the medicines of charts that no rule sees. Exit code 1: some could not be identified."""
    import orjson

    from cds.authoring.drug_coverage import Coverage
    from cds.cli.charts import read_path
    from cds.evaluate import Evaluator

    chosen = read_settings(settings)
    problems: list[str] = []
    found = Coverage()
    names = 0
    try:
        evaluator = Evaluator(chosen)
        for name, call in read_path(charts, hook=None, problems=problems):
            names += 1
            found.add(name, call, evaluator.resolver)
        evaluator.close()
    except CdsError as error:
        raise fail(error) from None
    report = _report(found, evaluator, names, show_text=show_text, verbose=verbose)
    typer.echo(_text(report) if output == "text" else orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    tell(problems)
    missed = any(status in found.statuses for status in ("unidentified", "conflict"))
    raise typer.Exit(2 if problems else 1 if missed else 0)


def _report(found: Coverage, evaluator: Evaluator, charts: int, *, show_text: bool, verbose: bool) -> dict[str, Any]:
    from cds.authoring.drug_coverage import classes_in_use, of_no_class

    classes = classes_in_use(evaluator.rules)
    outside = {key: seen for key, seen in found.ingredients.items() if of_no_class(found.used[key], classes)}
    held = {tag for i in found.used.values() for tag in i.tags}
    known = evaluator.resolver.table.classified_ingredients()
    listed = {tag for i in known for tag in i.tags}
    report: dict[str, Any] = {
        "charts": charts,
        "records": {status: _counts(seen) for status, seen in sorted(found.statuses.items())},
        "no_class_in_use": [
            {"ingredient": key, "class": found.used[key].therapeutic_class, **_counts(seen)}
            for key, seen in _by_number(outside)
        ],
        "not_identified": [
            {"status": status, "code": code, **_counts(seen)}
            for (status, code), seen in sorted(
                found.codes.items(), key=lambda row: (row[0][0], -row[1].records, row[0])
            )
        ],
        "classes_not_held": sorted((classes & listed) - held),
    }
    if show_text:
        report["texts"] = [{"text": text, **_counts(seen)} for text, seen in _by_number(found.texts)]
    if verbose:
        report["ingredients_not_held"] = sorted(
            i.key for i in known if i.key not in found.used and not of_no_class(i, classes)
        )
    return report


def _counts(seen: Seen) -> dict[str, int]:
    return {"records": seen.records, "charts": len(seen.charts)}


def _by_number(rows: dict[str, Seen]) -> list[tuple[str, Seen]]:
    return sorted(rows.items(), key=lambda row: (-row[1].records, row[0]))


def _text(r: dict[str, Any]) -> str:
    total = sum(n["records"] for n in r["records"].values())
    lines = [f"{r['charts']} chart{'' if r['charts'] == 1 else 's'}, {total} medication records"]
    lines += [f"  {status:13} {_row(n)}" for status, n in r["records"].items()]
    lines.append("identified, of no class that the rules read" + ("" if r["no_class_in_use"] else ": none"))
    lines += [f"  {_row(n)}  {n['ingredient']} ({n['class']})" for n in r["no_class_in_use"]]
    lines.append("not identified" + ("" if r["not_identified"] else ": none"))
    lines += [f"  {_row(n)}  {n['status']}: {_line(n['code'])}" for n in r["not_identified"]]
    lines += [f"  {_row(n)}  {_line(n['text'])}" for n in r.get("texts", ())]
    lines.append("classes that no chart holds: " + (", ".join(r["classes_not_held"]) or "none"))
    if "ingredients_not_held" in r:
        lines.append("ingredients that no chart holds: " + (", ".join(r["ingredients_not_held"]) or "none"))
    return "\n".join(lines)


def _line(code: str) -> str:
    """A code on one line of bounded length: its system is the sender's text."""
    return shorten(" ".join("".join(c if c.isprintable() else " " for c in code[:400]).split()), 100)


def _row(n: dict[str, int]) -> str:
    return f"{n['records']:5} in {n['charts']} chart{'' if n['charts'] == 1 else 's'}"
