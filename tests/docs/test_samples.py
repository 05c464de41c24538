"""What the documentation shows of a picture and of an explanation is what the commands print."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/authoring.md").read_text(encoding="utf-8")
SAMPLES = re.findall(
    r"```sh\n(?:PSYCHMED_TIME_ZONE=(\S+) )?\.venv/bin/psychmed ([^\n]+)\n```\n```\n(.*?)\n```", PAGE, re.DOTALL
)


def test_the_page_shows_a_picture_and_an_explanation() -> None:
    assert [arguments.split()[0] for _, arguments, _ in SAMPLES if arguments.split()[0] in {"timeline", "explain"}] == [
        "timeline",
        "explain",
    ]


@pytest.mark.parametrize(("zone", "arguments", "shown"), SAMPLES, ids=lambda x: x[:8] if isinstance(x, str) else "")
def test_a_sample_of_the_page_is_what_the_command_prints(zone: str, arguments: str, shown: str) -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PSYCHMED_")}
    done = subprocess.run(
        [sys.executable, "-m", "cds.cli.main", *shlex.split(arguments)],
        cwd=ROOT,
        env={**inherited, "PSYCHMED_TIME_ZONE": zone, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # An explanation goes on with its other levels, which the page leaves out.
    printed = done.stdout.rstrip("\n")
    assert printed == shown or printed.startswith(shown + "\n\nother levels\n")
