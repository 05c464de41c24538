"""The report in Chromium: nothing is asked of any host, nothing is wrong on the console, it fits a phone and prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.browser import Browser
from tests.audit.datasets import DAY, finding, patient, rule
from tests.audit.test_report import DETAIL, reported, write_audit


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it: funnel, course, examples, long words."""
    out = tmp_path_factory.mktemp("audit") / "out"
    units = {"North": 200, "South": 150, "East": 120, "A-very-long-name-of-a-unit-without-any-space-in-it-at-all": 100}
    names = {unit: [f"{unit}-{n}" for n in range(size)] for unit, size in units.items()}
    found = [
        finding(name, "B-02", detail=DETAIL, since=DAY.replace(month=1 + n % 2), summary="x" * 139)
        for people in names.values()
        for n, name in enumerate(people[: len(people) // 3])
    ]
    write_audit(
        out,
        patients=[
            patient(name, in_scope=["B-02"], unit=unit, unidentified=["urn:oid:1.2.3|" + "7" * 90])
            for unit, people in names.items()
            for name in people
        ],
        findings=found,
        rules=[rule("B-02"), rule("D-01")],
    )
    assert "Rate by unit" in reported(out)
    return out / "report.html"


def test_the_page_asks_nothing_of_anybody_and_has_no_error(browser: Browser, report: Path) -> None:
    visit = browser.open(report, "--dump-dom")
    assert "<h1>Medication audit</h1>" in visit.output
    assert visit.console == []
    assert visit.asked == []


def test_a_page_that_asks_for_something_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><img src="http://127.0.0.1:9/x.png"><script>console.error("x")</script>')
    visit = browser.open(page, "--dump-dom")
    assert visit.asked == ["http://127.0.0.1:9/x.png"]
    assert visit.console


def test_nothing_is_wider_than_the_window_of_a_phone_a_tablet_or_a_desk(browser: Browser, report: Path) -> None:
    assert browser.overflow(report, [390, 768, 1280]) == {390: 0, 768: 0, 1280: 0}


def test_it_prints(browser: Browser, report: Path) -> None:
    assert browser.pdf_pages(report) >= 2
