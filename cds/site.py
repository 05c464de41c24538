"""A settings file looked at as far as serving would: its values, the rules it names, the drug files it points to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cds.drugs.overlay import OverlayError, read_overlays
from cds.drugs.release import site_drug_table
from cds.drugs.table import drug_table
from cds.errors import CdsError, RuleError
from cds.rules import Deployment, load_rules
from cds.rules.load import SHARED, set_of
from cds.rules.vocabulary import nearest
from cds.settings import Settings, SettingsError, load_settings, position_of, read_document


def problems_of(path: Path) -> list[RuleError]:
    """Everything wrong with a settings file, by its line; empty when a service would start on it as it is meant.

    The environment's PSYCHMED_ variables count, as they do for the service. A problem in a file that the settings
    point to stands at that file's own line.
    """
    try:
        settings = load_settings(path)
    except SettingsError as error:
        return sorted(error.problems, key=_by_place)
    document = read_document(path)
    found = [*_of_rules(settings, document, str(path)), *_of_drugs(settings, document, str(path))]
    return sorted(set_of(found), key=_by_place)


def _by_place(problem: RuleError) -> tuple[str, int, int]:
    return problem.path, problem.line, problem.column


def _of_rules(settings: Settings, document: Any, source: str) -> Iterator[RuleError]:
    for number, folder in enumerate(settings.rules_dir):
        if not folder.is_dir():
            line, column = position_of(document, ("rules_dir", number))
            yield RuleError(source, line, column, "SET004", f"rules_dir: there is no folder {folder}", "")
    site = {
        name: Deployment(status=switch.status, parameters=dict(switch.parameters), why=switch.why)
        for name, switch in settings.rules.items()
    }
    without, own = load_rules(settings.rules_dir)
    yield from own
    _, problems = load_rules(settings.rules_dir, site=site)
    ids = {rule.path: rule.id for rule in without.rules}
    if not own:  # else a rule that did not compile may be the one that is meant
        for name in set(settings.rules).difference(ids.values(), (SHARED,)):
            line, column = position_of(document, ("rules", name))
            text = f'settings name the rule "{name}", which does not exist'
            yield RuleError(source, line, column, "R031", text, nearest(name, ids.values()))
    for problem in problems:
        if problem not in own and problem.code != "R031":
            line, column = _place(problem, ids.get(problem.path), settings, document)
            yield replace(problem, path=source, line=line, column=column)


def _place(problem: RuleError, rule: str | None, settings: Settings, document: Any) -> tuple[int, int]:
    """The rule in the settings, else the parameter, that a problem names."""
    for name, switch in settings.rules.items():
        if rule is not None and name != rule:
            continue
        named = next((p for p in switch.parameters if p in problem.message), None)
        if rule is not None or named is not None or f'"{name}"' in problem.message:
            return position_of(document, ("rules", name, "parameters", named) if named else ("rules", name))
    return position_of(document, ("rules",))


def _of_drugs(settings: Settings, document: Any, source: str) -> Iterator[RuleError]:
    drugs = settings.drugs
    line, column = position_of(document, ("drugs", "release"))
    try:
        table = site_drug_table(drugs.release) if drugs.release is not None else drug_table()
    except CdsError as error:
        yield RuleError(source, line, column, "SET004", f"drugs.release: {error}")
        table = drug_table()
    try:
        read_overlays(drugs.overlays, table)
    except OverlayError as error:
        yield from error.problems
    except CdsError as error:
        line, column = position_of(document, ("drugs", "overlays"))
        yield RuleError(source, line, column, "SET004", f"drugs.overlays: {error}")
