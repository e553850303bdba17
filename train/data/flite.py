"""Voices cut from, or learned from, the recordings of four people, by the program flite (Black & Lenzo 2001)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.recordings import read_audio

VOICES = ("awb", "kal16", "rms", "slt")
"""Scottish, American, American, and an American woman."""


def speak(voice: str, text: str, pace: float, pitch: float) -> Float32:
    """The samples at 16 kHz in -1..1; a pace of 2 takes half the time, a pitch of 2 is an octave higher."""
    with tempfile.TemporaryDirectory(prefix="tinyrnn-") as folder:
        path = Path(folder) / "said.wav"
        settings = ("--setf", f"duration_stretch={1 / pace:.3f}", "--setf", f"f0_shift={pitch:.3f}")
        _run("-voice", voice, *settings, "-t", text, "-o", str(path))
        return read_audio(path)


@cache
def version() -> str:
    """Of the program: its voices are in it."""
    words = _run("--version").split()
    return next((word.removeprefix("flite-") for word in words if word.startswith("flite-")), "unknown")


def _run(*arguments: str) -> str:
    program = shutil.which("flite")
    if program is None:
        raise InputError("the program flite, which speaks, is not here. Install it, on Debian: sudo apt install flite")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode not in (0, 1) or "error" in said.casefold():  # it ends with 1 after --version
        raise InputError(f"flite could not do {' '.join(arguments)}: {said.strip() or done.returncode}.")
    return said
