"""How sure a share or a rate is: the intervals of the tables, at the ends and for large counts, too."""

import pytest

from device_runtime.intervals import poisson, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # R: prop.test(x, n, correct = FALSE)$conf.int
    [(95, 100, 0.88825, 0.97846), (0, 20, 0.0, 0.16113), (20, 20, 0.83887, 1.0), (2304, 2400, 0.95139, 0.96714)],
)
def test_the_interval_of_a_share_is_wilsons(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=2e-5)


def test_nothing_tried_tells_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Garwood's table, the same as R's poisson.test(count)$conf.int
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (100, 81.3640, 121.6270)],
)
def test_the_interval_of_a_rate_is_exact(count, low, high):
    assert poisson(count) == pytest.approx((low, high), abs=2e-3)
    assert poisson(count, 2.0) == pytest.approx((low / 2, high / 2), abs=2e-3)


def test_the_interval_of_a_large_count_does_not_underflow():
    low, high = poisson(3000)
    assert 2890 < low < 2895
    assert 3105 < high < 3112
