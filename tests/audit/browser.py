"""Chromium without a window: open a page, see what it asked the network for, measure it, print it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tests.conftest import missing

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--enable-logging=stderr", "--v=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def chromium() -> str:
    """The browser's path; skips the test, or fails it where everything is required."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("Chromium is not installed (make system)")
    assert found is not None
    return found


@dataclass(frozen=True)
class Visit:
    """What came of opening a page. asked: addresses that the page requested; console: what it was told of errors."""

    output: str
    asked: list[str]
    console: list[str]


class Browser:
    """One profile, new and empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = [chromium(), *_FLAGS, f"--user-data-dir={folder / 'profile'}"]

    def open(self, page: Path, *flags: str) -> Visit:
        log = self._folder / "net.json"
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [*self._command, f"--log-net-log={log}", *flags, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Visit(done.stdout, _asked(log), console)

    def overflow(self, page: Path, viewports: Sequence[int]) -> dict[int, int]:
        """By how many pixels the page's content is wider than windows of these widths.

        In frames, for a window has a least width; each counts when it is as wide as it was asked to be.
        """
        measured = self._folder / "measured.html"
        text = escape(page.read_text("utf-8"), quote=True)
        frames = "".join(
            f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{text}"></iframe>' for width in viewports
        )
        measured.write_text(
            f'<!doctype html>{frames}<p id="w">?</p><script>onload = () => {{ const frames = [...document'
            '.querySelectorAll("iframe")]; document.getElementById("w").textContent = frames.map(f => '
            '{ const e = f.contentDocument.documentElement; return f.contentWindow.innerWidth + ":" + '
            '(e.scrollWidth - e.clientWidth); }).join(" "); };</script>',
            encoding="utf-8",
        )
        output = self.open(measured, "--window-size=1400,1000", "--virtual-time-budget=5000", "--dump-dom").output
        found = output.rpartition('<p id="w">')[2].partition("<")[0].split()
        return {int(inner): int(content) for inner, _, content in (row.partition(":") for row in found)}

    def pdf_pages(self, page: Path) -> int:
        """Pages of the page when it is printed."""
        printed = self._folder / "printed.pdf"
        self.open(page, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
        content = printed.read_bytes()
        assert content.startswith(b"%PDF-")
        return content.count(b"/Type /Page\n") or content.count(b"/Type/Page\n") or content.count(b"/Type /Page ")


def _asked(log: Path) -> list[str]:
    """Addresses of requests in Chromium's log of the network."""
    text = log.read_text("utf-8").rstrip().rstrip(",")
    try:
        told: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError:
        told = json.loads(text + "]}")  # a browser that ends early leaves the list open
    parameters = [event["params"] for event in told["events"] if isinstance(event.get("params"), dict)]
    # What Chromium asks for by itself has no origin; a page in a file has the origin "null".
    return [p["url"] for p in parameters if "url" in p and p.get("initiator", "not an origin") != "not an origin"]
