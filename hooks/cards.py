"""An evaluation as a CDS Hooks response: one card a finding that is shown, and everything else in the extension.

Nothing here decides. Findings arrive in the order and with the disposition that `cds.policy` gave them.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import TYPE_CHECKING, Any, Literal

from cds.education import topics
from cds.errors import FactError
from cds.fhir.out import OutContext, action_json
from cds.findings import Evaluation, Finding, Suggestion
from cds.shipped import table
from hooks.education import PATH as EDUCATION_PATH

if TYPE_CHECKING:
    from cds.evaluate import HookCall

log = logging.getLogger("psychmed.hooks")

RULE_SYSTEM = "urn:psychmed:rule"
OVERRIDE_SYSTEM = "urn:psychmed:override-reason"
FINDING_EXTENSION = "org.psychmed.finding"
EVALUATION_EXTENSION = "org.psychmed.evaluation"
CLINICAL_REVIEW = "draft: not signed off"
FURTHER_ITEMS = "further-items"
SUMMARY_LIMIT = 139
MOST_ITEMS = 20


def response_json(
    evaluation: Evaluation,
    call: HookCall,
    *,
    time_zone: str,
    today_pinned: bool = False,
    base_url: str | None = None,
    selection: Literal["any", "at-most-one"] = "any",
) -> dict[str, Any]:
    """The whole response body. Cards carry fresh uuids; `org.psychmed.evaluation` is the same for the same input.

    base_url: where clients reach this service; without it cards link no pages for the patient.
    selection: how many suggestions of a card may be taken.
    """
    context = _out_context(evaluation.today, call, time_zone)
    shown = [finding for finding in evaluation.findings if finding.disposition == "shown"]
    cards = [_card(finding, context, base_url, selection) for finding in shown]
    held_back = [finding for finding in evaluation.findings if finding.disposition == "budget"]
    if held_back:
        cards.append(_further_items(held_back, evaluation.rules_version))
    extension = evaluation.canonical() | {"clinical_review": CLINICAL_REVIEW}
    if today_pinned:
        extension["today_pinned"] = True
    return {"cards": cards, "extension": {EVALUATION_EXTENSION: extension}}


def one_line(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """Text as a card's summary: one line, and short in the units in which a browser counts."""
    line = " ".join(text.split())
    if _utf16_length(line) <= limit:
        return line
    while _utf16_length(line) > limit - 1:
        line = line[:-1]
    return line.rstrip() + "…"


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _new_id() -> str:
    return str(uuid.uuid4())


def _out_context(today: dt.date, call: HookCall, time_zone: str) -> OutContext:
    return OutContext(
        patient_ref=f"Patient/{call.patient_id}",
        today=today,
        time_zone=time_zone,
        drafts=call.reading.raws,
        user_ref=call.user,
        encounter_ref=f"Encounter/{call.encounter}" if call.encounter else None,
        new_id=_new_id,
    )


def _card(finding: Finding, context: OutContext, base_url: str | None, selection: str) -> dict[str, Any]:
    source: dict[str, Any] = {
        "label": finding.source.label,
        "topic": {"system": RULE_SYSTEM, "code": finding.rule, "display": finding.title},
    }
    if finding.source.url:
        source["url"] = finding.source.url
    card: dict[str, Any] = {
        "uuid": _new_id(),
        "summary": one_line(finding.summary),
        "indicator": finding.indicator,
        "source": source,
        "overrideReasons": override_reasons(finding.override_reasons),
        "extension": {FINDING_EXTENSION: _finding_extension(finding)},
    }
    if finding.detail.strip():
        card["detail"] = finding.detail
    suggestions = [made for made in (_suggestion(offer, context) for offer in finding.suggestions) if made]
    if suggestions:
        card["suggestions"] = suggestions
        card["selectionBehavior"] = selection
    if base_url is not None and finding.education:
        card["links"] = [_page(topic, base_url) for topic in finding.education]
    return card


def _page(topic: str, base_url: str) -> dict[str, str]:
    """A link to what the patient may be told; its address names a class of medicines and nothing else."""
    label = f"For the patient: {topics()[topic].title}"
    return {"label": label, "url": f"{base_url}{EDUCATION_PATH}/{topic}", "type": "absolute"}


def _finding_extension(finding: Finding) -> dict[str, Any]:
    extension: dict[str, Any] = {
        "rule": finding.rule,
        "spec": finding.spec,
        "version": finding.version,
        "level": finding.level,
    }
    for name, values in (
        ("looked_at", finding.looked_at),
        ("missing", finding.missing),
        ("absorbed", finding.absorbed),
    ):
        if values:
            extension[name] = list(values)
    return extension


def _suggestion(offer: Suggestion, context: OutContext) -> dict[str, Any] | None:
    try:
        actions = [action_json(action, context) for action in offer.actions]
    except FactError as error:
        # Expected: a draft that cannot be echoed, or that the client could not find by its id.
        log.info("suggestion %s left out: %s", offer.id, type(error).__name__)
        return None
    except Exception as error:
        # The card is what protects the patient: it goes out without a suggestion that cannot be written.
        log.error("suggestion %s left out: %s", offer.id, type(error).__name__)
        return None
    suggestion: dict[str, Any] = {
        "label": offer.label,
        "uuid": _new_id(),
        "isRecommended": offer.recommended,  # optional, but one widely used client library requires it
    }
    if actions:
        suggestion["actions"] = actions
    return suggestion


def override_reasons(codes: tuple[str, ...]) -> list[dict[str, str]]:
    """Codings of the reasons, in the rule's order; `other` is always offered, last."""
    display = {row["code"]: row["display"] for row in table("override_reasons")}
    offered = [code for code in dict.fromkeys(codes) if code in display and code != "other"]
    return [{"code": code, "system": OVERRIDE_SYSTEM, "display": display[code]} for code in [*offered, "other"]]


def _further_items(held_back: list[Finding], rules_version: str) -> dict[str, Any]:
    """The one card for what the budget holds back. It comes in addition to the budget."""
    count = f"{len(held_back)} further item" + ("s" if len(held_back) > 1 else "")
    titles = "; ".join(dict.fromkeys(finding.title for finding in held_back))
    lines = [f"- {one_line(finding.summary)}" for finding in held_back[:MOST_ITEMS]]
    if len(held_back) > MOST_ITEMS:
        lines.append(f"- and {len(held_back) - MOST_ITEMS} more")
    return {
        "uuid": _new_id(),
        "summary": one_line(f"{count}: {titles}"),
        "indicator": "info",
        "detail": "\n".join(lines),
        "source": {
            "label": "psychmed-cds",
            "topic": {"system": RULE_SYSTEM, "code": FURTHER_ITEMS, "display": "Further items"},
        },
        "extension": {
            FINDING_EXTENSION: {
                "rule": FURTHER_ITEMS,
                "spec": FURTHER_ITEMS,
                "version": rules_version,
                "level": "info",
                "items": [finding.spec for finding in held_back[:MOST_ITEMS]],
            }
        },
    }
