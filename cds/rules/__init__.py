"""The rule language: YAML files to engine-neutral specifications."""

from cds.rules.load import Deployment, load_rules
from cds.rules.model import Level, Rule, RuleSet

__all__ = ["Deployment", "Level", "Rule", "RuleSet", "load_rules"]
