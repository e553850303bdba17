"""TensorFlow's own converter on one step of the Keras twin: in float, dynamic-range, int8 and 16x8 form.

    python -m train.keras_tflite WEIGHTS.npz FRAMES.npy FOLDER

A program of its own, so that TensorFlow needs no place beside PyTorch: weights as `train.portable` saves them, frames
(clips, steps, feature_size) to calibrate on. FOLDER gets a .tflite of each form, and told.json with the converter's
words where it failed. Frames, states, scores and next states are float32 in every form.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from train.keras_twin import KerasTwin

Frames = npt.NDArray[np.float32]
TOLD = "told.json"
CALIBRATION_CLIPS = 100


@dataclass(frozen=True)
class Form:
    """What the converter is asked for."""

    name: str
    optimized: bool = True
    operators: str = ""
    """The name of a set of operators, if it may use no others; then it calibrates."""

    def convert(self, twin: KerasTwin, frames: Frames) -> bytes:
        """The .tflite: frame (feature_size,), state (state_size,) -> scores (labels,), next state."""
        converter = tf.lite.TFLiteConverter.from_concrete_functions([_step(twin)])
        if self.optimized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if self.operators:
            converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, self.operators)]
            converter.representative_dataset = lambda: _seen(twin, frames)
        return bytes(converter.convert())


FORMS = (
    Form("float", optimized=False),
    Form("dynamic"),
    Form("int8", operators="TFLITE_BUILTINS_INT8"),
    Form("int16x8", operators="EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"),
)


def _step(twin: KerasTwin) -> Any:
    """The twin's step as TensorFlow's converter takes it."""
    frame = tf.TensorSpec((twin.feature_size,), tf.float32, "frame")
    state = tf.TensorSpec((twin.state_size,), tf.float32, "state")

    def step(frame: Any, state: Any) -> tuple[Any, Any]:
        scores, behind = twin.step(frame[None], state[None])
        return scores[0], behind[0]

    return tf.function(step).get_concrete_function(frame, state)


def _seen(twin: KerasTwin, frames: Frames) -> Iterator[list[Any]]:
    """Frames and states as they come up in a stream of each clip."""
    step = _step(twin)
    for clip in frames[:: max(1, len(frames) // CALIBRATION_CLIPS)]:
        state = tf.zeros((twin.state_size,))
        for frame in clip:
            yield [frame, state]
            _, state = step(tf.constant(frame), state)


def convert_all(weights: Path, frames: Path, folder: Path) -> dict[str, str]:
    """Write every form that the converter makes; of each, what it said of a failure, or nothing."""
    twin, told = KerasTwin.load(weights), {}
    folder.mkdir(parents=True, exist_ok=True)
    for form in FORMS:
        try:
            (folder / f"{form.name}.tflite").write_bytes(form.convert(twin, np.load(frames)))
            told[form.name] = ""
        except (ConverterError, RuntimeError, ValueError) as error:
            told[form.name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    (folder / TOLD).write_text(json.dumps(told, indent=1) + "\n")
    return told


if __name__ == "__main__":
    convert_all(*map(Path, sys.argv[1:4]))
