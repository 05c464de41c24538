"""Intervals and limits against published values and sums done by hand."""

from __future__ import annotations

from math import comb

import pytest

from cds.audit.outputs.rates import funnel_limits, wilson


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [
        # Newcombe 1998, table I, method 3 (score, without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_those_of_newcombe_1998(found: int, of: int, low: float, high: float) -> None:
    assert wilson(found, of) == pytest.approx((low, high), abs=0.00005)


def test_all_of_all_has_its_upper_end_at_one() -> None:
    # n / (n + z²) = 20 / (20 + 3.8415)
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=0.00005)


def test_the_limits_of_ten_tosses_are_interpolated_between_counts() -> None:
    # P(X <= 1) = 11/1024 = 0.0107, P(X <= 2) = 56/1024 = 0.0547: the 2.5 % point lies at
    # 2 - (0.0546875 - 0.025) / 0.0439453 = 1.3244 of 10; the upper one mirrors: P(X <= 7) = 0.9453, P(X <= 8) = 0.9893:
    # 8 - (0.9892578 - 0.975) / 0.0439453 = 7.6756.
    assert funnel_limits(0.5, 10, 0.025) == pytest.approx((0.13244, 0.76756), abs=0.00001)


def test_limits_of_a_rare_event_start_at_zero() -> None:
    # P(X = 0) = 0.99 ** 20 = 0.818 is more than 0.025 already.
    assert funnel_limits(0.01, 20, 0.025)[0] == 0.0


def test_far_limits_of_a_large_unit_hold_nearly_all_of_it() -> None:
    low, high = funnel_limits(0.2, 400, 0.001)
    inside = sum(comb(400, r) * 0.2**r * 0.8 ** (400 - r) for r in range(401) if low <= r / 400 <= high)
    assert 0.9975 <= inside <= 0.9985


def test_without_a_rate_between_nothing_and_all_there_are_no_limits() -> None:
    assert funnel_limits(0.0, 50, 0.025) == (0.0, 0.0)
    assert funnel_limits(1.0, 50, 0.025) == (1.0, 1.0)
