"""How far a measured rate may be from the true one: exact enough for few counts, and without SciPy."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""The normal distribution has 2.5 % on each side beyond this."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927); honest near 0 and 1, where the usual one is not.

    >>> [round(bound, 3) for bound in wilson(95, 100)]
    [0.888, 0.978]
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, Z_95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    # at none and at all the bound is exactly 0 or 1, which rounding would miss
    return 0.0 if successes == 0 else middle - half, 1.0 if successes == trials else middle + half


def poisson(count: int, exposure: float = 1.0) -> tuple[float, float]:
    """The exact 95 % interval of a rate, from a count over an exposure such as hours (Garwood 1936).

    >>> [round(bound, 2) for bound in poisson(3, exposure=2.0)]  # 3 in 2 hours
    [0.31, 4.38]
    """
    low = 0.0 if count == 0 else _mean_with(count - 1, 0.975)
    return low / exposure, _mean_with(count, 0.025) / exposure


def _mean_with(count: int, probability: float) -> float:
    """The Poisson mean at which at most `count` events have this probability: half a chi-square quantile."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _at_most(count, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    """Probability of at most `count` events; in logarithms, so that large means do not underflow."""
    log_mean = math.log(mean)
    return math.fsum(math.exp(k * log_mean - mean - math.lgamma(k + 1)) for k in range(count + 1))
