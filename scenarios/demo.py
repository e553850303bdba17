"""A wake word in minutes, from nothing: the words are spoken by espeak-ng's voices, so nothing is downloaded."""

from __future__ import annotations

from compress.prune import Prune
from compress.quantize import Int8
from scenarios.scenario import Budget, Scenario, Smooth
from train.augment import CLEAN
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords
from train.data.voices import EspeakVoices
from train.loop import Schedule
from train.material import COLD, WARM, Mix
from train.student import StudentConfig
from train.teacher import TeacherConfig

WORDS = ("computer", "lights", "music")

SCENARIO = Scenario(
    name="demo",
    title="Three words, spoken by machines",
    summary="A keyword spotter from synthetic speech alone: 80 voices of espeak-ng, tested on voices never heard.",
    mix=Mix(
        SpokenWords(words=WORDS, cast=EspeakVoices(80), takes=6, unknown_words=240, unknown_voices=5),
        negatives=(SpokenStreams(without=WORDS, streams=10),),
        hearings=(COLD, CLEAN, WARM, WARM),
    ),
    teacher=TeacherConfig(channels=16, projection=96, hidden=64, gru_layers=1),
    teacher_schedule=Schedule(epochs=8, learning_rate=4e-3, validate_every=2),
    student=StudentConfig(channels=12, projection=32, hidden=48),
    schedule=Schedule(epochs=16, learning_rate=1e-2, validate_every=2),
    compress=(Prune(sparsity=0.4, epochs=6), Int8(epochs=2)),
    decoder=Smooth(most_missed=0.12),  # a demo that fires at every word convinces nobody
    budget=Budget(size_kb=20, accuracy=0.90, int8_loss=0.02),
    notes=("All speech in this scenario is synthetic (espeak-ng): its numbers say nothing about people.",),
)
