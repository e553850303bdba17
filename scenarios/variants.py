"""A scenario with the options that a user typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from device_runtime.errors import InputError
from scenarios.forecasting.own import for_log, to_horizon
from scenarios.forecasting.scenario import ForecastScenario
from scenarios.scenario import Scenario
from train.data.dataset import Recordings
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords


def with_options(
    scenario: Any, seed: int | None, words: str | None, csv: Path | None = None, horizon: int | None = None
) -> Any:
    """Another seed; other words, where synthetic voices speak them; another log or horizon, where one is forecast."""
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    if csv is not None:
        if not isinstance(scenario, ForecastScenario):
            raise InputError(f"--csv is for scenarios that forecast a log (load_forecast); {scenario.name} does not.")
        scenario = for_log(scenario, csv)
    if horizon is not None:
        if not isinstance(scenario, ForecastScenario):
            raise InputError(f"--horizon is for scenarios that forecast (load_forecast); {scenario.name} does not.")
        scenario = to_horizon(scenario, horizon)
    if words is None:
        return scenario
    spoken = scenario.mix.words if isinstance(scenario, Scenario) else None
    if not isinstance(spoken, SpokenWords):
        raise InputError(f"--words is for scenarios with spoken voices (demo); {scenario.name} has its own data.")
    chosen = tuple(word.strip() for word in words.split(",") if word.strip())
    for word in chosen:
        if not word[0].isalnum() or "/" in word:
            raise InputError(f"--words got {word!r}: a word begins with a letter or a digit and holds no /.")
    negatives = tuple(_without(source, chosen) for source in scenario.mix.negatives)
    return replace(scenario, mix=replace(scenario.mix, words=replace(spoken, words=chosen), negatives=negatives))


def _without(source: Recordings, words: tuple[str, ...]) -> Recordings:
    """Synthetic negative speech must not say the new words."""
    return replace(source, without=words) if isinstance(source, SpokenStreams) else source
