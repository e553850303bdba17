"""The trainings of one scenario: teachers, students, and the workbench that compress methods are handed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from scenarios.scenario import Scenario
from train import batches, metrics
from train.augment import CLEAN
from train.batches import FeatureSet, FrameView
from train.distill import FrameLoss, clip_loss
from train.loop import AfterStep, History, Schedule, fit
from train.material import Material
from train.student import Student
from train.teacher import Teacher, TeacherConfig
from train.teaching import taught_copies
from train.training_losses import training_losses

COLD_VECTORS = 98
"""What the front end makes of one second from a cold start."""

AS_THEY_ARE = FrameView(0, 0)
"""The teacher sees feature vectors, not frames."""

MOST_CALIBRATION_CLIPS = 1000


@dataclass
class Trainings:
    """One scenario's data and models in a folder; what is there already is not trained again."""

    scenario: Scenario
    folder: Path
    cache: Path
    teacher_folder: Path | None = None
    """Where the teachers' checkpoints are, if not in `folder`: scenarios on the same data share them."""

    def __post_init__(self) -> None:
        mix = self.scenario.mix
        self.labels = mix.labels
        self.words = [i for i, label in enumerate(self.labels) if not label.startswith("_")]
        self.view = FrameView(self.scenario.student.stack, self.scenario.student.stride)
        self.train, self.validation = (Material(mix, split, self.cache) for split in ("train", "validation"))
        self.histories: dict[str, History] = {}
        clip_steps = self.view.steps(COLD_VECTORS)
        negatives = tuple(i for i in range(len(self.labels)) if i not in self.words)
        self.hard_loss = FrameLoss(clip_steps, negatives, self.view.stride, clear=self.scenario.clear)
        self.soft_loss = replace(self.hard_loss, soft=self.scenario.soft)
        self.hint_loss = replace(self.soft_loss, hint=self.scenario.hint)

    @cached_property
    def copies(self) -> list[FeatureSet]:
        """The training split in every hearing."""
        return self.train.copies()

    @cached_property
    def validation_copies(self) -> list[FeatureSet]:
        """The validation split, cold and warm, without augmentation."""
        return [self.validation.copy(replace(CLEAN, warm=warm), 100 + warm) for warm in (False, True)]

    @cached_property
    def teachers(self) -> list[Teacher]:
        """Trained, ready to teach."""
        return [self._teacher(shape, self.scenario.seed + i) for i, shape in enumerate(self.scenario.teacher_shapes)]

    def _teacher(self, shape: TeacherConfig, seed: int) -> Teacher:
        torch.manual_seed(seed)
        teacher = Teacher(shape, len(self.labels))
        batch = batches.epochs(self.copies, AS_THEY_ARE, self.scenario.teacher_warp)
        schedule = self.scenario.teacher_schedule
        self._fit(f"teacher-{seed}", teacher, batch, clip_loss, self.teacher_value, schedule, seed)
        return teacher

    def student(self, seed: int, loss: FrameLoss | None = None, name: str = "student") -> Student:
        """A float student: distilled as the scenario says, or (for comparison) by another loss on the same clips."""
        torch.manual_seed(seed)
        student = Student(self.scenario.student, len(self.labels))
        batch, objective = self._taught_epochs, loss or self.hint_loss
        self._fit(f"{name}-{seed}", student, batch, objective, self.student_value, self.scenario.schedule, seed)
        return student

    def value(self, model: nn.Module) -> float:
        """As `student_value`, for compress methods."""
        return self.student_value(model)

    def student_value(self, student: nn.Module) -> float:
        """What epochs are chosen by: words recognized, cold and warm, where few clips without a word set one off."""
        return sum(self._streamed(student, features) for features in self.validation_copies) / 2

    def _streamed(self, student: nn.Module, features: FeatureSet) -> float:
        logits = metrics.in_batches(student, features, self.view)
        scores = metrics.clip_scores(logits, self.scenario.window_steps, self.hard_loss.clip_steps)
        told = scores, torch.from_numpy(features.labels), self.words
        speech = len(self.hard_loss.negatives) > 1  # else there is only noise to be told from, which is no choice
        return metrics.recognized(*told) if speech else metrics.word_accuracy(*told)

    def teacher_value(self, teacher: nn.Module) -> float:
        """Share of validation clips that the teacher labels right, cold and warm."""
        return sum(self._labelled(teacher, features) for features in self.validation_copies) / 2

    def _labelled(self, teacher: nn.Module, features: FeatureSet) -> float:
        words = ~features.whole
        clips = FeatureSet(
            features.vectors[words], features.labels[words], features.whole[words], features.tails[words]
        )
        return metrics.clip_accuracy(metrics.in_batches(teacher, clips, AS_THEY_ARE), torch.from_numpy(clips.labels))

    @cached_property
    def calibration(self) -> torch.Tensor:
        """Warm, augmented training frames: (clips, steps, feature_size)."""
        warm = self.copies[-1].vectors[:: max(1, len(self.copies[-1]) // MOST_CALIBRATION_CLIPS)]
        return self.view(torch.from_numpy(warm).float())

    def losses(self, model: nn.Module, batches: int) -> Iterator[torch.Tensor]:
        """What `tune` would learn from, so many batches of it."""
        return training_losses(model, self._taught_epochs, self.soft_loss, batches, self.scenario.seed)

    def tune(
        self,
        model: nn.Module,
        epochs: int,
        learning_rate: float,
        title: str,
        after_step: AfterStep | None = None,
        best_from: float = 0.0,
        settings: str = "",
    ) -> None:
        """Train on with the teacher, as the student was trained."""
        schedule = replace(self.scenario.schedule, epochs=epochs, learning_rate=learning_rate, validate_every=1)
        seed = self.scenario.seed
        batch, value = self._taught_epochs, self.student_value
        self._fit(title, model, batch, self.soft_loss, value, schedule, seed, after_step, best_from, settings)

    @cached_property
    def taught(self) -> list[FeatureSet]:
        """The training copies, warped in several ways, with the teachers' answers."""
        scenario = self.scenario
        return taught_copies(
            self.copies,
            self.teachers,
            scenario.warp,
            scenario.versions,
            scenario.mix.seed,
            self.cache,
            hints=scenario.hint > 0,
        )

    @property
    def _taught_epochs(self) -> batches.Epochs:
        return batches.epochs(self.taught, self.view, self.scenario.touch)

    def _fit(
        self,
        name: str,
        model: nn.Module,
        epochs: batches.Epochs,
        loss: Callable[[nn.Module, batches.Batch], torch.Tensor],
        value: Callable[[nn.Module], float],
        schedule: Schedule,
        seed: int,
        after_step: AfterStep | None = None,
        best_from: float = 0.0,
        settings: str = "",
    ) -> None:
        by_teacher = loss is clip_loss
        home = self.teacher_folder if self.teacher_folder and by_teacher else self.folder
        heard = (self.scenario.teacher_warp,) if by_teacher else (self.scenario.touch, self.taught[0].made_by, loss)
        content = (self.train.content, self.validation.content)
        told = repr((self.scenario.mix, content, heard, schedule, seed, settings))
        digest = hashlib.sha256(told.encode())
        for start in model.state_dict().values():  # what it starts from: another student is another pruning
            digest.update(start.numpy().tobytes())
        identity = digest.hexdigest()[:12]
        checkpoint = home / f"{name}-{identity}.ckpt"
        self.histories[name] = fit(
            model, epochs, loss, value, schedule, checkpoint, seed, after_step, name, best_from, identity
        )
