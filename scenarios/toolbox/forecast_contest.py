"""Train one recipe for forecasts with one seed, bundle it, prove it, and forecast every test window by its bundle."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from torch import nn

from compress.int8_forecaster import Int8Forecaster
from compress.method import in_turn
from device_runtime.errors import InputError
from scenarios import bundling
from scenarios.forecasting import measure
from scenarios.forecasting.card import model_card
from scenarios.forecasting.intervals import offsets
from scenarios.forecasting.pipeline import made_frames, manifest, stream_of_tests
from scenarios.forecasting.scenario import ForecastScenario
from scenarios.forecasting.training import ForecastTrainings
from scenarios.toolbox.contestant import Contestant, Outcome, outcome, spent_before


def contest(contestant: Contestant, seed: int, trainings: ForecastTrainings, folder: Path) -> Outcome:
    """Build the contestant's bundle in `folder` and measure it; `trainings` holds the series and the teachers."""
    recipe = contestant.scenario
    if not isinstance(recipe, ForecastScenario):
        raise InputError(f"{recipe.name} forecasts nothing: it has no place among recipes for forecasts.")
    if recipe.data != trainings.scenario.data:
        raise InputError(
            f"{recipe.name} forecasts other readings than {trainings.scenario.name}, so they cannot be compared. "
            "Derive the recipe from scenarios.toolbox.forecast.BASE."
        )
    own = ForecastTrainings(recipe, trainings.folder, trainings.cache)
    own.__dict__["teachers"] = trainings.teachers
    started = time.process_time()
    student: nn.Module = own.student(seed)
    if replace(recipe, compress=trainings.scenario.compress) == trainings.scenario:  # the float student is everyone's
        started = time.process_time()
        own.histories.clear()
    _, student = in_turn(student, recipe.compress, own)[-1]
    train_s = time.process_time() - started + spent_before(own.histories)
    if not isinstance(student, Int8Forecaster):
        raise InputError(f"{contestant.name} does not end in int8, so it cannot be bundled. Put Int8 last.")
    path = folder / f"{contestant.slug}-{seed}.bundle"
    below, above = offsets(student, own.windows("validation"), recipe.intervals.coverage)
    words = manifest(own, below, above, model_card(own, []))
    bundling.write_bundle(path, words, student, recipe.export, made_frames(recipe))
    proof = bundling.prove(path, student, stream_of_tests(own, bundling.PARITY_FRAMES))
    told = measure.streamed(path, own).as_dict()
    measured = {"MSE": told["mse"], "MAE": told["mae"]}
    bits = sum(proof.differing_bits.values())
    return outcome(contestant, seed, path, measured, own.error(student), train_s, bits)
