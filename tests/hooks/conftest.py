"""Fixtures of the service's tests: one running service for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hooks.service import MAX_BODY_BYTES, RunningService, running


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """The service with a pinned day, a small body limit and one allowed browser origin."""
    with running(
        PSYCHMED_MAX_BODY_BYTES=str(MAX_BODY_BYTES), PSYCHMED_CORS_ORIGINS="https://ehr.example.org"
    ) as started:
        yield started


@pytest.fixture
def order_sign() -> Callable[..., dict[str, Any]]:
    """Builds a small order-sign request; keyword arguments replace fields of its context."""

    def build(**context: Any) -> dict[str, Any]:
        draft = {
            "resourceType": "MedicationRequest",
            "id": "d1",
            "status": "draft",
            "intent": "order",
            "subject": {"reference": "Patient/p1"},
            "medicationCodeableConcept": {
                "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "349332"}]
            },
        }
        return {
            "hook": "order-sign",
            "hookInstance": "5f1f6f0c-0f0e-4c39-9f1a-2f3c0f6f0a11",
            "context": {
                "userId": "Practitioner/u1",
                "patientId": "p1",
                "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
                **context,
            },
            "prefetch": {"patient": {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-05"}},
        }

    return build
