"""Yes, no, up or down, and nothing else: four words, and all that may be taken for them."""

from __future__ import annotations

from dataclasses import replace

from compress.prune import Prune
from compress.quantize import Int8
from scenarios.scenario import Budget, Scenario, Smooth
from train.augment import CLEAN, FeatureWarp
from train.data.amazon_queen import AmazonQueen
from train.data.arabic import ArabicCommands
from train.data.background import BackgroundNoise
from train.data.digits import SpokenDigits
from train.data.natural_voices import NaturalVoices
from train.data.negatives import AsteriskPrompts, PreciseCommunity
from train.data.other_words import OTHER_WORDS
from train.data.some import Some
from train.data.speech_commands import SpeechCommands
from train.data.spliced_words import SplicedWords
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords
from train.data.tux_paint import TuxPaintStamps
from train.loop import Schedule
from train.material import WARM, Mix
from train.student import StudentConfig

WORDS = ("yes", "no", "up", "down")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = ("digits", *DIGITS)
"""How telephone prompts that say a digit are named."""

HOMOPHONES = ("won", "to", "too", "for", "ate", "ten")
"""Kept from training with the digits, so that recorded digits (Free Spoken Digits) test words never heard."""

OTHERS = tuple(word for word in OTHER_WORDS if word not in {*DIGITS, *HOMOPHONES})
RECORDED = SpeechCommands(words=WORDS)
GENTLE = replace(WARM, speed=(0.92, 1.09), snr_db=(5.0, 30.0), noisy=0.5, babble=0.2, after_speech=0.75)
"""Two thousand people say these words in their own noise: what eighteen speakers need would only blur them."""

CLEAN_WARM, CLEAN_COLD = replace(CLEAN, after_speech=0.75), replace(CLEAN, warm=False)

SCENARIO = Scenario(
    name="keyword_spotting",
    title="Yes, no, up, down",
    summary="Four English words on the official test list of Speech Commands, against words and people never heard.",
    mix=Mix(
        RECORDED,
        spoken=(
            SpokenWords(words=WORDS, unknown_words=800, unknown_voices=8, others=OTHERS),
            SpokenWords(words=WORDS, cast=NaturalVoices(), takes=8, unknown_words=800, unknown_voices=8, others=OTHERS),
        ),
        unknown=(
            PreciseCommunity(without=WORDS),
            Some(ArabicCommands(), 5000),
            Some(TuxPaintStamps(without=WORDS), 2500),
            SplicedWords(RECORDED, clips=600),
        ),
        negatives=(
            AsteriskPrompts(without=(*WORDS, *NUMBERS)),
            AmazonQueen(without=(*WORDS, *DIGITS)),
            PreciseCommunity(without=WORDS),
            SpokenStreams(without=WORDS, streams=80, others=OTHERS),
            SpokenStreams(without=WORDS, cast=NaturalVoices(), streams=60, others=OTHERS),
            TuxPaintStamps(without=WORDS),
        ),
        tests=(SpokenDigits(),),
        noises=(BackgroundNoise(SpeechCommands()),),
        hearings=(CLEAN_COLD, replace(GENTLE, warm=False), CLEAN_WARM, CLEAN_WARM, GENTLE, GENTLE, GENTLE, GENTLE),
        word_ends=True,
        negative_share=0.8,
    ),
    teacher_schedule=Schedule(epochs=24, learning_rate=3e-3, validate_every=2, bfloat16=True),
    teacher_warp=FeatureWarp(tempo=0.08, shift=4, tract=0.05, mask_bands=6, mask_vectors=10),
    warp=FeatureWarp(tempo=0.08, shift=4, tract=0.05),
    student=StudentConfig(channels=24, projection=56, hidden=128),
    versions=2,
    clear=0.5,
    schedule=Schedule(epochs=60, learning_rate=8e-3, validate_every=5),
    compress=(
        Prune(sparsity=0.62, epochs=75, block=(1, 1), smallest=512, ramp=0.3),
        Int8(epochs=8, learning_rate=3e-4),
    ),
    decoder=Smooth(window_ms=480, most_missed=0.08),  # false accepts annoy more than a word said twice
    budget=Budget(size_kb=50, accuracy=0.97, false_accepts_per_hour=5.0, missed_rate=0.05, unknown_triggered=0.04),
)
