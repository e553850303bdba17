"""Read WAV streams: 8, 16, 24 and 32-bit PCM and float, any channels, from a file or a pipe.

Python's own `wave` refuses float and extensible files and needs to know the length, which a pipe's header does not say.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.resample import HIGHEST_HZ, LOWEST_HZ

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
RIFF, RF64 = b"RIFF", b"RF64"
"""RF64 (EBU Tech 3306) holds more than 4 GB: its size is in a chunk `ds64`."""

UNKNOWN_BYTES = 0x7FFF0000
"""A size from here on means "until the end": a recorder that writes to a pipe cannot know better."""

PIECE_SAMPLES = 16_384
"""Samples of each channel decoded at a time."""

CONVERT = "Convert it with: ffmpeg -i FILE -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav"


@dataclass(frozen=True)
class WavFormat:
    """What a WAV header says."""

    coding: int
    bits: int
    channels: int
    sample_rate_hz: int
    data_bytes: int | None
    """None: until the end of the stream."""


def read_wav_header(stream: BufferedIOBase, name: str, start: bytes = b"") -> WavFormat:
    """Read up to the first sample of a stream of which `start` has been read already."""
    riff = start + stream.read(12 - len(start))
    if riff[:4] not in (RIFF, RF64) or riff[8:12] != b"WAVE":
        raise InputError(f"{name} is not a WAV file: it starts with {riff[:12]!r}. {CONVERT}")
    whole = int.from_bytes(riff[4:8], "little") + 8
    fields: tuple[int, ...] | None = None
    long_bytes = None
    at = len(riff)
    while len(head := stream.read(8)) == 8:
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        at += 8
        if kind == b"data":
            if fields is None:
                raise InputError(f"{name} is a damaged WAV: its samples come before their format. {CONVERT}")
            if size == 0 and at < whole < UNKNOWN_BYTES:  # other chunks follow: the file is whole, without a sample
                return _checked(fields, 0, name)
            short = None if size == 0 or size >= UNKNOWN_BYTES else size
            return _checked(fields, short or long_bytes, name)
        at += size + size % 2  # chunks are padded to even sizes
        if kind in (b"fmt ", b"ds64"):
            payload = stream.read(min(size, 64))
            _skip(stream, size + size % 2 - min(size, 64))
            if kind == b"fmt ":
                fields = _format_fields(payload, name)
            else:
                long_bytes = int.from_bytes(payload[8:16], "little") or None
        else:
            _skip(stream, size + size % 2)
    raise InputError(f"{name} is truncated: the WAV ends before its samples. Record or copy it again.")


def _format_fields(payload: bytes, name: str) -> tuple[int, ...]:
    if len(payload) < 16:
        raise InputError(f"{name} is truncated: the WAV's format takes 16 bytes, it has {len(payload)}. Copy it again.")
    coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", payload[:16])
    if coding == EXTENSIBLE and len(payload) >= 26:
        coding = int.from_bytes(payload[24:26], "little")  # the first two bytes of the sub-format
    return coding, channels, rate, bits


def _checked(fields: tuple[int, ...], data_bytes: int | None, name: str) -> WavFormat:
    coding, channels, rate, bits = fields
    if (coding, bits) not in DECODERS:
        raise InputError(
            f"{name} is a WAV of coding {coding} with {bits} bits; expected PCM of 8, 16, 24 or 32 bits or float "
            f"of 32 or 64. {CONVERT}"
        )
    if not 1 <= channels <= 64 or not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise InputError(
            f"{name} is a damaged WAV: {channels} channels at {rate} Hz; expected 1 to 64 at "
            f"{LOWEST_HZ} to {HIGHEST_HZ} Hz. {CONVERT}"
        )
    return WavFormat(coding, bits, channels, rate, data_bytes)


def wav_pieces(stream: BufferedIOBase, header: WavFormat, name: str) -> Iterator[Float32]:
    """The samples that follow a header, mixed to one channel, piece by piece."""
    sample_bytes = header.bits // 8 * header.channels
    left, decode, got = header.data_bytes, DECODERS[header.coding, header.bits], 0
    rest = b""
    while left is None or left > 0:
        wanted = PIECE_SAMPLES * sample_bytes - len(rest)
        read = stream.read1(wanted if left is None else min(wanted, left))  # a pipe's samples at once, not when full
        if not read:
            break
        got += len(read)
        left = None if left is None else left - len(read)
        payload = rest + read
        whole = len(payload) - len(payload) % sample_bytes  # a pipe may deliver half a sample
        rest = payload[whole:]
        samples = decode(payload[:whole]).reshape(-1, header.channels)
        yield samples[:, 0] if header.channels == 1 else _mixed(samples)
    if left:
        raise InputError(
            f"{name} is truncated: its header promises {header.data_bytes} bytes of samples, it holds {got}. "
            "Record or copy it again."
        )


def _mixed(samples: Float32) -> Float32:
    with np.errstate(over="ignore"):  # too large becomes infinite, which is reported
        mixed: Float32 = samples.mean(axis=1, dtype=np.float32)
    return mixed


def _skip(stream: BufferedIOBase, size: int) -> None:
    while size > 0 and (read := stream.read(min(size, 1 << 16))):
        size -= len(read)


def _pcm8(payload: bytes) -> Float32:
    return (np.frombuffer(payload, np.uint8).astype(np.float32) - 128) / np.float32(128)


def _pcm16(payload: bytes) -> Float32:
    return np.frombuffer(payload, "<i2").astype(np.float32) / np.float32(2**15)


def _pcm24(payload: bytes) -> Float32:
    as_int32 = np.zeros((len(payload) // 3, 4), np.uint8)
    as_int32[:, 1:] = np.frombuffer(payload, np.uint8).reshape(-1, 3)  # into the upper bytes: keeps the sign
    return _pcm32(as_int32.tobytes())


def _pcm32(payload: bytes) -> Float32:
    return np.frombuffer(payload, "<i4").astype(np.float32) / np.float32(2**31)


def _float32(payload: bytes) -> Float32:
    return np.frombuffer(payload, "<f4").astype(np.float32)


def _float64(payload: bytes) -> Float32:
    with np.errstate(over="ignore"):  # too large becomes infinite, which the front end reports
        return np.frombuffer(payload, "<f8").astype(np.float32)


DECODERS: dict[tuple[int, int], Callable[[bytes], Float32]] = {
    (PCM, 8): _pcm8,
    (PCM, 16): _pcm16,
    (PCM, 24): _pcm24,
    (PCM, 32): _pcm32,
    (FLOAT, 32): _float32,
    (FLOAT, 64): _float64,
}
