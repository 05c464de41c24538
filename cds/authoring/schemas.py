"""JSON Schema of rule and case files, for completion and checks in an editor."""

from __future__ import annotations

from typing import Any

from cds.authoring.cases import FileShape
from cds.authoring.line_keys import LINE_KEYS, STEP_KEYS
from cds.rules.grammar import WRITE
from cds.rules.schema import RuleShape
from cds.rules.suggestions import KEYS, QUESTIONNAIRES, TESTS
from cds.rules.vocabulary import vocabulary

Schema = dict[str, Any]
_DRAFT = "http://json-schema.org/draft-07/schema#"  # what YAML editors know best
_COMPARISON = {
    "type": "string",
    "pattern": r"^[a-z][a-z0-9_]* is (not |at least |at most |more than |less than |on or after |on or before "
    r"|after |before )?\S.*$",
    "description": WRITE.removeprefix("write: "),
}
_QUANTITY = {"type": ["string", "number", "boolean"], "description": "28 d, 4 wk, 75 mg, 25 %, a number, true or false"}


def rule_schema() -> Schema:
    """The schema of a rule file; kinds and fields are those of the vocabulary."""
    schema = RuleShape.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    definitions["Pattern"] = _pattern()
    for shape in (schema, definitions["LevelShape"]):
        for key in ("when", "unless", "lower_one_level_if"):
            shape["properties"][key]["items"] = {"$ref": "#/definitions/Pattern"}
    definitions["CardShape"]["properties"]["suggestions"]["items"] = _suggestion()
    definitions["ParameterShape"]["properties"]["value"] = _QUANTITY
    for shape, key in (
        (schema, "review_by"),
        (definitions["SourceShape"], "checked"),
        (definitions["ReviewShape"], "date"),
    ):
        shape["properties"][key] = {"type": "string", "format": "date"}
    return {
        "$schema": _DRAFT,
        "title": "psychmed rule file (cds-rule/1)",
        **_without_title(schema),
        "definitions": definitions,
    }


def case_schema() -> Schema:
    """The schema of a case file; the lines of a patient with their keys."""
    schema = FileShape.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    definitions["Line"] = _line()
    lines = {"type": "array", "items": {"$ref": "#/definitions/Line"}}
    template = {
        "type": "object",
        "required": ["use"],
        "additionalProperties": False,
        "properties": {"use": {"type": "string", "pattern": "^fixtures/"}},
    }
    with_templates = {"type": "array", "items": {"anyOf": [{"$ref": "#/definitions/Line"}, template]}}
    schema["properties"]["patients"]["additionalProperties"] = {"anyOf": [with_templates, template]}
    definitions["CaseShape"]["properties"]["add"] |= lines
    return {"$schema": _DRAFT, "title": "psychmed case file", **_without_title(schema), "definitions": definitions}


def _without_title(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


def _pattern() -> Schema:
    kinds = vocabulary().kinds
    every = sorted({name for fields in kinds.values() for name in fields})
    return {
        "type": "object",
        "description": "<name>: <fact kind>, with where:",
        "properties": {
            "where": {
                "type": "array",
                "items": {
                    "allOf": [_COMPARISON],
                    # Editors complete from these; the pattern decides.
                    "anyOf": [{"pattern": ""}, {"enum": [f"{name} is " for name in every]}],
                },
            },
            "count": {"type": "string", "pattern": r"^at least \d+$"},
            "because": {"type": "string"},
        },
        "additionalProperties": {"enum": sorted(kinds), "description": "a fact kind of rules/_vocabulary.yaml"},
    }


def _suggestion() -> Schema:
    properties: Schema = {key: {} for keys in KEYS.values() for key in keys}
    properties |= {
        "use": {"enum": sorted(KEYS)},
        "questionnaire": {"enum": list(QUESTIONNAIRES)},
        "test": {"enum": list(TESTS)},
        "levels": {"type": "array", "items": {"type": "string"}},
        "recommended": {"type": "boolean"},
    }
    return {"type": "object", "required": ["use"], "properties": properties}


def _line() -> Schema:
    step = {"type": "object", "additionalProperties": False, "properties": {key: {} for key in sorted(STEP_KEYS)}}
    patterns: Schema = {}
    for kind, keys in LINE_KEYS.items():
        if keys is None:
            patterns[f"^{kind}( .+)?$"] = {}
            continue
        properties: Schema = {key: {} for key in sorted(keys)}
        if "steps" in keys:
            properties["steps"] = {"type": "array", "items": step}
        patterns[f"^{kind}( .+)?$"] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "patternProperties": patterns}
