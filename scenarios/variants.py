"""A scenario with the options that a user typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from device_runtime.errors import InputError
from scenarios.scenario import Scenario
from train.data.dataset import Recordings
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords


def with_options(scenario: Any, seed: int | None, words: str | None) -> Any:
    """Another seed, or (for scenarios whose words are spoken by synthetic voices) other words."""
    if seed is not None:
        scenario = replace(scenario, seed=seed)
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
