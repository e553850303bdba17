"""Sounds, WAV files and bundles that hear them, for tests of the stream side; they need nothing but NumPy."""

import dataclasses
import struct

import numpy as np
import pytest

from device_runtime import bundle
from models import LABELS, NATIVE, SMOOTH, tiny_manifest, tiny_model

RATE = 16_000
WINDOW = {"kind": "window", "interval_s": 1 / RATE, "mean": [0.0], "std": [0.1], "segment": 200}
EAGER = {**SMOOTH, "window_ms": 50, "thresholds": dict.fromkeys(LABELS, 0.3), "refractory_ms": 100}
"""Low thresholds, so that a random model fires now and then."""


def skip_where_nothing_hears():
    """For tests of the speech front end: it is in the extension in C, and in pymicro-features."""
    if not NATIVE:
        pytest.importorskip("pymicro_features", reason="speech needs the extension in C or pymicro-features")


def write_bundle(folder, frontend=WINDOW, decoder=EAGER):
    """A bundle of a random model; its window front end needs nothing but NumPy."""
    manifest = dataclasses.replace(tiny_manifest(), frontend=frontend, decoder=decoder)
    bundle.write(folder, manifest, tiny_model(), lambda _: None)
    return folder


def babble(seconds, seed=0):
    """Tones that come and go."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(RATE * seconds)) / RATE
    tones = sum(np.sin(2 * np.pi * hz * t) * np.sin(2 * np.pi * hz / 300 * t) for hz in rng.uniform(200, 3000, 5))
    return (0.1 * tones + 0.01 * rng.standard_normal(len(t))).astype(np.float32)


def wav_bytes(samples, rate=16_000, coding=1, bits=16, extensible=False):
    """A WAV file of float samples (n,) or (n, channels)."""
    samples = np.asarray(samples, np.float64)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    flat = samples.reshape(-1)
    if coding == 3:
        payload = flat.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        payload = (np.round(flat * 127) + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(flat * (2 ** (bits - 1) - 1)).astype("<i4")
        payload = whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
    block = channels * bits // 8
    tag = 0xFFFE if extensible else coding
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    if extensible:
        guid = struct.pack("<H", coding) + bytes.fromhex("000000001000800000aa00389b71")
        head += struct.pack("<HHI", 22, bits, 0) + guid
    chunks = b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"LIST" + struct.pack("<I", 5) + b"notes\0"  # an odd chunk, padded
    chunks += b"data" + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def tone(rate, seconds=0.5, hz=440):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)
