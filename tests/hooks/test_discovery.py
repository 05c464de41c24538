"""The discovery document against the checklist's D and P rows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from hooks.discovery import discovery_document
from tests.hooks.service import RunningService

SERVICES: list[dict[str, Any]] = discovery_document()["services"]
TEMPLATES = [(s["id"], key, text) for s in SERVICES for key, text in s["prefetch"].items()]


def test_discovery_is_served_as_written(service: RunningService) -> None:
    answer = requests.get(f"{service.url}/cds-services", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == discovery_document()


def test_the_services_are_there_each_with_its_hook() -> None:
    assert {s["id"]: s["hook"] for s in SERVICES} == {
        "psychmed-patient-view": "patient-view",
        "psychmed-order-select": "order-select",
        "psychmed-order-sign": "order-sign",
        "psychmed-encounter-discharge": "encounter-discharge",
        "psychmed-encounter-start": "encounter-start",
        "psychmed-medication-refill": "medication-refill",
        "psychmed-appointment-book": "appointment-book",
        "psychmed-medication-prescribe": "medication-prescribe",
        "psychmed-order-review": "order-review",
    }


@pytest.mark.parametrize("entry", SERVICES, ids=lambda entry: entry["id"])
def test_a_service_says_what_it_does_and_what_it_needs(entry: dict[str, Any]) -> None:
    for field in ("title", "description", "usageRequirements"):
        assert entry[field].strip()
    assert 0 < len(entry["prefetch"]) <= 12


@pytest.mark.parametrize(("_service", "key", "template"), TEMPLATES)
def test_a_template_stays_in_what_every_client_understands(_service: str, key: str, template: str) -> None:
    assert re.fullmatch(r"[a-z_]+", key)
    assert set(re.findall(r"\{\{(.*?)\}\}", template)) == {"context.patientId"}
    path, _, query = template.partition("?")
    assert re.fullmatch(r"[A-Z][A-Za-z]+(/\{\{context\.patientId\}\})?", path)
    assert set(parse_qs(query)) <= {"patient", "code", "_count"}


@pytest.mark.parametrize(("_service", "key", "template"), TEMPLATES)
def test_no_template_holds_a_date(_service: str, key: str, template: str) -> None:
    assert not re.search(r"today|date|=(ge|gt|le|lt)", template)


def test_a_search_is_of_the_type_its_key_stands_for() -> None:
    from hooks.discovery import PREFETCH

    assert all(re.match(rf"{kind}[?/]", template) for kind, template in PREFETCH.values())
