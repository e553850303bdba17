"""TensorFlow's own conversions of a speech student, beside our exact .tflite of the same student.

    python -m scenarios.benchmarks.keras_peer arabic_commands_small [--python PYTHON] [--runs DIR] [--json FILE]

The float student of a built scenario goes through its Keras twin and TensorFlow's converter in four forms, and through
our `Int8` and `Litert`. Each file streams the test split in LiteRT's interpreter, frame by frame, warm and cold, and is
timed there. Needs the extra `keras`, in this environment or in that of PYTHON. Leaves runs/keras_peer/report.html.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from compress.qat import Int8Student
from compress.quantize import Int8
from device_runtime import bundle
from device_runtime.errors import InputError
from export.litert import Litert
from scenarios import measure, report
from scenarios.benchmarks import peer_litert
from scenarios.benchmarks.peer_litert import LitertPeer
from scenarios.benchmarks.turns import cpu_time, in_turns
from scenarios.build import find
from scenarios.clips_heard import features
from scenarios.model_card import commit
from scenarios.pipeline import TEACHERS
from scenarios.report import series_page
from scenarios.report.series_content import Column, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now
from scenarios.scenario import Scenario
from scenarios.training import Trainings
from train import portable
from train.batches import FeatureSet
from train.data.cache import cache_folder
from train.student import Student

NAME = "keras_peer"
FORMS = {
    "float": "TensorFlow, float",
    "dynamic": "TensorFlow, dynamic range",
    "int8": "TensorFlow, int8",
    "int16x8": "TensorFlow, 16x8",
}
"""File names of `train.keras_tflite`, and what the table calls them."""

HOUSE = Path(__file__).parent.parent.parent
STEPS_TIMED = 3000


@dataclass(frozen=True)
class Peer:
    """One file, or what its converter said instead of making one."""

    name: str
    size: int = 0
    cold: float = 0.0
    """Share of the test clips decided rightly."""

    warm: float = 0.0
    off: float = 0.0
    """The largest difference of a logit from the float student's, over some clips."""

    step_us: float = 0.0
    failure: str = ""
    ours: bool = False


@dataclass(frozen=True)
class StreamedFile:
    """A .tflite as a model of whole clips: every clip a stream of its own."""

    engine: LitertPeer

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """(clips, steps, feature_size) -> logits (clips, steps, labels)."""
        return torch.from_numpy(np.stack([self._stream(clip) for clip in frames.numpy()]))

    def _stream(self, clip: np.ndarray) -> np.ndarray:
        state, rows = np.zeros(self.engine.hidden, np.float32), []
        for frame in clip:
            scores, state = self.engine.step(frame, state)
            rows.append(scores)
        return np.stack(rows)


def loaded(checkpoint: Path, trainings: Trainings) -> Student:
    """The best epoch of a training of this scenario's student."""
    student = Student(trainings.scenario.student, len(trainings.labels))
    try:
        student.load_state_dict(torch.load(checkpoint, weights_only=True)["best_weights"])
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(
            f"{checkpoint} holds no student of {trainings.scenario.name} ({str(error).splitlines()[0]}). "
            "Name a student-*.ckpt of its checkpoints, or leave --student out to train one."
        ) from error
    return student.eval()


def converted(student: Student, frames: torch.Tensor, folder: Path, python: str) -> dict[str, str]:
    """The four forms in the folder; of each what the converter said, empty where it made the file."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, seen = folder / "student.npz", folder / "frames.npy"
    portable.save(student, weights)
    np.save(seen, frames.numpy())
    command = [python, "-m", "train.keras_tflite", *(str(path.resolve()) for path in (weights, seen, folder))]
    done = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise InputError(
            f"{python} could not convert the student: {last}. Install TensorFlow there with: pip install "
            "'tinyrnn[keras]', or name an environment that has it by --python."
        )
    told: dict[str, str] = json.loads((folder / "told.json").read_text())
    return told


def files(trainings: Trainings, student: Student, folder: Path, python: str) -> tuple[dict[str, int], dict[str, str]]:
    """State sizes of the files that were made, by path within the folder; and failures, by name.

    With what ships, where the scenario is built: the student after its whole recipe.
    """
    told = converted(student, trainings.calibration, folder, python)
    hidden = student.config.hidden * student.config.gru_layers
    made = {f"{form}.tflite": hidden for form, failure in told.items() if not failure}
    int8 = Int8(epochs=0).apply(student, trainings)
    assert isinstance(int8, Int8Student)
    Litert().write(int8.model(), folder / "exact.tflite")
    made["exact.tflite"] = int8.model().state_size
    name = trainings.scenario.name
    built = folder.parent.parent / name / f"{name}.bundle"
    if (built / Litert.filename).is_file():
        (folder / "shipped.tflite").write_bytes((built / Litert.filename).read_bytes())
        made["shipped.tflite"] = bundle.read(built).model.state_size
    return made, {FORMS[form]: failure for form, failure in told.items() if failure}


OURS = {"exact.tflite": "ours, calibrated", "shipped.tflite": "ours, as shipped"}


def measured(trainings: Trainings, student: Student, folder: Path, python: str) -> list[Peer]:
    """The student itself, then every file that was made of it."""
    made, failures = files(trainings, student, folder, python)
    engines = {path: peer_litert.load(folder / path, state) for path, state in made.items()}
    cold, warm = features(trainings, "test")
    some = trainings.view(torch.from_numpy(np.asarray(warm.vectors[:40])).float())
    with torch.no_grad():
        expected = student.eval()(some)
    took = in_turns(
        {path: cpu_time(_steps(engine, some[0].numpy())) for path, engine in engines.items()}, times=STEPS_TIMED
    )
    size = sum(p.nbytes for p in student.parameters())
    peers = [Peer("float student, PyTorch", size, *_right(trainings, student, cold, warm))]
    for path, engine in engines.items():
        model = StreamedFile(engine)
        peers.append(
            Peer(
                OURS.get(path) or FORMS[Path(path).stem],
                (folder / path).stat().st_size,
                *_right(trainings, model, cold, warm),
                off=float((model(some) - expected).abs().max()),
                step_us=took[path],
                ours=path in OURS,
            )
        )
    return peers + [Peer(name, failure=failure) for name, failure in failures.items()]


def _right(
    trainings: Trainings, model: Callable[[torch.Tensor], torch.Tensor], cold: FeatureSet, warm: FeatureSet
) -> tuple[float, float]:
    right = (measure.streamed(trainings, model, heard) / len(heard) for heard in (cold, warm))
    return next(right), next(right)


def _steps(engine: LitertPeer, frames: np.ndarray) -> Callable[[int], object]:
    def run(times: int) -> None:
        state = np.zeros(engine.hidden, np.float32)
        for i in range(times):
            _, state = engine.step(frames[i % len(frames)], state)

    return run


def content(peers: list[Peer], scenario: Scenario, command: str = "") -> SeriesReport:
    """The page: one table."""
    columns = (
        Column("size", 0, "bytes", bars=True),
        Column("test, cold", 2, "%"),
        Column("test, warm", 2, "%"),
        Column("logits off by", 4),
        Column("step", 1, "µs", bars=True),
    )
    rows = tuple(
        Row(
            peer.name,
            (None,) * len(columns)
            if peer.failure
            else (float(peer.size), peer.cold, peer.warm, peer.off, peer.step_us or None),
            note=peer.failure,
            ours=peer.ours,
        )
        for peer in peers
    )
    text = (
        "One float student, converted by TensorFlow from its Keras twin, and by our own Int8 and Litert. All files run "
        "in LiteRT's interpreter on one thread and stream the test split frame by frame."
    )
    return SeriesReport(
        name=NAME,
        title="TensorFlow's converter beside the exact .tflite",
        summary=text,
        created=now(),
        commit=commit(),
        seed=scenario.seed,
        command=command,
        machine=machine(),
        sections=(Section("files", scenario.title, tables=(Table("Files of one step.", columns, rows),)),),
    )


def main(arguments: list[str] | None = None) -> None:
    """Convert, measure, print, and leave the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--python", default=sys.executable, help="of the environment that has TensorFlow")
    parser.add_argument("--student", type=Path, help="a checkpoint of the float student, instead of training it")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    scenario = find(args.scenario)
    if not isinstance(scenario, Scenario):
        raise InputError(
            f"{scenario.name} hears no words: the Keras twin is of a speech student. Name such a scenario."
        )
    checkpoints = args.runs / scenario.name / "checkpoints"
    trainings = Trainings(scenario, checkpoints, cache_folder() / "features", args.runs / TEACHERS)
    student = loaded(args.student, trainings) if args.student else trainings.student(scenario.seed)
    peers = measured(trainings, student, args.runs / NAME / scenario.name, args.python)
    for peer in peers:
        print(_line(peer))
    command = f"python -m scenarios.benchmarks.{NAME} {scenario.name}"
    page, _ = report.write(content(peers, scenario, command), args.runs / NAME, series_page.render)
    (args.runs / NAME / "peers.json").write_text(json.dumps([asdict(peer) for peer in peers], indent=1) + "\n")
    print(f"report  {page}")


def _line(peer: Peer) -> str:
    if peer.failure:
        return f"{peer.name:26s} not converted: {peer.failure}"
    return (
        f"{peer.name:26s} {peer.size:8,} bytes  cold {100 * peer.cold:.2f} %  warm {100 * peer.warm:.2f} %  "
        f"logits off by {peer.off:.4f}  {peer.step_us:.1f} us a step"
    )


if __name__ == "__main__":
    main()
