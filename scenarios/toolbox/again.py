"""Bytes and speed of bundles that were kept, by this version and one after the other: a table is of one moment."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from device_runtime import bundle as bundles
from device_runtime.bench import time_steps
from device_runtime.bundle import MODEL
from device_runtime.flat import of_bundle
from device_runtime.manifest import FORMAT
from device_runtime.session import Session
from scenarios.toolbox.contestant import TIMED_STEPS, Outcome


def again(outcome: Outcome, kept: Path) -> Outcome:
    """What was trained and heard stays; its bundle is written anew, weighed, and stepped."""
    opened = bundles.read(kept)
    written = kept.with_suffix(".again")

    def copy_files(folder: Path) -> None:
        for name in set(opened.manifest.files) - {MODEL}:
            shutil.copyfile(kept / name, folder / name)

    bundles.write(written, replace(opened.manifest, format=FORMAT), opened.model, copy_files)
    session = Session.open(written, "native")
    told = replace(
        outcome,
        device_bytes=session.bundle.device_bytes,
        native_bytes=len(of_bundle(session.bundle)),
        step_us=float(np.median(time_steps(session, TIMED_STEPS))),
    )
    shutil.rmtree(written)
    return told
