"""Forty Arabic words from 18 people, to be understood from any other: in 50 KB, and in 26 KB."""

from __future__ import annotations

from dataclasses import replace

from compress.prune import Prune
from compress.quantize import Int8
from scenarios.scenario import Budget, Scenario
from train.data.arabic import ArabicCommands
from train.data.background import BackgroundNoise
from train.data.speech_commands import SpeechCommands
from train.material import Mix
from train.student import StudentConfig

SCENARIO = Scenario(
    name="arabic_commands",
    title="Forty Arabic commands",
    summary="Voice control in Arabic: 40 words, 18 speakers to learn from, tested on 6 others, on the official split.",
    mix=Mix(ArabicCommands(), noises=(BackgroundNoise(SpeechCommands()),)),
    student=StudentConfig(channels=24, projection=56, hidden=128),
    compress=(Prune(sparsity=0.5, epochs=25), Int8(epochs=6)),
    budget=Budget(size_kb=50, accuracy=0.955),
)

SMALL = replace(
    SCENARIO,
    name="arabic_commands_small",
    title="Forty Arabic commands in 26 KB",
    student=StudentConfig(channels=16, projection=40, hidden=80),
    budget=Budget(size_kb=26, accuracy=0.935),
)
