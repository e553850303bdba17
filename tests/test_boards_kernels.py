"""Each board gets the kernel for its processor, and would not survive another; all of them give the same bits.

The engine runs here without Python, as firmware has it: what a first Pi Zero, whose Python cannot load the wheel, runs.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the boards are prepared from the workstation")

from boards import programs, recordings
from boards.board import BOARDS
from boards.missing import MissingError
from device_runtime import arithmetic, bundle, flat, golden
from device_runtime.frontends.speech import to_int16
from device_runtime.recordings import read_audio
from factored_models import FACTORED
from models import random_frames, tiny_model
from sparse_models import on_grid, with_weights, without_blocks
from streams import FORECASTERS, SRU_MODELS, streams

PROGRAMS = {"arm64": "hear_aarch64", "armhf": "hear_armv7", "armel": "hear_armv6"}
RUNNING = {"arm64": ["neon", "portable"], "armhf": ["neon", "portable"], "armel": ["portable"]}
COMMITTED = sorted(recordings.BUNDLES.glob("*.bundle"))


def hear(emulator, folder, path, kind, sound, kernel=(), program=None):
    """Scores and states, end to end, of a bundle on a board; None and the signal that ended the program."""
    return run(emulator, folder, bundle.read(path).model, kind, sound, kernel, program)


def run(emulator, folder, model, kind, sound, kernel=(), program=None):
    """The same, of any model."""
    out = folder / "out"
    (folder / "model").write_bytes(flat.to_bytes(model))
    (folder / "in").write_bytes(sound.tobytes())
    try:
        name = programs.program(program or PROGRAMS[emulator.board.architecture])
    except MissingError as error:
        pytest.skip(str(error))
    answer = emulator.run(name, folder / "model", kind, folder / "in", out, *kernel)
    if answer.signal:
        return None, answer.signal
    assert answer.code == 0, answer.err
    return np.fromfile(out, np.float32), answer.out.decode().strip()


def random_models():
    """Of odd sizes, stored in every way; the last holds the largest sums that there can be."""
    rng = np.random.default_rng(5)
    for seed in range(30):
        units, features = int(rng.integers(1, 150)), int(rng.integers(1, 300))
        model = tiny_model(seed, (("gru", units),), features, int(rng.integers(1, 20)))
        block = (int(rng.choice([8, 16])), int(rng.choice([1, 2, 4])))
        if seed % 3:
            model = with_weights(model, without_blocks(rng.random(), block, seed))
        if rng.random() < 0.3:
            model = with_weights(model, on_grid(int(rng.integers(1, 19))))
        yield model
    yield with_weights(tiny_model(0, (("gru", 64),), 40, 5), lambda weight: np.full_like(weight, -128))


def golden_answers(path):
    found = golden.read(bundle.read(path))
    return np.concatenate([found.scores, found.states], axis=1).reshape(-1), found.frames


def expected_of(model, frames):
    made = golden.record(model, frames)
    return np.concatenate([made.scores, made.states], axis=1).reshape(-1)


@pytest.mark.parametrize("key", BOARDS)
def test_without_python_a_board_gives_the_golden_bits_by_its_own_kernel(on_board, tmp_path, key):
    emulator = on_board(key)
    for path in COMMITTED:
        answers, frames = golden_answers(path)
        got, kernel = hear(emulator, tmp_path, path, "frames", frames)
        assert kernel == emulator.board.kernel
        assert got.tobytes() == answers.tobytes(), path.stem


@pytest.mark.parametrize("key", BOARDS)
def test_every_kernel_of_a_board_gives_the_same_bits(on_board, tmp_path, key):
    emulator = on_board(key)
    answers, frames = golden_answers(COMMITTED[0])
    kernels = RUNNING[emulator.board.architecture] + ["sdot"] * (key == "pi5")
    assert emulator.board.kernel in kernels
    for name in kernels:
        got, kernel = hear(emulator, tmp_path, COMMITTED[0], "frames", frames, kernel=(name,))
        assert kernel == name
        assert got.tobytes() == answers.tobytes(), name


@pytest.mark.parametrize("key", ["zero2w", "pi5", "pi2"])
def test_whatever_the_size_and_the_storage_a_vector_kernel_gives_the_bits_of_the_arithmetic(on_board, tmp_path, key):
    emulator = on_board(key)
    for number, model in enumerate(random_models()):
        frames = 3 * random_frames(4, model.feature_size, number)
        got, kernel = run(emulator, tmp_path, model, "frames", frames)
        assert kernel == emulator.board.kernel
        assert got.tobytes() == expected_of(model, frames).tobytes(), number


@pytest.mark.parametrize("key", ["zero2w", "pi5", "pi2", "pizero"])
def test_a_board_forecasts_with_the_bits_of_the_arithmetic(on_board, tmp_path, key):
    emulator = on_board(key)
    for name, model in FORECASTERS.items():
        frames = 3 * random_frames(40, model.feature_size)
        expected = expected_of(model, frames)
        last = expected.reshape(len(frames), -1)[-1, : model.score_size]
        for kernel in RUNNING[emulator.board.architecture] + ["sdot"] * (key == "pi5"):
            got, _ = run(emulator, tmp_path, model, "frames", frames, (kernel,))
            assert got.tobytes() == expected.tobytes(), (name, kernel)
            got, _ = run(emulator, tmp_path, model, "window", frames, (kernel,))
            assert got.tobytes() == last.tobytes(), (name, kernel)


@pytest.mark.parametrize("key", ["zero2w", "pi5", "pi2", "pizero"])
def test_a_board_runs_simple_recurrent_units_with_the_bits_of_the_arithmetic(on_board, tmp_path, key):
    emulator = on_board(key)
    for name, model in SRU_MODELS.items():
        for frames in (3 * random_frames(12, model.feature_size), streams(model, 12)["tiny"]):
            expected = expected_of(model, frames)
            for kernel in RUNNING[emulator.board.architecture] + ["sdot"] * (key == "pi5"):
                got, _ = run(emulator, tmp_path, model, "frames", frames, (kernel,))
                assert got.tobytes() == expected.tobytes(), (name, kernel)


@pytest.mark.parametrize("key", ["zero2w", "pi5", "pi2", "pizero"])
def test_a_board_multiplies_by_two_factors_with_the_bits_of_the_arithmetic(on_board, tmp_path, key):
    emulator = on_board(key)
    for name, model in FACTORED.items():
        frames = 3 * random_frames(6, model.feature_size)
        expected = expected_of(model, frames)
        for kernel in RUNNING[emulator.board.architecture] + ["sdot"] * (key == "pi5"):
            got, _ = run(emulator, tmp_path, model, "frames", frames, (kernel,))
            assert got.tobytes() == expected.tobytes(), (name, kernel)


@pytest.mark.parametrize(
    ("key", "program", "kernel"),
    [
        ("zero2w", "hear_aarch64", "sdot"),
        ("pi3", "hear_aarch64", "sdot"),
        ("pi4", "hear_aarch64", "sdot"),
        ("pizero", "hear_armv7", "neon"),
    ],
)
def test_a_kernel_for_another_processor_would_end_the_program(on_board, tmp_path, key, program, kernel):
    emulator = on_board(key)
    if program == "hear_armv7":  # it needs a system with hard floats, on the processor that lacks the instructions
        emulator = on_board("pi2").on(emulator.board.processor)
    _, frames = golden_answers(COMMITTED[0])
    assert hear(emulator, tmp_path, COMMITTED[0], "frames", frames, (kernel,), program) == (None, "SIGILL")


@pytest.fixture(scope="module")
def heard_here(tmp_path_factory):
    """Each recording: the bundle that hears it, its samples, and what the arithmetic makes of them here."""
    found = []
    for path, wavs in recordings.write(tmp_path_factory.mktemp("recordings")).items():
        model = bundle.read(path).model
        for wav in wavs:
            frames = np.load(wav.replace(".wav", ".npz"))["values"]
            found.append((path, to_int16(read_audio(wav)), expected_of(model, frames)))
    return found


@pytest.mark.parametrize("key", BOARDS)
def test_from_samples_to_scores_a_board_gives_the_bits_of_x86(on_board, tmp_path, heard_here, key):
    emulator = on_board(key)
    assert len(heard_here) == recordings.COUNT
    for number, (path, samples, expected) in enumerate(heard_here):
        got, _ = hear(emulator, tmp_path, path, "audio", samples)
        assert got.tobytes() == expected.tobytes(), number


@pytest.mark.parametrize("key", [key for key, board in BOARDS.items() if "native" in board.engines])
def test_python_lists_the_kernels_that_run_there(on_board, key):
    emulator = on_board(key)
    program = "import json; from device_runtime.native import _native; print(json.dumps(_native.kernels()))"
    answer = emulator.python("-c", program)
    assert json.loads(answer.out) == ["sdot"] * (key == "pi5") + RUNNING[emulator.board.architecture]


def test_the_states_of_the_boards_are_those_of_the_arithmetic():
    model = bundle.read(COMMITTED[0]).model
    frame = np.ones(model.feature_size, np.float32)
    scores, state = arithmetic.step(model, frame, model.initial_state())
    assert expected_of(model, frame[None]).tobytes() == np.concatenate([scores, state]).tobytes()
