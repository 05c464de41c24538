"""Pages for the patient: linked from cards, complete, in plain words, and with nothing of anybody in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
import requests

from cds.drugs.table import drug_table
from cds.education import topics, topics_for
from cds.shipped import shipped
from hooks.demo import dated
from tests.hooks.service import TODAY, RunningService, running

MISSION_CLASSES = {"SRI", "TCA", "MAOI", "AD-OTHER", "BZD", "ZDRUG", "AP", "MOOD", "STIM", "ADHD-NS"}


def duplicate_ssri() -> dict[str, object]:
    import datetime as dt

    text = (shipped("fixtures/requests") / "duplicate_ssri.json").read_text("utf-8")
    return dated(text, dt.date.fromisoformat(TODAY))


def test_every_class_of_the_mission_rules_has_a_page() -> None:
    assert {name.partition(":")[0] for topic in topics().values() for name in topic.classes} == MISSION_CLASSES


def test_lithium_has_a_page_of_its_own_and_other_mood_stabilisers_theirs() -> None:
    table = drug_table()
    assert topics_for([table.ingredient("lithium"), table.ingredient("lamotrigine")]) == ("lithium", "mood-stabilisers")


def test_a_drug_that_works_otherwise_than_its_class_gets_no_page_of_the_class() -> None:
    table = drug_table()
    for key in ("esketamine", "zuranolone"):
        assert topics_for([table.ingredient(key)]) == ()
    assert topics_for([table.ingredient("bupropion")]) == ("other-antidepressants",)


@pytest.mark.parametrize("topic", topics().values(), ids=lambda t: t.id)
def test_every_page_says_whom_to_call_with_thoughts_of_suicide(topic) -> None:  # type: ignore[no-untyped-def]
    assert any("suicide" in line and "988" in line for line in topic.when_to_call)


@pytest.mark.parametrize("topic", topics().values(), ids=lambda t: t.id)
def test_fever_with_stiff_muscles_is_an_emergency_on_every_page(topic) -> None:  # type: ignore[no-untyped-def]
    for line in topic.when_to_call:
        assert "stiff" not in line or "emergency number" in line, line


@pytest.mark.parametrize("topic", topics().values(), ids=lambda t: t.id)
def test_a_page_says_how_when_what_at_first_and_when_to_call_with_a_source(topic) -> None:  # type: ignore[no-untyped-def]
    assert topic.how_it_works.count(".") <= 2
    assert topic.when_it_works
    assert len(topic.early_effects) >= 3
    assert len(topic.when_to_call) >= 3
    assert topic.sources
    assert "review" in topic.sourced, "what has not been read in a source is named as such"


@pytest.mark.parametrize("topic", topics().values(), ids=lambda t: t.id)
def test_the_sentences_are_short_enough_to_read(topic) -> None:  # type: ignore[no-untyped-def]
    texts = (topic.how_it_works, topic.when_it_works, *topic.early_effects, *topic.when_to_call)
    for sentence in (s for text in texts for s in re.split(r"[.:;] ", text)):
        assert len(sentence.split()) <= 30, sentence


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_links_of_a_card_lead_to_pages_of_this_service(service: RunningService) -> None:
    cards = service.post("psychmed-order-sign", duplicate_ssri()).json()["cards"]
    links = [link for card in cards for link in card.get("links", [])]
    assert links
    for link in links:
        assert link["type"] == "absolute"
        assert link["url"].startswith(f"{service.url}/education/")
        parts = urlsplit(link["url"])
        assert (parts.query, parts.fragment) == ("", "")
        assert parts.path.rpartition("/")[2] in topics(), "the address names a topic and nothing of a patient"
        answer = requests.get(link["url"], timeout=10)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["", *(f"/{topic}" for topic in topics())])
def test_a_page_is_well_formed_plain_html_without_script(service: RunningService, path: str) -> None:
    answer = requests.get(f"{service.url}/education{path}", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    parser = _Tags()
    parser.feed(answer.text)
    assert parser.open == []
    assert not parser.seen & {"script", "img", "link", "iframe", "form"}
    assert "not yet signed off" in answer.text


def test_a_topic_that_does_not_exist_is_not_found(service: RunningService) -> None:
    assert requests.get(f"{service.url}/education/homeopathy", timeout=10).status_code == 404
    assert requests.get(f"{service.url}/education/..%2Frules", timeout=10).status_code == 404


def test_the_address_of_the_site_goes_before_our_own() -> None:
    with running(PSYCHMED_BASE_URL="https://cds.example.org/psychmed") as service:
        cards = service.post("psychmed-order-sign", duplicate_ssri()).json()["cards"]
        urls = [link["url"] for card in cards for link in card.get("links", [])]
        assert urls
        assert all(url.startswith("https://cds.example.org/psychmed/education/") for url in urls)


def test_a_host_header_does_not_decide_where_links_lead(service: RunningService) -> None:
    answer = service.post(
        "psychmed-order-sign", duplicate_ssri(), headers={"Host": "evil.example", "Content-Type": "application/json"}
    )
    assert "evil.example" not in answer.text
