"""Series made by rules: what sensors, servers and counters do in general, for a predictor that must serve any of them.

Nothing here is labelled, and nothing is taken from a benchmark: a predictor that has learned from these has not seen
the series that it is measured on. Days of 24 to 288 samples, steps between levels, spikes, bursts of counts, random
walks, noise of every colour, bounds, and coarse readings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DAYS = (24, 48, 96, 144, 288)
"""Samples a day: readings every hour to every five minutes."""

OTHER_DAY = 0.15
"""Share of series whose period is no day."""


@dataclass(frozen=True)
class MadeSeries:
    """A series and the interval of its readings."""

    values: np.ndarray  # (samples,) float64
    interval_s: float


def made_series(random: np.random.Generator, samples: int) -> MadeSeries:
    """One series of a family drawn at random, in a unit and about a level of its own."""
    period = int(random.choice(DAYS))
    family = FAMILIES[int(random.integers(len(FAMILIES)))]
    values = _disturbed(random, family(random, samples, period))
    day = int(random.choice(DAYS)) if random.random() < OTHER_DAY else period
    unit = float(np.exp(random.uniform(-3, 6)))
    return MadeSeries(values * unit + random.standard_normal() * 100, 86_400 / day)


def _decaying(values: np.ndarray, share: float) -> np.ndarray:
    """Each value plus `share` of what the one before became."""
    kept, now = np.empty(len(values)), 0.0
    for at, value in enumerate(values.tolist()):
        now = value + share * now
        kept[at] = now
    return kept


def _noise(random: np.random.Generator, samples: int, memory: float, heavy: bool = False) -> np.ndarray:
    """First-order noise of deviation about 1; `heavy` has Student's tails."""
    white = random.standard_t(3, samples) if heavy else random.standard_normal(samples)
    return _decaying(white, memory) * np.sqrt(1 - memory**2)


def _season(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    """Waves, a switch, or humps, the same every period; half of them are weaker on two days of seven."""
    time = np.arange(samples) + random.integers(period)
    kind = random.integers(3)
    if kind == 0:
        season: np.ndarray = np.zeros(samples)
        for harmonic in range(1, 1 + int(random.integers(1, 6))):
            turn = 2 * np.pi * harmonic * time / period + random.uniform(0, 2 * np.pi)
            season += random.standard_normal() / harmonic * np.sin(turn)
    elif kind == 1:
        season = 2.0 * (time % period / period < random.uniform(0.1, 0.8))
    else:
        turn = 2 * np.pi * time / period + random.uniform(0, 2 * np.pi)
        season = 2 * np.maximum(0, np.sin(turn)) ** int(random.integers(1, 5))
    if random.random() < 0.5:
        season = season * np.where(time // period % 7 < 5, 1, random.uniform(0.3, 1))
    return season


def _levels(random: np.random.Generator, samples: int, lasting: float) -> np.ndarray:
    """Steps between random levels, each lasting so many samples on average."""
    number = np.cumsum(random.random(samples) < 1 / lasting)
    return random.standard_normal(number[-1] + 1)[number]


def _daily(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    noise = _noise(random, samples, float(random.choice([0, 0.3, 0.7, 0.9, 0.98])), random.random() < 0.3)
    return random.uniform(0.2, 3) * _season(random, samples, period) + random.uniform(0.02, 1) * noise


def _walk(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    steps = random.standard_normal(samples) if random.random() < 0.5 else random.standard_t(3, samples)
    walk = np.cumsum(steps)
    return walk - random.uniform(0, 1) * _decaying(0.002 * walk, 0.998)  # drawn back to its own past


def _counts(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    usual = np.exp(random.uniform(-1, 4))
    season, noise = _season(random, samples, period), _noise(random, samples, 0.9)
    rate = usual * np.exp(random.uniform(0, 1) * season + random.uniform(0, 0.8) * noise)
    bursts = (random.random(samples) < random.uniform(0, 0.01)) * random.pareto(1.2, samples) * usual
    rate += _decaying(bursts, random.uniform(0.3, 0.95))
    return random.poisson(np.minimum(rate, 1e6)).astype(np.float64)


def _stepping(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    noise = _noise(random, samples, float(random.choice([0, 0.5, 0.9])), random.random() < 0.3)
    levels = _levels(random, samples, float(random.choice([100, 300, 1000])))
    return random.uniform(1, 5) * levels + random.uniform(0.05, 1) * noise


def _spiking(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    spikes = random.lognormal(1, random.uniform(0.1, 1), samples) * (
        random.random(samples) < random.uniform(0.003, 0.1)
    )
    series = random.uniform(0.01, 0.5) * np.abs(_noise(random, samples, 0.2)) + spikes
    if random.random() < 0.5:  # and one on the dot
        series += random.uniform(2, 6) * (np.arange(samples) % period == 0)
    return series


def _uneven(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    noise = _noise(random, samples, float(random.choice([0, 0.5, 0.9])))
    size = np.exp(random.uniform(0.3, 1.2) * _noise(random, samples, 0.995))
    return noise * size + random.uniform(0, 1) * _season(random, samples, period)


def _bounded(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    noise = _noise(random, samples, float(random.choice([0, 0.5, 0.9])))
    drive = random.uniform(0, 2) * _season(random, samples, period) + _levels(random, samples, 500)
    share = 1 / (1 + np.exp(-drive - random.uniform(0.05, 0.8) * noise))
    return np.round(share, int(random.integers(1, 5)))


def _smooth(random: np.random.Generator, samples: int, period: int) -> np.ndarray:
    slow = _decaying(_noise(random, samples, 0.95), 0.9)
    season, noise = _season(random, samples, period), random.standard_normal(samples)
    return random.uniform(0.1, 1) * slow + random.uniform(0, 5) * season + random.uniform(0, 0.05) * noise


FAMILIES: tuple[Callable[[np.random.Generator, int, int], np.ndarray], ...] = (
    _daily,
    _walk,
    _counts,
    _stepping,
    _spiking,
    _uneven,
    _bounded,
    _smooth,
)


def _disturbed(random: np.random.Generator, series: np.ndarray) -> np.ndarray:
    """Now and then a new level, rare outliers, or readings too coarse for what they measure."""
    samples, spread = len(series), float(np.std(series)) + 1e-9
    if random.random() < 0.2:
        series = series + random.uniform(0, 3) * spread * _levels(random, samples, 1500)
    if random.random() < 0.3:
        hit = random.random(samples) < random.uniform(0, 0.004)
        series = series + 3 * spread * hit * random.standard_t(2, samples)
    if random.random() < 0.1:
        series = np.round(series / (0.3 * spread))
    return series
