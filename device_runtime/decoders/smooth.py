"""Words: a label fires when its smoothed probability reaches its threshold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from device_runtime import extension
from device_runtime.arithmetic import Float32
from device_runtime.events import Detection, Event

Float64 = npt.NDArray[np.float64]
Armed = npt.NDArray[np.bool_]
"""Which labels may fire: all but those whose scores have not fallen since they did."""


@dataclass(frozen=True)
class Decoded:
    """What the scores of one or more steps led to."""

    scores: Float32
    """Smoothed, (steps, labels)."""

    armed: Armed
    """After each step, (steps, labels)."""

    events: list[list[Detection]]
    """Of each step."""


class Decoder(Protocol):
    """Follows a model's scores through time and says when something happened."""

    @property
    def armed(self) -> Armed:
        """Which labels may fire now, (labels,)."""

    def push(self, scores: Float32, times_s: Iterable[float]) -> Decoded:
        """Take the scores of some steps, (steps, labels), and when each was; how many at a time changes nothing."""

    def events(self, scores: Float32, times_s: Iterable[float]) -> list[Event]:
        """Take them as `push` does; tell of the events alone, which may cost much less."""

    def end_refractory(self) -> None:
        """Let the next event come at once; what has fired must still fall before it fires again."""

    def reset(self) -> None:
        """Forget everything heard so far."""


class Smooth:
    """A label fires when its mean probability over the last `window_ms` reaches its threshold.

    After it fired, it must fall below `release` times its threshold before it can fire again, and no label fires within
    `refractory_ms` of the last event. Of several labels above their thresholds, the most probable one fires. A label
    without a threshold never fires.

    Nothing fires before one full window has been heard since the start or the last reset: until then the mean is over
    fewer steps, and one chance step would be enough.

    >>> decoder = Smooth(["_silence_", "yes"], 60, {"yes": 0.8}, release=0.5, refractory_ms=1000, frame_s=0.03)
    >>> scores = np.array([[0, -9], [0, 9], [0, 9], [0, 9]], np.float32)
    >>> [len(events) for events in decoder.push(scores, [0.0, 0.03, 0.06, 0.09]).events]
    [0, 0, 1, 0]
    """

    def __init__(
        self,
        labels: Sequence[str],
        window_ms: float,
        thresholds: Mapping[str, float],
        release: float,
        refractory_ms: float,
        frame_s: float,
    ):
        self._labels = tuple(labels)
        self._thresholds = np.array([thresholds.get(label, np.inf) for label in labels])  # (labels,)
        self._releases = np.array([release * thresholds.get(label, 0.0) for label in labels])
        self._refractory_s = refractory_ms / 1000
        self.window_steps = max(1, round(window_ms / 1000 / frame_s))
        self.window_s = self.window_steps * frame_s
        self._watch = extension.watch(self._thresholds, self._releases, self.window_steps)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._recent = np.zeros((self.window_steps - 1, len(self._labels)))  # posteriors, oldest first
        self._unread: deque[Float32] = deque(maxlen=self.window_steps)  # scores of steps after those
        self._steps = 0
        self._armed = np.ones(len(self._labels), bool)
        if self._watch is not None:
            self._watch.reset()
        self.end_refractory()

    def end_refractory(self) -> None:
        """Let the next event come at once; what has fired must still fall before it fires again."""
        self._quiet_until_s = -np.inf

    @property
    def armed(self) -> Armed:
        """Which labels may fire now, (labels,)."""
        return self._armed.copy()

    def push(self, scores: Float32, times_s: Iterable[float]) -> Decoded:
        """Take the scores of some steps, (steps, labels), and when each was; how many at a time changes nothing.

        Nearly always nothing is near its threshold, and the steps cost little more than one.
        """
        if self._watch is not None:
            self._watch.push(scores)
        return self._decode(scores, times_s)

    def events(self, scores: Float32, times_s: Iterable[float]) -> list[Event]:
        """Take them as `push` does; tell of the events alone.

        While the extension in C is sure that nothing happens, the scores are kept, and read when it no longer is.
        """
        if self._watch is not None and not self._watch.push(scores):
            self._unread.append(scores)
            self._steps += len(scores)
            return []
        return [event for events in self._decode(scores, times_s).events for event in events]

    def _decode(self, scores: Float32, times_s: Iterable[float]) -> Decoded:
        if self._unread:
            self._catch_up()
        means = self._means(scores)
        if self._armed.all() and not (means >= self._thresholds).any():
            return Decoded(means.astype(np.float32), np.ones(means.shape, bool), [[] for _ in means])
        armed, events = np.empty(means.shape, bool), []
        for i, time_s in enumerate(times_s):
            heard_enough = self._steps - len(means) + i + 1 >= self.window_steps
            self._armed |= means[i] < self._releases
            events.append(self._fire(means[i], time_s) if heard_enough else [])
            armed[i] = self._armed
        if self._watch is not None:
            self._watch.arm(self._armed)
        return Decoded(means.astype(np.float32), armed, events)

    def _catch_up(self) -> None:
        """Read what was kept, as far as it is still in the window."""
        recent = np.concatenate([self._recent, _posteriors(np.concatenate(self._unread))])
        self._recent = recent[len(recent) - (self.window_steps - 1) :]
        self._unread.clear()

    def _means(self, scores: Float32) -> Float64:
        """The mean probabilities over the window at each step, or over what there is of it: (steps, labels)."""
        recent = np.concatenate([self._recent, _posteriors(scores)])
        steps, window = len(scores), self.window_steps
        self._recent = recent[steps:]
        # each window is added up by itself, so that no sum depends on how many steps came at a time
        sums = np.array([recent[i : i + window].sum(axis=0) for i in range(steps)])
        counted = np.minimum(np.arange(self._steps + 1, self._steps + steps + 1), window)
        self._steps += steps
        return sums / counted[:, None]

    def _fire(self, means: Float64, time_s: float) -> list[Detection]:
        ready = self._armed & (means >= self._thresholds)
        if time_s < self._quiet_until_s or not ready.any():
            return []
        best = int(np.argmax(np.where(ready, means, -1)))
        self._armed[best] = False
        self._quiet_until_s = time_s + self._refractory_s
        return [Detection(self._labels[best], time_s, float(means[best]))]


def _posteriors(scores: Float32) -> Float64:
    odds = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    posteriors: Float64 = odds / odds.sum(axis=1, keepdims=True)
    return posteriors
