"""`python -m hooks.demo`: what a newcomer sees first."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest

from cds.shipped import shipped
from hooks.demo import SCENES, WIDTH, card_lines, dated
from tests.hooks.service import ROOT


def test_the_demo_brings_its_three_cards_and_ends_well() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "hooks.demo"],
        cwd=ROOT,
        env={**os.environ, "PSYCHMED_TIME_ZONE": "not/used", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    for spec in ("A-02", "B-01", "D-01"):
        assert f"Rule {spec}" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= WIDTH


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.spec)
def test_a_demo_request_holds_no_date_of_its_own(scene: object) -> None:
    text = (shipped("fixtures/requests") / scene.file).read_text("utf-8")  # type: ignore[attr-defined]
    early, late = (json.dumps(dated(text, dt.date(year, 1, 15))) for year in (2001, 2051))
    assert "@" not in early
    assert "20" + "2" not in early.replace("-202", "")
    assert early != late


def test_relative_days_become_dates_also_inside_a_time() -> None:
    text = '{"a": "@-1d", "b": "@2dT10:00:00Z", "c": "@0d"}'
    assert dated(text, dt.date(2026, 3, 1)) == {"a": "2026-02-28", "b": "2026-03-03T10:00:00Z", "c": "2026-03-01"}


def test_a_card_reads_as_text_without_markdown() -> None:
    card = {
        "summary": "New order covers 90 days",
        "indicator": "warning",
        "detail": "**Why:** new.\n\n|Fact|Value|\n|---|---|\n|Dose|1 mg|\n\n- shorter supply\n\n*Evidence: ASAM.*",
        "source": {"label": "ASAM"},
        "suggestions": [{"label": "Shorten", "isRecommended": True}],
    }
    assert card_lines(card) == [
        "[WARNING] New order covers 90 days",
        "",
        "  Why: new.",
        "",
        "    Dose: 1 mg",
        "",
        "    • shorter supply",
        "",
        "  Evidence: ASAM.",
        "",
        "  → Shorten  (recommended)",
        "  Source: ASAM",
    ]
