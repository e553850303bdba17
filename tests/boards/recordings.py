"""What the boards hear: 20 whole recordings of words that committed bundles know, real where TINYRNN_DATA has them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.frontends.speech import SpeechFrontend
from device_runtime.recordings import list_recordings, read_audio
from scenarios.demo import WORDS
from sounds import wav_bytes
from train.data.voices import speak, voices

COUNT = 20
BUNDLES = Path(__file__).parents[2] / "scenarios" / "bundles"
REAL = {"speech_commands_v0.02": "keyword_spotting.bundle", "arabic_speech_commands": "arabic_commands.bundle"}
QUIET_S = 0.4
"""Behind each word, so that its event comes before the recording ends."""


def write(folder: Path) -> dict[str, list[str]]:
    """WAV files that need no decoder, for each bundle, and what a front end makes of each."""
    data = os.environ.get("TINYRNN_DATA")
    chosen = dict(_real(Path(data) / "speech")) if data else {BUNDLES / "demo.bundle": list(_spoken())}
    paths: dict[str, list[str]] = {}
    for bundle, sounds in chosen.items():
        for samples in sounds:
            path = folder / f"{bundle.stem}_{len(paths.get(str(bundle), []))}.wav"
            quiet = np.zeros(int(QUIET_S * 16_000), np.float32)
            path.write_bytes(wav_bytes(np.concatenate([samples, quiet])))
            _write_frames(path)
            paths.setdefault(str(bundle), []).append(str(path))
    return paths


def _real(speech: Path) -> Iterator[tuple[Path, list[Float32]]]:
    for name, bundle in REAL.items():
        test = [recording.path for recording in list_recordings(speech / name) if recording.split == "test"]
        yield BUNDLES / bundle, [read_audio(path) for path in random.Random(0).sample(test, COUNT // len(REAL))]


def _spoken() -> Iterator[Float32]:
    for number, voice in enumerate(voices(COUNT, seed=1)):
        yield speak(WORDS[number % len(WORDS)], voice)


def _write_frames(path: Path) -> None:
    """The frames, for boards whose front end makes others or none."""
    frames = SpeechFrontend().push(read_audio(path))
    values, times = [frame.values for frame in frames], [frame.time_s for frame in frames]
    np.savez(path.with_suffix(".npz"), values=np.array(values, np.float32), times=np.array(times))
