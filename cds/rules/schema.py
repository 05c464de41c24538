"""Shape of a rule file, as pydantic models: unknown keys are errors, and an editor gets its JSON Schema from here.

What the words mean (kinds, fields, comparisons, texts) is checked by `cds.rules.patterns` and `cds.rules.texts`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cds.model import Indicator

HookName = Literal["patient-view", "order-select", "order-sign", "encounter-discharge", "batch"]
StatusName = Literal["draft", "silent", "active", "retired"]
Need = Literal[
    "patient",
    "birth-date",
    "medication-history",
    "problem-list",
    "encounters",
    "appointments",
    "results",
    "allergies",
    "discharge-list",
    "reviews",
]
OverrideReason = Literal[
    "cross-taper", "renewal", "accepted-combination", "specialist-advice", "indication-exempt", "prn-rare",
    "taper-in-progress", "intolerance", "prior-adequate-trial", "worsening-urgent", "patient-preference",
    "already-done", "scheduled-elsewhere", "monitoring-ordered", "tolerated-stable", "wrong-data", "not-taking",
    "pregnancy-plan-documented", "cost-formulary-shortage", "other",
]  # fmt: skip
_VERSION = r"^\d+\.\d+\.\d+$"
_KEBAB = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class SourceShape(_Shape):
    id: str = Field(pattern=_KEBAB)
    cite: str
    url: str = Field(pattern=r"^https?://")
    supports: list[str]
    checked: Any = None


class ParameterShape(_Shape):
    value: Any
    range: str | None = None
    source: str
    why: str
    spec: str = ""


class NeedsShape(_Shape):
    to_fire: list[Need] = []
    to_suppress: list[Need] = []
    fires_if_damaged: bool = False


class LevelShape(_Shape):
    name: str = Field(pattern=_KEBAB)
    indicator: Indicator
    status: StatusName = "active"
    hooks: list[HookName] | None = None
    needs: NeedsShape = NeedsShape()
    when: list[dict[str, Any]] = []
    unless: list[dict[str, Any]] = []
    lower_one_level_if: list[dict[str, Any]] = []
    summary: str
    why: str


class CardShape(_Shape):
    source: str
    evidence: str
    facts: list[tuple[str, str]] = []
    options: list[str] = []
    override_reasons: list[OverrideReason]
    suggestions: list[dict[str, Any]] = []


class ReviewShape(_Shape):
    reviewer: str
    role: str
    date: Any


class RelatedShape(_Shape):
    id: str
    type: Literal["replaces", "derived", "similar"]


class RuleShape(_Shape):
    """A rule file (`schema: cds-rule/1`)."""

    schema_: Literal["cds-rule/1"] = Field(alias="schema")
    id: str = Field(pattern=_KEBAB)
    spec: str = Field(pattern=r"^(X-)?[A-Z]+-\d\d$")
    version: str = Field(pattern=_VERSION)
    status: StatusName
    title: str
    rank: int = Field(ge=0, le=125)
    hooks: list[HookName] = Field(min_length=1)
    audit: bool
    owner: str
    clinical_review: list[ReviewShape]
    review_by: Any
    sources: list[SourceShape] = Field(min_length=1)
    related: list[RelatedShape] = []
    known_false_alerts: list[str]
    parameters: dict[str, ParameterShape] = {}
    silenced_by: list[Literal["deceased", "hospice", "palliative", "inpatient"]] = []
    needs: NeedsShape = NeedsShape()
    when: list[dict[str, Any]] = []
    unless: list[dict[str, Any]] = []
    lower_one_level_if: list[dict[str, Any]] = []
    levels: list[LevelShape] = Field(min_length=1)
    card: CardShape
