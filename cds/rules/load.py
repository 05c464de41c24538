"""Rule folders to a RuleSet. One bad rule file costs only itself when serving; the linter reports everything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from cds.errors import RuleError
from cds.rules.compilation import Compilation
from cds.rules.compile import compile_rule
from cds.rules.model import Parameter, Rule, RuleSet
from cds.rules.parameters import read_parameter
from cds.rules.source import read_source
from cds.rules.vocabulary import nearest, vocabulary
from cds.shipped import shipped

SHARED = "_shared"  # key of the shared parameters in a site's settings


class Deployment(msgspec.Struct, frozen=True):
    """What a site says of one rule: its status, its parameters, why."""

    status: Literal["active", "silent", "off"] | None = None
    parameters: dict[str, Any] = {}
    why: str = ""


def rule_files(places: Iterable[Path]) -> list[Path]:
    """Rule files, and those of the folders, by name; files that start with _ are tables of the language."""
    return sorted(
        (
            p
            for place in places
            for p in ([place] if place.is_file() else place.glob("*.yaml"))
            if not p.name.startswith("_")
        ),
        key=lambda p: p.name,
    )


def load_shared(
    problems: list[RuleError], overrides: Mapping[str, Any] | None = None, *, base: Path | None = None
) -> dict[str, Parameter]:
    """Parameters of `_parameters.yaml` of the folder `base`; of the shipped one when it has none."""
    own = base / "_parameters.yaml" if base is not None else None
    if own is not None and own.is_file():
        source = read_source(own)
    else:
        source = read_source(shipped("rules/_parameters.yaml"), shown_as="rules/_parameters.yaml")
    compilation = Compilation(source, vocabulary(), {}, overrides or {}, problems)
    known = source.data["parameters"]
    for name in overrides or {}:
        if name not in known:
            text = f'the site sets the shared parameter "{name}", which does not exist'
            problems.append(RuleError("settings", 1, 1, "R032", text, nearest(name, known)))
    found = (
        (name, read_parameter(compilation, name, {"range": None, **body}, ("parameters", name)))
        for name, body in source.data["parameters"].items()
    )
    return {name: parameter for name, parameter in found if parameter is not None}


def load_rules(
    extra: Sequence[Path] = (), *, site: Mapping[str, Deployment] | None = None, base: Path | None = None
) -> tuple[RuleSet, list[RuleError]]:
    """Load the shipped rules and those of `extra` folders and files.

    base: a folder whose rules, and whose `_parameters.yaml` if it has one, stand in place of the shipped ones; or one
    rule file, which then is the only rule.
    site: by rule id (and "_shared"): status and parameters that a site sets; one outside its range is a problem.
    Returns the rules that compiled, and every problem of those that did not.
    """
    site = site or {}
    problems: list[RuleError] = []
    shared = load_shared(problems, site.get(SHARED, Deployment()).parameters, base=base)
    rules: list[Rule] = []
    digest = hashlib.sha256()
    known: dict[str, str] = {}
    broken: set[str] = set()
    for path in rule_files([base or shipped("rules"), *extra]):
        rule, text = _load_one(path, shared, site, problems)
        if rule is None:
            broken.add(path.name)
            continue
        if rule.id in known:
            problems.append(
                RuleError(
                    rule.path, 1, 1, "R030", f'two rules have the id "{rule.id}"', f"the other is {known[rule.id]}"
                )
            )
            continue
        known[rule.id] = rule.path
        digest.update(text)
        rules.append(rule)
    for name, parameter in sorted(shared.items()):
        digest.update(f"{name}={parameter.value}".encode())
    for rule_id, deployment in sorted(site.items()):
        digest.update(f"{rule_id}:{deployment.status}:{sorted(deployment.parameters.items())}".encode())
        # A rule that did not compile has said so itself; its file may be the one that the settings mean.
        if rule_id != SHARED and rule_id not in known and not broken:
            problems.append(
                RuleError("settings", 1, 1, "R031", f'settings name the rule "{rule_id}", which does not exist', "")
            )
    rules.sort(key=lambda r: r.spec)
    by_spec_id = {level.spec.id: (rule, level) for rule in rules for level in rule.levels if level.spec is not None}
    return RuleSet(tuple(rules), shared, digest.hexdigest()[:12], by_spec_id), problems


def _load_one(
    path: Path, shared: Mapping[str, Parameter], site: Mapping[str, Deployment], problems: list[RuleError]
) -> tuple[Rule | None, bytes]:
    shown = f"rules/{path.name}" if path.parent == shipped("rules") else str(path)
    try:
        source = read_source(path, shown_as=shown)
    except RuleError as error:
        problems.append(error)
        return None, b""
    deployment = site.get(str(source.data.get("id")), Deployment())
    compilation = Compilation(source, vocabulary(), shared, deployment.parameters)
    rule = compile_rule(compilation)
    problems.extend(compilation.problems)
    if rule is None or compilation.problems:
        return None, b""
    if deployment.status is not None:
        rule = replace(rule, status="retired" if deployment.status == "off" else deployment.status)
    return rule, path.read_bytes()


def rule_path(rule: Rule) -> Path:
    """Where the file of a loaded rule is."""
    inside = shipped(rule.path)
    return inside if inside.exists() else Path(rule.path)


def set_of(problems: Iterable[RuleError]) -> list[RuleError]:
    """Without repeats: a common pattern is read once for each level."""
    return list({str(p): p for p in problems}.values())
