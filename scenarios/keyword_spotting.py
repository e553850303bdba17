"""Yes, no, up or down, and nothing else: four words, and all that may be taken for them."""

from __future__ import annotations

from compress.prune import Prune
from compress.quantize import Int8
from scenarios.scenario import Budget, Scenario, Smooth
from train.data.arabic import ArabicCommands
from train.data.background import BackgroundNoise
from train.data.digits import SpokenDigits
from train.data.negatives import AsteriskPrompts, PreciseCommunity
from train.data.other_words import OTHER_WORDS
from train.data.some import Some
from train.data.speech_commands import SpeechCommands
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords
from train.loop import Schedule
from train.material import COLD, WARM, Mix
from train.student import StudentConfig

WORDS = ("yes", "no", "up", "down")
DIGITS = frozenset(
    (
        "zero",
        "one",
        "won",
        "two",
        "to",
        "too",
        "three",
        "four",
        "for",
        "five",
        "six",
        "seven",
        "eight",
        "ate",
        "nine",
        "ten",
    )
)
"""Kept from training with their homophones, so that recorded digits (Free Spoken Digits) test words never heard."""

OTHERS = tuple(word for word in OTHER_WORDS if word not in DIGITS)

SCENARIO = Scenario(
    name="keyword_spotting",
    title="Yes, no, up, down",
    summary="Four English words on the official test list of Speech Commands, against words and people never heard.",
    mix=Mix(
        SpeechCommands(words=WORDS),
        spoken=SpokenWords(words=WORDS, unknown_words=500, unknown_voices=14, others=OTHERS),
        unknown=(PreciseCommunity(without=WORDS), Some(ArabicCommands(), 2500)),
        negatives=(
            AsteriskPrompts(without=WORDS),
            PreciseCommunity(without=WORDS),
            SpokenStreams(without=WORDS, streams=40, others=OTHERS),
        ),
        tests=(SpokenDigits(),),
        noises=(BackgroundNoise(SpeechCommands()),),
        hearings=(COLD, WARM, WARM, WARM),
        word_ends=True,
    ),
    teacher_schedule=Schedule(epochs=12, learning_rate=3e-3),
    student=StudentConfig(channels=16, projection=48, hidden=96),
    versions=2,
    schedule=Schedule(epochs=36, learning_rate=8e-3, validate_every=4),
    compress=(Prune(sparsity=0.5, epochs=16), Int8(epochs=3)),
    decoder=Smooth(most_missed=0.1),  # false accepts annoy more than a word said twice
    budget=Budget(size_kb=40, accuracy=0.97, false_accepts_per_hour=5.0, missed_rate=0.05, unknown_triggered=0.04),
)
