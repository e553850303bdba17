"""What an ensemble of teachers says of every training window, written down once.

Several forecasters that differ in their seed err in different ways: their mean is better than any of them, most of all
where a year of readings is all there is, and a student can learn it (Hinton, Vinyals & Dean 2015, arXiv:1503.02531).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from train.features import save_array
from train.forecast_windows import ForecastWindows
from train.forecaster import Forecaster, by_quantile
from train.precision import mixed

BATCH = 1024


def taught(windows: ForecastWindows, teachers: Sequence[Forecaster], cache: Path) -> ForecastWindows:
    """The windows with the teachers' mean quantiles, kept as float16 in a file of the cache folder."""
    digest = hashlib.sha256(repr([windows.config, windows.values.shape]).encode() + windows.values.numpy().tobytes())
    for teacher in teachers:
        for value in teacher.state_dict().values():
            digest.update(value.numpy().tobytes())
    path = cache / f"forecasts-{digest.hexdigest()[:16]}.npy"
    if not path.exists():
        save_array(path, _answers(windows, teachers))
    return windows.with_answers(torch.from_numpy(np.load(path, mmap_mode="c")))


def _answers(windows: ForecastWindows, teachers: Sequence[Forecaster]) -> np.ndarray:
    config = windows.config
    answers = np.empty((len(windows), len(config.quantiles), config.horizon), np.float16)
    at = 0
    batches = track(
        windows.in_turn(BATCH),
        "asking the teachers",
        total=-(-len(windows) // BATCH),
        console=Console(stderr=True),
    )
    with torch.no_grad(), mixed(True):
        for batch in batches:
            lines = [by_quantile(teacher(batch[0]).float(), teacher.config) for teacher in teachers]
            answers[at : at + len(batch[0])] = torch.stack(lines).mean(dim=0).half().numpy()
            at += len(batch[0])
    return answers
