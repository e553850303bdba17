"""What the student is taught: the right word late in the clip, silence before it, and the teacher's doubts.

Cross-entropy on every step of the clip's last quarter suits the streaming decision best (81.8 % against 75.1 % for the
last step alone); softened teacher logits on the same steps carry what the teacher knows (Hinton, Vinyals & Dean 2015,
arXiv:1503.02531).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from train.hint import similarity_gap
from train.loop import Batch


@dataclass(frozen=True)
class FrameLoss:
    """The loss of one batch of (frames, labels, whole, tails[, teacher's log-probabilities[, its embeddings]]).

    `whole` marks recordings that hold no word at all: on every step one of the negative labels must win. `tails` says
    how many feature vectors come after each word's end.
    """

    clip_steps: int
    """Steps that a clip lasts."""

    negatives: tuple[int, ...]
    """Labels that are no word, silence last: nothing fires on them."""

    stride: int = 3
    """Feature vectors in a step."""

    smoothing: float = 0.1
    silence_weight: float = 0.3
    """Weight of calling the clip's first steps silence, so that the word before is forgotten in time."""

    soft: float = 0.0
    """Share of the loss that comes from the teacher; the rest is the label's."""

    temperature: float = 1.0
    """Of both distributions. A teacher that learned with label smoothing says how sure it is; at 2 its answer over 40
    words is nearly flat, and the student was worse than one that never heard it."""

    hint: float = 0.0
    """Weight of the teacher's hint (`train.hint`): the model must then give its states beside its logits."""

    clear: float = 0.0
    """Weight of no other word being heard in a word's clip, from where the word before must be forgotten."""

    @property
    def late(self) -> int:
        """Steps for which a word is the answer: a quarter of a clip.

        Longer than the decoder smooths, so that a word that was said fills the window, and a passing resemblance in
        the middle of another word does not. No longer than the pause between two words said in a row: at three
        eighths a quarter of the second words was still taken for the first.
        """
        return self.clip_steps // 4

    @property
    def early(self) -> int:
        """Steps in which no word can have ended yet."""
        return self.clip_steps // 6

    def __call__(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """The mean loss; the teacher's log-probabilities are the batch's fifth tensor, if any."""
        frames, labels, whole, tails = batch[:4]
        hinted = self.hint > 0 and len(batch) > 5
        logits, states = model(frames, with_states=True) if hinted else (model(frames), None)
        logits = logits.float()  # (batch, steps, labels)
        words = ~whole
        late = self.at_word_ends(logits, tails)
        asked = labels[:, None].expand(-1, late.shape[1])
        wrong = functional.cross_entropy(
            late.transpose(1, 2), asked, label_smoothing=self.smoothing, reduction="none"
        )  # (batch, late)
        loss = wrong.mean(dim=1)
        if self.soft and len(batch) > 4:
            taught = (batch[4] / self.temperature).softmax(dim=1)  # (batch, labels)
            heard = (late / self.temperature).log_softmax(dim=2)
            doubt = -(taught[:, None] * heard).sum(dim=2).mean(dim=1) * self.temperature
            loss = torch.where(words, (1 - self.soft) * loss + self.soft * doubt, loss)
        start = max(0, logits.shape[1] - self.clip_steps)
        if self.clear:
            strays = self._strays(logits[:, start + self.early :], labels)
            loss = torch.where(words, loss + self.clear * self._alarm(strays), loss)
        before = functional.log_softmax(logits[:, start : start + self.early], dim=2)[:, :, self.negatives[-1]]
        silent = -before.mean(dim=1)
        fires = -functional.log_softmax(logits, dim=2)[:, :, list(self.negatives)].logsumexp(dim=2)  # (batch, steps)
        others = torch.isin(labels, torch.tensor(self.negatives[:-1], dtype=labels.dtype))
        loss = torch.where(others, loss + self._alarm(fires[:, start + self.early :]), loss)
        total = torch.where(words, loss + self.silence_weight * silent, 0.5 * loss + self._alarm(fires)).mean()
        if states is None:
            return total
        left = self.at_word_ends(states, tails).mean(dim=1)  # (batch, hidden)
        return total + self.hint * similarity_gap(left[words], batch[5][words].float())

    def _strays(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """How ready words other than the clip's own are to fire: (batch, steps, labels), (batch,) -> (batch, steps)."""
        allowed = torch.zeros_like(logits[:, 0], dtype=torch.bool)
        allowed[:, list(self.negatives)] = True
        allowed = allowed.scatter(1, labels[:, None], True)[:, None]  # (batch, 1, labels)
        return -logits.log_softmax(dim=2).masked_fill(~allowed, -torch.inf).logsumexp(dim=2)

    def _alarm(self, fires: torch.Tensor) -> torch.Tensor:
        """How ready words are to fire where none is said, on average and at worst: (batch, steps) -> (batch,).

        A detector is as good as its worst moment: the mean of many quiet steps hides the few that set it off.
        """
        worst = functional.avg_pool1d(fires[:, None], self.late, 1).amax(dim=(1, 2))
        return 0.5 * (fires.mean(dim=1) + worst)

    def at_word_ends(self, rows: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """The steps that are taught, from the word's end on: (batch, steps, any), (batch,) -> (batch, late, any).

        A clip whose word ends with it, or later than its last quarter begins, has that quarter.
        """
        after = (tails // self.stride).clamp(self.late, self.clip_steps - self.early)
        steps = (rows.shape[1] - after)[:, None] + torch.arange(self.late)  # (batch, late)
        return rows.gather(1, steps[:, :, None].expand(-1, -1, rows.shape[2]))


def clip_loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    """The teacher's own loss: one label a clip."""
    return functional.cross_entropy(model(batch[0]).float(), batch[1], label_smoothing=0.1)
