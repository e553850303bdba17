"""The Keras twin: a student's weights in another engine of training give its outputs, its gradients, and a .tflite.

TensorFlow runs in processes of its own (this file, as a program): it and PyTorch need not load beside one another.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from processes import environment

needs_keras = pytest.mark.skipif(find_spec("tensorflow") is None, reason="the Keras twin needs tinyrnn[keras]")

COMMON = {"bands": 8, "window_bands": 4, "hop_bands": 2, "channels": 4}
SHAPES = {
    "shipped": {**COMMON, "stack": 3, "projection": 9, "hidden": 12},
    "layers": {**COMMON, "stack": 2, "projection": 0, "hidden": 7, "gru_layers": 2},
    "alone": {"bands": 6, "stack": 1, "channels": 0, "projection": 0, "hidden": 5},
}


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """Of each shape: saved weights, frames, and what PyTorch makes of them, logits and gradients of a loss."""
    torch = pytest.importorskip("torch", reason="the student is PyTorch's")
    from train import portable
    from train.student import Student, StudentConfig

    home = tmp_path_factory.mktemp("students")
    for name, shape in SHAPES.items():
        torch.manual_seed(1)
        made = Student(StudentConfig(**shape), labels=3)
        frames = torch.randn(3, 40, made.feature_size) * 6 + 10
        logits = made(frames)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.arange(3 * 40) % 3).backward()
        (home / name).mkdir()
        portable.save(made, home / name / "weights.npz")
        gradients = {"head": made.head.weight.grad, "gru": made.grus[0].bias_hh_l0.grad}
        np.savez(home / name / "told.npz", frames=frames, logits=logits.detach(), **gradients)
    return home


def asked(what: str, *arguments: object) -> dict:
    """What a function of this file answers in a process of its own."""
    quiet = environment(TF_CPP_MIN_LOG_LEVEL="3", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    command = [sys.executable, __file__, what, *map(str, arguments)]
    done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_keras
def test_the_twin_is_the_student_in_another_engine(students):
    told = asked("compared", students)
    assert list(told) == list(SHAPES)
    for name, differences in told.items():
        assert max(differences.values()) < 1e-5, (name, differences)


@needs_keras
def test_the_twin_learns_in_16_bits_with_a_scaled_loss(students):
    told = asked("learned", students / "shipped")
    for name, off in (("mixed_float16", 0.01), ("mixed_bfloat16", 0.05)):
        assert 0 < told[name]["off"] < off, "16 bits are near 32"
        assert told[name]["losses"][-1] < told[name]["losses"][0]
    assert told["mixed_float16"]["scale"] > 1


@needs_keras
def test_tensorflow_s_converter_makes_four_forms_of_a_step(students, tmp_path):
    interpreters = pytest.importorskip("ai_edge_litert.interpreter", reason="the forms run in LiteRT")
    student = students / "shipped"
    told = np.load(student / "told.npz")
    np.save(tmp_path / "frames.npy", told["frames"])
    command = [
        sys.executable,
        "-m",
        "train.keras_tflite",
        student / "weights.npz",
        tmp_path / "frames.npy",
        tmp_path / "made",
    ]
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    assert json.loads((tmp_path / "made/told.json").read_text()) == dict.fromkeys(
        ("float", "dynamic", "int8", "int16x8"), ""
    )
    for form, most in {"float": 1e-5, "dynamic": 0.02, "int8": 0.1, "int16x8": 0.02}.items():
        interpreter = interpreters.Interpreter(model_path=str(tmp_path / f"made/{form}.tflite"), num_threads=1)
        interpreter.allocate_tensors()
        assert np.abs(streamed(interpreter, told["frames"][0]) - told["logits"][0]).max() < most, form


def streamed(interpreter, frames):
    """The scores of each step."""
    frame, state = (side["index"] for side in interpreter.get_input_details())
    scores, behind = (side["index"] for side in interpreter.get_output_details())
    now, rows = np.zeros(interpreter.get_input_details()[1]["shape"], np.float32), []
    for values in frames:
        interpreter.set_tensor(frame, values)
        interpreter.set_tensor(state, now)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(scores))
        now = interpreter.get_tensor(behind)
    return np.stack(rows)


@needs_keras
def test_weights_of_something_else_are_refused_and_pytorch_is_not_needed_for_that(tmp_path):
    np.savez(tmp_path / "weights.npz", feature_size=np.array(4), mean=np.array(0.0), std=np.array(1.0))
    told = asked("refused", tmp_path / "weights.npz")
    assert told["error"] == "a student's weights need 'head.bias', which is not among feature_size, mean, std."
    assert not told["torch"]


def test_a_student_of_other_cells_has_no_twin(tmp_path):
    pytest.importorskip("torch", reason="the student is PyTorch's")
    from device_runtime.errors import InputError
    from train import portable
    from train.cells import Vanilla
    from train.student import Student, StudentConfig

    with pytest.raises(
        InputError, match=r"the Keras twin is of GRUs, and this student's cell is Vanilla\(.*Train one of"
    ):
        portable.save(Student(StudentConfig(cell=Vanilla()), 3), tmp_path / "weights.npz")


# What runs in a process of its own.


def compared(home: Path) -> dict:
    return {name: compared_one(home / name) for name in SHAPES}


def compared_one(folder: Path) -> dict:
    import tensorflow as tf

    from train.keras_twin import KerasTwin

    twin, told = KerasTwin.load(folder / "weights.npz"), np.load(folder / "told.npz")
    model, frames = twin.sequence(), tf.constant(told["frames"])
    labels = (np.arange(3 * 40) % 3).reshape(3, 40)

    def gradients(outputs):
        with tf.GradientTape() as tape:
            losses = tf.keras.losses.sparse_categorical_crossentropy(labels, outputs(frames), from_logits=True)
            mean = tf.reduce_mean(losses)
        return [gradient.numpy() for gradient in tape.gradient(mean, model.trainable_variables)]

    state, rows = tf.zeros((1, twin.state_size)), []
    for frame in told["frames"][0]:
        scores, state = twin.step(tf.constant(frame[None]), state)
        rows.append(scores[0])
    plain, again = gradients(model), gradients(twin.recomputed)
    first = next(g for v, g in zip(model.trainable_variables, plain, strict=True) if v.shape[:1] == (2,))
    r, z, n = np.split(told["gru"], 3)
    return {
        "sequence": difference(model(frames), told["logits"]),
        "frame by frame": difference(np.stack(rows), told["logits"][0]),
        "gradient of the head": difference(plain[-2], told["head"].T),
        "gradient of the GRU": difference(first[1], np.concatenate([z, r, n])),
        "recomputed": max(difference(a, b) for a, b in zip(again, plain, strict=True)),
    }


def learned(folder: Path) -> dict:
    import tensorflow as tf

    from train.keras_twin import KerasTwin

    told, answers = np.load(folder / "told.npz"), {}
    labels = (np.arange(3 * 40) % 3).reshape(3, 40)
    for precision in ("mixed_float16", "mixed_bfloat16"):
        model = KerasTwin.load(folder / "weights.npz", precision).sequence()
        optimizer = tf.keras.optimizers.LossScaleOptimizer(tf.keras.optimizers.AdamW(0.01))
        off = difference(model(told["frames"]), told["logits"])
        model.compile(optimizer, tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses = model.fit(told["frames"], labels, epochs=4, verbose=0).history["loss"]
        answers[precision] = {"off": off, "losses": losses, "scale": float(optimizer.dynamic_scale)}
    return answers


def refused(path: Path) -> dict:
    from device_runtime.errors import InputError
    from train.keras_twin import KerasTwin

    with pytest.raises(InputError) as refusal:
        KerasTwin.load(path)
    return {"error": str(refusal.value), "torch": "torch" in sys.modules}


def difference(values, expected) -> float:
    return float(np.abs(np.asarray(values, np.float32) - expected).max() / np.abs(expected).max())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
