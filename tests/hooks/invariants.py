"""What holds for every response of the service, whatever the patient. Ids are those of the CDS Hooks checklist:
C cards, A actions, L links, G transport, E extensions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

INDICATORS = ["critical", "warning", "info"]
OVERRIDE_SYSTEM = "urn:psychmed:override-reason"
FINDING = "org.psychmed.finding"
EVALUATION = "org.psychmed.evaluation"
EVALUATION_KEYS = {
    "rules_version", "engine", "today", "findings", "withheld", "evaluated", "not_evaluated",
    "ignored_resources", "bad_resources", "medications", "clinical_review",
}  # fmt: skip
_HTML = re.compile(r"<\s*/?\s*[a-zA-Z!]")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[^/\s]+")


def check_response(response: dict[str, Any], *, drafts: Collection[str] = ()) -> None:
    """Raises AssertionError that names the checklist row. drafts: references of the request's draft orders."""
    problems = list(_problems(response, drafts))
    assert not problems, "\n".join(problems)


def _problems(response: dict[str, Any], drafts: Collection[str]) -> Iterator[str]:
    cards = response.get("cards")
    if not isinstance(cards, list):
        yield "S1: cards is not an array"
        return
    if not set(response) <= {"cards", "extension"}:
        yield f"A12/S2: unexpected {sorted(set(response) - {'cards', 'extension'})}"
    yield from (f"G3: empty value at {place}" for place in _empty_values(cards, "cards") if place != "cards")
    for number, card in enumerate(cards):
        yield from (f"cards[{number}] {problem}" for problem in _card_problems(card, drafts))
    uuids = [card.get("uuid") for card in cards]
    uuids += [s.get("uuid") for card in cards for s in card.get("suggestions", ())]
    if len(uuids) != len(set(uuids)):
        yield "C1: a uuid is used twice"
    order = [INDICATORS.index(card["indicator"]) for card in cards if card.get("indicator") in INDICATORS]
    if order != sorted(order):
        yield "C14: cards are not sorted critical, warning, info"
    yield from _evaluation_problems(response)


def _evaluation_problems(response: dict[str, Any]) -> Iterator[str]:
    evaluation = response.get("extension", {}).get(EVALUATION)
    if not isinstance(evaluation, dict):
        yield f"E1: no {EVALUATION}"
        return
    if missing := EVALUATION_KEYS - set(evaluation):
        yield f"E1: {EVALUATION} lacks {sorted(missing)}"
        return
    dispositions = [finding["disposition"] for finding in evaluation["findings"]]
    expected = dispositions.count("shown") + ("budget" in dispositions)
    if len(response["cards"]) != expected:
        yield f"10.1: {len(response['cards'])} cards for {expected} findings that are to be shown"
    withheld = [(f["spec"], f["disposition"]) for f in evaluation["findings"] if f["disposition"] != "shown"]
    if sorted(withheld) != sorted((w["spec"], w["reason"]) for w in evaluation["withheld"]):
        yield "10.1: withheld does not list every finding that is not shown"


def _card_problems(card: dict[str, Any], drafts: Collection[str]) -> Iterator[str]:
    if not _UUID.fullmatch(str(card.get("uuid"))):
        yield "C1: uuid"
    summary = card.get("summary", "")
    if not summary or len(summary.encode("utf-16-le")) // 2 > 139 or "\n" in summary:
        yield "C2: summary is not one line of 1 to 139 characters"
    if _HTML.search(card.get("detail", "") + summary):
        yield "C3: raw HTML"
    if card.get("indicator") not in INDICATORS:
        yield "C4: indicator"
    yield from _source_problems(card.get("source", {}))
    suggestions = card.get("suggestions", [])
    if bool(suggestions) != ("selectionBehavior" in card):
        yield "C10: selectionBehavior goes with suggestions"
    if card.get("selectionBehavior", "any") not in ("any", "at-most-one"):
        yield "C11: selectionBehavior"
    finding = card.get("extension", {}).get(FINDING, {})
    if not {"rule", "spec", "version", "level"} <= set(finding):
        yield f"E1: {FINDING}"
    reasons = card.get("overrideReasons", [])
    for reason in reasons:
        if set(reason) != {"code", "system", "display"} or reason["system"] != OVERRIDE_SYSTEM:
            yield "C12: an override reason is not a coding of ours with display"
    if finding.get("rule") != "further-items" and "other" not in [reason.get("code") for reason in reasons]:
        yield "C12: `other` is not offered"
    if sum(bool(s.get("isRecommended")) for s in suggestions) > 1 and card.get("selectionBehavior") != "any":
        yield "A3: more than one recommended"
    for suggestion in suggestions:
        yield from _suggestion_problems(suggestion, drafts)
    for link in card.get("links", []):
        if not {"label", "url", "type"} <= set(link) or link["type"] not in ("absolute", "smart"):
            yield "L1: link"
        if link.get("type") == "absolute" and "appContext" in link:
            yield "L2: appContext"


def _source_problems(source: dict[str, Any]) -> Iterator[str]:
    if not source.get("label"):
        yield "C5: source.label"
    if "url" in source and (
        urlsplit(source["url"]).scheme not in ("http", "https") or not urlsplit(source["url"]).netloc
    ):
        yield "C6: source.url is not absolute"
    topic = source.get("topic", {})
    if topic.get("system") != "urn:psychmed:rule" or not topic.get("code") or not topic.get("display"):
        yield "C8: source.topic"


def _suggestion_problems(suggestion: dict[str, Any], drafts: Collection[str]) -> Iterator[str]:
    if not suggestion.get("label"):
        yield "A1: label"
    if not _UUID.fullmatch(str(suggestion.get("uuid"))):
        yield "A2: uuid"
    if not isinstance(suggestion.get("isRecommended"), bool):
        yield "A3: isRecommended"
    for action in suggestion.get("actions", []):
        yield from _action_problems(action, drafts)


def _action_problems(action: dict[str, Any], drafts: Collection[str]) -> Iterator[str]:
    kind, resource, target = action.get("type"), action.get("resource"), action.get("resourceId")
    if kind not in ("create", "update", "delete"):
        yield "A6: type"
    if not action.get("description"):
        yield "A7: description"
    if kind == "delete":
        if resource is not None or not isinstance(target, str) or not _RELATIVE.fullmatch(target):
            yield "A9: delete names its target by a relative reference and carries no resource"
        elif target not in drafts:
            yield "A10: delete of something that is not a draft of this request"
        return
    if not isinstance(resource, dict) or not resource.get("resourceType") or not resource.get("id"):
        yield "A8: a resource with type and id"
    elif target is not None:
        yield "A9: resourceId is for delete only"
    elif kind == "update" and f"{resource['resourceType']}/{resource['id']}" not in drafts:
        yield "A10: update of something that is not a draft of this request"


def _empty_values(value: Any, place: str) -> Iterator[str]:
    if value is None or (isinstance(value, str | list | dict) and not value):
        yield place
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _empty_values(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _empty_values(inner, f"{place}[{number}]")
