"""The report: what its first page says, what it never says, and that it is one file that runs and loads nothing."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cds.audit.outputs.write import write_outputs
from cds.audit.report.words import between, day, percent, reason, why_and_facts, without_references
from tests.audit.datasets import MEMORY, finding, not_evaluated, patient, rule, write_audit

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"
DETAIL = """**Why:** taken for 77 days (limit 28 days), seen in MedicationRequest/m-1.

| Fact | Value |
|---|---|
| Taken | lorazepam, since 2025-12-15 |
| Records | MedicationRequest/m-1, Encounter/e-1 |
"""


class Reader(HTMLParser):
    """Elements of a page: which there are, their attributes, and whether each was closed."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub("[ \n]+", " ", " ".join(self.words))


def reported(out: Path, **options: Any) -> str:
    write_outputs(out, **({"min_cell": 11, "memory": MEMORY} | options))
    return (out / "report.html").read_text("utf-8")


def audit(out: Path, **told: Any) -> Path:
    """120 patients in four units, 100 of them in scope of B-02: in North half of 40 are found, elsewhere 4 of 20."""
    units = ["North"] * 40 + ["South"] * 20 + ["East"] * 20 + ["West"] * 20
    names = [f"secret-{n:03}" for n in range(100)]
    found = names[:20] + names[40:44] + names[60:64] + names[80:84]
    return write_audit(
        out,
        patients=[
            *(patient(n, in_scope=["B-02"], unit=unit) for n, unit in zip(names, units, strict=True)),
            *(patient(f"other-{n}") for n in range(20)),
        ],
        findings=[finding(n, "B-02", detail=DETAIL, summary="lorazepam for 77 days; limit 28 days") for n in found],
        missed=[not_evaluated(f"other-{n}", "D-01") for n in range(12)],
        **told,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return reported(audit(tmp_path_factory.mktemp("audit") / "out"))


def test_it_loads_nothing_and_runs_nothing(page: str) -> None:
    read = Reader(page)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "input", "video", "audio"}
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset", "xlink:href"}], (
            tag
        )
        if "href" in attributes:
            assert re.match(r"#|https://guideline\.example/page$", attributes["href"] or "")
    assert not re.search(r"url\(|@import|javascript:", page)
    policies = [a for tag, a in read.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert (policies[0]["content"] or "").startswith("default-src 'none'")


def test_the_first_page_is_the_answer(page: str) -> None:
    text = Reader(page).text
    # 20 + 4 + 4 + 4 of 100; the score interval of 32 in 100.
    assert (
        "Something was found for 32 of 100 patients in scope: 32\u00a0% (95 % interval 24\u00a0% to 42\u00a0%)." in text
    )
    assert text.index("The answer") < text.index("What each rule found") < text.index("How to read this")
    assert "1 of 3 rules found something." in text
    assert "D-01 could not be evaluated for 12 patients (10 %): encounters: not available." in text.replace(
        "\u00a0", " "
    )


def test_it_says_that_nobody_signed_off_what_a_finding_is_not_and_what_scope_means(page: str) -> None:
    text = Reader(page).text
    assert "No clinician has signed off the rules" in text
    assert "It does not say that the treatment is wrong" in text
    assert "It is the denominator of every rate." in text


def test_patients_have_a_number_that_holds_for_the_report_alone(page: str) -> None:
    assert "Patient 1" in page
    assert "secret-" not in page
    assert "MedicationRequest/m-1" not in page
    assert "Encounter/e-1" not in page


def test_on_request_patients_have_their_identifiers_and_the_page_says_so(tmp_path: Path) -> None:
    text = Reader(reported(audit(tmp_path), identified=True)).text
    assert "Patient secret-000" in text
    assert "MedicationRequest/m-1, Encounter/e-1" in text
    assert "This report names patients by their identifier" in text


def test_without_examples_no_chart_is_shown(tmp_path: Path) -> None:
    assert "Findings to look at" not in reported(audit(tmp_path), examples=0)


def test_of_a_rule_with_a_hidden_number_there_is_one_example(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(40)]
    out = write_audit(
        tmp_path,
        patients=[patient(n, in_scope=["B-02"]) for n in names],
        findings=[finding(n, "B-02") for n in names[:2]],
    )
    text = Reader(reported(out)).text
    assert text.count("as of 2 March 2026") == 2  # of the audit, and of the one example
    assert "Something was found for 1 to 10 patients of 40 patients in scope." in text


def test_units_stand_on_a_funnel_where_their_numbers_may_be_shown(tmp_path: Path) -> None:
    units = {"North": (200, 80), "South": (100, 20), "East": (100, 22), "Hill": (100, 4), "Lane": (100, 9)}
    names = {unit: [f"{unit}-{n}" for n in range(size)] for unit, (size, _) in units.items()}
    out = write_audit(
        tmp_path,
        patients=[patient(n, in_scope=["B-02"], unit=unit) for unit, people in names.items() for n in people],
        findings=[finding(n, "B-02") for unit, people in names.items() for n in people[: units[unit][1]]],
    )
    page = reported(out)
    # All: 135 of 600 = 22.5 %. North: 40 % of 200; the standard error is 3.0 %, so it lies far above 3 of them.
    assert "North: 80 of 200, above the 99.8 % limits" in page
    assert "South: 20 of 100, within the limits" in page
    assert "Hill" not in page
    assert "2 where too few people have, or do not have, a finding" in Reader(page).text


@pytest.mark.parametrize("of_what", ["unit", "summary", "title", "why", "code", "reason"])
def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path, of_what: str) -> None:
    names = [f"p{n}" for n in range(60)]
    unit = HOSTILE if of_what == "unit" else "North"
    codes = [f"{HOSTILE}|{HOSTILE}"] if of_what == "code" else []
    out = write_audit(
        tmp_path,
        patients=[
            patient(n, in_scope=["B-02"], unit=unit if i % 2 else "South", unidentified=codes)
            for i, n in enumerate(names)
        ],
        findings=[
            finding(
                n,
                "B-02",
                summary=HOSTILE if of_what == "summary" else "x",
                detail=f"**Why:** {HOSTILE}\n\n| Fact | Value |\n|---|---|\n| {HOSTILE} | {HOSTILE} |",
            )
            for n in names[:30]
        ],
        missed=[not_evaluated(n, "D-01", HOSTILE) for n in names],
        rules=[rule("B-02", title=HOSTILE if of_what == "title" else "B"), rule("D-01")],
        settings_changed=[{"rule": HOSTILE, "name": "n", "shipped": "1 d", "site": "2 d", "why": HOSTILE}],
    )
    page = reported(out)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert HOSTILE in "".join(Reader(page).words)


def test_a_source_that_is_no_web_address_is_no_link(tmp_path: Path) -> None:
    source = {"label": "Ours", "url": "javascript:alert(1)"}
    out = write_audit(
        tmp_path,
        patients=[patient(f"p{n}", in_scope=["B-02"]) for n in range(30)],
        findings=[finding("p1", "B-02")],
        rules=[rule("B-02", source=source)],
    )
    page = reported(out)
    assert "javascript:" not in page
    assert "Ours" in page


def test_headings_go_down_by_one_and_tables_have_captions_and_scopes(page: str) -> None:
    read = Reader(page)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in read.elements]
    assert tags.count("caption") == tags.count("table") > 3
    assert all("scope" in attributes for tag, attributes in read.elements if tag == "th")
    assert {"header", "main", "footer"} <= set(tags)


def test_ids_are_used_once_and_links_within_the_page_lead_somewhere(page: str) -> None:
    read = Reader(page)
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a["href"] or "")[1:] for tag, a in read.elements if tag == "a" and (a["href"] or "").startswith("#")}
    assert targets <= set(ids)
    assert {i for _, a in read.elements for i in (a.get("aria-labelledby") or "").split()} <= set(ids)


def test_every_severity_has_a_word_beside_its_colour(page: str) -> None:
    assert re.search(r'<span class="badge warning">warning</span>', page)


PALETTE = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_the_contrast_of_wcag_aa_in_light_and_in_dark(page: str, theme: int) -> None:
    colours = dict(re.findall(PALETTE, page.split(":root {")[theme + 1].split("}", maxsplit=1)[0]))
    for text in ("ink", "soft", "link", "fire", "amber", "calm"):
        for ground in ("paper", "sheet"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["ink"], colours["note"]) >= 4.5
    assert contrast(colours["drug"], colours["paper"]) >= 3  # of marks that carry meaning


def test_data_that_end_long_before_the_day_asked_about_are_told(tmp_path: Path) -> None:
    text = Reader(reported(audit(tmp_path, data_date="2025-12-02"))).text
    assert "The data end 90 days before the day asked about" in text


def test_what_makes_the_run_less_than_whole_stands_on_top(tmp_path: Path) -> None:
    failed = [{"part": "partition 3", "why": "memory"}]
    told = {"failed_parts": failed, "parts": 8, "limit": 500, "only_rules": ["A-02"], "unread_files": ["a.ndjson.gz"]}
    text = Reader(reported(audit(tmp_path, **told))).text
    assert text.index("Incomplete: 1 of 8 parts") < text.index("The answer")
    for words in ("limited to 500", "only A-02 were asked for", "Not read to the end: a.ndjson.gz"):
        assert words in text


def test_changed_settings_and_overdue_reviews_are_told_with_their_why(tmp_path: Path) -> None:
    change = {"rule": "b-rule", "name": "max_days", "shipped": "28 d", "site": "42 d", "why": "agreed in May"}
    out = audit(tmp_path, settings_changed=[change], rules=[rule("B-02", review_by="2026-02-01"), rule("D-01")])
    text = Reader(reported(out)).text
    assert "max_days 28 d 42 d agreed in May" in text
    assert "Overdue: B-02 (due 2026-02-01)" in text


def test_months_without_a_number_are_marked_and_not_drawn_as_nothing(tmp_path: Path) -> None:
    months = [1] * 30 + [2] * 4 + [3] * 20 + [4] * 30
    names = [f"p{n}" for n in range(120)]
    found = [finding(names[i], "B-02", since=dt.date(2025, month, 3)) for i, month in enumerate(months)]
    page = reported(write_audit(tmp_path, patients=[patient(n, in_scope=["B-02"]) for n in names], findings=found))
    # February is small, and March, the smallest of the others, goes with it.
    assert "<desc>2025-01: 30; 2025-02: not shown; 2025-03: not shown; 2025-04: 30</desc>" in page
    assert "2 months are of too few people" in page


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.0004, "under 0.1 %"), (0.001, "0.1 %"), (0.0123, "1.2 %"), (0.1, "10 %"), (0.994, "99 %"),
     (0.997, "99.7 %"), (1, "100 %")],
)  # fmt: skip
def test_shares_are_said_with_two_figures(share: float, said: str) -> None:
    assert percent(share).replace("\u00a0", " ") == said


def test_words() -> None:
    assert between(0.1, 0.2).replace("\u00a0", " ") == "10 % to 20 %"
    assert day("2026-03-02") == "2 March 2026"
    assert day(None) == "not known"
    assert reason("discharge.diagnosis") == "the record does not tell the diagnosis of the discharge"
    assert reason("encounter-search + problem list: search failed") == (
        "encounter search: not available; problem list: search failed"
    )
    assert without_references("see MedicationRequest/m-1 and urn:uuid:1-2") == "see a record and a record"


def test_the_text_of_a_card_gives_its_reason_its_facts_and_its_records() -> None:
    assert why_and_facts(DETAIL) == (
        "taken for 77 days (limit 28 days), seen in MedicationRequest/m-1.",
        [("Taken", "lorazepam, since 2025-12-15")],
        "MedicationRequest/m-1, Encounter/e-1",
    )
