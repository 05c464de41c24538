"""What must hold of every text that is read as directions."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cds.drugs.sig import ENOUGH, parse_sig

AMOUNTS = ["1", "2", "1-2", "half a", "1.5", "one", "1 to 2", "10"]
UNITS = ["tab", "tablets", "mg", "ml", "capsule", "puffs"]
HOW_OFTEN = ["bid", "daily", "every 6 hours", "qhs", "q4-6h", "3 times a day", "every other day", "in the morning"]
ENDINGS = ["", " prn", " as needed for anxiety", " for 7 days", ", max 4 tablets per day", " by mouth", " with food"]
NOISE = ["xyz", "gtt", "until better", "#30", "unless", "as directed", "??", "left eye"]

sigs = st.builds(
    lambda a, u, r, o, e: f"take {a} {u} {r}{o}{e}",
    st.sampled_from(AMOUNTS), st.sampled_from(UNITS), st.sampled_from(["", "po ", "by mouth "]),
    st.sampled_from(HOW_OFTEN), st.sampled_from(ENDINGS),
)  # fmt: skip
words = st.lists(
    st.sampled_from([*AMOUNTS, *UNITS, *HOW_OFTEN, *ENDINGS, *NOISE, "then", "and", "(", ")", "/"]), max_size=12
)


@given(st.text(max_size=450), st.booleans())
def test_no_text_raises_and_the_confidence_is_a_share(text: str, bare: bool) -> None:
    sig = parse_sig(text, bare_counts=bare)
    assert 0 <= sig.confidence <= 1
    assert sig.steps or sig.confidence == 0


@given(words, st.booleans())
def test_no_mixture_of_its_own_words_raises(said: list[str], bare: bool) -> None:
    for step in parse_sig(" ".join(said), bare_counts=bare).steps:
        for figure in (step.amount_low, step.amount_high, step.per_day_low, step.per_day_high, step.max_per_day):
            assert figure is None or (isinstance(figure, Decimal) and figure.is_finite() and figure >= 0)


@given(sigs | words.map(" ".join), st.lists(st.sampled_from([" ", "  ", "\t", "\n "]), min_size=1, max_size=4))
def test_letter_case_and_the_amount_of_space_do_not_matter(text: str, spaces: list[str]) -> None:
    spaced = "".join(spaces[at % len(spaces)] if c == " " else c for at, c in enumerate(text))
    for other in (text.upper(), text.title(), f" {spaced} "):
        assert parse_sig(other) == parse_sig(text)


@given(sigs, st.sampled_from(NOISE), st.booleans())
def test_a_word_that_is_not_understood_always_takes_the_dose_away(text: str, noise: str, first: bool) -> None:
    assert parse_sig(f"{noise} {text}" if first else f"{text} {noise}").confidence < ENOUGH


@given(st.integers(1, 9), st.integers(1, 12))
def test_pieces_and_times_come_out_as_written(pieces: int, times: int) -> None:
    sig = parse_sig(f"take {pieces} tablets by mouth {times} times a day")
    assert sig.confidence >= ENOUGH
    (step,) = sig.steps
    assert step.amount_high is not None
    assert step.per_day_high is not None
    assert step.amount_high * step.per_day_high == pieces * times
