"""A rule's limits as spans of days: the first "!" is the day from which the rule really fires."""

from __future__ import annotations

import pytest

from cds.timeline import Timeline, Window
from tests.unit.timeline.drawn import Line, draw, findings

KNOWN: list[Line] = [("patient", {"age": 45}), ("visit v1", {"date": "-400d"})]
DEPRESSED: list[Line] = [*KNOWN, ("condition mdd", {"code": "F33.1", "onset": "-300d"})]


def lorazepam(start: int, days: int, ident: str = "l") -> Line:
    return (
        f"fills {ident}",
        {"drug": "lorazepam 0.5", "take": 1, "times": 2, "from": f"{start}d", "days_supply": days},
    )


def sertraline(start: int, days: int = 60) -> Line:
    return ("fills s", {"drug": "sertraline 50", "take": 1, "from": f"{start}d", "days_supply": days})


def switched(start: int) -> list[Line]:
    """Sertraline since that day, stopped in the call that orders escitalopram."""
    return [
        *DEPRESSED,
        ("order s1", {"drug": "sertraline 50", "take": 1, "authored": f"{start}d", "refills": 5}),
        ("fills s", {"drug": "sertraline 50", "take": 1, "from": f"{start}d", "days_supply": 60, "order": "s1"}),
        ("stop x", {"order": "s1"}),
        ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d"}),
    ]


def window(picture: Timeline, name: str) -> Window:
    return next(w for w in picture.windows if w.name == name)


def test_the_rule_for_four_weeks_fires_on_the_day_after_the_29th_covered_day() -> None:
    # In hand from day -20: 28 covered days are reached on +7, 29 on +8; the day of asking is not counted, so +9.
    picture = draw([*KNOWN, lorazepam(-20, 60)], "patient-view", "B-02")
    limit = window(picture, "max_days")
    assert (limit.value, limit.first, limit.last) == ("28 d", -20, 8)
    assert limit.fires is not None
    assert limit.fires[0] == 9
    assert not picture.holds


def test_days_of_a_gap_do_not_count_towards_the_limit() -> None:
    # 14 days from -40 to -27, a gap of 6 within the grace of 14, then on from -20: the 29th covered day is -6.
    picture = draw([*KNOWN, lorazepam(-40, 14), lorazepam(-20, 60, "m")], "patient-view", "B-02")
    limit = window(picture, "max_days")
    assert (limit.first, limit.last, limit.about) == (-40, -6, False)
    assert limit.fires is not None
    assert limit.fires[0] == -5


def test_the_length_of_a_draft_is_drawn_from_its_start_and_what_lies_beyond_the_limit_is_marked() -> None:
    draft: Line = ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": "30d"})
    limit = window(draw([*KNOWN, draft], "order-sign", "B-01"), "max_days")
    assert (limit.first, limit.last, limit.fires, limit.plan) == (0, 27, (28, 29), True)


@pytest.mark.parametrize("days", [27, 28, 29, 30])
def test_a_draft_has_days_beyond_the_limit_just_when_the_rule_fires(days: int) -> None:
    lines = [*KNOWN, ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": f"{days}d"})]
    limit = window(draw(lines, "order-sign", "B-01"), "max_days")
    assert (limit.fires is not None) == bool(findings(lines, "order-sign", "B-01")) == (days > 28)


def test_a_follow_up_that_is_due_within_14_days_is_missed_on_the_15th() -> None:
    # Started on -10: the target passes when more than 14 days lie between, on +5, and the rule stops asking after 120
    # days, on +110. From +19 on, after the 28 days of the limit, its finding is the warning of the level before.
    picture = draw([*DEPRESSED, sertraline(-10)], "patient-view", "D-01")
    assert picture.level == "adult-target"
    target = window(picture, "g3_target")
    assert (target.first, target.last, target.fires) == (-10, 4, (5, 110))


def test_a_limit_that_ends_a_level_has_no_mark_beside_the_one_that_begins_it() -> None:
    picture = draw([*DEPRESSED, sertraline(-10)], "patient-view", "D-01")
    assert (window(picture, "g3_days").first, window(picture, "g3_days").last) == (-10, 18)
    assert window(picture, "g3_days").fires is None


def test_a_child_not_seen_in_30_days_of_an_adhd_medicine_fires_from_the_31st_day_to_the_90th() -> None:
    lines: list[Line] = [
        ("patient", {"age": 9}),
        ("visit v1", {"date": "-400d"}),
        ("fills m", {"drug": "methylphenidate ER 36", "take": 1, "from": "-20d", "days_supply": 120}),
    ]
    first = window(draw(lines, "patient-view", "D-02"), "first_days")
    assert (first.first, first.last, first.fires) == (-20, 10, (11, 70))


def test_a_change_within_three_days_is_no_switch_and_one_on_the_fourth_is() -> None:
    # Begun on -2: three days after the start is +1, more than three is +2.
    picture = draw(switched(-2), "order-sign", "C-01")
    mind = window(picture, "changed_mind_days")
    assert (mind.first, mind.last) == (-2, 1)
    assert mind.fires is not None
    assert mind.fires[0] == 2


def test_a_review_silences_for_its_ninety_days() -> None:
    lines = [*KNOWN, lorazepam(-120, 200), ("fhir review", _review("2026-01-01"))]
    picture = draw(lines, "patient-view", "B-02")
    assert not picture.holds
    # Recorded 60 days before: it counts up to and including day 90, which is +30; from +31 the rule fires.
    review = window(picture, "review_days")
    assert (review.first, review.last, review.silences) == (-60, 30, True)
    assert window(picture, "long_days").fires == (31, picture.last)


def _review(day: str) -> dict[str, object]:
    return {
        "resourceType": "Task",
        "id": "review",
        "status": "completed",
        "intent": "order",
        "code": {"coding": [{"system": "urn:psychmed:task", "code": "risk-benefit-review"}]},
        "for": {"reference": "Patient/case-patient"},
        "executionPeriod": {"end": day},
    }


CONSECUTIVE: list[tuple[str, str, list[Line], str]] = [
    ("B-02", "patient-view", [*KNOWN, lorazepam(-20, 90)], "max_days"),
    ("B-02", "patient-view", [*KNOWN, lorazepam(-40, 14), lorazepam(-20, 90, "m")], "max_days"),
    ("D-01", "patient-view", [*DEPRESSED, sertraline(-10)], "g3_target"),
    ("D-01", "patient-view", [*DEPRESSED, sertraline(-3), ("visit v2", {"date": "-9d"})], "g3_target"),
    ("C-01", "order-sign", switched(-2), "changed_mind_days"),
]


@pytest.mark.parametrize(("spec", "hook", "lines", "name"), CONSECUTIVE)
def test_the_rule_is_silent_on_the_days_before_the_first_mark_and_fires_on_it(
    spec: str, hook: str, lines: list[Line], name: str
) -> None:
    limit = window(draw(lines, hook, spec), name)
    assert limit.fires is not None
    first = limit.fires[0]
    fired = {day: bool(findings(lines, hook, spec, day)) for day in range(first - 3, first + 3)}
    assert fired == {day: day >= first for day in fired}


@pytest.mark.parametrize("start", range(-33, -26))
def test_a_follow_up_window_and_the_evaluation_agree_on_each_day_around_the_limit(start: int) -> None:
    lines = [*DEPRESSED, sertraline(start)]
    picture = draw(lines, "patient-view", "D-01")
    fires = [f.level for f in findings(lines, "patient-view", "D-01")]
    marks = [w for w in picture.windows if w.fires is not None and w.fires[0] <= 0 <= w.fires[1]]
    assert picture.holds == bool(fires) == bool(marks)
    assert fires == [picture.level]


def test_a_limit_that_the_fact_carries_is_a_window_from_the_last_contact() -> None:
    # A benzodiazepine is to be reviewed every 90 days: last seen on -100, the days unseen exceed 90 from -9 on.
    lines: list[Line] = [("patient", {"age": 45}), ("visit v1", {"date": "-100d"}), lorazepam(-200, 230)]
    limit = window(draw(lines, "patient-view", "D-04"), "info_limit")
    assert (limit.value, limit.first, limit.last) == ("90 d", -100, -10)
    assert limit.fires is not None
    assert limit.fires[0] == -9


def test_an_edge_that_is_not_had_to_the_day_says_so() -> None:
    # In hand for eight days and no more: 28 days are never reached.
    limit = window(draw([*KNOWN, lorazepam(-10, 8)], "patient-view", "B-02"), "max_days")
    assert limit.about
    assert limit.fires is None
    assert limit.label == "max_days ~28 d"
