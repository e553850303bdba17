"""Prices, which nobody can forecast from their own past: one made so, and shares of five companies.

They are here to keep everyone honest. A model that is better than the last value on the made one has seen the future.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from device_runtime.errors import InputError
from train.data.series import Series, shares
from train.data.water_flow import packaged

DAY_S = 86_400.0
MONTH_S = 30.4375 * DAY_S
"""On average: months have no interval of their own."""

FIRST_DAY = np.datetime64("2000-01-03T00:00:00", "s")
SYMBOLS = ("MSFT", "AMZN", "IBM", "AAPL")
"""Those that were traded from the first month to the last."""


@dataclass(frozen=True)
class RandomWalk:
    """A geometric random walk: each day multiplies the price by a factor that depends on no other.

    >>> RandomWalk().series().values.shape
    (5000, 1)
    """

    samples: int = 5000
    volatility: float = 0.01
    """Standard deviation of a day's change in the logarithm of the price."""

    start: float = 100.0
    seed: int = 0

    @property
    def name(self) -> str:
        """Short."""
        return "random_walk"

    @property
    def source(self) -> str:
        """Nowhere."""
        return f"made: a geometric random walk, volatility {self.volatility:g} a day, seed {self.seed}"

    @property
    def licence(self) -> str:
        """It is nobody's."""
        return "none needed"

    def series(self) -> Series:
        """One channel."""
        steps = np.random.default_rng(self.seed).normal(0, self.volatility, self.samples)
        values = (self.start * np.exp(np.cumsum(steps))).astype(np.float32)[:, None]
        times = FIRST_DAY + np.arange(self.samples) * np.timedelta64(int(DAY_S), "s")
        return Series(self.name, ("price",), DAY_S, times, values, shares(self.samples))


@dataclass(frozen=True)
class Stocks:
    """Prices of shares at the first of each month, January 2000 to March 2010, as vega_datasets carries them.

    >>> Stocks().name
    'stocks'
    """

    @property
    def name(self) -> str:
        """Short."""
        return "stocks"

    @property
    def source(self) -> str:
        """The package that carries it."""
        return "stocks.csv in the wheel of vega_datasets (https://github.com/altair-viz/vega_datasets)"

    @property
    def licence(self) -> str:
        """The package's."""
        return "MIT (vega_datasets)"

    def series(self) -> Series:
        """A channel for each company."""
        return read_stocks(packaged("vega_datasets", "_data/stocks.csv"))


def read_stocks(path: Path) -> Series:
    """A file of symbol, date and price."""
    prices: dict[str, dict[datetime, float]] = {symbol: {} for symbol in SYMBOLS}
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            try:
                month, price = datetime.strptime(row["date"].strip(), "%b %d %Y"), float(row["price"])
                prices.get(row["symbol"], {})[month] = price
            except (KeyError, ValueError, AttributeError) as error:
                raise InputError(
                    f"{path} line {line} is no symbol, date and price like MSFT, Jan 1 2000, 39.81 ({error})."
                ) from error
    months = sorted(prices[SYMBOLS[0]])
    if not months or any(sorted(own) != months for own in prices.values()):
        raise InputError(f"{path} has not the same months for {', '.join(SYMBOLS)}. Install vega_datasets again.")
    values = np.array([[prices[symbol][month] for symbol in SYMBOLS] for month in months], np.float32)
    times = np.array(months, "datetime64[s]")
    return Series("stocks", SYMBOLS, MONTH_S, times, values, shares(len(months)))
