"""What of a chart is drawn, and how it reads in a terminal."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import orjson
import pytest

from cds.authoring.notation import Writer
from cds.timeline import Lane, Mark, Timeline, as_svg, as_text, timeline
from hooks.request import read_call
from tests.unit.timeline.drawn import TODAY, Line, draw, evaluator, rule

PATIENT: list[Line] = [
    ("patient", {"age": 45}),
    ("visit v1", {"date": "-50d"}),
    ("visit ed", {"date": "-12d", "class": "EMER"}),
    ("booking b1", {"date": "+9d"}),
    ("condition mdd", {"code": "F33.1", "onset": "-45d"}),
    ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-40d", "days": "30d", "refills": 1}),
    ("fills s", {"drug": "sertraline 50", "take": 1, "from": "-40d", "days_supply": 30, "order": "s1"}),
    ("result p1", {"scale": "phq9", "value": 18, "date": "-40d"}),
    ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": "30d"}),
]


@pytest.fixture(scope="module")
def picture() -> Timeline:
    return draw(PATIENT, "order-sign", "B-01")


def lane(picture: Timeline, label: str) -> Lane:
    return next(x for x in picture.lanes if x.label == label)


def test_a_fill_is_drawn_over_its_days_with_the_dose_and_its_record(picture: Timeline) -> None:
    supplied = next(b for b in lane(picture, "sertraline").bars if b.kind == "supplied")
    # 30 days from -40: the last one is -11.
    assert (supplied.first, supplied.last, supplied.label) == (-40, -11, "50 mg")
    assert "MedicationDispense/s-1" in supplied.refs


def test_an_order_is_drawn_as_planned_over_all_its_fills(picture: Timeline) -> None:
    ordered = next(b for b in lane(picture, "sertraline").bars if b.kind == "ordered")
    # 30 days and one refill: 60 days from -40, the last one is +19.
    assert (ordered.first, ordered.last, ordered.label) == (-40, 19, "60 d")


def test_a_draft_is_a_lane_of_its_own_that_the_rule_looks_at(picture: Timeline) -> None:
    draft = lane(picture, "draft: lorazepam")
    assert draft.concerned
    assert [(b.kind, b.first, b.last, b.label) for b in draft.bars] == [("draft", 0, 29, "30 d")]


def test_results_bookings_and_diagnoses_stand_on_their_days(picture: Timeline) -> None:
    assert [(m.day, m.label) for m in lane(picture, "PHQ-9").marks] == [(-40, "18")]
    assert [m.day for m in lane(picture, "bookings").marks] == [9]
    assert [(m.day, m.label) for m in lane(picture, "diagnoses").marks] == [(-45, "depression")]


def test_a_dose_step_is_a_bar_of_its_own() -> None:
    steps = [{"take": 1, "from": "-20d", "to": "-11d"}, {"take": 2, "from": "-10d", "to": "+9d"}]
    order: Line = ("order s", {"drug": "sertraline 50", "authored": "-20d", "steps": steps, "days": "30d"})
    picture = draw([("patient", {"age": 45}), order], "patient-view")
    in_hand = [(b.first, b.last, b.label) for b in lane(picture, "sertraline").bars if b.kind == "estimated"]
    assert in_hand == [(-20, -11, "50 mg"), (-10, 9, "100 mg")]


def test_an_antidepressant_with_its_gap_reads_as_drawn() -> None:
    lines: list[Line] = [
        ("patient", {"age": 45}),
        ("fills a", {"drug": "sertraline 50", "take": 1, "from": "-28d", "days_supply": 10}),
        ("fills b", {"drug": "sertraline 50", "take": 1, "from": "-8d", "days_supply": 20}),
    ]
    text = as_text(draw(lines, "patient-view", span=(-30, 29)), width=72)
    row = next(line for line in text.splitlines() if line.startswith("sertraline"))
    # One column a day from column 12: -28 is column 14; ten days, ten days' gap, twenty days; 'today' lies within.
    assert row == "sertraline    |==50mg==|" + " " * 10 + "|=======50mg=======|"


@pytest.mark.parametrize("width", [20, 60, 80, 132])
def test_no_line_is_longer_than_asked(width: int, picture: Timeline) -> None:
    assert max(map(len, as_text(picture, width=width).splitlines())) <= max(width, 60)


def test_the_text_of_a_chart_in_ascii_is_ascii(picture: Timeline) -> None:
    assert as_text(picture).isascii()


def test_the_first_mark_stands_in_the_column_of_its_day() -> None:
    draft: Line = ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": "40d"})
    lines: list[Line] = [("patient", {"age": 45}), ("visit v1", {"date": "-400d"}), draft]
    text = as_text(draw(lines, "order-sign", "B-01", span=(-10, 49)), width=81)
    row = next(line for line in text.splitlines() if line.startswith("max_days"))
    start = row.index("|")
    # From today, 28 days to the closing bar, then 12 days beyond.
    assert row[start + 27] == "|"
    assert row[start + 28 :] == "!" * 12


def test_the_order_of_the_resources_changes_nothing() -> None:
    def drawn(seed: int) -> tuple[str, str]:
        lines = PATIENT[:]
        writer = Writer(TODAY)
        for name, body in lines:
            writer.line(name, body)
        request = writer.request("order-sign")
        for bundle in request["prefetch"].values():
            if isinstance(bundle, dict) and "entry" in bundle:
                random.Random(seed).shuffle(bundle["entry"])
        request["prefetch"] = dict(
            random.Random(seed).sample(list(request["prefetch"].items()), len(request["prefetch"]))
        )
        call = read_call(orjson.dumps(request), "order-sign")
        chart = evaluator().chart(call, today=TODAY)
        facts = evaluator().facts(chart, call.hook).facts
        made = timeline(chart, facts, hook=call.hook, rules=evaluator().rules, rule=rule("B-01"))
        return as_text(made), as_svg(made)

    assert len({drawn(seed) for seed in range(4)}) == 1


def test_many_medicines_are_cut_to_those_that_matter_and_the_rest_is_counted() -> None:
    lanes = tuple(
        Lane("medication", f"drug-{n:02}", marks=(Mark("stopped", -n),), concerned=n == 29, rank=int(n > 5))
        for n in range(30)
    )
    text = as_text(Timeline(dt.date(2026, 3, 2), -40, 10, lanes))
    assert "drug-29" in text
    assert "20 more medicines: " in text
    assert [n for n in range(6) if f"drug-{n:02}" in text.split("more medicines")[0]] == list(range(6))


def test_what_lies_outside_the_days_shown_is_named(picture: Timeline) -> None:
    text = as_text(replace(picture, first=-5, last=30))
    assert "outside these days: " in text
    assert "PHQ-9" in text.rpartition("outside these days: ")[2]


def test_a_rule_that_is_not_asked_at_the_hook_says_so() -> None:
    assert "C-01 early-antidepressant-switch: not asked at this hook" in as_text(draw(PATIENT, "patient-view", "C-01"))


@pytest.mark.parametrize("span", [None, (-400, -300), (5, 90), (0, 0)])
def test_an_order_of_many_years_and_any_days_asked_for_are_drawn(span: tuple[int, int] | None) -> None:
    years: Line = ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": "90000d", "refills": 99})
    drawn = draw([*PATIENT[:-1], years], "order-sign", "B-01", span=span)
    assert "lorazepam" in as_text(drawn)
    assert max(map(len, as_text(drawn).splitlines())) <= 80
    assert as_svg(drawn).endswith("</svg>")
    assert orjson.dumps(drawn.as_dict())


def test_a_value_that_was_sent_twice_for_a_day_is_one_mark() -> None:
    twice: list[Line] = [(f"result {p}", {"scale": "phq9", "value": 18, "date": "-4d"}) for p in ("p1", "p2")]
    (mark,) = lane(draw([("patient", {"age": 45}), *twice], "patient-view"), "PHQ-9").marks
    assert mark.refs == ("Observation/p1", "Observation/p2")
