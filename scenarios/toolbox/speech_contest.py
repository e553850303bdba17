"""Train one recipe for spoken words with one seed, bundle it, prove it, and stream the test split through it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from compress.method import in_turn
from compress.qat import Int8Student
from device_runtime.errors import InputError
from device_runtime.evaluate import evaluate
from device_runtime.session import Session
from scenarios import bundling
from scenarios.clips_heard import words
from scenarios.model_card import model_card
from scenarios.pipeline import manifest, stream_of_tests
from scenarios.scenario import Scenario
from scenarios.toolbox.contestant import Contestant, Outcome, outcome, spent_before
from scenarios.toolbox.in_torch import beyond_engines, in_torch
from scenarios.training import Trainings
from train.features import feature_vectors

THRESHOLD = 0.5
"""Of every word: these bundles are compared by the highest score, and none is shipped."""

SHARED = ("copies", "validation_copies")
"""What depends on the data alone, and takes minutes to load."""


def contest(contestant: Contestant, seed: int, trainings: Trainings, folder: Path) -> Outcome:
    """Build the contestant's bundle in `folder` and measure it; `trainings` holds the data and the teacher.

    A recipe that compresses nothing, or to more codes than engines hold, has no bundle and is measured in torch.
    """
    recipe = contestant.scenario
    if not isinstance(recipe, Scenario):
        raise InputError(f"{recipe.name} hears no words: it has no place among recipes for words.")
    own = sharing(trainings, recipe)
    started = time.process_time()
    student: nn.Module = own.student(seed)
    if replace(recipe, compress=trainings.scenario.compress) == trainings.scenario:  # the float student is everyone's
        started = time.process_time()
        own.histories.clear()
    _, student = in_turn(student, recipe.compress, own)[-1]
    train_s = time.process_time() - started + spent_before(own.histories)
    if not recipe.compress or beyond_engines(student):
        return in_torch(contestant, seed, own, student, train_s)
    if not isinstance(student, Int8Student):
        raise InputError(f"{contestant.name} does not end in int8, so it cannot be bundled. Put Int8 last.")
    path = folder / f"{contestant.slug}-{seed}.bundle"
    differing_bits = _bundle(path, student, own)
    heard = evaluate(Session.open(path, "native"), words(own, "test"))
    measured = {condition: heard.right(condition) / len(heard.clips) for condition in ("warm", "cold")}
    return outcome(contestant, seed, path, measured, own.student_value(student), train_s, differing_bits)


def sharing(trainings: Trainings, scenario: Scenario) -> Trainings:
    """Trainings of another student on the data that these have loaded, and by their teachers if it has the same.

    InputError for a recipe that learns from other data: its numbers would stand beside what they do not compare with.
    """
    if scenario.mix != trainings.scenario.mix:
        raise InputError(
            f"{scenario.name} learns from other recordings than {trainings.scenario.name} (its mix is another one), so "
            "they cannot be compared. Derive the recipe from scenarios.toolbox.speech.BASE."
        )
    other = Trainings(scenario, trainings.folder, trainings.cache, trainings.teacher_folder)
    for name in SHARED:
        other.__dict__[name] = getattr(trainings, name)
    if scenario.teacher_shapes == trainings.scenario.teacher_shapes:
        other.__dict__["teachers"] = trainings.teachers
        if scenario.hint == trainings.scenario.hint:
            other.__dict__["taught"] = trainings.taught
    return other


def _bundle(path: Path, student: Int8Student, trainings: Trainings) -> int:
    """Write the bundle with every backend, hold all engines to the student, and count the bits that differ."""
    frames = trainings.view(torch.from_numpy(feature_vectors(stream_of_tests(trainings, bundling.PARITY_FRAMES)))[None])
    thresholds = {trainings.labels[word]: THRESHOLD for word in trainings.words}
    told = manifest(trainings, thresholds, model_card(trainings, []))
    bundling.write_bundle(path, told, student, trainings.scenario.export, frames[0])
    proof = bundling.prove(path, student, frames[0])
    return sum(proof.differing_bits.values())
