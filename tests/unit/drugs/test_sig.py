"""Directions in free text: what is understood whole, and what is not believed."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from cds.drugs.sig import ENOUGH, Sig, parse_sig
from cds.drugs.steps import DoseStep


def read(text: str) -> DoseStep:
    sig = parse_sig(text)
    assert sig.confidence >= ENOUGH, (text, sig)
    (step,) = sig.steps
    return step


def near(value: Decimal | None, expected: str) -> bool:
    return value is not None and abs(Fraction(value) - Fraction(expected)) < Fraction("1e-20")


@pytest.mark.parametrize(
    ("text", "amount", "unit", "per_day"),
    [
        ("take 1 tab po bid", "1", "unit", "2"),
        ("Take one (1) tablet by mouth twice daily.", "1", "unit", "2"),
        ("TAKE 1 TABLET BY MOUTH EVERY DAY", "1", "unit", "1"),
        ("take half a tablet daily", "0.5", "unit", "1"),
        ("take 1/2 tab po qhs", "0.5", "unit", "1"),
        ("take ½ tablet at bedtime", "0.5", "unit", "1"),
        ("take 1 1/2 tablets daily", "1.5", "unit", "1"),
        ("take 1½ tablets daily", "1.5", "unit", "1"),
        ("take one and one-half tablets at bedtime", "1.5", "unit", "1"),
        ("take .5 tab daily", "0.5", "unit", "1"),
        ("2.5 ml bid", "2.5", "mL", "2"),
        ("50 mg po daily", "50", "mg", "1"),
        ("take 1,000 mg daily", "1000", "mg", "1"),
        ("500 mcg tid", "0.5", "mg", "3"),
        ("apply 1 patch q72h", "1", "unit", "1/3"),
        ("apply 1 patch to the skin every 72 hours", "1", "unit", "1/3"),
        ("take 1 tablet weekly", "1", "unit", "1/7"),
        ("take 1 tablet 3 times a week", "1", "unit", "3/7"),
        ("take 1 tablet every other day", "1", "unit", "1/2"),
        ("1 cap PO Q.D.", "1", "unit", "1"),
        ("1 tab b.i.d.", "1", "unit", "2"),
        ("1 tab 3x/day", "1", "unit", "3"),
        ("1 tablet by mouth 3 (three) times daily", "1", "unit", "3"),
        ("take 1 tablet by mouth in the morning and at bedtime", "1", "unit", "2"),
        ("take 1 tablet by mouth nightly at bedtime", "1", "unit", None),
        ("take 1 capsule daily in the morning with food", "1", "unit", "1"),
        ("take 1 tablet daily for depression", "1", "unit", "1"),
    ],
)
def test_amount_and_times_a_day(text: str, amount: str, unit: str, per_day: str | None) -> None:
    step = read(text)
    assert (step.amount_low, step.amount_high, step.unit) == (Decimal(amount), Decimal(amount), unit)
    assert near(step.per_day_high, per_day or "1")
    assert not step.prn


def test_ranges_of_amount_and_interval_keep_both_ends() -> None:
    step = read("1-2 tabs q4-6h prn pain")
    assert (step.amount_low, step.amount_high) == (1, 2)
    assert (step.per_day_low, step.per_day_high) == (0, 6)
    assert step.prn
    scheduled = read("take 1 to 2 tablets every 4 to 6 hours")
    assert (scheduled.per_day_low, scheduled.per_day_high) == (4, 6)


def test_at_bedtime_as_needed() -> None:
    step = read("1-2 tabs qhs prn")
    assert (step.prn, step.per_day_low, step.per_day_high, step.amount_high) == (True, 0, 1, 2)


@pytest.mark.parametrize(
    ("text", "most", "unit"),
    [
        ("1 tablet by mouth every 6 hours as needed for anxiety, max 4/day", "4", "unit"),
        ("1-2 tablets every 4 hours prn, not to exceed 8 tablets in 24 hours", "8", "unit"),
        ("1 tab q6h prn. Max: 3 tablets per day", "3", "unit"),
        ("20 mg bid prn, max 40 mg daily", "40", "mg"),
    ],
)
def test_a_stated_maximum_of_a_day(text: str, most: str, unit: str) -> None:
    step = read(text)
    assert (step.max_per_day, step.max_unit) == (Decimal(most), unit)


def test_milligrams_beside_the_pieces_are_kept() -> None:
    step = read("Take 2 tablets (100 mg total) by mouth 2 (two) times daily")
    assert (step.amount_high, step.unit, step.also_mg, step.per_day_high) == (2, "unit", 100, 2)


def test_different_amounts_at_different_times_are_taken_together() -> None:
    for text in ("1 tab in the morning and 2 tabs at bedtime", "1 tab qam, 2 tabs qhs"):
        sig = parse_sig(text)
        assert sig.confidence >= ENOUGH
        assert [(s.amount_high, s.per_day_high, s.sequence) for s in sig.steps] == [(1, 1, None), (2, 1, None)]


def test_a_titration_is_a_sequence() -> None:
    sig = parse_sig("take 1 tab daily x 7 days, then 1 tab twice daily")
    assert sig.confidence >= ENOUGH
    assert [(s.sequence, s.days, s.per_day_high) for s in sig.steps] == [(1, 7, 1), (2, None, 2)]
    ends = parse_sig("take 2 tablets daily for 1 week then 1 tablet daily for 1 week then stop")
    assert ends.confidence >= ENOUGH
    assert [s.days for s in ends.steps] == [7, 7]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "take as directed",
        "take 1 tablet daily as directed",
        "1 gtt ou bid",
        "take 1 tab mwf",
        "take 1 tab po bid #60",
        "take 3 tablets by mouth once",
        "take 1 po bid",
        "take 1 tablet twice daily at bedtime",
        "take 1 tablet daily bid",
        "take 1 tab bid and prn",
        "1 tab qam and 1 tab qpm prn",
        "take 5-325 mg twice daily",
        "take 2-1 tablets daily",
        "take 0 tablets daily",
        "1 tablet daily. 2 tablets at bedtime",
        "take 50 mg tablet daily",
        "sertraline 50 mg daily",
        "do not take 1 tablet daily",
        "take 1 tablet every 0 hours",
        "take 1 tablet daily then 2 tablets daily",
        "take 1 tablet daily unless sleepy",
        "take 1 teaspoon daily",
        "1 tab q6h prn, max 4",
        "1 tab q6h prn rash",
        "insert 1 spray in each nostril daily",
        "take 1 tablet daily" + " with food" * 100,
    ],
)
def test_what_is_not_understood_whole_is_below_the_mark(text: str) -> None:
    assert parse_sig(text).confidence < ENOUGH


def test_a_bare_number_counts_pieces_where_the_site_says_so() -> None:
    assert parse_sig("take 1 po bid").confidence < ENOUGH
    (step,) = parse_sig("take 1 po bid", bare_counts=True).steps
    assert (step.amount_high, step.unit) == (1, "unit")


def test_nothing_that_can_be_counted_gives_no_steps() -> None:
    assert parse_sig("as needed") == Sig((), 0.0)
