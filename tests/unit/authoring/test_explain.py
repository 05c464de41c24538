"""Why a rule fired, nearly fired, or could not be evaluated, in words with dates, parameters and records."""

from __future__ import annotations

import datetime as dt

import pytest

from cds.authoring.explain import Explanation, explain
from cds.authoring.explain_text import as_dict, as_text
from tests.unit.timeline.drawn import TODAY, Line, call, evaluator, rule

KNOWN: list[Line] = [("patient", {"age": 45}), ("visit v1", {"date": "-400d"})]
DEPRESSED: list[Line] = [*KNOWN, ("condition mdd", {"code": "F33.1", "onset": "-300d"})]


def told(lines: list[Line], hook: str, spec: str) -> Explanation:
    return explain(evaluator(), call(lines, hook), rule(spec), today=TODAY)


def lorazepam(days: int) -> Line:
    return ("draft d1", {"drug": "lorazepam 0.5", "take": 1, "times": 2, "days": f"{days}d"})


def sertraline(start: int) -> Line:
    return ("fills s", {"drug": "sertraline 50", "take": 1, "from": f"{start}d", "days_supply": 60})


def test_a_near_miss_is_one_sentence_with_parameter_value_and_distance() -> None:
    explanation = told([*KNOWN, lorazepam(28)], "order-sign", "B-01")
    assert explanation.verdict == "silent"
    assert explanation.sentence == (
        "would have fired at level too-long if authorised days of the order were more than 28 d (max_days); "
        "was 28 d (1 d short)"
    )
    assert explanation.rule.path == "rules/benzodiazepine_new_order.yaml"
    assert explanation.line > 0


def test_of_several_levels_the_one_whose_number_is_nearest_is_told() -> None:
    # 85 days exceed 28 and are not over 90; without the longer levels' own limit the shorter one fires.
    assert "level too-long" in told([*KNOWN, lorazepam(10)], "order-sign", "B-01").sentence


def test_a_date_is_too_late_or_too_early_by_days() -> None:
    # Begun 14 days ago: the target wants a day before today minus 14, which is the day before.
    explanation = told([*DEPRESSED, sertraline(-14)], "patient-view", "D-01")
    assert explanation.sentence == (
        "would have fired at level adult-target if day of the treatment start were before 2026-02-16 (-14 d) "
        "(today minus g3_target 14 d); was 2026-02-16 (-14 d) (1 d too late)"
    )


def test_a_code_is_told_by_what_it_was() -> None:
    explanation = told([*KNOWN, lorazepam(40)], "order-sign", "B-01")
    refills = next(level for level in explanation.levels if level.name == "refills-without-length")
    assert "if length known of the order were false; was true" in refills.sentence


def test_a_finding_is_told_with_its_facts_parameters_and_records() -> None:
    explanation = told([*DEPRESSED, sertraline(-29)], "patient-view", "D-01")
    assert explanation.verdict == "fires"
    assert explanation.findings[0].level == "adult-limit"
    level = next(lv for lv in explanation.levels if lv.name == "adult-limit")
    treatment = next(b for b in level.bound if b.binding == "treatment")
    limit = next(c for c in treatment.comparisons if c.parameter is not None and c.parameter.name == "g3_days")
    assert (limit.holds, limit.actual) == (True, "2026-02-01 (-29 d)")
    assert limit.words == "day is before 2026-02-02 (-28 d) (today minus g3_days 28 d)"
    assert [(r.type, r.day, r.what) for r in treatment.records] == [("MedicationDispense", -29, "sertraline, 60 d")]


def test_a_parameter_is_told_with_its_range_and_source() -> None:
    text = as_text(told([*KNOWN, lorazepam(28)], "order-sign", "B-01"))
    assert "max_days 28 d (14 d to 30 d; source asam-2025): 2 to 4 weeks (ASAM 2025; UK CSM)" in text


def test_what_silences_is_named_with_its_record() -> None:
    seizures: Line = ("condition epilepsy", {"code": "G40.909", "onset": "-2000d"})
    explanation = told([*KNOWN, seizures, lorazepam(60)], "order-sign", "B-01")
    assert explanation.verdict == "silent"
    # 2000 days before 2026-03-02.
    day = (TODAY - dt.timedelta(days=2000)).isoformat()
    assert explanation.sentence == (
        "would have fired at level too-long, but is silenced by seizures (diagnosis: group is seizure; "
        f"Condition/epilepsy of {day} (-2000 d))"
    )
    level = next(lv for lv in explanation.levels if lv.name == "too-long")
    assert level.outcome == "silenced"


def test_a_failed_search_is_the_reason_and_the_need_is_named() -> None:
    lines: list[Line] = [*DEPRESSED, sertraline(-40), ("failed", ["MedicationRequest"])]
    explanation = told(lines, "patient-view", "D-01")
    assert explanation.verdict == "not evaluated"
    assert explanation.sentence == (
        "could not be evaluated: medication history: search failed (the rule needs medication-history)"
    )


def test_a_lowered_finding_says_by_what() -> None:
    gad: Line = ("condition gad", {"code": "F41.1", "onset": "-300d"})
    (shown,) = told([*KNOWN, gad, lorazepam(30)], "order-sign", "B-01").findings
    assert shown.indicator == "info"
    assert shown.lowered == ("generalised anxiety disorder is on the problem list",)


def test_an_absorbed_finding_names_the_card_that_stands_for_it() -> None:
    # An SSRI ordered early in place of another one: the switch (C-01) stands for the pair.
    lines: list[Line] = [
        *DEPRESSED,
        ("order s1", {"drug": "sertraline 50", "take": 1, "authored": "-14d", "days": "30d", "refills": 1}),
        ("fills s", {"drug": "sertraline 50", "take": 1, "from": "-14d", "days_supply": 30, "order": "s1"}),
        ("draft d1", {"drug": "escitalopram 10", "take": 1, "days": "30d"}),
    ]
    (shown,) = told(lines, "order-sign", "A-02").findings
    assert shown.disposition == "absorbed"
    assert shown.afterwards == "no card of its own: the card of C-01 early-antidepressant-switch stands for it"


def test_a_rule_at_another_hook_is_not_asked() -> None:
    explanation = told([*KNOWN], "patient-view", "C-01")
    assert (explanation.verdict, explanation.sentence) == (
        "not asked",
        "is not asked at patient-view: it is asked at order-sign",
    )


def test_a_missing_fact_is_told_by_what_it_is() -> None:
    explanation = told(
        [*DEPRESSED, ("draft d1", {"drug": "sertraline 50", "take": 1, "days": "30d"})], "order-sign", "C-01"
    )
    assert "there were a fact switch (an antidepressant order that would replace a current or recent one)" in (
        explanation.sentence
    )


def test_the_json_carries_dates_parameters_and_references() -> None:
    shown = as_dict(told([*DEPRESSED, sertraline(-29)], "patient-view", "D-01"))
    level = next(lv for lv in shown["levels"] if lv["level"] == "adult-limit")
    record = level["facts"][1]["records"][0]
    assert record == {
        "reference": "MedicationDispense/s-1",
        "type": "MedicationDispense",
        "day": -29,
        "date": "2026-02-01",
        "what": "sertraline, 60 d",
    }
    assert shown["findings"][0]["afterwards"] == "on a card"


@pytest.mark.parametrize("spec", ["A-01", "B-01", "C-01", "D-01", "SAFE-01"])
def test_an_empty_chart_is_explained_too(spec: str) -> None:
    explanation = told([("patient", {"age": 45})], "order-sign", spec)
    assert explanation.sentence
    assert as_text(explanation)
