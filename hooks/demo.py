"""`python -m hooks.demo`: start the service, act as an EHR with three requests, print the cards, stop.

Exit code 0 only when every request brought the card it is there to show.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from cds.settings import ENVIRONMENT_PREFIX, load_settings
from cds.shipped import shipped
from hooks.clock import today_at

WIDTH = 88
TIMEOUT_SECONDS = 30
STOP_SECONDS = 15
SETTINGS_FILE = "fixtures/requests/demo_settings.yaml"

_RELATIVE_DAY = re.compile(r"@(-?\d+)d")
_LISTENING = "psychmed listening on "


@dataclass(frozen=True, slots=True)
class Scene:
    """One request of the demo, what it is about, and the specification id of the card it must bring."""

    file: str
    story: str
    spec: str


SCENES = (
    Scene("duplicate_ssri.json", "Escitalopram is about to be signed for a patient who takes sertraline", "A-02"),
    Scene("long_first_lorazepam.json", "A first lorazepam order for 90 days is about to be signed", "B-01"),
    Scene(
        "start_without_follow_up.json",
        "A chart is opened: sertraline was started 33 days ago, no contact since",
        "D-01",
    ),
)


def main() -> int:
    """Run the demo."""
    # The caller's own settings change nothing about it, here or in the child process.
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    settings_file = shipped(SETTINGS_FILE)
    today = today_at(load_settings(settings_file).zone)
    print(f"psychmed-cds demo, {today.isoformat()}. Invented patients; clinical content not signed off.")
    missing: list[str] = []
    with _service(settings_file, today) as (process, url):
        services = _discover(url)
        for scene in SCENES:
            request = dated((shipped("fixtures/requests") / scene.file).read_text("utf-8"), today)
            address = f"{url}/cds-services/{services[request['hook']]}"
            answer = requests.post(address, json=request, timeout=TIMEOUT_SECONDS)
            print("\n" + scene_text(scene, request["hook"], answer.status_code, answer.json()))
            cards = answer.json().get("cards", [])
            if scene.spec not in [card["extension"]["org.psychmed.finding"].get("spec") for card in cards]:
                missing.append(f"{scene.file}: no {scene.spec} card (HTTP {answer.status_code})")
    if process.returncode != 0:
        missing.append(f"the service ended with exit code {process.returncode}")
    for problem in missing:
        print(f"\ndemo failed: {problem}", file=sys.stderr)
    return 1 if missing else 0


def dated(text: str, today: dt.date) -> Any:
    """The request with its relative days ("@-200d" is 200 days ago) as dates, so that the demo never ages."""
    return json.loads(_RELATIVE_DAY.sub(lambda day: (today + dt.timedelta(days=int(day[1]))).isoformat(), text))


@contextmanager
def _service(settings_file: Path, today: dt.date) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service as a child process, and its address."""
    # Pinned so that midnight between building a request and answering it changes nothing.
    environment = {**os.environ, f"{ENVIRONMENT_PREFIX}TODAY": today.isoformat()}
    environment[f"{ENVIRONMENT_PREFIX}LOG_REQUESTS"] = "false"
    process = subprocess.Popen(
        [sys.executable, "-m", "hooks", "--settings", str(settings_file)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, _wait_for_address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_for_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    # Ends in any case: the service gives up by itself when it does not become ready.
    for line in process.stdout:
        if line.startswith(_LISTENING):
            return line.removeprefix(_LISTENING).strip()
    raise SystemExit("demo failed: the service did not start")


def _discover(url: str) -> dict[str, str]:
    """Hook to service id, from the discovery document; printed as it is read."""
    answer = requests.get(f"{url}/cds-services", timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    services = answer.json()["services"]
    print(f"\n{len(services)} services at {url}/cds-services:")
    for service in services:
        print(f"  {service['hook']:<20} {service['title']}")
    return {service["hook"]: service["id"] for service in services}


def scene_text(scene: Scene, hook: str, status: int, answer: dict[str, Any]) -> str:
    """A response as a clinician would read it."""
    lines = ["═" * WIDTH, *textwrap.wrap(f"{scene.story} ({hook})", WIDTH), "═" * WIDTH]
    if status != 200:
        return "\n".join([*lines, f"HTTP {status}: {answer['issue'][0]['diagnostics']}"])
    cards = answer["cards"]
    for card in cards:
        lines += ["", *card_lines(card)]
    if not cards:
        lines += ["", "No cards."]
    return "\n".join(lines)


def card_lines(card: dict[str, Any]) -> list[str]:
    """One card as plain text."""
    label = f"[{card['indicator'].upper()}] "
    lines = textwrap.wrap(label + card["summary"], WIDTH, subsequent_indent=" " * len(label))
    if detail := card.get("detail"):
        lines += ["", *_detail_lines(detail), ""]
    for suggestion in card.get("suggestions", []):
        star = "  (recommended)" if suggestion.get("isRecommended") else ""
        lines += _indented(f"{suggestion['label']}{star}", "  → ")
    if reasons := card.get("overrideReasons"):
        lines += _indented("Or continue because: " + "; ".join(reason["display"] for reason in reasons), "  ")
    source = card["source"]
    lines += _indented("Source: " + ", ".join(filter(None, (source["label"], source.get("url")))), "  ")
    return lines


def _detail_lines(markdown: str) -> list[str]:
    """Markdown of the kind our cards use (bold, lists, two-column tables) as plain lines."""
    lines: list[str] = []
    for line in markdown.splitlines():
        plain = line.replace("**", "").strip()
        if plain.startswith("|"):
            cells = [cell.strip() for cell in plain.strip("|").split("|")]
            if set("".join(cells)) <= set("-: ") or cells == ["Fact", "Value"]:
                continue
            lines += _indented(": ".join(filter(None, cells)), "    ")
        elif plain.startswith(("- ", "* ")):
            lines += _indented(plain[2:], "    • ")
        elif plain:
            lines += _indented(plain.strip("*"), "  ")
        elif lines and lines[-1]:
            lines.append("")
    return lines


def _indented(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
