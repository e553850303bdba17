"""What an ensemble of teachers says of every training window, written down once.

Forecasters of different kinds err in different ways, and a student can learn their mean (Hinton, Vinyals & Dean 2015,
arXiv:1503.02531). The kinds are what counts: three seeds of one kind were together no better than one of them, but one
with and one without the linear map beside its GRU took 2 to 4 % off the squared error of the better (ETTh1, ETTm1).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from device_runtime.errors import InputError
from train.features import save_array
from train.forecast_ensemble import Ensemble
from train.forecast_windows import ForecastWindows
from train.forecaster import ForecasterConfig

BATCH = 1024


def taught(windows: ForecastWindows, teachers: Ensemble, cache: Path) -> ForecastWindows:
    """The windows with the teachers' quantiles, kept as float16 in a file of the cache folder."""
    for teacher in teachers.forecasters:
        _must_agree(teacher.config, windows.config)
    digest = hashlib.sha256(repr([windows.config, windows.values.shape]).encode() + windows.values.numpy().tobytes())
    for teacher in teachers.forecasters:
        digest.update(repr(teacher.config).encode())
        for value in teacher.state_dict().values():
            digest.update(value.numpy().tobytes())
    for one in teachers.maps:
        digest.update(one.weight.contiguous().numpy().tobytes())
    if teachers.weights:
        digest.update(repr(teachers.weights).encode())
    path = cache / f"forecasts-{digest.hexdigest()[:16]}.npy"
    if not path.exists():
        save_array(path, _answers(windows, teachers))
    return windows.with_answers(torch.from_numpy(np.load(path, mmap_mode="c")))


def _must_agree(teacher: ForecasterConfig, student: ForecasterConfig) -> None:
    for name in ("look_back", "horizon", "quantiles"):
        theirs, ours = getattr(teacher, name), getattr(student, name)
        if theirs != ours:
            raise InputError(f"a teacher's {name} is {theirs}, its student's {ours}. Give both the same.")


def _answers(windows: ForecastWindows, teachers: Ensemble) -> np.ndarray:
    config = windows.config
    answers = np.empty((len(windows), len(config.quantiles), config.horizon), np.float16)
    for numbers in track(torch.arange(len(windows)).split(BATCH), "asking the teachers", console=Console(stderr=True)):
        answers[numbers.numpy()] = teachers.lines(windows, numbers).half().numpy()
    return answers
