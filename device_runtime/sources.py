"""Where samples come from: an audio file, a pipe or a microphone, as chunks of mono float32 at the rate asked for."""

from __future__ import annotations

import importlib
import importlib.util
import string
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.quiet import quiet
from device_runtime.resample import HIGHEST_HZ, LOWEST_HZ, Resampler
from device_runtime.wav import CONVERT, PIECE_SAMPLES, RF64, RIFF, WavFormat, read_wav_header, wav_pieces

CODED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3"}
"""How other audio begins, which as raw samples would be noise."""

MICROPHONE_CHUNK_MS = 30
TEXT = string.printable.encode()
TEXT_BYTES = 4096
"""No 128 ms of sound are all printable ASCII."""


def file_chunks(path: Path | str, sample_rate_hz: int = 16_000) -> Iterator[Float32]:
    """The samples of an audio file of any length, rate and number of channels, piece by piece.

    WAV files need nothing but NumPy; FLAC, Ogg, Opus and MP3 need the `soundfile` package.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
            if not start:
                raise InputError(f"{path} is empty: it has 0 bytes, expected a recording. Record or copy it again.")
            if start[:4] in (RIFF, RF64) or path.suffix.lower() == ".wav":
                yield from _wav_chunks(stream, str(path), start, sample_rate_hz)
            else:
                yield from _soundfile_chunks(path, start, sample_rate_hz)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}. Expected an audio file.") from error


def stream_chunks(
    stream: BufferedIOBase, sample_rate_hz: int = 16_000, name: str = "standard input"
) -> Iterator[Float32]:
    """The samples of a pipe as they arrive: raw 16-bit little-endian mono, or whatever its WAV header says.

    `arecord -f S16_LE -r 16000` writes a WAV header; with `-t raw` it does not. Both work.
    """
    start = stream.read(4)
    if not start:
        raise InputError(f"{name} ended before any sample. Expected 16-bit mono PCM or a WAV at {sample_rate_hz} Hz.")
    if start in (RIFF, RF64):
        return _wav_chunks(stream, name, start, sample_rate_hz)
    coded = next((kind for magic, kind in CODED.items() if start.startswith(magic)), None)
    if coded is not None:
        raise InputError(
            f"{name} is {coded}, expected 16-bit mono PCM or a WAV. Name the file instead, or decode it first: "
            f"ffmpeg -i FILE -f s16le -ar {sample_rate_hz} -ac 1 - | tinyrnn run BUNDLE -"
        )
    return raw_chunks(stream, _no_text(stream, start, name))


def _no_text(stream: BufferedIOBase, start: bytes, name: str) -> bytes:
    """What came first, once it is no text; text is refused.

    Sound is told from text by its first byte that is no printable ASCII, usually one of the first four; silence is
    zeros. Only what looks like text is read on.
    """
    while start.strip(TEXT) == b"":
        read = stream.read1(TEXT_BYTES - len(start)) if len(start) < TEXT_BYTES else b""
        if not read:
            raise InputError(
                f"{name} is text ({start[:20].decode()!r}), not audio. Expected 16-bit mono PCM or a WAV: "
                "arecord -q -f S16_LE -r 16000 | tinyrnn run BUNDLE -"
            )
        start += read
    return start


def raw_chunks(stream: BufferedIOBase, start: bytes = b"") -> Iterator[Float32]:
    """Raw 16-bit little-endian mono samples as they arrive; half a sample at the very end is dropped."""
    rest = start
    while read := stream.read1(2 * PIECE_SAMPLES):
        audio = rest + read
        whole = len(audio) - len(audio) % 2
        rest = audio[whole:]
        yield np.frombuffer(audio[:whole], "<i2").astype(np.float32) / np.float32(32768)
    yield np.frombuffer(rest[: len(rest) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)


def microphone_chunks(sample_rate_hz: int = 16_000) -> Iterator[Float32]:
    """What the default microphone hears, until the caller stops asking."""
    device = _sounddevice()
    samples = max(1, sample_rate_hz * MICROPHONE_CHUNK_MS // 1000)
    try:
        with device.InputStream(samplerate=sample_rate_hz, channels=1, dtype="float32") as microphone:
            while True:
                chunk, _ = microphone.read(samples)  # (samples, 1); the flag tells of samples that were lost
                yield np.asarray(chunk[:, 0], np.float32)
    except (device.PortAudioError, ValueError) as error:
        raise InputError(
            f"the microphone cannot be used: {error}. Plug one in and check it with `arecord -l`, "
            "or name a recording instead."
        ) from error


def _wav_chunks(stream: BufferedIOBase, name: str, start: bytes, sample_rate_hz: int) -> Iterator[Float32]:
    header: WavFormat = read_wav_header(stream, name, start)
    pieces = wav_pieces(stream, header, name)
    return _resampled(pieces, header.sample_rate_hz, sample_rate_hz, name)


def can_decode(path: Path) -> bool:
    """Is what this takes installed? WAV takes nothing."""
    return path.suffix.lower() == ".wav" or importlib.util.find_spec("soundfile") is not None


def _soundfile_chunks(path: Path, start: bytes, sample_rate_hz: int) -> Iterator[Float32]:
    try:
        soundfile = importlib.import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: the package is there, its library is not
        raise InputError(
            f"{path} is not a WAV file, and other audio needs soundfile, which is not installed ({error}). "
            "Install it with: pip install soundfile"
        ) from error
    try:
        with quiet():
            opened = soundfile.SoundFile(path)
        with opened as audio:
            if not LOWEST_HZ <= audio.samplerate <= HIGHEST_HZ:
                raise InputError(
                    f"{path} says that it was sampled at {audio.samplerate} Hz; expected {LOWEST_HZ} to {HIGHEST_HZ}. "
                    f"{CONVERT}"
                )
            pieces = (piece.mean(axis=1, dtype=np.float32) for piece in _soundfile_pieces(audio))
            yield from _resampled(pieces, audio.samplerate, sample_rate_hz, str(path))
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path} is not audio that can be read: it starts with {start!r} ({error.error_string}). "
            "Expected WAV, FLAC, Ogg, Opus or MP3."
        ) from error


def _soundfile_pieces(audio: Any) -> Iterator[Any]:
    while True:
        with quiet():  # what libraries of MP3 find odd in a file that they read well
            piece = audio.read(PIECE_SAMPLES, dtype="float32", always_2d=True)
        if not len(piece):
            return
        yield piece


def _resampled(pieces: Iterator[Float32], rate_in: int, rate_out: int, name: str) -> Iterator[Float32]:
    resampler = Resampler(rate_in, rate_out)
    samples = 0
    for piece in pieces:
        finite = np.isfinite(piece)
        if not finite.all():
            at = samples + int(np.argmin(finite))
            raise InputError(f"{name} is damaged: its sample {at} is not a finite number. Record or convert it again.")
        samples += len(piece)
        yield resampler.push(piece)
    if not samples:
        raise InputError(f"{name} holds no samples, expected a recording. Record or copy it again.")
    yield resampler.finish()


def _sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise InputError(
            f"the microphone needs sounddevice, which is not installed ({error}). "
            "Install it with: pip install tinyrnn-runtime[mic], or name a recording instead."
        ) from error
    except OSError as error:  # the package is there, its library is not
        raise InputError(
            f"the microphone needs the PortAudio library: {error}. Install it with: apt install libportaudio2"
        ) from error
