"""The SVG: one self-contained drawing, safe to put several times into a page."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from cds.timeline import Bar, Lane, Mark, Timeline, Window, as_svg
from tests.unit.timeline.drawn import Line, draw

SVG = "{http://www.w3.org/2000/svg}"
PATIENT: list[Line] = [
    ("patient", {"age": 45}),
    ("visit v1", {"date": "-50d"}),
    ("condition mdd", {"code": "F33.1", "onset": "-45d"}),
    ("fills s", {"drug": "sertraline 50", "take": 1, "from": "-40d", "days_supply": 60}),
    ("result p1", {"scale": "phq9", "value": 18, "date": "-40d"}),
]
HOSTILE = "<script>alert(1)</script> & \"x\" 'y'"


@pytest.fixture(scope="module")
def picture() -> Timeline:
    return draw(PATIENT, "patient-view", "D-01")


def made(label: str, *, days: int = 30) -> Timeline:
    lane = Lane("medication", label, (Bar("supplied", -days, 0, label), Bar("ordered", -days, 5, label)))
    marks = Lane("diagnoses", label, marks=(Mark("diagnosis", -3, label),))
    return Timeline(
        dt.date(2026, 3, 2), -days, 14, (lane, marks), label, label, label, True, (Window(label, "1 d", -5, 5),)
    )


def test_it_is_xml_with_a_title_and_a_description_that_name_what_is_drawn(picture: Timeline) -> None:
    root = ET.fromstring(as_svg(picture))
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "Chart on 2026-03-02 and D-01 antidepressant-follow-up"
    told = root.findtext(f"{SVG}desc") or ""
    # Begun on -40 (2026-01-21): more than 28 days have passed from -11 (2026-02-19) on.
    assert "sertraline: 2026-01-21 to 2026-03-21" in told
    assert "g3_days 28 d: 2026-01-21 to 2026-02-18, fires from 2026-02-19" in told


def test_nothing_in_it_runs_or_comes_from_elsewhere(picture: Timeline) -> None:
    root = ET.fromstring(as_svg(picture))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "use", "a", "iframe", "set", "animate"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not [n for n in names if "href" in n or n.startswith("on")]
    references = re.findall(r"url\(([^)]*)\)|@import", as_svg(picture))
    assert references
    assert all(reference.startswith("#") for reference in references)


def test_texts_of_the_chart_are_escaped() -> None:
    drawn = as_svg(made(HOSTILE))
    assert "<script" not in drawn
    root = ET.fromstring(drawn)
    assert HOSTILE in (root.findtext(f"{SVG}desc") or "")


def test_pictures_of_one_page_share_neither_ids_nor_classes(picture: Timeline) -> None:
    one, other = as_svg(picture, id_prefix="f1"), as_svg(picture, id_prefix="f2")
    page = ET.fromstring(f"<div>{one}{other}</div>")
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 4
    assert {name[:2] for c in re.findall(r'class="([^"]*)"', one) for name in c.split()} == {"f1"}


def test_every_id_that_is_referred_to_exists(picture: Timeline) -> None:
    drawn = as_svg(picture, id_prefix="p")
    root = ET.fromstring(drawn)
    ids = {element.get("id") for element in root.iter()}
    assert set(re.findall(r"url\(#([^)]*)\)", drawn)) <= ids
    assert set((root.get("aria-labelledby") or "").split()) <= ids


@pytest.mark.parametrize("prefix", ["", "1a", 'x"onload="', "a b", "é"])
def test_a_prefix_that_would_break_out_of_an_attribute_is_refused(prefix: str, picture: Timeline) -> None:
    with pytest.raises(ValueError, match="id_prefix"):
        as_svg(picture, id_prefix=prefix)


def test_where_the_rule_fires_is_hatched_and_marked_and_not_only_coloured(picture: Timeline) -> None:
    drawn = as_svg(picture)
    assert "url(#tlfires)" in drawn
    assert any(t.text and t.text.startswith("! ") for t in ET.fromstring(drawn).iter(f"{SVG}text"))


def test_every_kind_of_bar_has_a_shape_of_its_own() -> None:
    kinds = ["supplied", "listed", "ordered", "draft", "stay", "to-collect"]
    shapes = set()
    for kind in kinds:
        one = made("x")
        lane = Lane("medication", "x", (Bar(kind, -20, -10),))  # type: ignore[arg-type]
        drawn = as_svg(replace(one, lanes=(lane,), windows=(), rule=""))
        body = drawn[drawn.index('class="tlf-paper"') :]
        first = next(e for e in re.findall(r"<rect [^>]*>", body))
        shapes.add(re.sub(r' (x|y|width)="[^"]*"', "", first))
    assert len(shapes) == len(kinds)


def test_labels_of_one_row_do_not_meet() -> None:
    marks = tuple(Mark("result", day, f"{10 + day % 9}") for day in range(-200, 1, 2))
    crowded = replace(made("x", days=210), lanes=(Lane("results", "PHQ-9", marks=marks),), windows=(), rule="")
    root = ET.fromstring(as_svg(crowded))
    rows: dict[str, list[tuple[float, float]]] = {}
    for text in root.iter(f"{SVG}text"):
        if text.get("text-anchor") == "start" and text.get("font-size") == "10" and (text.text or "").isdigit():
            x = float(text.get("x") or 0)
            rows.setdefault(text.get("y") or "", []).append((x, x + 6.0 * len(text.text or "")))
    (row,) = rows.values()
    row.sort()
    assert len(row) > 5
    assert all(a[1] <= b[0] for a, b in pairwise(row))


def test_a_chart_without_a_single_record_is_a_picture_too() -> None:
    root = ET.fromstring(as_svg(draw([], "patient-view")))
    assert any(t.text == "today" for t in root.iter(f"{SVG}text"))
