"""How sure a rate is, and how far the rate of a unit may lie from all by chance alone."""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

_Z95 = 1.959963984540054


def wilson(found: int, of: int, z: float = _Z95) -> tuple[float, float]:
    """The 95 % score interval of a proportion, `of` >= 1.

    Source: Wilson, J Am Stat Assoc 22:209, 1927; as in Newcombe, Stat Med 17:857, 1998, method 3.
    """
    share, square = found / of, z * z
    middle = 2 * of * share + square
    spread = z * sqrt(square + 4 * of * share * (1 - share))
    low, high = (middle - spread) / (2 * (of + square)), (middle + spread) / (2 * (of + square))
    # At the ends the sums above are exact but for rounding.
    return (0.0 if found == 0 else max(low, 0.0)), (1.0 if found == of else min(high, 1.0))


def funnel_limits(share: float, of: int, tail: float) -> tuple[float, float]:
    """Shares between which a unit of `of` patients lies by chance, `tail` (0.025, 0.001) above and below.

    Exact binomial quantiles, interpolated between two counts so that the limits are smooth.
    Source: Spiegelhalter, Stat Med 24:1185, 2005, appendix A.1.1 (binomial data).
    """
    if of <= 0 or share <= 0 or share >= 1:
        return share, share
    return _limit(share, of, tail), _limit(share, of, 1 - tail)


def _limit(share: float, of: int, probability: float) -> float:
    """The smallest count r with P(X <= r) >= probability, less the part of it that is not needed, over `of`."""
    below = 0.0
    for r in range(max(0, int(of * share - 12 * sqrt(of * share * (1 - share)))), of + 1):
        mass = exp(_log_mass(r, of, share))
        if below + mass >= probability or r == of:
            surplus = (below + mass - probability) / mass if mass > 0 else 0.0
            return min(max((r - surplus) / of, 0.0), 1.0)
        below += mass
    raise AssertionError  # pragma: no cover: the last r returns


def _log_mass(r: int, of: int, share: float) -> float:
    ways = lgamma(of + 1) - lgamma(r + 1) - lgamma(of - r + 1)
    return ways + r * log(share) + (of - r) * log(1 - share)
