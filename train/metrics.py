"""How good a student is while it trains: the decision a device would take, on features instead of audio.

Published numbers come from `device_runtime.evaluate` on the exported bundle; these choose between epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from train.batches import FeatureSet, FrameView


def smoothed(logits: torch.Tensor, steps: int) -> torch.Tensor:
    """Probabilities averaged over the last `steps` steps (fewer at the start): (batch, steps, labels)."""
    probabilities = logits.softmax(dim=2).transpose(1, 2)
    sums = functional.avg_pool1d(functional.pad(probabilities, (steps - 1, 0)), steps, 1) * steps
    counted = torch.arange(1, logits.shape[1] + 1).clamp(max=steps)
    return (sums / counted).transpose(1, 2)


def in_batches(
    model: Callable[[torch.Tensor], torch.Tensor], features: FeatureSet, view: FrameView, size: int = 400
) -> torch.Tensor:
    """The model's output for a whole set, without gradients."""
    with torch.no_grad():
        parts = [
            model(view(torch.from_numpy(features.vectors[at : at + size]).float()))
            for at in range(0, len(features), size)
        ]
    return torch.cat(parts)


def clip_scores(logits: torch.Tensor, window_steps: int, clip_steps: int) -> torch.Tensor:
    """The highest smoothed score of each label within the clip: (batch, labels).

    After a pre-roll, only windows that lie inside the clip count, and of a label whose score falls as the clip begins
    only those from where it stops falling, as in `device_runtime.evaluate`.
    """
    scores = smoothed(logits, window_steps)
    if logits.shape[1] > clip_steps:
        scores = scores[:, -(clip_steps - window_steps + 1) :]
        stands = (scores[:, 1:] >= scores[:, :-1]).cumsum(dim=1) > 0  # from the clip's second window on
        scores = torch.where(stands, scores[:, 1:], 0.0)
    return scores.amax(dim=1)


def word_accuracy(scores: torch.Tensor, labels: torch.Tensor, words: Sequence[int]) -> float:
    """Share of the word clips in which the right word has the highest score of all words."""
    is_word = torch.isin(labels, torch.tensor(list(words)))
    best = scores[is_word][:, list(words)].argmax(dim=1)
    return float((torch.tensor(list(words))[best] == labels[is_word]).double().mean())


def recognized(scores: torch.Tensor, labels: torch.Tensor, words: Sequence[int], alarms: float = 0.02) -> float:
    """Share of the word clips in which the right word is the best one and is above its threshold.

    The thresholds are such that about `alarms` of the clips without a word set any word off. So models whose scores
    have different scales compare, which a fixed threshold cannot do; where no clip is without a word, the right word
    only has to be the best.
    """
    is_word = torch.isin(labels, torch.tensor(list(words)))
    of_words = scores[:, list(words)]
    best = torch.tensor(list(words))[of_words.argmax(dim=1)]
    right = best[is_word] == labels[is_word]
    if not bool(is_word.all()):
        thresholds = of_words[~is_word].quantile(1 - alarms / len(words), dim=0)
        right &= (of_words > thresholds).gather(1, of_words.argmax(dim=1, keepdim=True))[is_word, 0]
    return float(right.double().mean())


def clip_accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of clips that a clip-level model (the teacher) labels right."""
    return float((logits.argmax(dim=1) == labels).double().mean())
