"""The one training loop: progress, validation, early stopping, checkpoint and resume, seeds, data parallelism.

A run that is interrupted (Ctrl-C, power) continues from its last finished epoch and ends at the same weights as one
that never stopped: every epoch draws from a generator of its own, seeded by (seed, epoch).

Under `torchrun` each process takes its share of every epoch's batches and the gradients are averaged.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from device_runtime.errors import InputError
from train.measure import ACCURACY, Measure
from train.processes import Processes
from train.schedule import Schedule

Batch = tuple[torch.Tensor, ...]
AfterStep = Callable[[float], None]
"""Called after each optimizer step with the share of the training that is done, 0..1."""

CHECKPOINT = {
    "fingerprint", "epoch", "model", "optimizer", "rate", "history", "best", "best_epoch", "best_weights",
    "loss_scale",
}  # fmt: skip
"""What a checkpoint holds."""

_UNREADABLE = (
    RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, struct.error,
    pickle.UnpicklingError,
)  # fmt: skip
"""What torch says of a file that is cut or of another kind."""


@dataclass
class History:
    """What happened, epoch by epoch."""

    epoch: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    """What `fit` measured on validation data: accuracy, or what it was told to choose by."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    cpu_seconds_before: float = 0.0
    """Of these, what was there already when the training was taken up again."""


@dataclass(frozen=True)
class Epochs:
    """Where the batches of an epoch come from: `draw(generator)` yields them, `steps` says how many."""

    draw: Callable[[torch.Generator], Iterator[Batch]]
    steps: int
    parts: int = 1
    """Each batch is learned from in so many parts, one after the other: the gradient of all in the memory of one.

    The loss must be a mean over the batch's first dimension.
    """


def fit(
    model: nn.Module,
    epochs: Epochs,
    loss: Callable[[nn.Module, Batch], torch.Tensor],
    validate: Callable[[nn.Module], float],
    schedule: Schedule,
    checkpoint: Path | None = None,
    seed: int = 0,
    after_step: AfterStep | None = None,
    title: str = "training",
    best_from: float = 0.0,
    identity: str = "",
    measure: Measure = ACCURACY,
) -> History:
    """Train in place; the model ends with the weights of its best validated epoch, by what `measure` says is better.

    Epochs before the share `best_from` of the training do not count as best: a model that is still being pruned is
    better before than after.

    `checkpoint` is the file to resume from and to write after each epoch; `identity` names what else must be the same
    for that (model, data). Pruning hooks in by `after_step`.
    """
    run = _Run(model, epochs.steps, schedule, checkpoint, seed, identity, measure)
    with _progress(run.processes.rank == 0) as progress:
        task = progress.add_task(title, total=schedule.epochs, completed=run.epoch, note=run.note())
        for epoch in range(run.epoch, schedule.epochs):
            if run.out_of_patience(best_from):
                break
            started = time.monotonic(), time.process_time()
            total = _one_epoch(run, epochs, loss, after_step, epoch)
            run.history.seconds += time.monotonic() - started[0]
            run.history.cpu_seconds += time.process_time() - started[1]
            run.finish_epoch(epoch, total / epochs.steps, validate, best_from)
            progress.update(task, completed=epoch + 1, note=run.note())
            if not (progress.disable or progress.console.is_terminal):  # a log file gets a line an epoch beside the bar
                progress.console.print(f"{title}: epoch {epoch + 1}/{schedule.epochs}  {run.note()}", markup=False)
    if run.best_weights is not None:
        model.load_state_dict(run.best_weights)
    model.eval()
    return run.history


def _one_epoch(
    run: _Run,
    epochs: Epochs,
    loss: Callable[[nn.Module, Batch], torch.Tensor],
    after_step: AfterStep | None,
    epoch: int,
) -> float:
    run.model.train()
    generator = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
    torch.manual_seed(run.seed * 100_003 + epoch)  # dropout
    total = 0.0
    for step, batch in enumerate(epochs.draw(generator)):
        run.optimizer.zero_grad(set_to_none=True)
        value = _learn(run, batch, loss, epochs.parts)
        if run.products.step(run.optimizer, run.model.parameters(), run.schedule.clip_norm):
            run.rate.step()
        total += value
        if not math.isfinite(total):
            raise InputError(
                f"the loss became {total} in epoch {epoch + 1}. Lower learning_rate ({run.schedule.learning_rate})."
            )
        if after_step:
            after_step((epoch * epochs.steps + step + 1) / (run.schedule.epochs * epochs.steps))
    return run.processes.mean(total)


def _learn(run: _Run, batch: Batch, loss: Callable[[nn.Module, Batch], torch.Tensor], parts: int) -> float:
    """Add the gradient of this process's share of a batch, part by part; return its loss."""
    shared = [run.processes.share(tensor) for tensor in batch]
    weight, whole, total = run.processes.weight(len(batch[0])), len(shared[0]), 0.0
    for part in zip(*(tensor.tensor_split(min(parts, whole)) for tensor in shared), strict=True):
        with run.products.mixed():
            value = loss(run.parallel, part)
        counts = weight * len(part[0]) / whole
        if counts != 1:
            value = value * counts
        run.products.backward(value)
        total += float(value.detach())
    return total


class _Run:
    """Everything that a checkpoint holds."""

    def __init__(
        self,
        model: nn.Module,
        steps: int,
        schedule: Schedule,
        checkpoint: Path | None,
        seed: int,
        identity: str,
        measure: Measure,
    ):
        self.measure = measure
        self.model, self.schedule, self.checkpoint, self.seed = model, schedule, checkpoint, seed
        self.optimizer = schedule.optimizer.over(model.parameters(), schedule.learning_rate, schedule.weight_decay)
        self.products = schedule.products()
        all_steps = max(1, schedule.epochs * steps)
        warm_up = max(1, round(schedule.warm_up * all_steps))
        self.rate = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: min((step + 1) / warm_up, 0.5 * (1 + math.cos(math.pi * min(1.0, step / all_steps)))),
        )
        self.history, self.epoch, self.best, self.best_epoch = History(), 0, measure.worst, 0
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.fingerprint = {"seed": seed, "steps": steps, "identity": identity, **schedule.told()}
        self.processes = Processes()
        self.parallel = self.processes.wrapped(model)
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)

    def finish_epoch(
        self, epoch: int, train_loss: float, validate: Callable[[nn.Module], float], best_from: float
    ) -> None:
        self.epoch = epoch + 1
        last = self.epoch == self.schedule.epochs
        if self.epoch % self.schedule.validate_every == 0 or last:
            self.processes.share_buffers(self.model)
            self.model.eval()
            with torch.no_grad():
                value = self.processes.mean(validate(self.model))
            self.history.epoch.append(self.epoch)
            self.history.train_loss.append(train_loss)
            self.history.validation.append(value)
            if self.measure.better(value, self.best) and self.epoch >= best_from * self.schedule.epochs:
                self.best, self.best_epoch = value, self.epoch
                self.best_weights = copy.deepcopy(self.model.state_dict())
        if self.checkpoint is not None and self.processes.rank == 0:
            self._save(self.checkpoint)

    def out_of_patience(self, best_from: float) -> bool:
        since = max(self.best_epoch, math.ceil(best_from * self.schedule.epochs))
        if self.history.epoch[-1:] != [self.epoch]:  # only what was validated can have disappointed
            return False
        return 0 < self.schedule.patience <= self.epoch - since

    def note(self) -> str:
        if not self.history.epoch:
            return ""
        value = self.measure.form(self.history.validation[-1])
        return f"loss {self.history.train_loss[-1]:.3f}  validation {self.measure.name} {value}"

    def _save(self, checkpoint: Path) -> None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        written = io.BytesIO()  # torch's own file writer would hide that the disk is full
        torch.save(
            {
                "fingerprint": self.fingerprint,
                "epoch": self.epoch,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "rate": self.rate.state_dict(),
                "loss_scale": self.products.state_dict(),
                "history": asdict(self.history),
                "best": self.best,
                "best_epoch": self.best_epoch,
                "best_weights": self.best_weights,
            },
            written,
        )
        part = _part(checkpoint)
        try:
            part.write_bytes(written.getbuffer())
            part.replace(checkpoint)  # a whole checkpoint or the one before, never half of one
        finally:
            part.unlink(missing_ok=True)

    def _resume(self, checkpoint: Path) -> None:
        saved = _load(checkpoint)
        if saved["fingerprint"] != self.fingerprint:
            raise InputError(
                f"{checkpoint} belongs to another training ({_differences(saved['fingerprint'], self.fingerprint)}). "
                "Remove it to start anew, or go back to its settings to go on."
            )
        try:
            self.model.load_state_dict(saved["model"])
        except RuntimeError as error:  # the settings are the same, but another version made other arrays of them
            raise InputError(
                f"{checkpoint} holds other arrays than this model: another version of tinyrnn wrote it. "
                "Remove it to start anew."
            ) from error
        self.optimizer.load_state_dict(saved["optimizer"])
        self.rate.load_state_dict(saved["rate"])
        self.products.load_state_dict(saved["loss_scale"])
        told = dict(saved["history"])
        if "validation_accuracy" in told:  # as checkpoints called it before anything else was measured
            told["validation"] = told.pop("validation_accuracy")
        self.history = History(**told)
        self.history.cpu_seconds_before = self.history.cpu_seconds
        self.epoch, self.best, self.best_epoch = saved["epoch"], saved["best"], saved["best_epoch"]
        self.best_weights = saved["best_weights"]


def _part(checkpoint: Path) -> Path:
    """What is written first, under a name of its own: another process may be at the same training."""
    return checkpoint.with_name(f"{checkpoint.stem}.{uuid.uuid4().hex[:12]}.part")


def _load(checkpoint: Path) -> dict[str, Any]:
    """What `_save` wrote; weights only, so that a foreign file can run no code."""
    content = io.BytesIO(checkpoint.read_bytes())
    try:
        saved = torch.load(content, weights_only=True)
    except _UNREADABLE:
        saved = None
    if isinstance(saved, dict):
        saved.setdefault("loss_scale", {})  # checkpoints from before float16 have none
    if not isinstance(saved, dict) or set(saved) != CHECKPOINT:
        raise InputError(f"{checkpoint} is no checkpoint, or is damaged. Remove it: this training then starts anew.")
    return saved


def _differences(saved: dict[str, Any], now: dict[str, Any]) -> str:
    keys = [key for key in {**saved, **now} if saved.get(key) != now.get(key)]
    return ", ".join(f"{key} was {saved.get(key)}, now {now.get(key)}" for key in keys)


def _progress(shown: bool) -> Progress:
    """A bar on stderr: stdout is for answers."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} epochs"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not shown,
    )
