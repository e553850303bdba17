"""Decoders: scores in, events out. A kind in the manifest becomes a decoder here and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import BundleError
from device_runtime.events import Detection, Event


class Decoder(Protocol):
    """Follows a model's scores through time and says when something happened."""

    @property
    def armed(self) -> npt.NDArray[np.bool_]:
        """Which labels may fire: all but those whose scores have not fallen since they did, (labels,)."""

    def push(self, scores: Float32, time_s: float) -> tuple[Float32, list[Event]]:
        """Take the scores of one step; return them smoothed, and the events that they completed."""

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
    >>> [len(decoder.push(np.array([0, score], np.float32), 0.03 * i)[1]) for i, score in enumerate([-9, 9, 9, 9])]
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
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._recent = np.zeros((self.window_steps, len(self._labels)))  # a ring of posteriors
        self._steps = 0
        self._armed = np.ones(len(self._labels), bool)
        self.end_refractory()

    def end_refractory(self) -> None:
        """Let the next event come at once; what has fired must still fall before it fires again."""
        self._quiet_until_s = -np.inf

    @property
    def armed(self) -> npt.NDArray[np.bool_]:
        """Which labels may fire: all but those whose scores have not fallen since they did, (labels,)."""
        return self._armed.copy()

    def push(self, scores: Float32, time_s: float) -> tuple[Float32, list[Event]]:
        """Take the scores of one step (labels,); return the smoothed probabilities (labels,) and any event."""
        odds = np.exp(scores.astype(np.float64) - scores.max())
        self._recent[self._steps % self.window_steps] = odds / odds.sum()
        self._steps += 1
        smoothed = self._recent.sum(axis=0) / min(self._steps, self.window_steps)
        self._armed |= smoothed < self._releases
        heard_enough = self._steps >= self.window_steps
        return smoothed.astype(np.float32), self._fire(smoothed, time_s) if heard_enough else []

    def _fire(self, smoothed: np.ndarray[Any, np.dtype[np.float64]], time_s: float) -> list[Event]:
        ready = self._armed & (smoothed >= self._thresholds)
        if time_s < self._quiet_until_s or not ready.any():
            return []
        best = int(np.argmax(np.where(ready, smoothed, -1)))
        self._armed[best] = False
        self._quiet_until_s = time_s + self._refractory_s
        return [Detection(self._labels[best], time_s, float(smoothed[best]))]


DECODERS: dict[str, Callable[..., Smooth]] = {"smooth": Smooth}


def decoder(settings: Mapping[str, Any], labels: Sequence[str], frame_s: float) -> Smooth:
    """The decoder that a manifest describes."""
    options = dict(settings)
    kind = options.pop("kind", None)
    if kind not in DECODERS:
        raise BundleError(
            f"the decoder {kind!r} is unknown, expected one of: {', '.join(DECODERS)}. "
            "Upgrade with: pip install -U tinyrnn-runtime"
        )
    try:
        inspect.signature(DECODERS[kind]).bind(labels=labels, frame_s=frame_s, **options)
    except TypeError as error:
        raise BundleError(
            f"the settings of the decoder {kind!r} do not fit it: {error}. Get the bundle again"
        ) from error
    return DECODERS[kind](labels=labels, frame_s=frame_s, **options)
