"""Clips to feature vectors, once: heard in several ways by the device's own front end, cached on disk.

Features come from `device_runtime.frontends.speech`, the code that runs on the board, at one vector per 10 ms; frames
are stacked from them later (`train.student.stack_frames`), so one cache serves every student.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from device_runtime.arithmetic import Float32
from device_runtime.frontends.speech import SpeechFrontend, to_int16
from device_runtime.recordings import Recording, read_audio
from train.augment import PREROLL, SAMPLE_RATE_HZ, Hearing, Surroundings, hear, said
from train.word_span import HOP, word_span

Int16 = npt.NDArray[np.int16]
Float16 = npt.NDArray[np.float16]

CLIP = SAMPLE_RATE_HZ
"""Samples in a clip: one second."""

RECIPE = 2
"""Raised when the same arguments would give other features, so that no stale cache is used."""


@dataclass(frozen=True)
class Clips:
    """One-second recordings in memory."""

    samples: Int16  # (clips, CLIP)
    labels: npt.NDArray[np.int64]  # (clips,) index of the label
    key: str
    """Names the content: the same key, the same samples."""

    def __len__(self) -> int:
        return len(self.samples)

    def audio(self, i: int) -> Float32:
        """Clip i as float32 in -1..1."""
        return self.samples[i].astype(np.float32) / np.float32(32768)


def load_clips(recordings: Sequence[Recording], labels: Sequence[str], cache: Path) -> Clips:
    """Decode recordings of one word each, cut or padded to a second around their middle."""
    listed = [f"{RECIPE}"] + [f"{r.path}:{r.label}:{r.path.stat().st_size}" for r in recordings]
    key = hashlib.sha256("\n".join([*listed, *labels]).encode()).hexdigest()[:16]
    path = cache / f"clips-{key}.npy"
    if path.exists() and (since := _written_since(recordings, path)):  # recorded again, to the same length
        key = hashlib.sha256("\n".join([key, *since]).encode()).hexdigest()[:16]
        path = cache / f"clips-{key}.npy"
    if not path.exists():
        samples = np.empty((len(recordings), CLIP), np.int16)
        for i, recording in enumerate(track(recordings, "reading recordings", console=Console(stderr=True))):
            samples[i] = to_int16(one_second(read_audio(recording.path)))
        save_array(path, samples)
    where = {label: i for i, label in enumerate(labels)}
    return Clips(np.load(path, mmap_mode="r"), np.array([where[r.label] for r in recordings], np.int64), key)


def _written_since(recordings: Sequence[Recording], path: Path) -> list[str]:
    """The recordings that are newer than a file, and when they were written."""
    written = {str(r.path): r.path.stat().st_mtime_ns for r in recordings}
    return [f"{name}:{at}" for name, at in written.items() if at > path.stat().st_mtime_ns]


def one_second(audio: Float32) -> Float32:
    """The loudest second of a longer recording, a shorter one in the middle of faint noise.

    Digital silence never comes out of a microphone, and the front end's noise estimate would take it at its word.
    """
    if len(audio) > CLIP:
        energy = np.cumsum(np.square(audio, dtype=np.float64))
        start = int(np.argmax(energy[CLIP:] - energy[:-CLIP]))
        return audio[start : start + CLIP]
    random = np.random.default_rng(len(audio))
    out = random.normal(0, 1e-4, CLIP).astype(np.float32)
    start = (CLIP - len(audio)) // 2
    out[start : start + len(audio)] += audio
    return np.clip(out, -1, 1)


def feature_vectors(audio: Float32) -> Float32:
    """What the front end makes of audio from a cold start: (vectors, bands), one per 10 ms."""
    frames = SpeechFrontend(stack=1, stride=1).push(audio)
    return np.array([frame.values for frame in frames], np.float32)


def heard(
    clips: Clips, hearing: Hearing, around: Surroundings, seed: int, cache: Path, title: str = "clips"
) -> Float16:
    """Every clip heard one way: (clips, vectors, bands), mapped into memory from the cache.

    98 vectors for a cold clip, 168 for a warm one, of which the clip is the last 100. A person is shown the title.
    """
    told = json.dumps([RECIPE, clips.key, asdict(hearing), seed, around.key, len(around.others)])
    path = cache / f"heard-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        rows = []
        for i in track(range(len(clips)), f"hearing {title}", console=Console(stderr=True)):
            audio = hear(clips.audio(i), hearing, around, np.random.default_rng([seed, i]))
            rows.append(feature_vectors(np.clip(audio, -1, 1)).astype(np.float16))
        save_array(path, np.stack(rows))
    return np.load(path, mmap_mode="c")  # read when a batch asks; writing to it would change no file


def quiet_tails(clips: Clips, hearing: Hearing, seed: int) -> npt.NDArray[np.int64]:
    """For each clip, heard one way, the feature vectors that are left after its word has ended: (clips,).

    A word has ended when no 10 ms come within 20 dB of its loudest.
    """
    return np.array(
        [_quiet_tail(said(clips.audio(i), hearing, np.random.default_rng([seed, i]))) for i in range(len(clips))],
        np.int64,
    )


def _quiet_tail(clip: Float32) -> int:
    return (len(clip) - word_span(clip)[1]) // HOP


def pieces(recordings: Sequence[Float32], count: int, seed: int) -> Clips:
    """`count` random pieces, as long as a warm clip, of long recordings: negative speech and noise."""
    random = np.random.default_rng(seed)
    length = PREROLL + CLIP
    joined = np.concatenate([np.concatenate([r, np.zeros(1600, np.float32)]) for r in recordings])
    starts = random.integers(0, max(1, len(joined) - length), count)
    samples = np.stack([np.resize(joined[at : at + length], length) for at in starts])
    cut = to_int16(samples)
    return Clips(cut, np.zeros(count, np.int64), hashlib.sha256(cut.tobytes()).hexdigest()[:16])


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file that is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)  # a name of its own: another process may be making the same array
    try:
        with part.open("wb") as file:
            np.save(file, array)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
