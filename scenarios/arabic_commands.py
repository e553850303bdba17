"""Forty Arabic words from 18 people, to be understood from any other: in 50 KB, in 26 KB and in 10 KB."""

from __future__ import annotations

from dataclasses import replace

from compress.lowrank import LowRank
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranks import Fixed
from compress.weight_grids import PowersOfTwo
from scenarios.scenario import Budget, Scenario
from train.augment import CLEAN
from train.data.arabic import ArabicCommands
from train.data.background import BackgroundNoise
from train.data.speech_commands import SpeechCommands
from train.loop import Schedule
from train.material import COLD, WARM, Mix
from train.student import StudentConfig

SCENARIO = Scenario(
    name="arabic_commands",
    title="Forty Arabic commands",
    summary="Voice control in Arabic: 40 words, 18 speakers to learn from, tested on 6 others, on the official split.",
    mix=Mix(
        ArabicCommands(),
        noises=(BackgroundNoise(SpeechCommands()),),
        # Many pre-rolls for each clip: what was said right before is what a warm front end is most misled by.
        hearings=(replace(CLEAN, warm=False), COLD, CLEAN, *(replace(WARM, after_speech=0.75) for _ in range(9))),
    ),
    versions=2,
    student=StudentConfig(channels=24, projection=56, hidden=128),
    schedule=Schedule(epochs=120, learning_rate=8e-3, validate_every=5),
    compress=(Prune(sparsity=0.63, epochs=45, block=(8, 1), ramp=0.4), Int8(epochs=8)),
    budget=Budget(size_kb=50, accuracy=0.955),
)

SMALL = replace(
    SCENARIO,
    name="arabic_commands_small",
    title="Forty Arabic commands in 26 KB",
    compress=(
        Prune(sparsity=0.71, epochs=45, block=(1, 1), ramp=0.4),
        Int8(epochs=10, learning_rate=4e-3, weights=PowersOfTwo()),
    ),
    budget=Budget(size_kb=26, accuracy=0.96),
)

TINY = replace(
    SCENARIO,
    name="arabic_commands_tiny",
    title="Forty Arabic commands in 10 KB",
    student=StudentConfig(channels=16, projection=40, hidden=80),
    compress=(
        LowRank(Fixed(24), 30),
        Prune(sparsity=0.70, epochs=90, block=(1, 1), ramp=0.4, smallest=512),
        Int8(epochs=30, learning_rate=4e-3, weights=PowersOfTwo()),
    ),
    budget=Budget(size_kb=10, accuracy=0.94),
)
