"""Suggestions of what to plan: visits, calls, scales, alternatives, therapy, reviews, laboratory tests (1.14)."""

from __future__ import annotations

from collections.abc import Iterator

from cds.decide import Decision
from cds.findings import Action, Suggestion
from cds.suggest.known import Known
from cds.suggest.words import Body, days_of, in_days, one


def follow_up(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    days = days_of(body)
    action = Action("create", "S-FU", f"Proposed follow-up in about {in_days(days)}", None, {"day": days})
    yield from one("S-FU", f"Add a review in {in_days(days)}", action)


def call(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    days = days_of(body)
    yield from one(
        "S-CALL",
        f"Ask the team to call in {in_days(days)}",
        Action("create", "S-CALL", f"Call in {in_days(days)}", None, {"day": days}),
    )


def scale(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    name = str(body["questionnaire"])
    action = Action("create", "S-PHQ", f"Task: complete {name} before the next visit", None, {"questionnaire": name})
    yield from one("S-PHQ", f"Ask for a {name} before the next visit", action)


# Contraindicated beside these, and for two weeks after them (product labels).
_NEVER_BESIDE = {"buspirone": frozenset({"MAOI", "MAOI-like"})}


def alternative(body: Body, _decision: Decision, known: Known) -> Iterator[Suggestion]:
    """S-ALT, unless the drug is taken or ordered already, or something on record rules it out."""
    drug = str(body["drug"])
    never = _NEVER_BESIDE.get(drug, frozenset[str]())
    if any(i.key == drug or i.class_group in never for i in known.recently()):
        return
    action = Action("create", "S-ALT", f"Draft {drug}, dose left to you", None, {"medication": {"text": drug}})
    yield from one("S-ALT", f"Consider {drug} instead", action)


def therapy(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    therapy = str(body["therapy"])
    yield from one(
        "S-THER", f"Refer: {therapy}", Action("create", "S-THER", f"Referral: {therapy}", None, {"therapy": therapy})
    )


def review(_body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    said = "Task: weigh benefits and risks, and document it"
    yield from one("S-REVIEW", "Plan a risk-benefit review", Action("create", "S-REVIEW", said))


def laboratory(body: Body, _decision: Decision, _known: Known) -> Iterator[Suggestion]:
    test, days = str(body["test"]), days_of(body)
    action = Action("create", "S-LAB", f"Draft order: {test}", None, {"test": test, "day": days})
    yield from one("S-LAB", f"Order {test} within {in_days(days)}", action)
