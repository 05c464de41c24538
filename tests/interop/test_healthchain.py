"""The response models of healthchain, which others wrote, read our answers from files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.service import RunningService

HERE = Path(__file__).parent


def read_by(python: Path, answers: dict[str, dict[str, Any]], folder: Path) -> dict[str, list[str]]:
    """What healthchain does not accept of each answer."""
    files = []
    for name, answer in answers.items():
        files.append(folder / name)
        files[-1].write_text(json.dumps(answer))
    command = [str(python), "-I", str(HERE / "healthchain_models.py"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def answers(cds: RunningService, scenes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Our answers to the demo's requests."""
    return {name: cds.post(f"psychmed-{r['hook']}", r).json() for name, r in scenes.items()}


def test_our_cards_and_suggestions_are_accepted(
    healthchain: Path, answers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    cards = [card for answer in answers.values() for card in answer["cards"]]
    assert any(suggestion.get("actions") for card in cards for suggestion in card.get("suggestions", []))
    # Its links want `autoLaunchable`, which is in no published version of the standard (checklist L3).
    without_links = {
        name: {**answer, "cards": [{k: v for k, v in card.items() if k != "links"} for card in answer["cards"]]}
        for name, answer in answers.items()
    }
    assert read_by(healthchain, without_links, tmp_path) == {name: [] for name in answers}


def test_of_our_links_only_the_one_field_is_missed_that_the_standard_does_not_have(
    healthchain: Path, answers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    found = [problem for problems in read_by(healthchain, answers, tmp_path).values() for problem in problems]
    assert found
    assert {problem.rpartition(".")[2] for problem in found} == {"autoLaunchable: missing"}


def test_it_would_notice_a_card_that_breaks_the_standard(
    healthchain: Path, answers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    name, answer = next((n, a) for n, a in answers.items() if any("suggestions" in c for c in a["cards"]))
    card = next(c for c in answer["cards"] if "suggestions" in c)
    broken = {k: v for k, v in card.items() if k not in ("links", "selectionBehavior")} | {"summary": "x" * 141}
    assert read_by(healthchain, {name: {"cards": [broken]}}, tmp_path)[name]
