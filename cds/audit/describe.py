"""What was asked, in the words of `run.json`: rules, settings that differ from the shipped ones, drug table."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from cds.audit.asking import first_kinds
from cds.audit.job import Job
from cds.drugs.composition import fingerprint
from cds.evaluate import Evaluator
from cds.rules import load_rules
from cds.rules.model import Rule
from cds.rules.vocabulary import vocabulary
from cds.shipped import shipped


def version() -> str:
    """Of this program."""
    try:
        return metadata.version("psychmed-cds")
    except metadata.PackageNotFoundError:
        return "unreleased"


def describe(job: Job, evaluator: Evaluator) -> dict[str, Any]:
    """The part of run.json that is known before the run."""
    rules = evaluator.rules if job.rules is None else evaluator.rules.of(job.rules)
    hook = "order-sign" if job.as_ == "replay" else job.hook
    return {
        "psychmed": version(),
        "today": job.today.isoformat(),
        "as": job.as_,
        "from": job.since.isoformat() if job.since else None,
        "to": job.until.isoformat() if job.until else None,
        "hook": hook,
        "rules_version": evaluator.rules_version,
        "engine": evaluator.engine_name,
        "rules": [_rule(rule, hook) for rule in rules.rules if hook in rule.hooks],
        "settings_changed": list(_changed(evaluator)),
        "drug_table": drug_table_name(evaluator),
        "time_zone": job.settings.time_zone,
        "limit": job.limit,
        "only_rules": list(job.rules) if job.rules else [],
    }


def drug_table_name(evaluator: Evaluator) -> str:
    """The shipped tables by their digest, and a site's release by its file's name."""
    release = evaluator.settings.drugs.release
    name = f"shipped {fingerprint(shipped('rules/drugs'))[:12]}"
    return name if release is None else f"{name}, release {Path(release).name}"


def _rule(rule: Rule, hook: str) -> dict[str, Any]:
    return {
        "spec": rule.spec,
        "id": rule.id,
        "version": rule.version,
        "title": rule.title,
        "status": rule.status,
        "signed_off": rule.signed_off,
        "review_by": rule.review_by,
        "about": sorted(vocabulary().what[kind] for kind in first_kinds(rule, hook)),
        "source": {"label": rule.card.source_label, "url": rule.card.source_url},
    }


def _changed(evaluator: Evaluator) -> Any:
    """Status and parameters that the site changed, with the shipped values and the reason given."""
    switches = evaluator.settings.rules
    if not switches:
        return
    as_shipped = {rule.id: rule for rule in load_rules()[0].rules}
    here = {rule.id: rule for rule in evaluator.rules.rules}
    for name, switch in sorted(switches.items()):
        rule = as_shipped.get(name)
        if switch.status is not None:
            yield {
                "rule": name,
                "name": "status",
                "shipped": rule.status if rule else None,
                "site": switch.status,
                "why": switch.why,
            }
        for parameter in sorted(switch.parameters):
            before = rule.parameters.get(parameter) if rule else None
            now = here[name].parameters.get(parameter) if name in here else None
            yield {
                "rule": name,
                "name": parameter,
                "shipped": _value(before),
                "site": _value(now) if now is not None else str(switch.parameters[parameter]),
                "why": switch.why,
            }


def _value(parameter: Any) -> str | None:
    if parameter is None:
        return None
    value = parameter.value
    number = str(value).lower() if isinstance(value, bool) else f"{value:g}"
    return f"{number} {parameter.unit}".strip()
