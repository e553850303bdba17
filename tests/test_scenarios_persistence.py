"""On a random walk persistence wins, and the table says so; on a series with a rhythm it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from device_runtime.errors import InputError
from scenarios.peers.linear_map import LinearMap
from scenarios.persistence import against_persistence, in_logarithms
from train.data.prices import SYMBOLS, RandomWalk, Stocks, read_stocks


class Momentum:
    """What went up goes on going up, as many believe."""

    name = "momentum"

    def fit(self, series, look_back, horizon):
        """Nothing is learned."""
        ahead = np.arange(1, horizon + 1, dtype=np.float32)[None, :, None]
        return lambda inputs: inputs[:, -1:] + ahead * (inputs[:, -1:] - inputs[:, -6:-5]) / 5


def test_persistence_wins_on_a_random_walk():
    standing, linear = against_persistence(RandomWalk(2000).series(), [Momentum(), LinearMap()], 20, 5)
    assert standing.difference.is_worse
    assert standing.verdict.startswith("persistence wins: this squared error is ")
    assert not linear.difference.is_better
    assert linear.ratio > 0.99


def test_what_can_be_forecast_beats_persistence():
    walk = RandomWalk(1000).series()
    rhythm = np.exp(np.sin(np.arange(1000) * 2 * np.pi / 10))[:, None].astype(np.float32)
    (linear,) = against_persistence(dataclasses.replace(walk, values=rhythm), [LinearMap()], 20, 5)
    assert linear.difference.is_better
    assert linear.verdict.startswith("beats persistence: this squared error is ")


def test_a_trained_forecaster_stands_in_the_same_table():
    walk = RandomWalk(1000).series()
    (same,) = against_persistence(walk, [], 20, 5, {"gru": lambda inputs: np.repeat(inputs[:, -1:], 5, axis=1)})
    assert (same.name, same.ratio) == ("gru", 1.0)
    assert same.verdict == "no better than persistence: this squared error is 0.0 % larger, within chance"


def test_a_few_windows_decide_nothing():
    (standing,) = against_persistence(RandomWalk(200).series(), [Momentum()], 20, 5)
    assert standing.verdict.endswith("on too few windows to tell from chance")


def test_a_walk_repeats_itself_and_its_days_depend_on_nothing():
    one, other = RandomWalk(seed=1).series(), RandomWalk(seed=2).series()
    assert (one.values == RandomWalk(seed=1).series().values).all()
    assert (one.values != other.values).any()
    steps = np.diff(in_logarithms(one).values[:, 0].astype(np.float64))
    assert steps.std() == pytest.approx(0.01, rel=0.05)
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 0.05


def test_a_price_of_nothing_has_no_logarithm():
    walk = RandomWalk(100).series()
    with pytest.raises(InputError, match="has a price of -1; only prices above 0 have a log"):
        in_logarithms(dataclasses.replace(walk, values=-np.ones((100, 1), np.float32)))


def test_stocks_come_with_a_package():
    pytest.importorskip("vega_datasets", reason="the prices are in its wheel")
    series = Stocks().series()
    assert (series.channels, len(series)) == (SYMBOLS, 123)
    assert series.values[0, 0] == pytest.approx(39.81)
    assert str(series.times[-1]) == "2010-03-01T00:00:00"


def test_a_damaged_file_of_prices_is_refused(tmp_path):
    path = tmp_path / "stocks.csv"
    path.write_text("symbol,date,price\nMSFT,Jan 1 2000,cheap\n")
    with pytest.raises(InputError, match="line 2 is no symbol, date and price like MSFT, Jan 1 2000, 39.81"):
        read_stocks(path)
    path.write_text("symbol,date,price\nMSFT,Jan 1 2000,39.81\n")
    with pytest.raises(InputError, match="has not the same months for MSFT, AMZN, IBM, AAPL"):
        read_stocks(path)
